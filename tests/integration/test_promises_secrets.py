"""No secret leaves: not on a command line, not to a disk, not in a word of ours, whatever fails."""

from __future__ import annotations

import json
import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari
from tests.integration.promises import (
    DELIVERIES,
    DEV,
    SENSITIVE,
    Cloud,
    assert_nowhere,
    command_lines,
    files_below,
    first_line,
    head,
    started,
    without,
)

pytestmark = pytest.mark.process

WHO = "import boto3; boto3.client('sts').get_caller_identity()"
# What the step was given beyond what AWS knows of: the tests read it where nobody else looks.
CONFESS = (
    'printf %s "$AWS_CONTAINER_AUTHORIZATION_TOKEN$CALAMARI_CREDENTIALS_TOKEN" > "$OUTSIDE/token"; '
)


@contextmanager
def watched(look: Callable[[], None]) -> Iterator[None]:
    """`look` again and again, from before the block to after it."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.015):
            look()

    thread = threading.Thread(target=watch)
    look()
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        look()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("delivery", DELIVERIES)
def test_no_secret_on_any_command_line(
    delivery: str, trusted: Calamari, cloud: Cloud, tmp_path: Path
) -> None:
    """From the first moment of a run to its last, no process of the machine has one."""
    trusted.write(
        head(delivery, "finally: 'true'\n") + "script: |\n"
        f"  {CONFESS}\n"
        f"  {shlex.join([sys.executable, '-c', WHO])}\n"
        '  mask "$PASSWORD-more"; set_output Secret "$PASSWORD" --sensitive\n'
        '  write_warning "of $PASSWORD"\n'
    )
    seen: set[str] = set()
    with watched(lambda: seen.update(command_lines())):
        ran = trusted("run", "step.yaml", "--outputs", "o.json", env={"OUTSIDE": str(tmp_path)})
    assert ran.code == 0, ran.err
    lines = "\n".join(seen).replace("\0", " ")
    assert "calamari_py run step.yaml" in lines
    assert WHO in lines
    # Others on this machine may be at work, too: only what has to be there is asserted.
    assert delivery != "profile" or "credentials --from-step" in lines
    token = (tmp_path / "token").read_text()
    assert bool(token) == (delivery != "env")
    assert_nowhere([*cloud.secrets(), *filter(None, [token])], {"the arguments": lines})


@pytest.mark.skipif(not Path("/dev/shm").exists(), reason="looks into /dev/shm")
def test_no_credential_on_a_disk(trusted: Calamari, cloud: Cloud, tmp_path: Path) -> None:
    """With `delivery: env` no file ever holds a credential, neither below home, working and
    temporary folders nor in memory, before, while and after the step runs.
    """
    memory = tmp_path / "memory"
    memory.mkdir(mode=0o700)
    home, temporary = trusted.environment["HOME"], trusted.environment["TMPDIR"]
    folders: list[str | Path] = [trusted.folder, home, temporary, memory]
    trusted.write(
        head(more="finally: echo after\n")
        + f"script: |\n  {shlex.join([sys.executable, '-c', WHO])}\n  echo run; read -r _\n"
    )
    seen: dict[str, set[str]] = {}

    def look() -> None:
        for name, text in files_below(*folders).items():
            seen.setdefault(name, set()).add(text)

    with watched(look):
        arguments = ["run", "step.yaml", "--interactive", "--result", "r.json", "--audit-log", "a"]
        with started(trusted, *arguments, env={"XDG_RUNTIME_DIR": str(memory)}) as process:
            assert first_line(process) == "run"
            look()
            _, error = process.communicate(b"\n", timeout=30)
    assert process.returncode == 0, error.decode()
    assert any(name.endswith("variables.json") for name in seen), "the private folder was not seen"
    places = {name: "\n".join(texts) for name, texts in seen.items()}
    # The sensitive variable is a file of the step's, in memory; credentials are not.
    assert_nowhere([secret for secret in cloud.secrets() if secret != SENSITIVE], places)


LOUD = """
import os, sys, traceback

def show(kind, error, trace):
    while trace:
        print(trace.tb_frame.f_code.co_name, trace.tb_frame.f_locals, file=sys.stderr)
        trace = trace.tb_next
    traceback.print_exception(kind, error, None)

