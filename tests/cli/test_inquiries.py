"""The command lines of whoami, credentials and console."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from calamari_py.cli.credentials import CALLS_VARIABLE
from calamari_py.delivery._request import URI_NAME
from tests.cli.conftest import Call, calamari, start

NONE = 'name: t\naccount: none\nscript: "true"\n'
STEP_ONLY = {"calamari_py.delivery.fetch", "calamari_py.errors"}


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        pytest.param(("whoami",), "'MANIFEST'", "whoami --help", id="whoami without manifest"),
        pytest.param(
            ("whoami", "s.yaml", "--format", "github"), "'github'", "whoami --help", id="format"
        ),
        pytest.param(("console",), "'MANIFEST'", "console --help", id="console without manifest"),
        pytest.param(
            ("console", "s.yaml", "--duration", "soon"), "not a duration", "1h", id="no duration"
        ),
        pytest.param(
            ("console", "s.yaml", "--duration", "5m"), "15m … 12h", "1h", id="too short"
        ),
        pytest.param(
            ("console", "s.yaml", "--duration", "13h"), "15m … 12h", "1h", id="too long"
        ),
        pytest.param(
            ("console", "s.yaml", "--destination", "https://evil.test/"), "neither a URL of the",
            "--destination s3", id="not the console",
        ),
        pytest.param(
            ("credentials", "--account", "oidc"), "'oidc' is not one of", "--help",
            id="a type with fields",
        ),
        pytest.param(
            ("credentials", "--account", "none"), "'none' is not one of", "--help",
            id="nothing to print",
        ),
        pytest.param(
            ("credentials", "--account", "auto", "--source", "auto"), "--source does not go",
            "--account ambient", id="source of an auto account",
        ),
        pytest.param(
            ("credentials", "--account", "profile", "--source", "imds"), "--source does not go",
            "--account ambient", id="source of a profile",
        ),
        pytest.param(
            ("credentials", "--account", "ambient", "--profile", "p"), "--profile does not go",
            "--account profile", id="profile of an ambient account",
        ),
        pytest.param(
            ("credentials", "s.yaml", "--profile", "p"), "without a manifest",
            "leave out --profile", id="manifest and profile",
        ),
        pytest.param(("credentials", "--source", "sso"), "'sso'", "--help", id="no such source"),
    ],
)  # fmt: skip
def test_wrong_usage(arguments: tuple[str, ...], message: str, hint: str, call: Call) -> None:
    """A wrong command line is 2, with what to write instead, before anything is read or asked."""
    ended = call(*arguments)
    assert (ended.code, ended.out) == (2, "")
    first, second = ended.err.splitlines()
    assert message in first
    assert hint in second


MISSING, INVALID, NOBODY = (
    (None, 66),
    ("name: x\nscrpt: y\n", 65),
    ('name: x\nscript: "true"\naccount: {source: environment}\n', 77),
)


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        pytest.param("credentials", *MISSING, id="credentials, missing"),
        pytest.param("credentials", *NOBODY, id="credentials, nobody"),
        pytest.param("whoami", *INVALID, id="whoami, invalid"),
        pytest.param("whoami", *NOBODY, id="whoami, nobody"),
        pytest.param("console", *NOBODY, id="console, nobody"),
    ],
)
def test_what_cannot_be_answered(name: str, text: str | None, code: int, tmp_path: Path) -> None:
    """The codes are those of `run`; stdout stays empty, and there is no traceback."""
    if text is not None:
        (tmp_path / "step.yaml").write_text(text)
    ended = calamari(name, "step.yaml", folder=tmp_path)
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith("calamari: ")
    assert "Traceback" not in ended.err
    assert (len(ended.err.splitlines()) == 1) == (name == "credentials")


@pytest.mark.process
def test_a_failure_is_told_at_length_when_asked(tmp_path: Path) -> None:
    """With the trace for those who ask for it."""
    ended = calamari("credentials", "--source", "environment", "--trace-credentials",
                     folder=tmp_path)  # fmt: skip
    assert ended.code == 77
    assert "  launcher sources" in ended.err


@pytest.mark.process
@pytest.mark.parametrize(
    ("options", "code"), [((), 2), (("--show",), 0)], ids=["refused", "--show"]
)
def test_secrets_are_not_printed_to_a_terminal(
    options: tuple[str, ...], code: int, tmp_path: Path
) -> None:
    """People paste terminals: it takes a second thought."""
    secret = "canary/terminal/secret/key"
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "calamari_py", "credentials", "--source", "environment",
             *options],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TERM": "dumb",
                 "AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": secret},
            timeout=60, check=False,
        )  # fmt: skip
        os.set_blocking(ours, False)
        try:
            shown = os.read(ours, 4096).decode()
        except BlockingIOError:
            shown = ""
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == code, done.stderr
    assert (secret in shown) == (code == 0)
    assert secret.encode() not in done.stderr
    if code:
        assert b"stdout is a terminal" in done.stderr
        assert b"--show" in done.stderr


@pytest.mark.process
def test_warnings_of_a_credential_process(tmp_path: Path) -> None:
    """They are for `-v`: an SDK has nobody to show them to."""
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIACANARY",
        "AWS_SECRET_ACCESS_KEY": "canary/secret/key/0123",
        "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z",
    }
    arguments = ("credentials", "--source", "environment")
    quiet = calamari(*arguments, folder=tmp_path, environ=environ)
    assert (quiet.code, quiet.err) == (0, "")
    assert json.loads(quiet.out)["AccessKeyId"] == "AKIACANARY"
    talkative = calamari(*arguments, "-v", folder=tmp_path, environ=environ)
    assert "warning" in talkative.err
    assert "canary/secret" not in talkative.err


@pytest.mark.process
def test_every_source_in_turn(tmp_path: Path) -> None:
    """`--source auto` is what no `--source` is, as in a manifest."""
    environ = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "canary/secret/key/0123"}
    named = calamari("credentials", "--source", "auto", folder=tmp_path, environ=environ)
    assert (named.code, named.err) == (0, "")
    assert named == calamari("credentials", folder=tmp_path, environ=environ)


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments",
    ["whoami step.yaml", "whoami step.yaml --format json", "explain step.yaml",
     "console step.yaml", "credentials --source environment", "credentials --from-step",
     "credentials --from-step --show"],
)  # fmt: skip
def test_an_answer_is_not_lost(arguments: str, tmp_path: Path) -> None:
    """With stdout closed there is nowhere to say it: code 1 and one line, and nobody is asked."""
    (tmp_path / "step.yaml").write_text(NONE)
    keys = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": "canary/secret/key/0123"}
    line = f"'{sys.executable}' -m calamari_py {arguments} >&-"
    ended = start(["sh", "-c", line], tmp_path, keys)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == "calamari: stdout is closed, and the answer goes there\n"


@pytest.mark.process
@pytest.mark.parametrize(
    "arguments", ["console step.yaml --open", "run step.yaml"], ids=["console --open", "run"]
)
def test_what_needs_no_stdout(arguments: str, tmp_path: Path) -> None:
    """A closed stdout is no error where the answer goes elsewhere, or there is none."""
    (tmp_path / "step.yaml").write_text(NONE)
    ended = start(["sh", "-c", f"'{sys.executable}' -m calamari_py {arguments} >&-"], tmp_path)
    assert "stdout is closed" not in ended.err
    assert ended.code == (77 if "console" in arguments else 0)


@pytest.mark.process
def test_a_credential_process_that_leads_back_to_itself(tmp_path: Path) -> None:
    """It is refused at its second call; another manifest on the way is none of its business."""
    (tmp_path / "step.yaml").write_text(NONE)
    call = json.dumps([str(tmp_path / "step.yaml"), False, None, None, None])
    again = calamari("credentials", "step.yaml", folder=tmp_path, environ={CALLS_VARIABLE: call})
    assert (again.code, again.out) == (77, "")
    assert "leads back to itself" in again.err
    other = call.replace("step.yaml", "other.yaml")
    once = calamari("credentials", "step.yaml", folder=tmp_path, environ={CALLS_VARIABLE: other})
    assert "account: none" in once.err


@pytest.mark.process
def test_whoami_of_nobody(tmp_path: Path) -> None:
    """A step without credentials has a page and a document, without any call."""
    (tmp_path / "step.yaml").write_text(NONE)
    ended = calamari("whoami", "step.yaml", folder=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "the step gets no credentials" in ended.out
    document = json.loads(
        calamari("whoami", "-", "--format", "json", folder=tmp_path, stdin=NONE).out
    )
    assert (document["step"], document["launcher"], document["hops"]) == ("t", None, [])


@pytest.mark.process
@pytest.mark.parametrize("environ", [{}, {URI_NAME: "http://evil.test/x"}])
def test_from_step_outside_of_a_step(environ: dict[str, str], tmp_path: Path) -> None:
    """It says where it works, in one line."""
    ended = calamari("credentials", "--from-step", folder=tmp_path, environ=environ)
    assert (ended.code, ended.out) == (77, "")
    (line,) = ended.err.splitlines()
    assert "while it runs" in line


@pytest.mark.process
def test_from_step_imports_next_to_nothing(tmp_path: Path) -> None:
    """SDKs start it for every process: no command line, no manifest, no AWS."""
    code = (
        "import runpy, sys\n"
        "sys.argv = ['calamari', 'credentials', '--from-step']\n"
        "try:\n    runpy.run_module('calamari_py', run_name='__main__')\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    loaded = set(start([sys.executable, "-c", code], tmp_path).err.split())
    assert loaded >= STEP_ONLY
    assert not loaded & {"click", "msgspec", "yaml", "jinja2", "botocore", "calamari_py.cli",
                         "calamari_py.runner", "calamari_py.manifest"}  # fmt: skip
