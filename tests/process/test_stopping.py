"""The stop ladder at work: who gets which signal, and how the run then ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator

import pytest

from calamari_py.errors import Cancelled
from calamari_py.process import Limits, SignalInbox, StopReason, Stream
from tests.process.support import (
    PATIENCE,
    Once,
    RecordingSink,
    ends,
    execute,
    python,
    shell,
    state_of,
)

pytestmark = pytest.mark.process

PATIENT = Limits(timeout=PATIENCE, grace=PATIENCE)

STUBBORN = """
import os, signal
def hear(signum, frame):
    os.write(1, b'got %d\\n' % signum)
for signum in (1, 2, 15):
    signal.signal(signum, hear)
os.write(1, b'ready\\n')
while True:
    signal.pause()
"""
"""A child that hears every polite signal, says so and goes on."""


OBEDIENT = """
import os, signal
signals = {1, 2, 15}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
os.write(1, b'ready\\n')
os.write(1, b'caught %d\\n' % signal.sigwait(signals))
os._exit(7)
"""
"""A child that ends with code 7 at the first polite signal."""


@pytest.fixture
def inbox() -> Iterator[SignalInbox]:
    """An inbox that only the test delivers to."""
    made = SignalInbox(install=False)
    yield made
    made.close()


def deliver(inbox: SignalInbox, *signums: int) -> Callable[[], None]:
    """A reply that delivers signals."""

    def reply() -> None:
        for signum in signums:
            inbox.deliver(signum)

    return reply


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_cancel_sends_the_same_signal(inbox: SignalInbox, signum: int) -> None:
    """A signal we are sent reaches the child as the same signal, and its own code comes back."""
    sink = RecordingSink(on_feed=Once(b"ready", deliver(inbox, signum)))
    ended = execute(python(OBEDIENT), sink, limits=PATIENT, inbox=inbox)
    assert (ended.code, ended.stopped, ended.signum) == (7, StopReason.SIGNAL, signum)
    assert sink.stdout == b"ready\ncaught %d\n" % signum
    assert inbox.first == signum


def test_translated_signal(inbox: SignalInbox) -> None:
    """A kind may choose which signal the group gets for the one we were sent."""
    sink = RecordingSink(on_feed=Once(b"ready", deliver(inbox, signal.SIGTERM)))
    ended = execute(
        python(OBEDIENT),
        sink,
        limits=PATIENT,
        inbox=inbox,
        translate_signals={signal.SIGTERM: signal.SIGINT},
    )
    assert (ended.code, ended.stopped, ended.signum) == (7, StopReason.SIGNAL, signal.SIGTERM)
    assert not ended.pressed
    assert sink.stdout == b"ready\ncaught %d\n" % signal.SIGINT


def test_further_signals_shorten_the_wait(inbox: SignalInbox) -> None:
    """The child gets the signal once; the next one brings SIGTERM at once, a third SIGKILL."""
    replies = [
        Once(b"ready", deliver(inbox, signal.SIGINT)),
        Once(b"got 2", deliver(inbox, signal.SIGTERM)),
        Once(b"got 15", deliver(inbox, signal.SIGHUP)),
    ]

    def on_feed(stream: Stream, data: bytes) -> None:
        for reply in replies:
            reply(stream, data)

    sink = RecordingSink(on_feed=on_feed)
    ended = execute(python(STUBBORN), sink, limits=PATIENT, inbox=inbox)
    assert sink.stdout == b"ready\ngot 2\ngot 15\n"
    assert (ended.code, ended.stopped, ended.signum) == (137, StopReason.SIGNAL, signal.SIGINT)
    assert ended.pressed


def test_an_echo_counts_once(inbox: SignalInbox) -> None:
    """The same signal twice at once, from a terminal and a wrapper, is one signal to the child."""
    sink = RecordingSink(on_feed=Once(b"ready", deliver(inbox, signal.SIGINT, signal.SIGINT)))
    script = """
