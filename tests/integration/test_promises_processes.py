"""A step sees nothing of the processes above it, and nothing outlives a runner that is killed."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from calamari_py.process.isolate import isolation_problem
from tests.integration.conftest import Calamari
from tests.integration.promises import (
    DELIVERIES,
    DEV,
    Cloud,
    first_line,
    head,
    python_step,
    started,
)
from tests.process.support import comes_true, ends

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="this is promised on Linux"),
]

INTRUDER = """
import ctypes, json, os

def of(pid, name):
    with open(f"/proc/{pid}/{name}") as file:
        return file.read()

def parent(pid):
    try:
        return int(of(pid, "stat").rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):  # somebody's process that has ended meanwhile
        return 0

def is_ours(pid):
    return of(pid, "status").split("Uid:")[1].split()[0] == str(os.getuid())

runner = os.getppid()
family = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
          if pid == runner or (pid != os.getpid() and parent(pid) == runner)]
opened = []
for pid in family:
    assert is_ours(pid), "another user proves nothing"
    for name in ("environ", "mem", "maps", "auxv", "stack", "io"):
        try:
            open(f"/proc/{pid}/{name}", "rb").read(1)
        except OSError as error:
            if error.errno == 5:                  # opened: only address 0 is not there
                opened.append(name)
        else:
            opened.append(name)
    for name in ("fd", "map_files", "cwd", "root"):
        try:
            os.listdir(f"/proc/{pid}/{name}")
        except OSError:
            continue
        opened.append(name)
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (0x4206, 16):
        if libc.ptrace(request, pid, 0, 0) == 0:
            opened.append("ptrace")
lines = [of(pid, "cmdline").replace(chr(0), " ") for pid in family]
own = sorted(int(number) for number in os.listdir("/proc/self/fd"))[:-1]
print(json.dumps({"lines": lines, "opened": opened, "own": own}))
"""


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_step_looks_at_its_runner(delivery: str, as_another: Calamari) -> None:
    """Memory, environment and descriptors of the runner and its janitor are closed to a step of the
    same user, nobody can attach to them, and the step inherited none of their descriptors.
    """
    as_another.write(head(delivery) + python_step(INTRUDER))
    ran = as_another("run", "step.yaml")
    assert ran.code == 0, ran.err
    seen = json.loads(ran.out)
    assert any("calamari_py run" in line for line in seen["lines"])
    assert any("removal.py" in line for line in seen["lines"])
    assert seen["opened"] == []
    assert seen["own"] == [0, 1, 2]


AGENT = """
import os, subprocess, sys
del os.environ["AGENT_TOKEN"]
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"""
"""Starts calamari as a CI agent does, keeping a token to itself."""


@pytest.mark.parametrize("command", ["run", "exec"])
def test_an_isolated_step_is_alone(command: str, as_another: Calamari) -> None:
    """With `--isolate` a step finds neither its runner nor whoever started that, and no launcher's
    file, all of which the same step finds without.
    """
    if problem := isolation_problem():
        pytest.skip(problem)
    home = Path(as_another.environment["HOME"])
    (home / ".aws").mkdir()
    (home / ".aws" / "credentials").write_text("canary-of-the-file")
    code = (
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/environ; tr '\\0' ' ' < $p/cmdline; echo; "
        "done 2>/dev/null; cat ~/.aws/credentials; true"
    )
    as_another.write(head() + f"script: {json.dumps(code)}\n")
    arguments = ["run", "step.yaml"] if command == "run" else ["exec", "step.yaml"]
    rest = ["--", "sh", "-c", code] if command == "exec" else []
    agent = [*as_another.interpreter, "-c", AGENT, as_another.interpreter[-1]]
    seen = []
    for option in ([], ["--isolate"]):
        done = subprocess.run(
            [*agent, "-m", "calamari_py", *arguments, *option, *rest],
            env=as_another.env({"AGENT_TOKEN": "canary-of-the-agent"}),
            cwd=as_another.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        seen.append(done.stdout)
    for canary in ("canary-of-the-file", "canary-of-the-agent"):
        assert [canary in said for said in seen] == [True, False], canary
    assert "calamari_py/" in seen[1]
    assert re.findall(r"\bcalamari_py (?:run|exec)\b", seen[1]) == []


def test_no_core_of_a_runner(trusted: Calamari) -> None:
    """A runner that is aborted leaves no core file, even where everybody else would; its child has
    the limit that it would have had."""
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    before = resource.getrlimit(resource.RLIMIT_CORE)
    if before[1] != resource.RLIM_INFINITY:
        pytest.skip("core files are forbidden here")
    trusted.write(head() + "script: echo $(ulimit -c); read -r _\n")
    resource.setrlimit(resource.RLIMIT_CORE, unlimited)
    try:
        with started(trusted, "run", "step.yaml", "--interactive") as process:
            assert first_line(process) == "unlimited"
            os.kill(process.pid, signal.SIGABRT)
            _, status = os.waitpid(process.pid, 0)
            process.returncode = -os.WTERMSIG(status)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)


SERVED = """
import json, os, time
from urllib.parse import urlsplit
uri = os.environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI") or os.environ["CALAMARI_CREDENTIALS_URI"]
token = (os.environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
         or os.environ["CALAMARI_CREDENTIALS_TOKEN"])
