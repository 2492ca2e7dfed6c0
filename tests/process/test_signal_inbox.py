"""SignalInbox: exceptions outside a process, a queue inside, everything put back at the end."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

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


def test_unanswered_signals_raise() -> None:
    """A signal that meets another one, unanswered for a second, ends whatever blocks."""
    now = 0.0
    with SignalInbox(clock=lambda: now) as inbox, inbox.queued():
        signal.raise_signal(signal.SIGINT)
        now = 0.9
        signal.raise_signal(signal.SIGTERM)
        now = 1.1
        with pytest.raises(Cancelled) as caught:
            signal.raise_signal(signal.SIGTERM)
        assert caught.value.signum == signal.SIGINT
        assert inbox.take() == signal.SIGINT


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
