"""Bad input gets one line, a hint and a code; never a traceback, and no child is started."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari

pytestmark = [pytest.mark.process, pytest.mark.sandbox]

DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
HEAD = f"name: t\nregion: eu-west-1\nassume_role: {DEV}\n"


def _check(calamari: Calamari, code: int, expected: str, *arguments: str, **env: str) -> str:
    """Run `step.yaml`, which touches `ran` when a child starts."""
    ran = calamari("run", "step.yaml", *arguments, env=env)
    assert ran.code == code, ran.err
    assert "Traceback" not in ran.err
    assert "calamari: " in ran.err
    assert expected in ran.err
    assert not (calamari.folder / "ran").exists()
    assert ran.out == ""
    return ran.err


SCRIPT = "script: touch ran\n"


@pytest.mark.parametrize(
    ("manifest", "code", "expected"),
    [
        pytest.param(
            HEAD + "asume_role: x\n" + SCRIPT, 65, "did you mean 'assume_role'", id="unknown key"
        ),
        pytest.param(HEAD + "timeout: [1]\n" + SCRIPT, 65, "timeout", id="wrong type"),
        pytest.param(
            "name: t\nassume_role: arn:aws:iam::1:role/x\n" + SCRIPT, 65, "12 digits", id="bad arn"
        ),
        pytest.param(HEAD + "timeout: soon\n" + SCRIPT, 65, "90s, 15m or 1h30m", id="bad duration"),
        pytest.param(
            HEAD + "expect: {account: 012345678901}\n" + SCRIPT, 65, "quote", id="unquoted account"
        ),
        pytest.param(HEAD + "env: {A: '{{ Nope }}'}\n" + SCRIPT, 65, "Nope", id="undefined name"),
        pytest.param(
            HEAD + "terraform: {}\n" + SCRIPT, 65, "terraform", id="kind that is not there"
        ),
        pytest.param(HEAD, 65, "script", id="no kind"),
        pytest.param(HEAD + "script: ''\n", 65, "empty", id="empty script"),
        pytest.param(HEAD + "script: {file: .}\n", 65, "folder", id="directory instead of file"),
        pytest.param(HEAD + "script: {file: none.sh}\n", 66, "none.sh", id="missing file"),
        pytest.param(HEAD + "env: {'A B': x}\n" + SCRIPT, 65, "A B", id="no environment name"),
        pytest.param(HEAD + 'variables: {A: "a\\0b"}\n' + SCRIPT, 65, "NUL", id="nul byte"),
        pytest.param(HEAD + "env: {AWS_PROFILE: x}\n" + SCRIPT, 65, "AWS_PROFILE", id="owned name"),
        pytest.param(HEAD + "name: u\n" + SCRIPT, 65, "name", id="duplicate key"),
        pytest.param(
            HEAD + "credentials: {delivery: post}\n" + SCRIPT, 65, "delivery", id="delivery"
        ),
        pytest.param(
            HEAD + "script: {run: touch ran, shell: [no-such-tool, '{file}']}\n",
            127,
            "no-such-tool",
            id="tool missing",
        ),
        pytest.param(f"name: t\nassume_role: {DEV}\n" + SCRIPT, 65, "region", id="no region"),
        pytest.param(
            HEAD + "expect: {account: '222222222222'}\n" + SCRIPT,
            77,
            "expected 222222222222",
            id="wrong account",
        ),
        pytest.param(
            "name: t\nregion: eu-west-1\nassume_role: arn:aws:iam::111111111111:role/Nobody\n"
            + SCRIPT,
            77,
            "cannot assume role",
            id="role refused",
        ),
        pytest.param(
            HEAD + "variables: {A: {from_env: UNSET_NAME, sensitive: true}}\n" + SCRIPT,
            65,
            "UNSET_NAME",
            id="unset variable",
        ),
        pytest.param("[1, 2]\n", 65, "mapping", id="no mapping"),
        pytest.param("name: [\n", 65, "step.yaml:", id="no yaml"),
    ],
)
def test_bad_manifests(manifest: str, code: int, expected: str, launched: Calamari) -> None:
    """Each defect has its code and names the place or the cure."""
    launched.write(manifest)
    keys = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    _check(launched, code, expected, **keys)


def test_two_kinds(launched: Calamari) -> None:
    """Two kinds are as wrong as none: `script` twice is a duplicate, and that is said."""
    launched.write(HEAD + "script: touch ran\nscript: touch ran\n")
    assert "is there twice" in _check(launched, 65, "script")


def _binary(path: Path) -> None:
    path.write_bytes(b"\x7fELF\0\0\0")


def _latin(path: Path) -> None:
    path.write_bytes("name: caf\xe9\n".encode("latin-1"))


def _directory(path: Path) -> None:
    path.mkdir()


def _large(path: Path) -> None:
    path.write_bytes(b"# " + b"x" * (1024 * 1024 + 10) + b"\n")


def _laughs(path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(_binary, 65, id="binary"),
        pytest.param(_latin, 65, id="not utf-8"),
        pytest.param(_directory, 66, id="directory"),
        pytest.param(_large, 65, id="over 1 MB"),
        pytest.param(_laughs, 65, id="billion laughs"),
        pytest.param(lambda path: None, 66, id="missing"),
        pytest.param(os.mkfifo, 66, id="fifo"),
    ],
)
def test_files_that_are_no_manifest(
    make: Callable[[Path], object], code: int, launched: Calamari
) -> None:
    """What is no manifest is refused by its kind, at once."""
    make(launched.folder / "step.yaml")
    _check(launched, code, "step.yaml")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_an_unreadable_manifest(launched: Calamari) -> None:
    """A file without read permission is named."""
    launched.write(HEAD + SCRIPT).chmod(0)
    _check(launched, 66, "step.yaml")


def test_half_a_key_pair(launched: Calamari) -> None:
    """Half a credential pair stops the step and names the missing half."""
    launched.write(HEAD + SCRIPT)
    _check(launched, 77, "AWS_SECRET_ACCESS_KEY", AWS_SECRET_ACCESS_KEY="")


def test_no_launcher_shows_the_trace(calamari: Calamari) -> None:
    """Without any credentials every source that was looked at is shown."""
    calamari.write(HEAD + SCRIPT)
    error = _check(calamari, 77, "launcher", AWS_EC2_METADATA_DISABLED="true")
    for source in ("environment", "web-identity", "container", "imds"):
        assert source in error


@pytest.mark.slow(31)
def test_sts_unreachable_is_temporary(launched: Calamari) -> None:
    """An endpoint that nobody listens on is worth a retry later: 75, not 77."""
    launched.write(HEAD + SCRIPT)
    _check(launched, 75, "127.0.0.1:9", AWS_ENDPOINT_URL="http://127.0.0.1:9")


def test_a_plain_http_endpoint_elsewhere_is_refused(launched: Calamari) -> None:
    """A token is not sent in clear over a network."""
    launched.write(HEAD + SCRIPT)
    _check(launched, 77, "--allow-http-endpoint", AWS_ENDPOINT_URL_STS="http://192.0.2.1")


@pytest.mark.parametrize("what", ["fifo", "link", "directory"])
def test_a_result_that_cannot_be_written(what: str, launched: Calamari) -> None:
    """A result target that is no plain file is refused before anything runs."""
    launched.write(HEAD + SCRIPT)
    target = launched.folder / "r.json"
    if what == "fifo":
        os.mkfifo(target)
    elif what == "link":
        target.symlink_to(launched.folder / "elsewhere")
    else:
        target.mkdir()
    _check(launched, 2, "r.json", "--result", "r.json")
    assert not (launched.folder / "elsewhere").exists()


def test_an_output_file_replaced_by_a_fifo_does_not_block(launched: Calamari) -> None:
    """What a child puts in place of its output file is neither followed nor waited for."""
    launched.write(HEAD + "script: |\n  rm $CALAMARI_OUTPUT; mkfifo $CALAMARI_OUTPUT\n")
    ran = launched("run", "step.yaml")
    assert ran.code == 1, "the outputs are lost, and that is no success"
    assert "output file" in ran.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["run"], "MANIFEST", id="no manifest"),
        pytest.param(["run", "x.yaml", "--vra", "a=b"], "--var", id="typo"),
        pytest.param(["rnu"], "rnu", id="unknown command"),
        pytest.param(["run", "x.yaml", "--var", "novalue"], "NAME=VALUE", id="--var without value"),
        pytest.param(["run", "x.yaml", "--sensitive-var", "A=b"], "name only", id="secret in argv"),
        pytest.param(["run", "x.yaml", "--format", "xml"], "xml", id="format"),
    ],
)
def test_wrong_usage(arguments: list[str], expected: str, calamari: Calamari) -> None:
    """A wrong command line is 2, one line and where to read on."""
    ran = calamari(*arguments)
    assert ran.code == 2
    assert expected in ran.err
    assert "Traceback" not in ran.err
