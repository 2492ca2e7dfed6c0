"""What a command used, added up from what the system says when its processes are collected."""

from __future__ import annotations

import sys
from resource import struct_rusage

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of ``ru_maxrss``."""


class Usage:
    """`cpu_time` in seconds, user and system, of all processes; `peak_memory` in bytes, of the
    largest one. None until the first was collected.

    A process counts with those it collected itself. On Linux a program that we start inherits the
    memory of the process that it was forked from as its own peak, so that the peak is never less
    than what we held at that time (some 20 to 50 MB); above that it is true.
    """

    def __init__(self) -> None:
        self.cpu_time: float | None = None
        self.peak_memory: int | None = None

    def add(self, used: struct_rusage) -> None:
        """Add what one collected process used."""
        self.cpu_time = (self.cpu_time or 0.0) + used.ru_utime + used.ru_stime
        self.peak_memory = max(self.peak_memory or 0, used.ru_maxrss * _UNIT)
