"""Pulse: a reader that does not read keeps nobody from stopping the process, nor us from ending."""

from __future__ import annotations

import os
import pty
import signal
import threading
from collections.abc import Iterator
from typing import BinaryIO

import pytest

from calamari_py.output._stream import write_all
from calamari_py.process import Limits, Pulse, SignalInbox, StopReason, Stream
from tests.process.support import (
    PATIENCE,
    RecordingSink,
    ends,
    execute,
    python,
    shell,
)


class Unread:
    """A pipe or a terminal that is full; `read` reads it to its end from now on."""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader = reader
        self.stream: BinaryIO = open(writer, "wb")  # noqa: SIM115
        self.received = bytearray()
        self.thread = threading.Thread(target=self._read, daemon=True)
        os.set_blocking(writer, False)
        self.fill = 0
        try:
            while True:
                self.fill += os.write(writer, b".")
        except BlockingIOError:
            os.set_blocking(writer, True)

    def read(self) -> None:
        if self.thread.ident is None:
            self.thread.start()

    def _read(self) -> None:
        try:
            while data := os.read(self.reader, 65536):
                self.received += data
        except OSError:  # the other end of a terminal was closed
            return

    def close(self) -> bytes:
        """What came after the filling."""
        self.stream.close()
        if self.thread.ident is not None:
            self.thread.join(PATIENCE)
        os.close(self.reader)
        return bytes(self.received[self.fill :])


@pytest.fixture(params=["pipe", "terminal"])
def unread(request: pytest.FixtureRequest) -> Iterator[Unread]:
    """Both kinds of reader that may stop."""
    made = Unread(*(os.pipe() if request.param == "pipe" else pty.openpty()))
    yield made
    if not made.stream.closed:
        made.close()


@pytest.fixture
def full_pipe() -> Iterator[Unread]:
    """A pipe that nobody reads."""
    made = Unread(*os.pipe())
    yield made
    if not made.stream.closed:
        made.close()


@pytest.fixture
def inbox() -> Iterator[SignalInbox]:
    """An inbox that only the test delivers to."""
    made = SignalInbox(install=False)
    yield made
    made.close()


def into(unread: Unread, pulse: Pulse) -> RecordingSink:
    """A sink that writes to `unread`."""

    def on_feed(stream: Stream, data: bytes) -> None:
        write_all(unread.stream, data, pulse.beat)

    return RecordingSink(on_feed=on_feed)


# --- the write ----------------------------------------------------------------------------------


def test_a_write_that_waits_beats(unread: Unread) -> None:
    """While nobody reads the pulse beats; what was written arrives whole once somebody does."""
    beats = 0
    data = b"0123456789abcdef\n" * 20_000

    def pulse() -> None:
        nonlocal beats
        beats += 1
        if beats == 2:
            unread.read()

    write_all(unread.stream, data, pulse)
    assert beats >= 2
    assert unread.close().replace(b"\r\n", b"\n")[-len(data) :] == data


def test_what_the_pulse_raises_ends_the_write(unread: Unread) -> None:
    """A write is given up by an exception, and nothing of it is written later."""

    def pulse() -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        write_all(unread.stream, b"lost", pulse)
    unread.read()
    assert b"lost" not in unread.close()


def test_the_shared_descriptor_stays_blocking(unread: Unread) -> None:
    """Whoever shares our terminal or pipe finds it as it was."""

    def pulse() -> None:
        assert os.get_blocking(unread.stream.fileno())
        unread.read()

    write_all(unread.stream, b"x" * 100_000, pulse)
    assert os.get_blocking(unread.stream.fileno())


# --- the process --------------------------------------------------------------------------------


