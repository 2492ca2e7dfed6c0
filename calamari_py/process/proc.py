"""What Linux says about processes, read from ``/proc``; elsewhere nothing is found."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
from contextlib import suppress
from dataclasses import dataclass

_READ = 1 << 16
_TIOCGPTN = 0x80045430
"""The ioctl that tells the number of a pty, from asm-generic/ioctls.h."""
_CUT = 15
"""How many bytes of a name the kernel keeps."""
_PF_FORKNOEXEC = 0x40
"""A flag of linux/sched.h."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One process. `started` is in clock ticks since the system's start: with the pid it names a
    process for ever. `ended`: it only waits to be collected by its parent; while any thread of it
    works it has not, whatever became of the first one. `forked`: it executed no program since its
    fork, and may have open whatever its parent had.
    """

    pid: int
    parent: int
    group: int
    session: int
    started: int
    ended: bool
    forked: bool
    name: str


def entries() -> tuple[Entry, ...]:
    """All processes that we can see."""
    found = []
    for number in os.listdir("/proc"):
        if number.isdigit():
            entry = entry_of(int(number))
            if entry is not None:
                found.append(entry)
    return tuple(found)


def environment_of(pid: int) -> frozenset[bytes]:
    """The ``NAME=value`` pairs a process was started with; empty when it does not show them."""
    return frozenset(_read(f"/proc/{pid}/environ").split(b"\0"))


def descriptors_of(pid: int) -> dict[int, str]:
    """What each open descriptor of a process is, as ``/proc/PID/fd`` calls it: a path, or
    ``pipe:[inode]``, ``socket:[inode]``. Empty when it does not show them.
    """
    folder = f"/proc/{pid}/fd"
    found = {}
    try:
        numbers = os.listdir(folder)
    except OSError:
        return {}
    for number in numbers:
        try:
            found[int(number)] = os.readlink(f"{folder}/{number}")
        except OSError:
            continue  # closed meanwhile
    return found


def other_end_of(descriptor: int) -> str | None:
    """What the other end of our pipe or pty is called in `descriptors_of`."""
    facts = os.fstat(descriptor)
    if stat.S_ISFIFO(facts.st_mode):
        return f"pipe:[{facts.st_ino}]"
    try:
        answer = fcntl.ioctl(descriptor, _TIOCGPTN, struct.pack("I", 0))
    except OSError:
        return None
    return f"/dev/pts/{struct.unpack('I', answer)[0]}"


def lines_of(path: str) -> list[list[bytes]]:
    """The words of each line of a file; none when there is no such file."""
    return [line.split() for line in _read(path).splitlines()]


def entry_of(pid: int) -> Entry | None:
    """One process; None when it is gone, or cannot be seen."""
    # proc(5): pid (name) state ppid pgrp session …; the name may hold spaces and brackets.
    head, _, tail = _read(f"/proc/{pid}/stat").rpartition(b")")
    fields = tail.split(None, 20)
    if len(fields) < 20:
        return None
    return Entry(
        pid=pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        started=int(fields[19]),
        ended=fields[0] in {b"Z", b"X"} and int(fields[17]) <= 1,
        forked=bool(int(fields[6]) & _PF_FORKNOEXEC),
        name=_printable(_whole_name(pid, head.partition(b"(")[2])),
    )


def _whole_name(pid: int, name: bytes) -> bytes:
    """The name of a process, which the kernel cuts: half a secret would be masked nowhere."""
    if len(name) < _CUT:
        return name
    argv0 = _read(f"/proc/{pid}/cmdline").partition(b"\0")[0]
    candidates = [argv0.rpartition(b"/")[2]]
    with suppress(OSError):  # of another user
        candidates.append(os.fsencode(os.path.basename(os.readlink(f"/proc/{pid}/exe"))))
    return next((whole for whole in candidates if whole.startswith(name)), b"a process")


def _read(path: str) -> bytes:
    """All of a file; empty when it is gone or closed to us."""
    pieces = []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        while piece := os.read(descriptor, _READ):
            pieces.append(piece)
    except OSError:
        return b""  # it ended between the two
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def _printable(name: bytes) -> str:
    text = name.decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)
