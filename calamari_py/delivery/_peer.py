"""Which user is at the other end of a loopback connection."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from typing import Literal

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
"""Linux's connections, proc(5). The second holds IPv4 clients that use an IPv6 socket, as Java
does: left out, it would be the way around the first."""

_TRIES = 3


def peer_of(
    connection: socket.socket, uid: int | None = None, tables: Sequence[str] = TABLES
) -> Literal["own", "other", "gone", "unknown"]:
    """Whether `uid` (None: our own user) or another user holds the other end of `connection`.

    ``gone`` is a peer that has closed its end; ``unknown`` is what a system without such tables
    says. Raises OSError when the connection is no more.
    """
    own, peer = _pair(connection.getsockname()), _pair(connection.getpeername())
    for _ in range(_TRIES):
        # The tables are read in pieces; a row can slip through while others come and go.
        try:
            rows = [_read(table) for table in tables[:1]]
            rows += [_read(table) for table in tables[1:] if os.path.exists(table)]
        except OSError:
            return "unknown"
        for row, prefix in zip(rows, ("", _MAPPED), strict=False):
            owner = _owner(row, f"{prefix}{peer} {prefix}{own}")
            if owner is not None:
                owner_uid, inode = owner
                # Of a socket that no process holds any more, Linux says that it is root's.
                if inode == 0:
                    return "gone"
                return "own" if owner_uid == (os.geteuid() if uid is None else uid) else "other"
    # A table that does not even show our own end (some sandboxes) says nothing of the other.
    return "unknown" if _owner(rows[0], f"{own} {peer}") is None else "gone"


def _pair(address: tuple[str, int]) -> str:
    """Address and port as the tables write them: the address a number in the machine's order."""
    return f"{_word(socket.inet_aton(address[0]))}:{address[1]:04X}"


def _word(four: bytes) -> str:
    return f"{struct.unpack('=I', four)[0]:08X}"


_MAPPED = _word(bytes(4)) * 2 + _word(b"\0\0\xff\xff")
"""What stands before an IPv4 address in the second table: ``::ffff:``."""


def _owner(table: bytes, pair: str) -> tuple[int, int] | None:
    """User id and inode in the row whose local and remote address are `pair`."""
    _, found, rest = table.partition(f" {pair} ".encode("ascii"))
    # proc(5): … st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    fields = rest.split(None, 7)
    return (int(fields[4]), int(fields[6])) if found and len(fields) > 6 else None


def _read(table: str) -> bytes:
    with open(table, "rb") as file:
        return file.read()