import os, signal
signals = {2, 15}
signal.pthread_sigmask(signal.SIG_BLOCK, signals)
os.write(1, b'ready')
first = signal.sigwait(signals)
more = signal.sigtimedwait(signals, 0.5)
os._exit(first if more is None else 99)
"""
    ended = execute(python(script), sink, limits=PATIENT, inbox=inbox)
    assert ended.code == signal.SIGINT


@pytest.mark.parametrize(
    ("stop_signal", "code"),
    [
        pytest.param(None, 128 + signal.SIGTERM, id="SIGTERM by default"),
        pytest.param(signal.SIGINT, 128 + signal.SIGINT, id="the kind's own signal"),
    ],
)
def test_timeout(stop_signal: int | None, code: int) -> None:
    """A timeout stops the child with the kind's signal."""
    limits = Limits(timeout=0.1, grace=PATIENCE)
    sink = RecordingSink()
    ended = execute(shell("exec sleep 60"), sink, limits=limits, stop_signal=stop_signal)
    assert (ended.code, ended.stopped, ended.signum) == (code, StopReason.TIMEOUT, None)
    assert 0.1 <= ended.duration < PATIENCE


def test_idle_timeout() -> None:
    """A child that prints nothing for too long is stopped."""
    limits = Limits(timeout=PATIENCE, idle_timeout=0.2, grace=PATIENCE)
    ended = execute(shell("echo once; exec sleep 60"), RecordingSink(), limits=limits)
    assert (ended.code, ended.stopped) == (143, StopReason.IDLE_TIMEOUT)


def test_term_proof_child_is_killed() -> None:
    """A child that ignores everything ends by SIGKILL."""
    script = "trap '' HUP INT TERM; while :; do sleep 0.05; done"
    limits = Limits(timeout=1.5, grace=0.05)
    ended = execute(shell(script), RecordingSink(), limits=limits, kill_delay=0.1)
    assert (ended.code, ended.stopped) == (137, StopReason.TIMEOUT)


def test_stopped_child_sees_the_signal(inbox: SignalInbox) -> None:
    """A child that was suspended is continued so that it can obey."""

    def on_feed(stream: Stream, data: bytes) -> None:
        pid = int(data)
        while state_of(pid) != "T":
            os.sched_yield()
        inbox.deliver(signal.SIGTERM)

    sink = RecordingSink(on_feed=on_feed)
    ended = execute(shell("echo $$; kill -STOP $$; exit 1"), sink, limits=PATIENT, inbox=inbox)
    assert (ended.code, ended.stopped) == (143, StopReason.SIGNAL)


@pytest.mark.parametrize("group", [None, 0], ids=["same group", "own group"])
def test_whole_session_gets_the_signal(inbox: SignalInbox, group: int | None) -> None:
    """A grandchild hears the signal too, also when it left the group."""
    opened: list[int] = []

    def on_feed(stream: Stream, data: bytes) -> None:
        opened.append(os.pidfd_open(int(data)))
        inbox.deliver(signal.SIGINT)

    script = (
        "import subprocess as s, signal\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        f"p = s.Popen(['sleep', '60'], stdout=s.DEVNULL, process_group={group})\n"
        "print(p.pid, flush=True)\n"
        "p.wait()\n"
    )
    ended = execute(python(script), RecordingSink(on_feed=on_feed), limits=PATIENT, inbox=inbox)
    assert (ended.code, ended.stopped, ended.left_running) == (130, StopReason.SIGNAL, ())
    assert ends(opened[0])


def test_reader_gone_stops_the_child() -> None:
    """When nobody reads a stream any more the child is stopped; the other stream is still fed."""

    def on_feed(stream: Stream, data: bytes) -> None:
        if stream == "stdout":
            raise BrokenPipeError

    sink = RecordingSink(on_feed=on_feed)
    script = "trap 'echo bye >&2; exit 3' TERM; while :; do echo x; done"
    ended = execute(shell(script), sink, limits=PATIENT)
    assert (ended.code, ended.stopped) == (3, StopReason.READER_GONE)
    assert sink.stderr == b"bye\n"
    assert sink.calls.count("feed stdout") == 1
    assert sorted(sink.closed) == ["stderr", "stdout"]


