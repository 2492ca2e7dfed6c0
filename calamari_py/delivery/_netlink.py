"""Whose a TCP connection is, asked of Linux's kernel for that one: netlink(7), sock_diag(7).

It answers in the same time however many connections the machine has. Formats and numbers are those
of ``linux/netlink.h``, ``linux/sock_diag.h`` and ``linux/inet_diag.h``.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from typing import TypeAlias

Address: TypeAlias = tuple[str, int]
"""An IPv4 address and a port."""

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLMSG_ERROR = 2

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length type flags sequence port
_ENDS = struct.Struct("!HH16s16s")  # inet_diag_sockid: the two ports and addresses
_ERROR = struct.Struct("=i")  # nlmsgerr: a negative errno
_FOUND = struct.Struct("=B3x36s12x12xII")  # inet_diag_msg: family … ends … uid inode

_QUESTION = struct.Struct("=BBxxI36sI8s")
"""inet_diag_req_v2: family protocol states ends device cookie."""

_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = b"\xff" * 8

_LOOPBACK = 1
"""The number of ``lo``, in every network namespace. Asked without it, the kernel would not find a
client that has bound its socket to that device."""

_MAPPED = bytes(10) + b"\xff\xff"
"""What stands before an IPv4 address in an IPv6 socket: ``::ffff:``."""


def _exchange(question: bytes) -> bytes:
    """The kernel's answer; it is there when `send` returns."""
    if not sys.platform.startswith("linux"):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
        # Once connected, the socket takes messages of the kernel only.
        kernel.connect((0, 0))
        kernel.send(question)
        return kernel.recv(8192, socket.MSG_DONTWAIT)


def ask_kernel(
    local: Address, remote: Address, exchange: Callable[[bytes], bytes] = _exchange
) -> tuple[int, int] | None:
    """User id and inode of the TCP socket with these ends; None when there is none.

    The inode is 0 when no process holds the socket any more. Raises OSError where the kernel cannot
    be asked or answers something else. It may also say None for all sockets: a kernel without
    ``tcp_diag`` does.
    """
    addresses = [socket.inet_aton(address) for address, _ in (local, remote)]
    forms = {
        int(family): _ENDS.pack(local[1], remote[1], *(prefix + address for address in addresses))
        for family, prefix in ((socket.AF_INET, b""), (socket.AF_INET6, _MAPPED))
    }
    # Linux shows the IPv4 end of an IPv6 socket under both; one that did not would hide Java.
    for family, ends in forms.items():
        found = _parse(exchange(_question(family, ends)), forms)
        if found is not None:
            return found
    return None


def _question(family: int, ends: bytes) -> bytes:
    asked = _QUESTION.pack(family, socket.IPPROTO_TCP, _ALL_STATES, ends, _LOOPBACK, _NO_COOKIE)
    length = _HEADER.size + len(asked)
    return _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 0, 0) + asked


def _parse(answer: bytes, forms: Mapping[int, bytes]) -> tuple[int, int] | None:
    """User id and inode, when `answer` is about a socket whose ends are one of `forms`."""
    try:
        length, kind, *_ = _HEADER.unpack_from(answer)
        body = answer[_HEADER.size : length]
        if kind == _NLMSG_ERROR:
            number = -_ERROR.unpack_from(body)[0]
            if number == errno.ENOENT:
                return None
            raise OSError(number, os.strerror(number))
        if kind != _SOCK_DIAG_BY_FAMILY:
            raise OSError(errno.EBADMSG, f"netlink message of type {kind}")
        family, ends, uid, inode = _FOUND.unpack_from(body)
    except struct.error:
        raise OSError(errno.EBADMSG, "short netlink message") from None
    # For a connection that is no more, the kernel names who listens on the same port.
    return (uid, inode) if forms.get(family) == ends else None
