"""The kernel's answer about one connection: as the tables have it, and what is made of bad ones."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from calamari_py.delivery._netlink import Address, ask_kernel
from calamari_py.delivery._peer import peer_of, search_tables
from tests.delivery.peers import connected, connected_as, linux, netlink, reset
from tests.delivery.support import until

OWN, NOBODY = os.geteuid(), 65534
CLIENT: Address = ("127.0.0.1", 40_000)
SERVER: Address = ("127.0.0.1", 50_000)
mapped_or_not = pytest.mark.parametrize("mapped", [False, True], ids=["ipv4-socket", "ipv6-socket"])


# --- real sockets -------------------------------------------------------------------------------


@netlink
@linux
@mapped_or_not
def test_own_ends_are_named_exactly(mapped: bool) -> None:
    """Of either end, both ways tell the user and the very socket."""
    with connected(mapped=mapped) as (server, client):
        own, peer = server.getsockname(), server.getpeername()
        for ends, held in (((peer, own), client), ((own, peer), server)):
            expected = (OWN, os.fstat(held.fileno()).st_ino)
            assert ask_kernel(*ends) == expected
            assert search_tables(*ends) == expected


@netlink
@linux
@mapped_or_not
@pytest.mark.process
@pytest.mark.skipif(OWN != 0, reason="only root can be another user")
def test_another_user_is_named(mapped: bool) -> None:
    """Both ways tell the same of another user's socket."""
    with connected_as(NOBODY, mapped=mapped) as server:
        ends = server.getpeername(), server.getsockname()
        found = ask_kernel(*ends)
        assert found is not None
        assert found[0] == NOBODY
        assert found[1] != 0
        assert search_tables(*ends) == found


@netlink
@linux
@mapped_or_not
def test_a_closed_peer_is_held_by_nobody(mapped: bool) -> None:
    """While the server's end is open, and afterwards in TIME_WAIT."""
    with connected(mapped=mapped) as (server, client):
        ends = server.getpeername(), server.getsockname()
        client.close()
        found = ask_kernel(*ends)
        assert found is not None
        assert found[1] == 0
        assert search_tables(*ends) == found
        server.close()
        until(lambda: _state(*ends) == "06", "the connection to be in TIME_WAIT")
        assert ask_kernel(*ends) == (0, 0)
        assert search_tables(*ends) == (0, 0)


def _state(local: Address, remote: Address) -> str | None:
    """The state that the tables show for these ports, proc(5)."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text("ascii").splitlines()[1:]:
            fields = line.split()
            ports = [int(end.rpartition(":")[2], 16) for end in fields[1:3]]
            if ports == [local[1], remote[1]]:
                return fields[3]
    return None


@netlink
@linux
@mapped_or_not
def test_a_reset_connection_is_not_there(mapped: bool) -> None:
    """Nothing is left of it, and both ways say so."""
    with connected(mapped=mapped) as (server, client):
        ends = server.getpeername(), server.getsockname()
        reset(client, server)
        assert ask_kernel(*ends) is None
        assert search_tables(*ends) is None


@netlink
def test_who_listens_on_the_port_is_not_the_peer() -> None:
    """For a connection that is not there the kernel answers with the listener of its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert ask_kernel(listener.getsockname(), ("127.0.0.1", 1)) is None


@netlink
def test_a_socket_bound_to_the_device_does_not_hide() -> None:
    """Any user may bind a socket to ``lo``."""
    with connected(device="lo") as (server, client):
        found = ask_kernel(server.getpeername(), server.getsockname())
        assert found == (OWN, os.fstat(client.fileno()).st_ino)


# --- answers ------------------------------------------------------------------------------------