@pytest.mark.parametrize("close_fails", [False, True])
def test_broken_sink_ends_the_tree(close_fails: bool) -> None:
    """What the sink raises ends the process and is raised again; it is never fed after that."""
    opened: list[int] = []

    def on_feed(stream: Stream, data: bytes) -> None:
        opened.append(os.pidfd_open(int(data.split()[0])))
        raise RuntimeError("the masker is broken")

    def on_close(stream: Stream) -> None:
        if close_fails:
            raise RuntimeError("and so is its end")

    sink = RecordingSink(on_feed=on_feed, on_close=on_close)
    script = "trap '' TERM; echo $$; while :; do echo more; done"
    with pytest.raises(RuntimeError, match="the masker is broken"):
        execute(shell(script), sink, kill_delay=0.1)
    assert ends(opened[0])
    assert len(opened) == 1
    assert sorted(sink.closed) == ["stderr", "stdout"]


def test_sink_that_fails_at_the_end() -> None:
    """A sink that cannot be closed is an error, not a success."""

    def on_close(stream: Stream) -> None:
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        execute(shell("echo x"), RecordingSink(on_close=on_close))


def test_ignored_signal_is_heard_by_tools_that_need_it(inbox: SignalInbox) -> None:
    """In a background job SIGINT is ignored; a child that is stopped by it hears it anyway."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sink = RecordingSink(on_feed=Once(b"ready", deliver(inbox, signal.SIGTERM)))
        ended = execute(
            shell("echo ready; exec sleep 60"),
            sink,
            limits=PATIENT,
            inbox=inbox,
            translate_signals={signal.SIGTERM: signal.SIGINT},
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.code == 130


@pytest.mark.parametrize("streams", [("stderr",), ("stdout", "stderr")], ids=["once", "echo"])
def test_a_late_signal_counts(inbox: SignalInbox, streams: tuple[Stream, ...]) -> None:
    """A signal that comes with the last bytes cancels this run, and does not stop the next one."""

    def on_close(stream: Stream) -> None:
        if stream in streams:
            inbox.deliver(signal.SIGTERM)

    first = execute(shell("exit 0"), RecordingSink(on_close=on_close), inbox=inbox)
    second = execute(shell("exit 0"), RecordingSink(), inbox=inbox)
    assert first.code in {0, 143}
    assert (first.stopped, first.signum) == (StopReason.SIGNAL, signal.SIGTERM)
    assert (second.code, second.stopped) == (0, None)
    assert inbox.first == signal.SIGTERM


def test_a_timeout_stays_the_reason(inbox: SignalInbox) -> None:
    """A signal after a timeout hurries and does not change why the process was stopped."""
    sink = RecordingSink(on_feed=Once(b"got 15", deliver(inbox, signal.SIGINT)))
    limits = Limits(timeout=1.5, grace=PATIENCE)
    ended = execute(python(STUBBORN), sink, limits=limits, inbox=inbox, kill_delay=0.1)
    assert (ended.code, ended.stopped, ended.signum) == (137, StopReason.TIMEOUT, None)


def test_a_signal_before_the_start_starts_nothing(inbox: SignalInbox) -> None:
    """A signal that waits already is raised instead of starting a process to stop it."""
    sink = RecordingSink()
    with inbox.queued():
        inbox.deliver(signal.SIGTERM)
        with pytest.raises(Cancelled) as caught:
            execute(shell("exit 0"), sink, inbox=inbox)
    assert caught.value.signum == signal.SIGTERM
    assert sink.calls == []


def test_an_unanswered_signal_ends_a_blocked_sink() -> None:
    """A second signal ends a sink that blocks without a pulse; the tree ends, nothing is raised."""
    now = 0.0
    pids: list[int] = []

    def block() -> None:
        nonlocal now
        signal.raise_signal(signal.SIGINT)
        now += 1.1
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("still blocked")

    def on_feed(stream: Stream, data: bytes) -> None:
        pids.append(os.pidfd_open(int(data.split()[0])))
        block()

    def on_close(stream: Stream) -> None:
        nonlocal now
        now += 1.1
        block()

    with SignalInbox(clock=lambda: now) as inbox:
        sink = RecordingSink(on_feed=on_feed, on_close=on_close)
        ended = execute(shell("echo $$; exec sleep 60"), sink, limits=PATIENT, inbox=inbox)
    assert (ended.code, ended.stopped, ended.signum) == (143, StopReason.SIGNAL, signal.SIGINT)
    assert sorted(sink.closed) == ["stderr", "stdout"]
    assert ends(pids[0])
