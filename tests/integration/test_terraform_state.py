"""The state is safe whatever happens: locks, kills, a dead backend, and the lines people paste.

All with the real program, against S3 with a lock file, through the step's role.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from calamari_py.sandbox import Sandbox
from tests.integration.conftest import Calamari
from tests.process.support import comes_true, ends
from tests.real_terraform.aws import RecordingAws
from tests.real_terraform.room import Ended, Room, aws, room  # noqa: F401

pytestmark = [
    pytest.mark.process,
    pytest.mark.sandbox,
    pytest.mark.preloaded,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

SECRET = "hunter2-in-the-state"
MAIN = f"""
variable "secret" {{
  default   = "{SECRET}"
  sensitive = true
}}
resource "terraform_data" "first" {{ input = var.secret }}
resource "terraform_data" "slow" {{
  depends_on = [terraform_data.first]
  provisioner "local-exec" {{
    command = "touch ../begun; while [ ! -e ../go ]; do sleep 0.05; done"
  }}
}}
"""
EVIL = "e vil $HOME 'q\""


class Valve(RecordingAws):
    """One that can be shut: then connections for S3 are closed without an answer."""

    is_shut = False

    def answer(self, request: Any) -> None:
        if self.is_shut and "/s3/" in request.headers.get("Authorization", ""):
            request.close_connection = True
        else:
            super().answer(request)


@pytest.fixture
def slow(room: Room) -> Room:  # noqa: F811
    """A root module that is being applied until it is told to go on."""
    return made_slow(room)


@pytest.fixture
def valve(launched: Calamari, sandbox: Sandbox, aws: RecordingAws) -> Iterator[Room]:  # noqa: F811
    """The same behind a `Valve`, in a folder with a terrible name."""
    with Valve(sandbox.endpoint) as behind:
        found = Room(launched, behind)
        made_slow(found)
        found.infra.rename(found.folder / EVIL)
        found.manifest({"directory": EVIL, "backend": {**found.backend, "max_retries": 1}})
        yield found


def made_slow(found: Room) -> Room:
    """Give it what `MAIN` says, and a `calamari` on the PATH for the lines that are pasted."""
    found.main(MAIN)
    found.manifest({"lock_timeout": "0s"})
    program = found.folder.parent / "bin" / "calamari"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m calamari_py "$@"\n')
    program.chmod(0o755)
    return found


def begun(found: Room, words: Sequence[str] = ()) -> subprocess.Popen[bytes]:
    """A run that has made its first resource and is at its second; `words` replace its own."""
    process = found.calamari.start(words or found.words(), env=found.env())
    try:
        there = found.folder / "begun"
        assert comes_true(lambda: there.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return process


def end_of(found: Room, process: subprocess.Popen[bytes]) -> Ended:
    """How it ended, and what it said."""
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return found.ended(process.returncode, out.decode(), err.decode())


def terraform_of(process: subprocess.Popen[bytes]) -> int:
    """The process ID of the terraform that `process` runs."""
    for entry in os.listdir("/proc"):
        with suppress(OSError, ValueError, IndexError):
            stat = Path(f"/proc/{int(entry)}/stat").read_text()
            words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            if int(stat.rpartition(")")[2].split()[1]) == process.pid and words[1] == b"apply":
                return int(entry)
    raise AssertionError("no terraform is there")


def paste(found: Room, line: str) -> subprocess.CompletedProcess[str]:
    """Run a printed line in a shell, where the step was run."""
    path = f"{found.folder.parent / 'bin'}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", line],
        cwd=found.folder,
        env=found.calamari.env({**found.env(), "PATH": path, "TF_WORKSPACE": "foreign"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def line_with(text: str, command: str) -> str:
    """The line of `text` to paste that runs `command`."""
    lines = {line.strip() for line in text.splitlines() if command in line}
    (found,) = (line for line in lines if line.startswith("calamari exec "))
    return found


def locks(found: Room) -> list[str]:
    """The lock objects in the bucket."""
    return [name for name in found.objects() if name.endswith(".tflock")]


def kinds(state: dict[str, Any]) -> dict[str, str]:
    """The resources of a state, and how each is."""
    return {
        resource["name"]: resource["instances"][0].get("status", "good")
        for resource in state["resources"]
    }


def test_a_lock_that_a_killed_terraform_leaves(slow: Room) -> None:
    """While it is at work others are told who it is; killed, its lock is named, and the printed
    line frees it."""
    process = begun(slow)
    try:
        other = slow.run("--action", "drift")
        os.kill(terraform_of(process), signal.SIGKILL)
    finally:
        (slow.folder / "go").touch()
        ended = end_of(slow, process)
    assert other.code == 1
    assert re.search(r"terraform \w+ failed: the state's lock is held for \d+[sm] by '", other.text)
    assert other.details["lock"]["operation"] == "apply"
    assert "let it finish and run again" in other.text
    assert other.result["changed"] is not True

    assert ended.code == 1
    assert ended.result["changed"] is True
    assert ended.details["lock"] == other.details["lock"]
    assert "killed while at terraform_data.slow" in ended.text
    assert "this run has left it" in ended.text
    assert locks(slow)
    free = line_with(ended.text, "force-unlock")
    pasted = paste(slow, free)
    assert pasted.returncode == 0, pasted
    assert locks(slow) == []
    assert [path.name for path in slow.infra.iterdir()] == ["main.tf"]


def test_a_cancelled_apply_saves_its_state(slow: Room) -> None:
    """One signal: what was made is in the state, the lock is gone, and that is said."""
    process = begun(slow)
    process.send_signal(signal.SIGTERM)
    ended = end_of(slow, process)
    assert ended.code == 143
    assert ended.result["outcome"] == "cancelled"
    assert ended.result["changed"] is True
    assert "stopped; what was done until then is saved in the state" in ended.text
    assert "the state is not locked" in ended.text
    assert locks(slow) == []
    assert kinds(slow.state()) == {"first": "good", "slow": "tainted"}
    assert SECRET not in ended.text


def test_a_lost_reader_frees_the_lock(slow: Room) -> None:
    """Nobody reads: terraform is not killed by that, but told to end, and its state is saved."""
    process = begun(slow)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stderr.close()
    (slow.folder / "go").touch()
    try:
        process.wait(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 141
    assert locks(slow) == []
    assert kinds(slow.state())["first"] == "good"
    assert not (slow.infra / "errored.tfstate").exists()


def test_terraform_ends_with_a_killed_runner(slow: Room) -> None:
    """kill -9 of calamari: terraform ends as it is told to, with its state saved and its lock
    gone, also where it hangs because nobody has read what it said."""
    slow.main(MAIN.replace("; done", "; done; yes | head -n 9999"))
    process = begun(slow)
    pid = terraform_of(process)
    descriptor = os.pidfd_open(pid)
    process.send_signal(signal.SIGSTOP)
    (slow.folder / "go").touch()
    assert comes_true(lambda: unread(pid) > 60_000)
    process.kill()
    process.communicate()
    assert ends(descriptor)
    assert locks(slow) == []
    assert kinds(slow.state())["first"] == "good"
    assert (slow.infra / "errored.tfstate").read_bytes() == b"", "only the next apply removes it"


def unread(pid: int) -> int:
    """How many bytes of a process's stdout, a pipe, wait for their reader."""
    with open(f"/proc/{pid}/fd/1", "rb", buffering=0) as pipe:
        answer = fcntl.ioctl(pipe, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


def test_a_backend_that_dies(valve: Room) -> None:
    """The state that could not be saved is an artifact, a second attempt does not run over it, and
    the printed lines bring it into the backend once that is there again."""
    assert isinstance(valve.aws, Valve)
    section = {"directory": EVIL, "backend": {**valve.backend, "max_retries": 1}}
    valve.manifest(section, retry={"attempts": 2, "delay": "0s", "on_exit_codes": [1]})
    process = begun(valve)
    valve.aws.is_shut = True
    (valve.folder / "go").touch()
    ended = end_of(valve, process)
    valve.aws.is_shut = False
    assert ended.code == 1
    kept = valve.artifacts / "errored.tfstate"
    assert ended.result["artifacts"] == ["errored.tfstate"]
    assert ended.details["errored_state"] == str(kept)
    assert sorted(os.listdir(valve.folder / EVIL)) == ["errored.tfstate.kept", "main.tf"]
    assert kept.stat().st_mode & 0o777 == 0o600
    rescued = json.loads(kept.read_bytes())
    assert kinds(rescued) == {"first": "good", "slow": "good"}
    assert SECRET in kept.read_text()
    assert SECRET not in ended.text
    assert "could not be saved, and what is applied now" in ended.text

    push = line_with(ended.text, "state push")
    free = line_with(ended.text, "force-unlock")
    for name in locks(valve):
        held = json.loads(valve.objects()[name])["ID"]
        pasted = paste(valve, free.replace("LOCK_ID", held))
        assert pasted.returncode == 0, pasted
    pasted = paste(valve, push)
    assert pasted.returncode == 0, pasted
    assert not kept.exists()
    assert valve.state()["resources"] == rescued["resources"]
    assert locks(valve) == []