sys.excepthook = show
if "run" in sys.orig_argv:
    fault = os.environ.pop("FAULT", "")
    if fault == "sign":
        import botocore.auth
        def add_auth(self, request):
            raise RuntimeError(f"{self.credentials.secret_key} {self.credentials.token}")
        for signer in (botocore.auth.SigV4Auth, botocore.auth.SigV4QueryAuth):
            signer.add_auth = add_auth
    if fault == "spawn":
        import _posixsubprocess, subprocess
        def fork_exec(*arguments):
            if any(b"TOKEN" in entry for entry in arguments[5] or ()):
                raise RuntimeError(f"{arguments}")
            return genuine(*arguments)
        genuine = _posixsubprocess.fork_exec
        subprocess._fork_exec = fork_exec
"""
"""Runs in every Python before calamari: tracebacks with all locals, and faults below calamari."""


def echo(cloud: Cloud, status: int, code: str) -> Callable[[], None]:
    """STS refuses and repeats everything that a server knows of its caller."""
    return lambda: cloud.sts.fail_next(status, code, " ".join(cloud.secrets()), times=20)


def hostile(cloud: Cloud, body: str, status: int = 200) -> Callable[[], None]:
    """Something else answers in the place of STS."""
    return lambda: cloud.sts.answer_next(body.encode(), status, times=20)


def answer(role: str, secret: str, token: str) -> str:
    """STS's own answer, about `role`."""
    arn = f"arn:aws:sts::111111111111:assumed-role/{role}/deploy"
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>x:y</AssumedRoleId></AssumedRoleUser>"
        "<Credentials><AccessKeyId>ASIAANSWERANSWERANSW</AccessKeyId>"
        f"<SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>"
        "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
        "</AssumeRoleResponse>"
    )


NEW_SECRET = "a-secret/that+only-this-answer-holds-0123"
NEW_TOKEN = "a-token/that+only-this-answer-holds-" + "0123456789" * 10


def _nothing(cloud: Cloud) -> Callable[[], None]:
    return lambda: None


