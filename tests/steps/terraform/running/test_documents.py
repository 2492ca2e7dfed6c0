"""What ``show -json`` and ``output -json`` wrote is read, or refused."""

from __future__ import annotations

import json

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.running.documents import read_outputs, read_shown
from calamari_py.steps.terraform.values import StateOutput


@pytest.mark.parametrize("version", ["0.1", "1.0", "1.2", "1.99"])
def test_known_formats_are_read(version: str) -> None:
    """A new minor version of the format only adds to it."""
    document = {"format_version": version, "values": {"outputs": {}}}
    assert read_shown(json.dumps(document).encode()) == document


@pytest.mark.parametrize(
    ("stdout", "said"),
    [
        pytest.param(b'{"format_version": "2.0"}', "has the format '2.0'", id="newer"),
        pytest.param(b'{"values": {}}', "names no format", id="none"),
        pytest.param(b"S3cr3t", "is not what Terraform writes", id="no-json"),
        pytest.param(b"", "is not what Terraform writes", id="empty"),
        pytest.param(b'["S3cr3t"]', "is not what Terraform writes", id="no-object"),
    ],
)
def test_other_documents_are_refused(stdout: bytes, said: str) -> None:
    """What may be misread is not read, and nothing of it is quoted."""
    with pytest.raises(ToolFailed, match=said) as caught:
        read_shown(stdout)
    assert "S3cr3t" not in f"{caught.value.message}{caught.value.hint}"
    assert caught.value.__cause__ is None


def test_outputs_are_typed() -> None:
    """Values stay JSON values, in their order; numbers of any length stay exact."""
    stdout = b"""{
        "flag": {"sensitive": false, "type": "bool", "value": true},
        "big": {"sensitive": false, "type": "number", "value": 123456789012345678901234567890},
        "list": {"sensitive": true, "type": ["list", "string"], "value": ["a", null]}
    }"""
    assert read_outputs(stdout) == (
        StateOutput(name="flag", value=True, type="bool"),
        StateOutput(name="big", value=123456789012345678901234567890, type="number"),
        StateOutput(name="list", value=["a", None], type=["list", "string"], sensitive=True),
    )


def test_fractions_keep_their_digits() -> None:
    """A sensitive one is looked for as Terraform writes it."""
    shown = read_shown(b'{"format_version": "1.0", "values": [0.00000012, 12.50, 1]}')
    assert [str(each) for each in shown["values"]] == ["0.00000012", "12.50", "1"]
    assert shown["values"][1] == 12.5


def test_an_output_that_does_not_say_is_sensitive() -> None:
    """In doubt a value is a secret."""
    assert read_outputs(b'{"x": {"value": 1}}')[0].sensitive is True


@pytest.mark.parametrize("stdout", [b"[]", b'{"x": 1}', b'{"x": {"sensitive": true}}', b"x"])
def test_other_outputs_are_refused(stdout: bytes) -> None:
    """A wrapper's own words are not taken for outputs."""
    with pytest.raises(ToolFailed, match="'output -json'"):
        read_outputs(stdout)
