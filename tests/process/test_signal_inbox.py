"""SignalInbox: exceptions outside a process, a queue inside, everything put back at the end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import pytest

from calamari_py.errors import Cancelled
from calamari_py.process import SignalInbox

STOP = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def readable(inbox: SignalInbox) -> bool:
    """Whether the inbox would wake a loop."""
    return bool(select.select([inbox], [], [], 0)[0])


@pytest.fixture
def inbox() -> Iterator[SignalInbox]:
    """An inbox that only the test delivers to."""
    made = SignalInbox(install=False)
    yield made
    made.close()


@pytest.mark.parametrize("signum", STOP)
def test_raises_outside_a_process(signum: int) -> None:
    """A signal that arrives while nothing is run raises Cancelled with its number."""
    with SignalInbox() as inbox, pytest.raises(Cancelled) as caught:
        signal.raise_signal(signum)
    assert caught.value.signum == inbox.first == signum


def test_waits_inside_a_process() -> None:
    """In the queue signals wait in their order, wake the loop, and raise nothing."""
    with SignalInbox() as inbox, inbox.queued():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert readable(inbox)
        assert inbox.take() == signal.SIGTERM
        assert readable(inbox)
        assert inbox.take() == signal.SIGINT
        assert inbox.take() is None
        assert not readable(inbox)
        assert inbox.first == signal.SIGTERM


def test_nested_queues(inbox: SignalInbox) -> None:
    """Only the outermost end brings the exception back."""
    with inbox.queued():
        with inbox.queued():
            inbox.deliver(signal.SIGINT)
        inbox.deliver(signal.SIGHUP)
    with pytest.raises(Cancelled):
        inbox.deliver(signal.SIGTERM)
    assert inbox.first == signal.SIGINT


def test_raises_once(inbox: SignalInbox) -> None:
    """After the first exception further signals only wait: nothing interrupts the clearing up."""
    with pytest.raises(Cancelled):
        inbox.deliver(signal.SIGTERM)
    inbox.deliver(signal.SIGINT)
    inbox.deliver(signal.SIGHUP)
    assert (inbox.take(), inbox.take()) == (signal.SIGINT, signal.SIGHUP)
    assert inbox.first == signal.SIGTERM


def test_a_taken_signal_is_the_first_one(inbox: SignalInbox) -> None:
    """A signal that a process was stopped for begins the unwinding as well as an exception."""
    with inbox.queued():
        inbox.deliver(signal.SIGTERM)
        assert inbox.take() == signal.SIGTERM
    inbox.deliver(signal.SIGINT)
    assert inbox.take() == signal.SIGINT


def test_suspending_begins_no_unwinding(inbox: SignalInbox) -> None:
    """The suspend key does not use up the exception of the first stop signal."""
    with inbox.queued():
        inbox.deliver(signal.SIGTSTP)
        assert inbox.take() == signal.SIGTSTP
    with pytest.raises(Cancelled):
        inbox.deliver(signal.SIGINT)


@pytest.mark.parametrize("outer", ["nothing", "queued"])
def test_listening_raises_again(inbox: SignalInbox, outer: str) -> None:
    """A blocking call on the way out ends by a new signal, and by one only."""
    with pytest.raises(Cancelled):
        inbox.deliver(signal.SIGTERM)
    with inbox.queued() if outer == "queued" else nullcontext():
        with pytest.raises(Cancelled) as caught, inbox.listening():
            inbox.deliver(signal.SIGINT)
        assert caught.value.signum == signal.SIGINT
        inbox.deliver(signal.SIGHUP)
        assert inbox.take() == signal.SIGHUP


def test_listening_ends_with_its_block(inbox: SignalInbox) -> None:
    """After the block signals only wait again, after an exception inside it too."""
    with pytest.raises(Cancelled):
        inbox.deliver(signal.SIGTERM)
    with suppress(Cancelled), inbox.listening():
        inbox.deliver(signal.SIGINT)
    with inbox.listening():
        pass
    inbox.deliver(signal.SIGHUP)
    assert inbox.take() == signal.SIGHUP


def test_listening_before_any_signal_changes_nothing(inbox: SignalInbox) -> None:
    """The first signal raises after such a block as it would have before."""
    with inbox.listening():
        pass
    with pytest.raises(Cancelled):
        inbox.deliver(signal.SIGTERM)


def test_listening_hears_what_waits(inbox: SignalInbox) -> None:
    """A signal that came just before the block is not slept over; one exception is for all."""
    with inbox.queued():
        inbox.deliver(signal.SIGTERM)
        inbox.deliver(signal.SIGINT)
    with pytest.raises(Cancelled) as caught, inbox.listening():
        raise AssertionError
    assert caught.value.signum == signal.SIGTERM
    with inbox.listening():
        assert inbox.take() is None


def test_queued_inside_listening(inbox: SignalInbox) -> None:
    """The innermost block counts."""
    with inbox.listening(), inbox.queued():
        inbox.deliver(signal.SIGTERM)
        assert inbox.take() == signal.SIGTERM


INT, TERM = signal.SIGINT, signal.SIGTERM


@pytest.mark.parametrize(
    ("sent", "counted"),
    [
        pytest.param([(0.0, INT), (0.1, INT)], [INT], id="echo"),
        pytest.param([(0.0, INT), (0.2, INT), (0.29, INT)], [INT], id="two echoes"),
        pytest.param([(0.0, INT), (0.3, INT)], [INT, INT], id="the same later"),
        pytest.param([(0.0, INT), (0.2, INT), (0.4, INT)], [INT, INT], id="a key held down"),
        pytest.param([(0.0, INT), (0.1, TERM)], [INT, TERM], id="another one"),
    ],
)
def test_echo(sent: list[tuple[float, int]], counted: list[int]) -> None:
    """The same signal within 0.3 s counts once; another one, or the same later, counts."""
    now = 0.0
    inbox = SignalInbox(install=False, clock=lambda: now)
    with inbox.queued():
        for moment, signum in sent:
            now = moment
            inbox.deliver(signum)
        assert list(iter(inbox.take, None)) == counted
    inbox.close()


def test_an_echo_is_none_of_the_next_process() -> None:
    """An echo that comes when its signal was taken already does not count for what follows."""
    now = 0.0
    inbox = SignalInbox(install=False, clock=lambda: now)
    with inbox.queued():
        inbox.deliver(signal.SIGINT)
        assert inbox.take() == signal.SIGINT
    now = 0.2
    with inbox.listening():
        inbox.deliver(signal.SIGINT)
    with inbox.queued():
        inbox.deliver(signal.SIGINT)
        assert inbox.take() is None
    inbox.close()


@pytest.mark.parametrize("impatient", [True, False])
def test_unanswered_signals_raise(impatient: bool) -> None:
    """Where it is allowed a signal that meets one unanswered for a second ends what blocks."""
    now = 0.0
    said: list[int] = []
    with SignalInbox(clock=lambda: now) as inbox, inbox.queued():
        try:
            with inbox.impatient() if impatient else nullcontext():
                signal.raise_signal(signal.SIGINT)
                now = 0.9
                signal.raise_signal(signal.SIGTERM)
                now = 1.1
                signal.raise_signal(signal.SIGTERM)
                assert not said
                now = 2.0
                signal.raise_signal(signal.SIGTERM)
        except Cancelled as error:
            said.append(error.signum)
            signal.raise_signal(signal.SIGHUP)
        assert inbox.take() == signal.SIGINT
    assert said == ([signal.SIGINT] if impatient else [])


@pytest.mark.parametrize("raised_inside", [False, True])
def test_impatience_outlives_an_inner_one(raised_inside: bool) -> None:
    """A command inside of a command takes nothing away from the outer one; what a raise took away
    stays away."""
    now = 0.0
    raised: list[int] = []

    def press(inbox: SignalInbox) -> None:
        nonlocal now
        try:
            signal.raise_signal(signal.SIGINT)
            now += 2.0
            signal.raise_signal(signal.SIGTERM)
        except Cancelled as error:
            raised.append(error.signum)
        assert inbox.first == signal.SIGINT

    with SignalInbox(clock=lambda: now) as inbox, inbox.queued(), inbox.impatient():
        with inbox.impatient():
            if raised_inside:
                press(inbox)
        press(inbox)
    assert raised == [signal.SIGINT]


def test_everything_is_put_back() -> None:
    """Handlers and the wake-up descriptor are as before, whatever happened inside."""
    before = [signal.getsignal(signum) for signum in (*STOP, signal.SIGTSTP, signal.SIGCHLD)]
    wakeup = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(wakeup)
    with pytest.raises(Cancelled), SignalInbox():
        signal.raise_signal(signal.SIGTERM)
    after = [signal.getsignal(signum) for signum in (*STOP, signal.SIGTSTP, signal.SIGCHLD)]
    assert after == before
    assert signal.set_wakeup_fd(wakeup) == wakeup


def test_the_last_inbox_leaves_no_gap() -> None:
    """Who exits after it with a settled code is not ended by a signal; the rest is put back."""
    signums = (*STOP, signal.SIGTSTP)
    before = {signum: signal.getsignal(signum) for signum in signums}
    wakeup = signal.set_wakeup_fd(-1)
    try:
        with SignalInbox(last=True):
            pass
        after = [signal.getsignal(signum) for signum in signums]
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.set_wakeup_fd(wakeup)
        for signum, handler in before.items():
            signal.signal(signum, handler)
    assert after == [signal.SIG_IGN] * 3 + [before[signal.SIGTSTP]]


@pytest.mark.parametrize("install", [True, False])
def test_another_thread_sets_no_handlers(install: bool) -> None:
    """A program that runs steps in threads keeps its handlers, and may deliver by itself."""
    before = [signal.getsignal(signum) for signum in STOP]
    seen: list[object] = []

    def enter() -> None:
        with SignalInbox(install=install) as inbox, inbox.queued():
            inbox.deliver(signal.SIGTERM)
            seen.extend([signal.getsignal(signum) for signum in STOP])
            seen.append(inbox.take())

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [*before, signal.SIGTERM]


def test_an_inbox_that_cannot_be_entered_leaves_nothing() -> None:
    """A signal during its own start ends it, and neither handlers nor descriptors are left."""
    before = [signal.getsignal(signum) for signum in STOP]
    descriptors = len(os.listdir("/proc/self/fd"))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    class Interrupted(SignalInbox):
        def _set_handlers(self) -> None:
            super()._set_handlers()
            signal.raise_signal(signal.SIGTERM)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    with pytest.raises(Cancelled), Interrupted():
        pass
    assert [signal.getsignal(signum) for signum in STOP] == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("signum", [signal.SIGHUP, signal.SIGINT])
def test_ignored_stays_ignored(signum: int) -> None:
    """What nohup or a background shell ignores stays ignored."""
    before = signal.signal(signum, signal.SIG_IGN)
    try:
        with SignalInbox() as inbox:
            signal.raise_signal(signum)
            assert inbox.first is None
        assert signal.getsignal(signum) is signal.SIG_IGN
    finally:
        signal.signal(signum, before)


def test_children_are_not_lost() -> None:
    """An inherited "ignore" of SIGCHLD, which would drop exit codes, is lifted meanwhile."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with SignalInbox():
            assert signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_suspend_without_a_shell_does_nothing(inbox: SignalInbox) -> None:
    """SIGTSTP is no reason to end, and without job control none to stop for ever."""
    with inbox.queued():
        inbox.deliver(signal.SIGTSTP)
        assert inbox.take() == signal.SIGTSTP
    assert inbox.first is None


def test_descriptors_are_given_back() -> None:
    """An inbox leaves no descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    with SignalInbox():
        pass
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.process
def test_a_blocking_call_ends() -> None:
    """A call that waits for ever ends when the signal comes."""
    script = (
        "import os\n"
        "from calamari_py.errors import Cancelled\n"
        "from calamari_py.process import SignalInbox\n"
        "try:\n"
        "    with SignalInbox():\n"
        "        print('ready', flush=True)\n"
        "        os.read(0, 1)\n"
        "except Cancelled as error:\n"
        "    print(error)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        child.send_signal(signal.SIGTERM)
        assert child.stdout.read() == b"cancelled by SIGTERM\n"
        assert child.wait() == 0


def test_loop_is_woken_from_another_thread(inbox: SignalInbox) -> None:
    """A wait on the inbox ends when another thread delivers."""
    with inbox.queued():
        thread = threading.Thread(target=inbox.deliver, args=(signal.SIGINT,))
        thread.start()
        assert select.select([inbox], [], [], 10)[0]
        thread.join()
        assert inbox.take() == signal.SIGINT
