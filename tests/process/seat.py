"""Somebody in front of a terminal in which a runner runs a command on a pty."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.process.support import PATIENCE

SECRET = "hunter2-correct-horse-battery-staple"

_RUNNER = """
import json, sys
from pathlib import Path
from calamari_py.masking import Masker, SecretRegistry
from calamari_py.output._stream import write_all
from calamari_py.process import Command, Isolation, Limits, Pulse, SignalInbox, run

options = json.loads(sys.argv[1])
registry = SecretRegistry()
registry.add(options['secret'], name='secret')
pulse = Pulse()

class Sink:
    maskers = {'stdout': Masker(registry), 'stderr': Masker(registry)}
    def show(self, stream, data):
        if options.get('broken'):
            raise ValueError('broken')
        write_all(getattr(sys, stream).buffer, data, pulse.beat)
    def before_feed(self, reads): pass
    def feed(self, stream, data): self.show(stream, self.maskers[stream].feed(data))
    def holding(self): return any(masker.held for masker in self.maskers.values())
    def idle(self):
        for stream, masker in self.maskers.items(): self.show(stream, masker.idle())
    def close(self, stream): self.show(stream, self.maskers[stream].close())

command = Command(argv=tuple(options['argv']), directory=Path('/'), terminal=True,
                  environment={'PATH': '/usr/bin:/bin', 'TERM': 'xterm', 'PS1': 'ready> '},
                  stdin=options['stdin'], stop_signal=options['stop_signal'],
                  isolation=Isolation() if options['isolated'] else None)
limits = Limits(timeout=options['timeout'], grace=5)
with SignalInbox() as inbox:
    ended = run(command, Sink(), limits, inbox, pulse=pulse, kill_delay=options['kill_delay'])
with open(options['result'], 'w') as file:
    json.dump([ended.code, ended.stopped, ended.left_running], file)
"""

_TAKE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Seat:
    """Somebody in front of a terminal in which a runner runs a command on a pty."""

    def __init__(self, result: Path) -> None:
        self.seen = bytearray()
        self.result = result
        self.glass, self.tty = os.openpty()
        os.set_blocking(self.glass, False)
        self.resize(30, 100)
        self.modes = termios.tcgetattr(self.tty)
        self.runner: subprocess.Popen[bytes] | None = None

    def start(
        self,
        *argv: str,
        stdin: str = "inherit",
        input_from: int | None = None,
        timeout: float = PATIENCE,
        stop_signal: int | None = None,
        kill_delay: float = PATIENCE,
        broken: bool = False,
        isolated: bool = False,
        errors_apart: bool = False,
    ) -> None:
        """Have a runner run `argv`; see `launch`."""
        options = json.dumps(
            {
                "argv": argv,
                "stdin": stdin,
                "secret": SECRET,
                "timeout": timeout,
                "stop_signal": stop_signal,
                "kill_delay": kill_delay,
                "broken": broken,
                "isolated": isolated,
                "result": str(self.result),
            }
        )
        program = [sys.executable, "-c", _RUNNER, options]
        self.launch(program, input_from=input_from, errors_apart=errors_apart)

    def launch(
        self,
        program: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        input_from: int | None = None,
        errors_apart: bool = False,
    ) -> None:
        """Start `program` with our terminal as stdout, stderr (a pipe with `errors_apart`), and,
        without `input_from`, stdin and controlling terminal."""
        if input_from is None:
            program = [sys.executable, "-I", "-S", "-c", _TAKE_TERMINAL, *program]
        self.runner = subprocess.Popen(
            program,
            env=env,
            cwd=cwd,
            stdin=self.tty if input_from is None else input_from,
            stdout=self.tty,
            stderr=subprocess.PIPE if errors_apart else self.tty,
            start_new_session=True,
        )

    def type(self, keys: bytes) -> None:
        """Press keys."""
        assert os.write(self.glass, keys) == len(keys)

    def read(self) -> bool:
        """Look at the screen for a moment; False when there was nothing."""
        if not select.select([self.glass], [], [], 0.02)[0]:
            return False
        with suppress(BlockingIOError):
            self.seen += os.read(self.glass, 65_536)
        return True

    def expect(self, word: bytes) -> None:
        """Look at the screen until `word` is there, and forget it and what was before."""
        self.until(lambda: word in self.seen, word)
        self.seen = bytearray(self.seen.partition(word)[2])

    def until(self, condition: Callable[[], bool], what: object) -> None:
        """Look at the screen until `condition` holds."""
        give_up = time.monotonic() + PATIENCE
        while not condition():
            self.read()
            assert time.monotonic() < give_up, (what, self.seen[-2000:])

    def resize(self, rows: int, columns: int) -> None:
        """Make the window another size; the kernel tells the runner."""
        termios.tcsetwinsize(self.tty, (rows, columns))

    @property
    def raw(self) -> bool:
        """Whether the runner has taken the keys' meaning away."""
        return termios.tcgetattr(self.tty) != self.modes

    def leave(self) -> list[Any]:
        """Wait for the runner; code, stopped, left_running. All modes are as they were."""
        self.end()
        assert not self.raw
        assert self.result.exists(), self.seen.decode()
        ended: list[Any] = json.loads(self.result.read_text())
        return ended

    def end(self) -> int:
        """Wait for the program, and look at all that it left on the screen; its exit code."""
        runner = self.runner
        assert runner is not None
        self.until(lambda: runner.poll() is not None, "the end")
        while self.read():
            pass
        return runner.wait()

    def close(self) -> None:
        """Leave nothing behind."""
        if self.runner is not None:
            if self.runner.poll() is None:
                self.runner.kill()
            self.runner.communicate()
        for descriptor in (self.glass, self.tty):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    """A terminal of 30 rows and 100 columns."""
    made = Seat(tmp_path / "result.json")
    yield made
    made.close()


def shell(script: str) -> tuple[str, ...]:
    """The argv of a shell script."""
    return ("/bin/bash", "-c", script)
