"""What calamari does to itself so that a step cannot read its memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4

Prctl = Callable[[int, int], int]

_core_limit: list[tuple[int, int]] = []
_umask: list[int] = []


def harden() -> None:
    """Make this process unreadable to others of the same user, and leave no core file.

    The umask becomes 0077: what we make is for this user alone, and usable for this user whatever
    umask the caller has. Children get the caller's back (`child_umask`).

    Linux: PR_SET_DUMPABLE 0, and a soft RLIMIT_CORE of 0 that children do not inherit
    (`child_core_limit`). A program that is executed afterwards is readable again. From now on the
    files in ``/proc/self`` belong to root, except that ``/proc/self/fd`` stays usable for
    ourselves: whoever has to write to ``/proc/self/uid_map`` in a child must make that child
    dumpable first.
    """
    before = os.umask(0o077)
    if not _umask:
        _umask.append(before)
    prctl = find_prctl()
    if prctl is None:
        return
    import resource

    prctl(PR_SET_DUMPABLE, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if soft != 0:
        _core_limit[:] = [(soft, hard)]
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))


def child_core_limit() -> tuple[int, int] | None:
    """The RLIMIT_CORE that a child gets back; None when `harden` changed nothing."""
    return _core_limit[0] if _core_limit else None


def child_umask() -> int | None:
    """The umask that a child gets back; None when `harden` was not called."""
    return _umask[0] if _umask else None


def find_prctl() -> Prctl | None:
    """``prctl(option, argument)`` of the C library, ready to be called after a fork; or None."""
    if sys.platform != "linux":
        return None
    import ctypes

    # PyDLL keeps the interpreter's lock: nothing to take back in a freshly forked child.
    function = ctypes.PyDLL(None).prctl
    function.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
    function.restype = ctypes.c_int

    def prctl(option: int, argument: int) -> int:
        return int(function(option, argument, 0, 0, 0))

    prctl(PR_GET_DUMPABLE, 0)
    return prctl
