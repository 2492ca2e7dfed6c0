"""A command that outlives us: what it still writes is read by somebody, and ends it no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from calamari_py.process import Command, Isolation, Limits, SignalInbox, run
from calamari_py.process.isolate import isolation_problem
from tests.process.support import (
    PATH,
    PATIENCE,
    RUNNER,
    RecordingSink,
    ends,
    open_descriptors,
    processes_with,
    shell,
)

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="nobody is told of our end elsewhere"),
]

_SAVES = """
trap 'i=0; while [ $i -lt 200 ]; do echo {word} >&2; echo {word}; i=$((i+1)); done;
    echo $? $i > {file}; exit 0' {signal}
sleep 60 >/dev/null 2>&1 & echo $$ $!; wait
"""


def killed(script: str, options: str) -> tuple[int, int]:
    """A runner that is killed with SIGKILL once its command has begun: the command, still there,
    and its child."""
    program = f"import signal\n{RUNNER}go({script!r}, {options})"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as runner:
        assert runner.stdout is not None
        own, child = map(int, runner.stdout.readline().split())
        descriptor = os.pidfd_open(own)
        runner.kill()
        runner.wait()
    assert ends(descriptor)
    return own, child


def test_it_ends_as_it_is_told_to(tmp_path: Path) -> None:
    """It gets the signal that stands for SIGTERM, writes far more than a pipe takes, and does what
    it does at its end."""
    file = tmp_path / "saved"
    script = _SAVES.format(word="x" * 2000, file=file, signal="INT")
    _, child = killed(script, "outlives_us=True, translate_signals={15: signal.SIGINT}")
    os.kill(child, signal.SIGKILL)
    assert file.read_text() == "0 200\n"


def test_without_it_a_word_ends_it(tmp_path: Path) -> None:
    """Any other command ends by SIGPIPE, as in every shell."""
    file = tmp_path / "saved"
    script = _SAVES.format(word="x", file=file, signal="TERM")
    _, child = killed(script, "outlives_us=False")
    os.kill(child, signal.SIGKILL)
    assert not file.exists()


@pytest.mark.parametrize("isolated", [False, True], ids=["", "isolated"])
def test_it_leaves_nothing_behind(isolated: bool) -> None:
    """Output and code are as ever, the command holds nothing of it, and nothing of it is left."""
    if isolated and (problem := isolation_problem()):
        pytest.skip(problem)
    before = open_descriptors()
    sink = RecordingSink()
    command = Command(
        argv=shell("ls /proc/self/fd | wc -l; echo err >&2; exit 4"),
        environment={"PATH": PATH, "MARK": "drained"},
        directory=Path("/"),
        marker="MARK",
        outlives_us=True,
        isolation=Isolation() if isolated else None,
    )
    inbox = SignalInbox(install=False)
    ended = run(command, sink, Limits(timeout=PATIENCE, grace=PATIENCE), inbox)
    inbox.close()
    assert (ended.code, ended.left_running) == (4, ())
    assert (sink.stdout.split(), sink.stderr) == ([b"4"], b"err\n")
    assert open_descriptors() == before
    assert [pid for pid in processes_with("calamari-drain") if parent_of(pid) == os.getpid()] == []


def parent_of(pid: int) -> int:
    """Of a process that may be gone by now."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
