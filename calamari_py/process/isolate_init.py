"""The first process of an isolated step: namespaces, covers, /proc, then the step's own program.

Run as a program by isolate.py (``python -I -S isolate_init.py REPORT TETHER``), so it imports
nothing of ours and little of the standard library. Three processes come of it: the one that was
started stays outside of the new PID namespace and waits; its child is pid 1 inside, which sets
everything up, collects orphans and ends the namespace; pid 1's child becomes the step.

REPORT is a socket. It brings what to run, and takes ``R`` from the step's process (whose pid the
kernel tells the reader), ``E<errno>`` when its program did not start, ``F<errno> <stage>`` when the
isolation failed, and the end of file when all went well. TETHER is a socket that takes the step's
exit code, one byte. It ends when the runner wants the namespace to end, or has ended itself.
"""

from __future__ import annotations

import ctypes
import fcntl
import marshal
import os
import select
import signal
import stat
import sys
import termios
import time
from contextlib import suppress
from typing import NoReturn, TypedDict

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWPID = 0x20000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 32, 4096, 16384, 1 << 18
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAP_VERSION_3 = 0x20080522
_CAP_SYS_ADMIN = 21

_QUIET = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


class Spec(TypedDict):
    """What isolate.py sends. An empty `argv` only finds out whether all this is possible; the step
    has `kill_delay` seconds after SIGTERM when the runner is gone.
    """

    argv: list[bytes]
    environment: dict[bytes, bytes]
    directory: bytes
    terminal: bool
    kill_delay: float
    hidden: list[bytes]


class Failure(Exception):
    """One stage of the isolation that the system refused."""

    def __init__(self, stage: bytes, number: int) -> None:
        super().__init__(stage, number)
        self.said = b"F%d %s" % (number, stage)


def main(report: int, tether: int) -> NoReturn:
    """What the process that was started does: waits for pid 1."""
    for descriptor in (report, tether):
        os.set_inheritable(descriptor, False)
    # Pid 1 gets no signal from its namespace that it does not ask for. One that the runner ignores
    # stays ignored.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    spec: Spec = marshal.loads(_read_all(report))  # noqa: S302 - our own, to the same interpreter
    try:
        _enter_namespaces()
        pid = os.fork()
    except Failure as failure:
        os.write(report, failure.said)
        os._exit(1)
    except OSError as error:
        os.write(report, b"F%d fork" % (error.errno or 0))
        os._exit(1)
    if pid == 0:
        _first(spec, report, tether)
    os.close(report)
    os.close(tether)
    _let_go()
    os.waitpid(pid, 0)
    os._exit(0)


def _first(spec: Spec, report: int, tether: int) -> NoReturn:
    """What pid 1 does."""
    try:
        _cover(spec["hidden"])
        _drop_rights()
        # What the runner learned to keep to itself is inherited; this process has no secret of
        # its own, but rights until a moment ago.
        _check(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), b"prctl")
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        step = os.fork()
    except Failure as failure:
        os.write(report, failure.said)
        os._exit(1)
    except OSError as error:
        os.write(report, b"F%d init" % (error.errno or 0))
        os._exit(1)
    if step == 0:
        _become(spec, report)
    os.close(report)
    _let_go()
    _keep(step, tether, reader, kill_delay=spec["kill_delay"])
    # The end of pid 1 is the end of everything in the namespace.
    os._exit(0)


def _become(spec: Spec, report: int) -> NoReturn:
    """What the step's process does."""
    # An interpreter ignores these from its start.
    for signum in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(signum, signal.SIG_DFL)
    try:
        os.setsid()
        if spec["terminal"]:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        os.write(report, b"R")
        # Not earlier: a folder that was entered before it was covered would stay open.
        os.chdir(spec["directory"])
        if spec["argv"]:
            os.execve(spec["argv"][0], spec["argv"], spec["environment"])  # noqa: S606
    except OSError as error:
        os.write(report, b"E%d" % (error.errno or 0))
    os._exit(127)


def _keep(step: int, tether: int, reader: int, *, kill_delay: float) -> None:
    """Collect what ends, tell the step's exit code; returns when the namespace shall end."""
    waiting = select.poll()
    waiting.register(tether, select.POLLIN)
    waiting.register(reader, select.POLLIN)
    told = False
    ready: dict[int, int] = {}
    while tether not in ready:
        told = told or _collect(step, tether)
        ready = dict(waiting.poll())
        if reader in ready:
            os.read(reader, 512)
    if told:
        return
    # Somebody killed the runner.
    until = time.monotonic() + kill_delay
    with suppress(ChildProcessError, ProcessLookupError):
        os.kill(-1, signal.SIGTERM)
        os.kill(-1, signal.SIGCONT)
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.02)