STAGES: dict[str, tuple[int, Callable[[Cloud], Callable[[], None]], str, str]] = {
    # id: exit code, what happens at AWS, what stands in the manifest, the fault below calamari
    "nothing": (0, _nothing, "script: 'true'\n", ""),
    "the step fails": (3, _nothing, 'script: echo "$PASSWORD" >&2; exit 3\n', ""),
    "a refusal": (
        77, lambda cloud: echo(cloud, 403, "AccessDenied"), "script: 'true'\n", ""),
    "a secret for a code": (
        77, lambda cloud: echo(cloud, 403, str(cloud.launcher.session_token)), "script: 'true'\n",
        ""),
    "an expired token": (
        77, lambda cloud: echo(cloud, 400, "ExpiredToken"), "script: 'true'\n", ""),
    "a hostile page": (
        77, lambda cloud: hostile(cloud, "<html>" + escape(" ".join(cloud.secrets()))),
        "script: 'true'\n", ""),
    "a hostile refusal": (
        77, lambda cloud: hostile(cloud, "{} " + " ".join(cloud.secrets()), 400),
        "script: 'true'\n", ""),
    "another role's keys": (
        77, lambda cloud: hostile(cloud, answer("Other", NEW_SECRET, NEW_TOKEN)),
        "script: 'true'\n", ""),
    "not as expected": (77, _nothing, "expect: {account: '999999999999'}\nscript: 'true'\n", ""),
    "a missing folder": (
        66, _nothing, "script: {run: 'true', working_directory: '{{ Password }}'}\n", ""),
    "a defect in signing": (70, _nothing, "script: 'true'\n", "sign"),
    "a defect at the start of the child": (70, _nothing, "script: 'true'\n", "spawn"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("stage", "format_"),
    [*((stage, "text") for stage in STAGES), ("the step fails", "json"), ("a refusal", "json")],
)
def test_no_secret_in_a_word_of_ours(
    stage: str, format_: str, trusted: Calamari, cloud: Cloud, tmp_path: Path
) -> None:
    """Whatever fails and whoever repeats what it was sent: at the loudest of all levels nothing is
    in stdout, stderr, the result, the audit log, or any file that stays.
    """
    code, happens, manifest, fault = STAGES[stage]
    loud = tmp_path / "loud"
    loud.mkdir()
    (loud / "sitecustomize.py").write_text(LOUD)
    happens(cloud)()
    trusted.write(head() + manifest)
    ran = Calamari(trusted.folder, trusted.environment, (sys.executable, "-X", "dev"))(
        "run", "step.yaml", "-v", "--trace-credentials", "--format", format_,
        "--result", "r.json", "--audit-log", "audit.jsonl",
        env={"PYTHONPATH": str(loud), "PYTHONFAULTHANDLER": "1", "FAULT": fault,
             # Of -X dev all but the checks of memory, which say nothing and take time.
             "PYTHONMALLOC": "pymalloc"},
    )  # fmt: skip
    assert ran.code == code, ran.out + ran.err
    places = {"stdout": ran.out, "stderr": ran.err}
    folders = (trusted.folder, trusted.environment["TMPDIR"], trusted.environment["HOME"])
    places.update(files_below(*folders))
    assert json.loads((trusted.folder / "r.json").read_text())["exit_code"] == code
    assert (trusted.folder / "audit.jsonl").exists()
    assert_nowhere([*cloud.secrets(), NEW_SECRET, NEW_TOKEN], places)


@pytest.mark.preloaded
@pytest.mark.parametrize(
    "arguments",
    [
        ["whoami", "step.yaml"],
        ["explain", "step.yaml", "--online"],
        ["exec", "step.yaml", "--", "sh", "-c", "env"],
        ["console", "step.yaml"],
        ["credentials", "step.yaml"],
    ],
    ids=lambda arguments: str(arguments[0]),
)
@pytest.mark.parametrize("refused", [False, True], ids=["found", "refused"])
def test_other_commands(
    arguments: list[str], refused: bool, trusted: Calamari, cloud: Cloud
) -> None:
    """They say no more than `run`. What `credentials` prints for a program, and the URL of the
    console, are on stdout alone; in the URL is a token of its own.
    """
    trusted.write(head() + "script: 'true'\n")
    if refused:
        echo(cloud, 403, "AccessDenied")()
    command, *rest = arguments
    ran = trusted(command, "-v", "--trace-credentials", "--audit-log", "a.jsonl", *rest)
    assert ran.code == (77 if refused else 0), ran.err
    places = {"stderr": ran.err, **files_below(trusted.folder, trusted.environment["TMPDIR"])}
    if command != "credentials":
        places["stdout"] = ran.out
    assert_nowhere(cloud.secrets(), places)
    assert_nowhere(cloud.sts.sign_in_tokens, without(["stdout"], places))


def test_a_failed_renewal_says_no_secret(trusted: Calamari, cloud: Cloud) -> None:
    """AWS's words about a renewal reach the log hours later, and are masked like the first ones."""
    trusted.write(head("endpoint", "finally: echo never\n") + "script: echo run; read -r _\n")
    arguments = ["run", "step.yaml", "--interactive", "-v", "--result", "r.json"]
    with started(trusted, *arguments) as process:
        assert first_line(process) == "run"
        echo(cloud, 403, cloud.launcher.secret_access_key)()
        out, error = process.communicate(b"\n", timeout=30)
    places = {"stdout": out.decode(), "stderr": error.decode(), **files_below(trusted.folder)}
    assert f"cannot assume role '{DEV}'" in places["stderr"]
    assert "(***)" in places["stderr"]
    assert_nowhere(cloud.secrets(), places)


def test_a_secret_in_a_name(trusted: Calamari) -> None:
    """What AWS is told for everybody to see may have been made from a secret: in the ARN that comes
    back it is masked, also in the audit log and the result.
    """
    ticket = "ticket-canary-4711"
    role = f"{{role_arn: '{DEV}', session_name: 'run-{{{{ Ticket }}}}'}}"
    text = head().replace(f"assume_role: {DEV}", f"assume_role: {role}")
    variable = "variables: {Ticket: {from_env: TICKET, sensitive: true}, "
    trusted.write(text.replace("variables: {", variable) + "script: 'true'\n")
    arguments = ["-v", "--trace-credentials", "--result", "r.json", "--audit-log", "a.jsonl"]
    ran = trusted("run", *arguments, "step.yaml", env={"TICKET": ticket})
    assert ran.code == 0, ran.err
    assert "assumed-role/DevDeployRole/***" in (trusted.folder / "a.jsonl").read_text()
    places = {"stdout": ran.out, "stderr": ran.err, **files_below(trusted.folder)}
    assert_nowhere([ticket], places)
