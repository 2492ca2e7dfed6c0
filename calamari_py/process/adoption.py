"""Orphans of our children become our children, for as long as somebody wants them (Linux)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from calamari_py.process.harden import find_prctl

_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37


class _Wish:
    """How many blocks want it; the process as a whole has it or not."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.blocks = 0
        self.ours = False


_wish = _Wish()


@contextmanager
def adopting() -> Iterator[bool]:
    """Within the block our descendants come to us when their parent ends, not to pid 1. Yields
    whether they do. Blocks may overlap, in any thread; after the last one all is as it was.
    """
    prctl = find_prctl()
    if prctl is None:
        yield False
        return
    with _wish.lock:
        _wish.blocks += 1
        if _wish.blocks == 1 and not _adopts():
            _wish.ours = prctl(_PR_SET_CHILD_SUBREAPER, 1) == 0
    try:
        yield _adopts()
    finally:
        with _wish.lock:
            _wish.blocks -= 1
            if _wish.blocks == 0 and _wish.ours:
                prctl(_PR_SET_CHILD_SUBREAPER, 0)
                _wish.ours = False


def _adopts() -> bool:
    prctl = find_prctl()
    answer = ctypes.c_int(0)
    return (
        prctl is not None
        and prctl(_PR_GET_CHILD_SUBREAPER, ctypes.addressof(answer)) == 0
        and answer.value != 0
    )