def _message(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("=IHHII", len(body) + 16 if length is None else length, kind, 0, 0, 7) + body


def _error(number: int) -> bytes:
    return _message(2, struct.pack("=i", -number) + bytes(56))


def _found(
    family: int = socket.AF_INET,
    local: Address = CLIENT,
    remote: Address = SERVER,
    uid: int = 1000,
    prefix: bytes = b"",
) -> bytes:
    """A whole inet_diag_msg."""
    addresses = [(prefix + socket.inet_aton(end[0])).ljust(16, b"\0") for end in (local, remote)]
    ends = struct.pack("!HH", local[1], remote[1]) + b"".join(addresses)
    return (
        struct.pack("=BBBB", family, 1, 0, 0)
        + ends
        + struct.pack("=I8s", 0, b"cookie..")
        + struct.pack("=IIIII", 1, 2, 3, uid, 4711)
    )


WHOLE = _message(20, _found())
PREFIX = bytes(10) + b"\xff\xff"


def test_the_answers_are_made_as_the_kernel_makes_them() -> None:
    """What the next tests break is understood when it is whole."""
    assert ask_kernel(CLIENT, SERVER, lambda _: WHOLE) == (1000, 4711)


@pytest.mark.parametrize(
    ("answer", "uid"),
    [
        pytest.param(_found(socket.AF_INET6, prefix=PREFIX), 1000, id="mapped"),
        pytest.param(_found(uid=0xFFFF_FFFE), 0xFFFF_FFFE, id="largest-uid"),
        pytest.param(_found() + bytes(52), 1000, id="attributes-behind"),
        pytest.param(_found(local=SERVER, remote=CLIENT), None, id="the-other-end"),
        pytest.param(_found(remote=("0.0.0.0", 0)), None, id="listener"),
        pytest.param(_found(local=("127.0.0.2", 40_000)), None, id="other-address"),
        pytest.param(_found(socket.AF_INET6), None, id="ipv6-of-the-same-bytes"),
        pytest.param(_found(99), None, id="unheard-of-family"),
    ],
)
def test_only_an_answer_about_this_connection_counts(answer: bytes, uid: int | None) -> None:
    """Both ends must be those that were asked about."""
    found = ask_kernel(CLIENT, SERVER, lambda _: _message(20, answer))
    assert found == (None if uid is None else (uid, 4711))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(WHOLE[:10], id="half-a-header"),
        pytest.param(WHOLE[:16], id="no-body"),
        pytest.param(WHOLE[:-1], id="short-body"),
        pytest.param(_message(20, _found(), length=60), id="length-of-less"),
        pytest.param(_message(20, _found(), length=0), id="length-of-nothing"),
        pytest.param(_message(3, bytes(4)), id="done-and-nothing-found"),
        pytest.param(_message(19, _found()), id="another-message"),
        pytest.param(_message(2, b"\xfe\xff"), id="half-an-error"),
        pytest.param(_error(0), id="acknowledgement"),
        pytest.param(_error(errno.EPERM), id="eperm"),
        pytest.param(_error(errno.EINVAL), id="einval"),
    ],
)
def test_anything_else_is_no_answer(answer: bytes) -> None:
    """An OSError, so that the tables are asked."""
    with pytest.raises(OSError):  # noqa: PT011  which one tells nobody anything
        ask_kernel(CLIENT, SERVER, lambda _: answer)


def test_what_is_not_under_ipv4_is_looked_for_under_ipv6() -> None:
    """The IPv4 end of an IPv6 socket, on a kernel that keeps the two apart."""
    asked = []

    def keeps_apart(question: bytes) -> bytes:
        asked.append(question[16])
        if question[16] == socket.AF_INET:
            return _error(errno.ENOENT)
        assert question[24 + 4 : 24 + 36] == b"".join(
            PREFIX + socket.inet_aton(end[0]) for end in (CLIENT, SERVER)
        )
        return _message(20, _found(socket.AF_INET6, prefix=PREFIX))

    assert ask_kernel(CLIENT, SERVER, keeps_apart) == (1000, 4711)
    assert asked == [socket.AF_INET, socket.AF_INET6]


def test_what_is_under_neither_is_not_there() -> None:
    """The kernel's word for it."""
    assert ask_kernel(CLIENT, SERVER, lambda _: _error(errno.ENOENT)) is None


# --- the tables instead -------------------------------------------------------------------------


def _forbidden(question: bytes) -> bytes:
    raise PermissionError(errno.EPERM, "not in this sandbox")


@linux
@pytest.mark.parametrize(("uid", "whose"), [(OWN, "own"), (OWN + 1, "other")])
@pytest.mark.parametrize(
    "exchange",
    [
        pytest.param(_forbidden, id="no-netlink"),
        pytest.param(lambda _: _error(errno.ENOENT), id="netlink-without-tcp"),
        pytest.param(lambda _: _error(errno.EINVAL), id="netlink-of-another-kind"),
        pytest.param(lambda _: WHOLE[:20], id="malformed"),
        pytest.param(lambda _: WHOLE, id="about-another-connection"),
    ],
)
def test_the_tables_stand_in_for_the_kernel(
    exchange: Callable[[bytes], bytes], uid: int, whose: str
) -> None:
    """Where netlink is forbidden or missing, knows nothing of TCP, or talks nonsense."""
    ways = (partial(ask_kernel, exchange=exchange), search_tables)
    with connected() as (server, _):
        assert peer_of(server, uid=uid, ways=ways) == whose
