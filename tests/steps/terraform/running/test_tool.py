"""How the commands of ``Terraform`` are run."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.process.base import StopReason, Stream
from calamari_py.steps._stopped import Stopped
from tests.steps.terraform.fakes import Answer, lines
from tests.steps.terraform.running.room import Room


class Lines:
    """A LineReader that remembers."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []

    def line(self, stream: Stream, line: bytes) -> None:
        self.seen.append((stream, line))

    def idle(self) -> None:
        """Nothing."""


def test_every_command_is_stopped_by_one_sigint(tmp_path: Path) -> None:
    """SIGINT is the one signal on which Terraform saves its state and frees the lock."""
    room = Room(tmp_path)
    room.fake.on("show", Answer(stdout=b'{"format_version": "1.0"}'))
    room.fake.on("output", Answer(stdout=b"{}"))
    room.has_backend()
    room.tool.version()
    room.tool.init()
    room.tool.plan(Lines(), out=Path("p"))
    room.tool.apply(Lines(), Path("p"))
    room.tool.show_state()
    room.tool.outputs()
    room.tool.probe_lock()
    assert len(room.fake.calls) == 7
    for call in room.fake.calls:
        command = call.command
        assert command.stop_signal == signal.SIGINT
        assert command.translate_signals == {
            signal.SIGTERM: signal.SIGINT,
            signal.SIGHUP: signal.SIGINT,
        }
        assert command.directory == room.directory
        assert command.environment["TF_DATA_DIR"] == str(room.files.data)
        assert command.environment["PATH"] == "/usr/bin:/bin"


def test_plan_and_apply_are_read_line_by_line(tmp_path: Path) -> None:
    """Their lines go to the reader, and their exit is the caller's to judge."""
    room = Room(tmp_path)
    room.fake.on("plan", Answer(code=2, stdout=lines("a", "b")))
    room.fake.on("apply", Answer(code=1, stderr=lines("c")))
    reader = Lines()
    assert room.tool.plan(reader, out=room.files.plan, destroy=True).code == 2
    assert room.tool.apply(reader, room.files.plan).code == 1
    assert reader.seen == [("stdout", b"a"), ("stdout", b"b"), ("stderr", b"c")]
    assert "-destroy" in room.fake.calls[0].argv
    assert all(call.streamed for call in room.fake.calls)


@pytest.mark.parametrize("command", ["plan", "apply", "show", "output", "version"])
def test_a_command_that_calamari_ended_says_so(command: str, tmp_path: Path) -> None:
    """Nothing is made of what such a command wrote; its end is handed on."""
    room = Room(tmp_path)
    ended = Answer(code=130, stopped=StopReason.SIGNAL, signum=signal.SIGINT, stdout=b"{}")
    room.fake.on("version -json", ended)
    room.fake.on(command, ended)
    run = {
        "plan": lambda: room.tool.plan(Lines(), out=Path("p")),
        "apply": lambda: room.tool.apply(Lines(), Path("p")),
        "show": lambda: room.tool.show_plan(Path("p")),
        "output": room.tool.outputs,
        "version": room.tool.version,
    }[command]
    with pytest.raises(Stopped) as caught:
        run()
    assert caught.value.exit == ended.exit


def test_a_captured_command_that_fails_says_why(tmp_path: Path) -> None:
    """The first error of its text is the failure."""
    room = Room(tmp_path)
    error = b"\nError: Failed to read the given file as a state or plan file\n\nState read error\n"
    room.fake.on("show", Answer(code=1, stderr=error))
    with pytest.raises(ToolFailed, match="Failed to read the given file"):
        room.tool.show_plan(Path("p"))


def test_the_lock_is_probed_after_the_end(tmp_path: Path) -> None:
    """It is a look with a time of its own: it takes the lock, and needs time to give it back."""
    room = Room(tmp_path)
    answer = Answer(code=1, stdout=b"Acquiring", stopped=StopReason.TIMEOUT)
    room.fake.on("untaint", answer)
    looked = room.tool.probe_lock()
    assert (looked.exit, looked.stdout) == (answer.exit, b"Acquiring")
    assert room.fake.calls[0].last_words == 60
