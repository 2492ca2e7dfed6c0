"""The only door to subprocess, ptys and signals: one command in, one `ProcessExit` out.

`run` starts a command in its own session and watches it, `capture` runs a short one of our own to
its end; `SignalInbox` is where the signals sent to calamari go meanwhile, and `Pulse` keeps both at
work while our own reader sleeps; `resolve_tool` makes names absolute paths; `harden` closes our
memory to the child; `private_folder` is where files for it lie.
"""

from __future__ import annotations

from calamari_py.process.base import (
    KILL_DELAY,
    Command,
    Isolation,
    Limits,
    OutputSink,
    ProcessExit,
    StopReason,
    Stream,
)
from calamari_py.process.capture import Captured, capture
from calamari_py.process.collector import Collector
from calamari_py.process.folder import private_folder
from calamari_py.process.harden import harden
from calamari_py.process.inbox import SignalInbox
from calamari_py.process.janitor import Janitor
from calamari_py.process.loop import run
from calamari_py.process.pulse import Pulse
from calamari_py.process.tools import resolve_tool, unsafe_entries

__all__ = [
    "KILL_DELAY",
    "Captured",
    "Collector",
    "Command",
    "Isolation",
    "Janitor",
    "Limits",
    "OutputSink",
    "ProcessExit",
    "Pulse",
    "SignalInbox",
    "StopReason",
    "Stream",
    "capture",
    "harden",
    "private_folder",
    "resolve_tool",
    "run",
    "unsafe_entries",
]