@pytest.mark.process
@pytest.mark.parametrize(
    "script",
    [
        pytest.param("echo x; exec sleep 60", id="silent"),
        pytest.param("while :; do echo xxxxxxxxxxxxxxxx; done", id="flood"),
        pytest.param("trap '' TERM; while :; do echo xxxxxxxxxxxxxxxx; done", id="TERM-proof"),
        pytest.param("trap 'exit 0' TERM; echo x; while :; do sleep 0.02; done", id="polite"),
    ],
)
def test_a_timeout_holds_while_nobody_reads(full_pipe: Unread, script: str) -> None:
    """A reader that stops reading keeps no limit from being kept; the reason stays the limit."""
    pulse = Pulse()
    limits = Limits(timeout=0.2, grace=0.1)
    sink = into(full_pipe, pulse)
    ended = execute(shell(script), sink, limits=limits, kill_delay=0.3, pulse=pulse)
    assert ended.stopped is StopReason.TIMEOUT
    assert ended.duration < PATIENCE / 2
    assert sorted(sink.closed) == ["stderr", "stdout"]


@pytest.mark.process
def test_the_first_signal_holds_while_nobody_reads(full_pipe: Unread) -> None:
    """One signal is enough: it reaches the child, and the run ends as cancelled."""
    pulse = Pulse()
    opened: list[int] = []
    with SignalInbox() as inbox:

        def on_feed(stream: Stream, data: bytes) -> None:
            if not opened:
                opened.append(os.pidfd_open(int(data)))
                signal.raise_signal(signal.SIGINT)
            write_all(full_pipe.stream, data, pulse.beat)

        ended = execute(
            python("import os, signal\nprint(os.getpid(), flush=True)\nsignal.pause()"),
            RecordingSink(on_feed=on_feed),
            inbox=inbox,
            kill_delay=0.3,
            pulse=pulse,
        )
    assert (ended.stopped, ended.signum) == (StopReason.SIGNAL, signal.SIGINT)
    assert ends(opened[0])


LINES = "i=0; while [ $i -lt 9000 ]; do echo line $i; i=$((i+1)); done"


@pytest.mark.process
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"{LINES}; exit 3", id="the child"),
        pytest.param(f"({LINES}) & exit 3", id="what it left behind"),
    ],
)
def test_a_reader_that_pauses_loses_nothing(full_pipe: Unread, script: str) -> None:
    """Without a reason to stop, the reader may take any time; all output arrives, that of a `tee`
    that outlives the child too."""
    pulse = Pulse()
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        pulse.beat()
        if beats == 7:
            full_pipe.read()

    def on_feed(stream: Stream, data: bytes) -> None:
        write_all(full_pipe.stream, data, beat)

    sink = RecordingSink(on_feed=on_feed)
    limits = Limits(idle_timeout=0.3)
    ended = execute(shell(script), sink, limits=limits, kill_delay=0.4, pulse=pulse)
    assert (ended.code, ended.stopped, ended.left_running) == (3, None, ())
    assert beats >= 7
    assert full_pipe.close() == b"".join(b"line %d\n" % i for i in range(9000))


@pytest.mark.process
def test_silence_counts_while_nobody_reads(full_pipe: Unread) -> None:
    """A child that has nothing to say is idle, whether or not its last words were read."""
    pulse = Pulse()
    limits = Limits(timeout=PATIENCE, idle_timeout=0.2, grace=PATIENCE)
    sink = into(full_pipe, pulse)
    ended = execute(shell("echo x; exec sleep 60"), sink, limits=limits, kill_delay=0, pulse=pulse)
    assert (ended.code, ended.stopped) == (143, StopReason.IDLE_TIMEOUT)


@pytest.mark.process
def test_a_signal_after_the_end_frees_an_unread_run(full_pipe: Unread, inbox: SignalInbox) -> None:
    """A process that ended by itself waits for its reader until a signal says not to."""
    pulse = Pulse()
    beats = 0

    def beat() -> None:
        nonlocal beats
        beats += 1
        if beats == 4:
            inbox.deliver(signal.SIGTERM)
        pulse.beat()

    def on_feed(stream: Stream, data: bytes) -> None:
        write_all(full_pipe.stream, data, beat)

    ended = execute(
        shell("echo x"), RecordingSink(on_feed=on_feed), inbox=inbox, kill_delay=0, pulse=pulse
    )
    assert (ended.code, ended.stopped, ended.signum) == (0, StopReason.SIGNAL, signal.SIGTERM)
    assert beats >= 4