with open("served.json", "w") as file:
    json.dump({"uri": uri, "token": token, "pid": os.getpid()}, file)
print("started", flush=True)
input()
"""


def ask(served: dict[str, str]) -> int | None:
    """What the credential server answers; None where nobody listens."""
    host, _, rest = served["uri"].removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    try:
        with socket.create_connection((name, int(port)), timeout=5) as connection:
            connection.sendall(
                f"GET /{rest} HTTP/1.1\r\nHost: {host}\r\n"
                f"Authorization: {served['token']}\r\n\r\n".encode()
            )
            return int(connection.recv(64).split()[1])
    except ConnectionRefusedError:
        return None


@pytest.mark.parametrize("way", ["the step ends", "SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("delivery", ["endpoint", "profile"])
def test_the_server_ends_with_the_step(way: str, delivery: str, trusted: Calamari) -> None:
    """However a run ends: the child ends, and nobody answers at the port."""
    trusted.write(head(delivery) + python_step(SERVED))
    with started(trusted, "run", "step.yaml", "--interactive") as process:
        assert first_line(process) == "started"
        served = json.loads((trusted.folder / "served.json").read_text())
        child = os.pidfd_open(served["pid"])
        assert ask(served) == 200
        if way == "the step ends":
            process.communicate(b"\n", timeout=30)
        else:
            process.send_signal(getattr(signal, way))
            process.wait(timeout=30)
        assert ends(child)
        assert comes_true(lambda: ask(served) is None)


@pytest.mark.parametrize("delivery", ["endpoint", "profile"])
def test_a_token_opens_its_own_server_only(delivery: str, trusted: Calamari) -> None:
    """Of two runs at a time neither is told the other's credentials."""
    trusted.write(head(delivery) + python_step(SERVED))
    seen = []
    with ExitStack() as running:
        for _ in range(2):
            arguments = ["run", "step.yaml", "--interactive"]
            process = running.enter_context(started(trusted, *arguments))
            assert first_line(process) == "started"
            seen.append(json.loads((trusted.folder / "served.json").read_text()))
        one, other = seen
        assert [ask(one), ask(other)] == [200, 200]
        assert ask({**other, "token": one["token"]}) == 401
        assert ask({**one, "token": other["token"]}) == 401


def test_credentials_live_no_longer_than_the_step(trusted: Calamari, cloud: Cloud) -> None:
    """A step of ten minutes gets no hour: STS is asked for the least that covers its time limit."""
    for timeout, least, most in (("10m", 900, 1200), ("40m", 2400, 3000)):
        trusted.write(head(more=f"timeout: {timeout}\n") + "script: 'true'\n")
        assert trusted("run", "step.yaml").code == 0
        (log,) = (log for log in cloud.sts.requests[-1:] if log.action == "AssumeRole")
        assert log.params["RoleArn"] == DEV
        assert least <= int(log.params["DurationSeconds"]) <= most


@pytest.mark.parametrize(
    ("command", "name"), [("run", "TERM"), ("run", "INT"), ("run", "HUP"), ("exec", "INT")]
)
def test_a_signal_reaches_the_step(command: str, name: str, trusted: Calamari) -> None:
    """The step itself gets the signal that calamari gets, and has its grace to clear up."""
    code = f"trap 'echo cleared; exit 3' {name}; echo started; while :; do sleep 0.05; done"
    trusted.write(head() + f"script: {json.dumps(code)}\n")
    words = ["--", "bash", "-c", code] if command == "exec" else []
    with started(trusted, command, "step.yaml", *words) as process:
        assert first_line(process) == "started"
        signum = getattr(signal, f"SIG{name}")
        process.send_signal(signum)
        out, _ = process.communicate(timeout=60)
    assert out == b"cleared\n"
    assert process.returncode == 128 + signum
