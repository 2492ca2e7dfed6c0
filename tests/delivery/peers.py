"""Connections whose other end is ours, another user's, or has left."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.delivery.support import AS_USER, PATIENCE, until

Ends: TypeAlias = tuple[socket.socket, socket.socket]
"""The server's end and the client's."""

linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
_SO_BINDTODEVICE = 25


def _has_netlink() -> bool:
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, 4).close()
    except (AttributeError, OSError):
        return False
    return True


netlink = pytest.mark.skipif(not _has_netlink(), reason="needs Linux's netlink")


@contextmanager
def connected(*, mapped: bool = False, device: str = "") -> Iterator[Ends]:
    """A connection in this process. The client's socket is bound to `device`, if one is named.

    `mapped`: the client's socket is an IPv6 one, as Java's are. Here it is the end that was called,
    which makes no difference to the kernel.
    """
    with closing(_listener(mapped=mapped)) as listener, closing(socket.socket()) as caller:
        if device:
            caller.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, device.encode("ascii"))
        caller.connect(("127.0.0.1", listener.getsockname()[1]))
        called, _ = listener.accept()
        with closing(called):
            yield (caller, called) if mapped else (called, caller)


def _listener(*, mapped: bool) -> socket.socket:
    if not mapped:
        return socket.create_server(("127.0.0.1", 0))
    return socket.create_server(
        ("::ffff:127.0.0.1", 0), family=socket.AF_INET6, dualstack_ipv6=True
    )


@contextmanager
def connected_as(uid: int, *, mapped: bool = False) -> Iterator[socket.socket]:
    """The server's end of a connection of a process of user `uid`."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.settimeout(PATIENCE)
        port = str(listener.getsockname()[1])
        place = ("AF_INET6", "::ffff:127.0.0.1") if mapped else ("AF_INET", "127.0.0.1")
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", AS_USER, str(uid), *place, port],
            stdin=subprocess.DEVNULL,
        )
        try:
            server, _ = listener.accept()
            with closing(server):
                yield server
        finally:
            child.kill()
            child.wait()


def reset(client: socket.socket, server: socket.socket) -> None:
    """End both sides at once, and leave no trace."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    until(lambda: _is_disconnected(server), "the reset to arrive")


def _is_disconnected(server: socket.socket) -> bool:
    try:
        server.getpeername()
    except OSError:
        return True
    return False
