"""Variables: where values come from, and what is refused on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calamari_py.variables import (
    SourceUnreadable,
    Variable,
    VariableSet,
    from_environment,
    from_file,
    is_text,
)


def test_a_set_is_a_mapping_in_the_order_of_definition() -> None:
    """Names are exact and keep their order; a set without some names leaves the rest."""
    names = ["b", "A", "a", "AWS Account.AccessKey", "List[0]"]
    whole = VariableSet({name: Variable(name=name, text=name.upper()) for name in names})
    assert list(whole) == names
    assert whole["a"].text == "A"
    assert "c" not in whole
    assert list(whole.without(frozenset({"A", "zz"}))) == ["b", "a", *names[3:]]


def test_reprs_show_no_values() -> None:
    """Neither a variable nor a set shows a value."""
    variable = Variable(name="A", text="hunter2")
    assert "hunter2" not in repr(variable)
    assert repr(VariableSet({"A": variable})) == "VariableSet(1 variables)"


@pytest.mark.parametrize(
    ("sensitive", "mask", "expected"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_what_is_masked(sensitive: bool, mask: bool, expected: bool) -> None:
    """Only sensitive variables are masked, unless the manifest says why not."""
    variable = Variable(name="A", text="x", sensitive=sensitive, mask=mask)
    assert variable.is_masked is expected


@pytest.mark.parametrize(
    ("environ", "sensitive", "expected"),
    [
        pytest.param({"X": " v\n"}, False, " v\n", id="exact"),
        pytest.param({"X": ""}, False, "", id="empty-is-a-value"),
        pytest.param({"X": "é"}, True, "é", id="unicode"),
    ],
)
def test_environment_values_are_exact(
    environ: dict[str, str], sensitive: bool, expected: str
) -> None:
    """An environment variable's value is taken as it is."""
    assert from_environment("X", environ, sensitive=sensitive) == expected


@pytest.mark.parametrize(
    ("environ", "sensitive", "message"),
    [
        pytest.param({}, False, "is not set", id="unset"),
        pytest.param({"x": "1"}, False, "is not set", id="case-matters"),
        pytest.param({"X": ""}, True, "is empty", id="empty-secret"),
        pytest.param({"X": " \n"}, True, "is empty", id="blank-secret"),
        pytest.param({"X": "a\udc80"}, False, "is not valid UTF-8", id="bytes"),
    ],
)
def test_environment_values_that_are_refused(
    environ: dict[str, str], sensitive: bool, message: str
) -> None:
    """A variable that is not there names itself and what to do."""
    with pytest.raises(SourceUnreadable, match=message) as caught:
        from_environment("X", environ, sensitive=sensitive)
    assert "'X'" in caught.value.message
    assert caught.value.hint
    assert not caught.value.missing


def test_a_file_is_taken_byte_for_byte(tmp_path: Path) -> None:
    """No newline is added, removed or changed, and a byte order mark stays."""
    data = "\ufeffline\r\nend é".encode()
    (tmp_path / "f").write_bytes(data)
    assert from_file(tmp_path / "f", shown="f").encode() == data


def test_files_that_are_refused(tmp_path: Path) -> None:
    """Missing, special, binary and huge files are refused in words, at once."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "nul").write_bytes(b"a\0b")
    (tmp_path / "large").write_bytes(b"x" * 2_000_001)
    expected = {
        "gone": ("does not exist", True),
        "folder": ("is a folder", True),
        "fifo": ("is no regular file", True),
        "latin": ("is not valid UTF-8 (byte 3)", False),
        "nul": ("holds a NUL character", False),
        "large": ("is larger than 2 MB", False),
    }
    for name, (message, missing) in expected.items():
        with pytest.raises(SourceUnreadable) as caught:
            from_file(tmp_path / name, shown=name, limit=2_000_000)
        assert message in caught.value.message
        assert caught.value.missing is missing
        assert str(tmp_path) not in caught.value.message


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    """Mounted secrets are symbolic links; they are read like files."""
    (tmp_path / "real").write_text("v")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert from_file(tmp_path / "link", shown="link") == "v"


@pytest.mark.parametrize(("text", "expected"), [("é", True), ("", True), ("\ud800", False)])
def test_what_counts_as_text(text: str, expected: bool) -> None:
    """Half of a surrogate pair is no text: it has no UTF-8 form."""
    assert is_text(text) is expected