def _collect(step: int, tether: int) -> bool:
    """Reap orphans; True once the step has ended. That one is left: its session, which the runner
    still signals, keeps its number.
    """
    while True:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return False
        if ended.si_pid == step:
            killed = ended.si_code != os.CLD_EXITED
            # When the runner is gone, the next look at the tether finds that out.
            with suppress(OSError):
                os.write(tether, bytes([ended.si_status + (128 if killed else 0)]))
            return True
        os.waitpid(ended.si_pid, 0)


def _enter_namespaces() -> None:
    """New PID and mount namespaces; for who may not have them, inside a new user namespace."""
    wanted = _CLONE_NEWNS | _CLONE_NEWPID
    if _libc.unshare(wanted) == 0:
        return
    uid, gid = os.geteuid(), os.getegid()
    # The files below belong to root while this process cannot be read.
    _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    _check(_libc.unshare(wanted | _CLONE_NEWUSER), b"unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _cover(hidden: list[bytes]) -> None:
    """Put something empty over every hidden path, and a /proc of this namespace over every other.

    The empty things lie in a small file system under the new /proc, where nobody sees it.
    """
    _mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, stage=b"private")
    process_folders = _process_folders()
    _mount(b"none", b"/proc", b"tmpfs", _QUIET, b"mode=700,size=64k", stage=b"tmpfs")
    os.mkdir("/proc/folder")
    os.chmod("/proc/folder", 0o555)  # noqa: S103 - whoever could look into the real one
    os.close(os.open("/proc/file", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC))
    os.chmod("/proc/file", 0o444)
    _mount(b"none", b"/proc", None, _MS_REMOUNT | _MS_RDONLY | _QUIET, stage=b"tmpfs")
    # Folders first: what lies in a covered one is gone.
    for path in sorted(hidden):
        try:
            is_folder = stat.S_ISDIR(os.stat(path).st_mode)
        except OSError:
            continue  # whoever cannot reach it has nothing to hide there
        source = b"/proc/folder" if is_folder else b"/proc/file"
        _mount(source, path, None, _MS_BIND, stage=b"hide " + path)
    for path in process_folders:
        _mount(b"proc", path, b"proc", _QUIET, stage=b"proc")


def _process_folders() -> list[bytes]:
    """Where a whole proc file system is mounted; /proc comes first."""
    found = [b"/proc"]
    with open("/proc/self/mountinfo", "rb") as lines:
        for line in lines:
            # proc(5): id parent major:minor root mountpoint options … - type source options
            head, _, tail = line.partition(b" - ")
            fields = head.split()
            if tail.split()[0] == b"proc" and fields[3] == b"/" and fields[4] not in found:
                found.append(fields[4].decode("unicode_escape").encode("latin-1"))
    return found


def _drop_rights() -> None:
    """Give up, for good, what could take the covers off again.

    Root keeps everything else. Another user has rights in its user namespace alone, and needs none
    of them; NO_NEW_PRIVS keeps programs with file capabilities from giving any back (setuid
    programs do not work there in any case).
    """
    kept = ~(1 << _CAP_SYS_ADMIN)
    _check(_libc.prctl(_PR_CAPBSET_DROP, _CAP_SYS_ADMIN, 0, 0, 0), b"capabilities")
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    if os.geteuid() != 0:
        kept = 0
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), b"capabilities")
    header = (ctypes.c_uint32 * 2)(_CAP_VERSION_3, 0)
    # Effective, permitted, inheritable; the lower 32 capabilities first.
    sets = (ctypes.c_uint32 * 6)()
    _check(_libc.capget(header, sets), b"capabilities")
    for index in range(6):
        sets[index] &= kept & 0xFFFFFFFF if index < 3 or kept == 0 else 0xFFFFFFFF
    _check(_libc.capset(header, sets), b"capabilities")


def _let_go() -> None:
    """Hold no stream of the step: its reader waits for their ends."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def _mount(
    source: bytes,
    target: bytes,
    kind: bytes | None,
    flags: int,
    options: bytes | None = None,
    *,
    stage: bytes,
) -> None:
    _check(_libc.mount(source, target, kind, ctypes.c_ulong(flags), options), stage)


def _check(result: int, stage: bytes) -> None:
    if result != 0:
        raise Failure(stage, ctypes.get_errno())


def _write(path: str, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Failure(b"map", error.errno or 0) from None


def _read_all(source: int) -> bytes:
    pieces = []
    while piece := os.read(source, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