@pytest.mark.process
def test_a_broken_sink_that_blocks_at_its_end(full_pipe: Unread) -> None:
    """The end of a broken sink waits for its reader no longer than for a kill."""
    pulse = Pulse()

    def on_feed(stream: Stream, data: bytes) -> None:
        raise RuntimeError("the masker is broken")

    def on_close(stream: Stream) -> None:
        write_all(full_pipe.stream, b"rest", pulse.beat)

    sink = RecordingSink(on_feed=on_feed, on_close=on_close)
    with pytest.raises(RuntimeError, match="the masker is broken"):
        execute(shell("echo x; exec sleep 60"), sink, kill_delay=0.1, pulse=pulse)
    assert sorted(sink.closed) == ["stderr", "stdout"]


# --- outside a process --------------------------------------------------------------------------


class Beats:
    """A watcher that counts, and then gives the reader up."""

    def __init__(self, patience: int = 1000) -> None:
        self.count = 0
        self.patience = patience

    def __call__(self) -> None:
        self.count += 1
        if self.count >= self.patience:
            raise BrokenPipeError


def test_a_pulse_without_a_watcher_does_nothing() -> None:
    """A reporter that is used alone waits for its reader as any program."""
    pulse = Pulse()
    watcher = Beats()
    with pulse.watched(watcher):
        pass
    pulse.beat()
    assert watcher.count == 0


def test_the_innermost_watcher_beats() -> None:
    """A process that runs gets the beats until it has ended."""
    pulse, outer, inner = Pulse(), Beats(), Beats()
    with pulse.watched(outer):
        with pulse.watched(inner):
            pulse.beat()
        pulse.beat()
        pulse.beat()
    assert (inner.count, outer.count) == (1, 2)


def test_a_reader_given_up_is_gone() -> None:
    """Nobody waits a second time for a reader that was given up."""
    pulse, outer = Pulse(), Beats()
    with pulse.watched(outer):
        with pulse.watched(Beats(patience=1)), pytest.raises(BrokenPipeError):
            pulse.beat()
        with pytest.raises(BrokenPipeError):
            pulse.beat()
    assert outer.count == 0


def test_other_threads_beat_nothing() -> None:
    """A write of another thread, which cannot watch a process, just waits."""
    pulse, watcher = Pulse(), Beats()
    with pulse.watched(watcher):
        thread = threading.Thread(target=pulse.beat)
        thread.start()
        thread.join()
    assert watcher.count == 0


@pytest.mark.parametrize(
    ("signals", "beats", "gone_at"),
    [
        pytest.param([], range(100), None, id="no signal"),
        pytest.param([3.0], range(100), 7.0, id="a signal while it waits"),
        pytest.param([-1.0], range(100), 5.0, id="a signal before"),
        pytest.param([-1.0], [0, 1, 2, 3, 4, 10, 11, 12, 13], None, id="several short waits"),
    ],
)
def test_heeding(
    inbox: SignalInbox, signals: list[float], beats: range | list[int], gone_at: float | None
) -> None:
    """Between processes a blocked write ends five seconds after a signal, and never without."""
    now, given_up = 0.0, None
    pulse = Pulse()
    with inbox.queued(), pulse.heeding(inbox, clock=lambda: now, patience=5.0):
        for moment in beats:
            now = float(moment)
            if signals and now >= signals[0]:
                inbox.deliver(signal.SIGTERM)
                signals = []
            try:
                pulse.beat()
            except BrokenPipeError:
                given_up = now
                break
    assert given_up == gone_at
