"""No secret leaves: a step prints all it has in every way, and everything is searched."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import unicodedata
import urllib.parse
from pathlib import Path

import pytest

from calamari_py.output import FORMATS
from tests.integration.conftest import Calamari

pytestmark = [pytest.mark.process, pytest.mark.sandbox]

SENSITIVE = "Pa55w0rd/with+odd=chars&\"quotes'"
ACCENTED = "Gr\u00f6\u00dfe-\u00fcber-\u00c4rger-4711"
MULTI_LINE = "-----BEGIN KEY-----\nfirstlineofthekey1234\nsecondlineofthekey56\n-----END KEY-----"

LEAKER = """
import base64, json, os, sys, textwrap, time, unicodedata, urllib.parse
import calamari_step as step

names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PASSWORD", "KEY", "ACCENTED")
values = [os.environ[n] for n in names]
with open(os.environ["PLAIN"], "w") as file:      # what the test searches for, outside the run
    json.dump(values, file)
declared = "declared-in-the-step-" + "x7"
step.mask(declared)

def forms(value):
    raw = value.encode()
    yield value
    for pad in range(3):
        yield base64.b64encode(b"u:p"[:pad] + raw).decode()
        yield base64.urlsafe_b64encode(b"u:p"[:pad] + raw).decode()
    yield urllib.parse.quote(value); yield urllib.parse.quote(value, safe="")
    yield urllib.parse.quote_plus(value)
    yield json.dumps(value); yield json.dumps(json.dumps(value))
    yield repr(value); yield raw.hex(); yield raw.hex().upper()
    yield base64.b64encode(value.encode("utf-16-le")).decode()
    yield unicodedata.normalize("NFD", value)
    # Coloured: around it, in the middle, and one sequence or several between any two characters.
    yield "\\x1b[31m" + value[:7] + "\\x1b[01;32m\\x1b[K" + value[7:] + "\\x1b[m\\x1b[K"
    yield "\\x1b[1m".join(value) + "\\x1b[0m"
    yield "\\x1b]8;;https://example.com\\x07".join((value[:9], value[9:]))
    # Wrapped, as base64, openssl, MIME and xxd do it.
    for width, end in ((76, "\\n"), (64, "\\n"), (76, "\\r\\n"), (60, "\\n")):
        for text in (base64.b64encode(raw).decode(), raw.hex()):
            yield end.join(textwrap.wrap(text, width))

for stream in (sys.stdout, sys.stderr):
    for value in [*values, declared]:
        for form in forms(value):
            stream.write("[" + form + "]\\n")
        stream.flush()
        # Split over writes, with sleeps longer than the idle flush between the first few.
        for index, char in enumerate(value):
            stream.write(char); stream.flush()
            if index < 12:
                time.sleep(0.03 if index % 4 == 0 else 0.001)
        stream.write("\\n")
        stream.flush()
step.set_output("Leaked", values[2])
step.write_warning("warning with " + values[0])
step.write_highlight("highlight with " + values[1])
step.update_progress(50, "progress with " + values[2])
with open("artifact.txt", "w") as file:
    file.write("x")
step.create_artifact("artifact.txt", "name-" + declared + ".txt")
step.fail_step("failed with " + values[2])
"""

MANIFEST = """
name: leaker
region: eu-west-1
assume_role: arn:aws:iam::111111111111:role/DevDeployRole
variables:
  Password: {from_env: STEP_PASSWORD, sensitive: true}
  Key: {from_file: key.pem, sensitive: true}
  Accented: {from_env: STEP_ACCENTED, sensitive: true}
env: {PASSWORD: "{{ Password }}", KEY: "{{ Key }}", ACCENTED: "{{ Accented }}", PLAIN: "@PLAIN@"}
script: {file: leaker.py}
finally:
  run: echo "finally $PASSWORD"; echo "$AWS_SECRET_ACCESS_KEY" | base64 -w0
