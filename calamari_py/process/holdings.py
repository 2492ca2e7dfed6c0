"""What a process that outlived its command holds: that command's output, ports, locks (Linux)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from calamari_py.process.proc import descriptors_of, lines_of

_LISTENING = b"0A"
_MOST = 3
"""How many ports, and how many locked files, are named."""


def holdings(pid: int, outputs: frozenset[str]) -> tuple[str, ...]:
    """Clauses such as ``listens on port 8080``; none where the system does not say. `outputs` are
    the names of the command's pipes under ``/proc/PID/fd``.
    """
    open_there = descriptors_of(pid)
    targets = set(open_there.values())
    found = []
    if targets & outputs:
        found.append("holds the step's output")
    if ports := _ports(pid, targets):
        found.append(f"listens on port {_some(str(port) for port in ports)}")
    if files := _locked(pid, open_there):
        found.append("has a lock on " + _some(f"'{path}'" for path in files))
    return tuple(found)


def _ports(pid: int, targets: set[str]) -> list[int]:
    sockets = {target[8:-1].encode() for target in targets if target.startswith("socket:[")}
    if not sockets:
        return []
    ports = set()
    for family in ("tcp", "tcp6"):
        # proc_net_tcp: sl local_address rem_address st … inode, after the heading.
        for words in lines_of(f"/proc/{pid}/net/{family}")[1:]:
            if len(words) > 9 and words[3] == _LISTENING and words[9] in sockets:
                ports.add(int(words[1].rpartition(b":")[2], 16))
    return sorted(ports)


def _locked(pid: int, open_there: dict[int, str]) -> list[str]:
    """The files that the process has locked, as far as it has them open."""
    # /proc/PID/fdinfo/N ends with a line for each lock that was taken by way of descriptor N.
    found = {
        path
        for number, path in open_there.items()
        if path.startswith("/") and _has_lock(pid, number)
    }
    return sorted(_printable(path) for path in found)


def _has_lock(pid: int, number: int) -> bool:
    return any(words[:1] == [b"lock:"] for words in lines_of(f"/proc/{pid}/fdinfo/{number}"))


def _some(words: Iterable[str]) -> str:
    """The first few of them, as a list in a sentence."""
    all_of_them = list(words)
    named = all_of_them[:_MOST]
    if len(all_of_them) > _MOST:
        named.append(f"{len(all_of_them) - _MOST} more")
    return " and ".join(filter(None, (", ".join(named[:-1]), named[-1])))


def _printable(path: str) -> str:
    return re.sub(r"[^ -~\xa1-\U0010ffff]", "?", path)
