"""Bad input gets one line, a hint and a code; never a traceback, and no child is started.

Here are the program's own ways to say so; tests/runner/test_bad_manifests.py has every defect.
"""

from __future__ import annotations

import os

import pytest

from tests.integration.conftest import Calamari

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]

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
        pytest.param(HEAD + "script: {file: none.sh}\n", 66, "none.sh", id="missing file"),
        pytest.param(
            HEAD + "script: {run: touch ran, shell: [no-such-tool, '{file}']}\n",
            127,
            "no-such-tool",
            id="tool missing",
        ),
        pytest.param(f"name: t\nassume_role: {DEV}\n" + SCRIPT, 65, "region", id="no region"),
        pytest.param(
            HEAD.replace("DevDeployRole", "Nobody") + SCRIPT,
            77,
            "cannot assume role",
            id="role refused",
        ),
        pytest.param("name: [\n", 65, "step.yaml:", id="no yaml"),
    ],
)
def test_bad_manifests(manifest: str, code: int, expected: str, launched: Calamari) -> None:
    """Each has its code and names the place or the cure."""
    launched.write(manifest)
    keys = {"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}
    _check(launched, code, expected, **keys)


def test_a_manifest_that_nobody_writes_to(launched: Calamari) -> None:
    """A FIFO is refused at once: who read it would wait for ever."""
    os.mkfifo(launched.folder / "step.yaml")
    _check(launched, 66, "step.yaml")


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