"""


def _needles(value: str) -> list[str]:
    """What must be nowhere: the value, its lines, its encodings without their edges."""
    raw = value.encode()
    found = [value, urllib.parse.quote(value, safe=""), raw.hex(), raw.hex().upper()]
    found += [unicodedata.normalize(form, value) for form in ("NFC", "NFD")]
    found += [base64.b64encode(value.encode("utf-16-le")).decode().rstrip("=")[4:-4]]
    found += [line for line in value.splitlines() if len(line) >= 8 and "-----" not in line]
    for pad in range(3):
        encoded = base64.b64encode(b"u:p"[:pad] + raw).decode().rstrip("=")
        found.append(encoded[4:-4])
    return [needle for needle in found if len(needle) >= 8]


_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z]|\][^\x07]*\x07)")


def _views(text: str) -> list[str]:
    """What a reader may make of `text`: as it is, without colours, with folded lines joined."""
    plain = _SEQUENCE.sub("", text)
    return [text, plain, re.sub(r"[ \t]*\r?\n[ \t]*", "", plain)]


@pytest.mark.parametrize("format_", list(FORMATS))
def test_a_step_that_prints_all_it_has(format_: str, launched: Calamari, tmp_path: Path) -> None:
    """Nothing sensitive in stdout, stderr, events, the result, artifact names or a file left."""
    plain = tmp_path / "plain.json"
    (launched.folder / "key.pem").write_text(MULTI_LINE)
    (launched.folder / "leaker.py").write_text(LEAKER)
    launched.write(MANIFEST.replace("@PLAIN@", str(plain)))
    ran = launched(
        "run", "step.yaml", "--verbose", "--trace-credentials", "--format", format_,
        "--result", "r.json", "--artifacts", "art", "--audit-log", "audit.jsonl",
        env={"STEP_PASSWORD": SENSITIVE, "STEP_ACCENTED": ACCENTED},
    )  # fmt: skip
    assert ran.code == 1, ran.err
    assert "***" in ran.out
    values = [*json.loads(plain.read_text()), "declared-in-the-step-x7"]
    assert values[2] == SENSITIVE
    result = (launched.folder / "r.json").read_text()
    left = [
        path.read_text("utf-8", "replace")
        for folder in (launched.folder, Path(launched.environment["TMPDIR"]))
        for path in folder.rglob("*")
        if path.is_file() and path.name != "key.pem"
    ]
    names = [str(path) for path in launched.folder.rglob("*")]
    places = {"stdout": ran.out, "stderr": ran.err, "result": result, "names": "\n".join(names)}
    if format_ == "json":
        places["events"] = "".join(
            event["text"] for event in ran.events() if event["type"] == "output"
        )
    places["files"] = "\n".join(left)
    for place, text in places.items():
        views = _views(text)
        for value in values:
            for needle in _needles(value):
                found = any(needle in view for view in views)
                assert not found, f"{needle[:4]}… of a secret is in {place}"
    assert json.loads(result)["outputs"]["Leaked"] == {"value": None, "sensitive": True}


def test_no_secret_in_any_argument_list(launched: Calamari, tmp_path: Path) -> None:
    """While a step runs, no process of it has a secret among its arguments."""
    plain = tmp_path / "plain.json"
    launched.write(
        "name: argv\nregion: eu-west-1\n"
        "assume_role: arn:aws:iam::111111111111:role/DevDeployRole\n"
        "variables: {Password: {from_env: STEP_PASSWORD, sensitive: true}}\n"
        f"env: {{PASSWORD: '{{{{ Password }}}}', PLAIN: '{plain}'}}\n"
        "script: |\n"
        '  mask "$PASSWORD-more"; set_output X "$PASSWORD" --sensitive\n'
        "  $CALAMARI_PYTHON -c 'import json, os; json.dump([os.environ[n] for n in"
        ' ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PASSWORD")],'
        ' open(os.environ["PLAIN"], "w"))\'\n'
        "  echo ready; cat\n"
    )
    process = subprocess.Popen(
        launched.argv("run", "step.yaml", "--interactive"),
        cwd=launched.folder,
        env=launched.env({"STEP_PASSWORD": SENSITIVE}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        arguments = b"\n".join(_read(path) for path in Path("/proc").glob("[0-9]*/cmdline"))
        process.stdin.close()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert b"calamari_py" in arguments
    for value in json.loads(plain.read_text()):
        assert value.encode() not in arguments


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_secrets_in_errors_are_masked(launched: Calamari) -> None:
    """An error that would quote a secret shows the mask."""
    launched.write(
        "name: err\nregion: eu-west-1\n"
        "variables: {Password: {from_env: STEP_PASSWORD, sensitive: true}}\n"
        "assume_role: arn:aws:iam::111111111111:role/DevDeployRole\n"
        "script: {run: 'true', working_directory: '{{ Password }}'}\n"
    )
    secret = "hunter2hunter2"
    ran = launched("run", "step.yaml", "--result", "r.json", env={"STEP_PASSWORD": secret})
    assert ran.code == 66
    assert "***" in ran.err
    assert secret not in ran.err + (launched.folder / "r.json").read_text()


def test_short_secrets_are_named(launched: Calamari) -> None:
    """A secret too short to mask is warned about by its name, never by its value."""
    launched.write(
        "name: t\naccount: none\nvariables: {Pin: {value: 'q7', sensitive: true}}\nscript: 'true'\n"
    )
    ran = launched("run", "step.yaml")
    assert ran.code == 0
    assert "'Pin'" in ran.err
    assert "q7" not in ran.err
