"""Which user is at the other end of a loopback connection."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from calamari_py.delivery._netlink import Address, ask_kernel

Way: TypeAlias = Callable[[Address, Address], tuple[int, int] | None]
"""Tells user id and inode (0: no process has it any more) of the socket with this local and this
remote address, None when it sees none, OSError when it can see nothing."""

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
"""Linux's connections, proc(5). The second holds IPv4 clients that use an IPv6 socket, as Java
does: left out, it would be the way around the first."""

_TRIES = 3


def search_tables(
    local: Address, remote: Address, tables: Sequence[str | os.PathLike[str]] = TABLES
) -> tuple[int, int] | None:
    """The way by `tables`, of which the first must be there. Slow where connections are many."""
    forms = [f"{prefix}{_word(local)} {prefix}{_word(remote)}" for prefix in ("", _MAPPED)]
    for _ in range(_TRIES):
        # The tables are read in pieces; a row can slip through while others come and go.
        rows = [_read(table) for table in tables[:1]]
        rows += [_read(table) for table in tables[1:] if os.path.exists(table)]
        for table, ends in zip(rows, forms, strict=False):
            owner = _owner(table, ends)
            if owner is not None:
                return owner
    return None


def peer_of(
    connection: socket.socket,
    uid: int | None = None,
    ways: Sequence[Way] = (ask_kernel, search_tables),
) -> Literal["own", "other", "gone", "unknown"]:
    """Whether `uid` (None: our own user) or another user holds the other end of `connection`.

    ``gone`` is a peer that has closed its end; ``unknown`` is what a system says that knows none of
    the `ways`. Raises OSError when the connection is no more.
    """
    own, peer = connection.getsockname(), connection.getpeername()
    for way in ways:
        try:
            owner = way(peer, own)
            # A way that does not even show our own end (some sandboxes) says nothing of the other.
            if owner is None and way(own, peer) is None:
                continue
        except OSError:
            continue
        # Of a socket that no process holds any more, Linux says that it is root's.
        if owner is None or owner[1] == 0:
            return "gone"
        return "own" if owner[0] == (os.geteuid() if uid is None else uid) else "other"
    return "unknown"


def _word(address: Address) -> str:
    """Address and port as the tables write them: the address a number in the machine's order."""
    return f"{_number(socket.inet_aton(address[0]))}:{address[1]:04X}"


def _number(four: bytes) -> str:
    return f"{struct.unpack('=I', four)[0]:08X}"


_MAPPED = _number(bytes(4)) * 2 + _number(b"\0\0\xff\xff")
"""What stands before an IPv4 address in the second table: ``::ffff:``."""


def _owner(table: bytes, ends: str) -> tuple[int, int] | None:
    """User id and inode in the row whose local and remote address are `ends`."""
    _, _, rest = table.partition(f" {ends} ".encode("ascii"))
    # proc(5): … st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    fields = rest.split(None, 7)
    return (int(fields[4]), int(fields[6])) if len(fields) > 6 else None


def _read(table: str | os.PathLike[str]) -> bytes:
    with open(table, "rb") as file:
        return file.read()
