"""A profile's ``credential_process``."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.credentials import profile_process
from calamari_py.credentials._process import run_process
from calamari_py.delivery._request import TOKEN_NAME, URI_NAME
from calamari_py.errors import SourceBroken
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import context, texts_of
from tests.credentials.issuers.support import FakeCapture

SECRET = "a-secret-of-the-launcher"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the program ``vendor``."""
    program = tmp_path / "vendor"
    program.write_text('#!/bin/sh\nprintf \'{"Version": 1, "Args": "%s %s"}\' "$1" "$AWS_REGION"\n')
    program.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("absolute", [True, False], ids=["path", "name"])
def test_what_is_run(folder: Path, absolute: bool) -> None:
    """An absolute path, with the config files and the region, without the launcher's own."""
    run = FakeCapture(stdout=b"{}")
    environ = {
        "PATH": f".:{folder}", "HOME": "/h", "AWS_CONFIG_FILE": "/c", "AWS_REGION": "eu-west-1",
        "AWS_PROFILE": "me", "AWS_SECRET_ACCESS_KEY": SECRET, "SYSTEM_ACCESSTOKEN": SECRET,
        "CALAMARI_OUTPUTS": "/o",
    }  # fmt: skip
    argv = [f"{folder}/vendor" if absolute else "vendor", "--x", "a b"]
    assert run_process(argv, context(environ), run=run) == b"{}"
    ((called, environment, _),) = run.calls
    assert called == (f"{folder}/vendor", "--x", "a b")
    assert environment["AWS_CONFIG_FILE"] == "/c"
    assert environment["AWS_SHARED_CREDENTIALS_FILE"] == "/h/.aws/credentials"
    assert environment["AWS_REGION"] == "eu-west-1"
    assert not {"AWS_PROFILE", "CALAMARI_OUTPUTS", URI_NAME, TOKEN_NAME} & set(environment)
    assert SECRET not in environment.values()


def test_inside_of_another_step(folder: Path) -> None:
    """What leads to the step around us goes along: our own profile needs it. It is a secret."""
    registry = SecretRegistry()
    run = FakeCapture(code=1, stderr=b"no 0123456789abcdef")
    around = {URI_NAME: "http://127.0.0.1:1/v1/credentials", TOKEN_NAME: "0123456789abcdef"}
    with pytest.raises(SourceBroken) as caught:
        run_process([f"{folder}/vendor"], context(around, registry=registry), run=run)
    ((_, environment, _),) = run.calls
    assert {name: environment.get(name) for name in around} == around
    assert caught.value.evidence == ("it said: no ***",)


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        pytest.param(["./vendor"], "absolute path", id="relative"),
        pytest.param(["vendor"], "'vendor' was not found", id="missing"),
        pytest.param(["/etc/passwd"], "not executable", id="no program"),
        pytest.param([], "has no name", id="nothing"),
    ],
)
def test_what_is_not_run(argv: list[str], why: str) -> None:
    """What cannot be found is broken, as a matter of identity."""
    run = FakeCapture()
    with pytest.raises(SourceBroken, match=why) as caught:
        run_process(argv, context({"PATH": "/nonexistent:."}), run=run)
    assert caught.value.hint
    assert run.calls == []


def test_a_failure_shows_no_output(folder: Path) -> None:
    """What a failing program wrote to stdout is a secret all the same."""
    registry = SecretRegistry()
    run = FakeCapture(code=1, stdout=SECRET.encode(), stderr=f"no {SECRET}".encode())
    with pytest.raises(SourceBroken, match="exit code 1") as caught:
        run_process([f"{folder}/vendor"], context(registry=registry), run=run)
    assert caught.value.evidence == ("it said: no ***",)
    assert SECRET not in texts_of(caught.value)


@pytest.mark.process
def test_a_real_one(folder: Path) -> None:
    """Through the process door."""
    written = profile_process([f"{folder}/vendor", "a b"], context({"AWS_REGION": "eu-west-1"}))
    assert written == b'{"Version": 1, "Args": "a b eu-west-1"}'
