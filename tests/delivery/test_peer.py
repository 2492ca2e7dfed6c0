"""Which user is at the other end: what the system says, and what it does not."""

from __future__ import annotations

import errno
import inspect
import os
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from calamari_py.delivery._netlink import Address, ask_kernel
from calamari_py.delivery._peer import Way, peer_of, search_tables
from tests.delivery.peers import Ends, connected, linux, netlink, reset

OWN, OTHER = os.geteuid(), os.geteuid() + 1
PEER, LEFT, STRANGER = (OWN, 4711), (OWN, 0), (OTHER, 4711)
each_way = pytest.mark.parametrize(
    "way",
    [
        pytest.param(ask_kernel, marks=netlink, id="kernel"),
        pytest.param(search_tables, marks=linux, id="tables"),
    ],
)


@pytest.fixture
def connection() -> Iterator[Ends]:
    """The server's end and the client's."""
    with connected() as ends:
        yield ends


# --- what the system says -----------------------------------------------------------------------


@each_way
@pytest.mark.parametrize(("uid", "whose"), [(OWN, "own"), (OTHER, "other")])
def test_linux_knows_whose_connection_it_is(
    uid: int, whose: str, way: Way, connection: Ends
) -> None:
    """Either way tells one user from another."""
    assert peer_of(connection[0], uid=uid, ways=[way]) == whose


@each_way
def test_linux_knows_who_has_left(way: Way, connection: Ends) -> None:
    """A client that has closed its end is nobody: neither ours nor a stranger."""
    server, client = connection
    client.close()
    assert peer_of(server, ways=[way]) == "gone"
    assert peer_of(server, uid=OTHER, ways=[way]) == "gone"


@each_way
def test_a_client_that_only_listens_on_is_there(way: Way, connection: Ends) -> None:
    """It has sent all it has to say, and waits for the answer."""
    server, client = connection
    client.shutdown(socket.SHUT_WR)
    assert peer_of(server, ways=[way]) == "own"


@linux
def test_a_connection_that_is_no_more(connection: Ends) -> None:
    """A reset leaves nothing to ask about."""
    server, client = connection
    reset(client, server)
    with pytest.raises(OSError, match="not connected"):
        peer_of(server)


# --- which way ----------------------------------------------------------------------------------


def _fails(local: Address, remote: Address) -> tuple[int, int] | None:
    raise PermissionError(errno.EPERM, "not in this sandbox")


def _sees_nothing(local: Address, remote: Address) -> tuple[int, int] | None:
    return None


class _Knows:
    """A way that tells of the server's end that it is there, and of the peer what it is given."""

    def __init__(self, peer: tuple[int, int] | None, connection: Ends) -> None:
        self._peer = peer
        self._own = connection[0].getsockname()

    def __call__(self, local: Address, remote: Address) -> tuple[int, int] | None:
        return (OWN, 12) if local == self._own else self._peer


@pytest.mark.parametrize(
    ("peer", "whose"),
    [
        pytest.param(PEER, "own", id="own"),
        pytest.param(STRANGER, "other", id="other"),
        pytest.param(LEFT, "gone", id="held-by-nobody"),
        pytest.param(None, "gone", id="not-there"),
    ],
)
@pytest.mark.parametrize(
    "before",
    [
        pytest.param((), id="first"),
        pytest.param((_fails,), id="after-one-that-fails"),
        pytest.param((_sees_nothing,), id="after-one-that-sees-nothing"),
    ],
)
def test_the_first_way_that_sees_decides(
    before: Sequence[Way], peer: tuple[int, int] | None, whose: str, connection: Ends
) -> None:
    """A way that sees not even our own end is passed over; what comes later is not asked."""

    def never(local: Address, remote: Address) -> tuple[int, int] | None:
        raise AssertionError(f"asked for {local} {remote}")

    ways: list[Way] = [*before, _Knows(peer, connection), never]
    assert peer_of(connection[0], ways=ways) == whose


@pytest.mark.parametrize("ways", [(), (_fails,), (_sees_nothing, _fails)])
def test_without_a_way_nothing_is_known(ways: Sequence[Way], connection: Ends) -> None:
    """A system that tells nothing."""
    assert peer_of(connection[0], ways=ways) == "unknown"


def test_the_kernel_is_asked_first() -> None:
    """The tables cost more with every connection that the machine has."""
    assert inspect.signature(peer_of).parameters["ways"].default == (ask_kernel, search_tables)


# --- the tables ---------------------------------------------------------------------------------


def _row(local: socket.socket, remote: socket.socket, uid: int, inode: int = 4711) -> str:
    ends = " ".join(f"0100007F:{end.getsockname()[1]:04X}" for end in (local, remote))
    return f"   7: {ends} 01 00000000:00000000 00:00000000 00000000 {uid:5}        0 {inode} 1\n"


@pytest.mark.parametrize(
    ("rows", "whose"),
    [
        pytest.param(("peer",), "other", id="other"),
        pytest.param(("own", "peer"), "other", id="other-in-second-row"),
        pytest.param(("own", "left"), "gone", id="held-by-nobody"),
        pytest.param(("own",), "gone", id="no-row"),
        pytest.param((), "unknown", id="a-table-that-shows-nothing"),
    ],
)
def test_what_a_table_says(
    rows: tuple[str, ...], whose: str, connection: Ends, tmp_path: Path
) -> None:
    """Where not even our own end is shown, nothing is known."""
    server, client = connection
    written = {
        "peer": _row(client, server, OTHER),
        "left": _row(client, server, OTHER, inode=0),
        "own": _row(server, client, OWN),
    }
    table = tmp_path / "tcp"
    table.write_text("  sl  local_address rem_address\n" + "".join(written[row] for row in rows))
    assert peer_of(server, ways=[partial(search_tables, tables=[str(table)])]) == whose


def test_without_tables_nothing_is_known(connection: Ends, tmp_path: Path) -> None:
    """A system without /proc."""
    way = partial(search_tables, tables=[str(tmp_path / "tcp")])
    assert peer_of(connection[0], ways=[way]) == "unknown"


@linux
def test_a_machine_without_ipv6_has_one_table(connection: Ends, tmp_path: Path) -> None:
    """The second table may be missing."""
    way = partial(search_tables, tables=["/proc/net/tcp", str(tmp_path / "tcp6")])
    assert peer_of(connection[0], uid=OTHER, ways=[way]) == "other"
    assert peer_of(connection[0], uid=OWN, ways=[way]) == "own"


class _Changing(os.PathLike[str]):
    """Another file each time that it is opened; the last one from then on."""

    def __init__(self, *files: Path) -> None:
        self._files = list(files)

    def __fspath__(self) -> str:
        return str(self._files.pop(0) if len(self._files) > 1 else self._files[0])


@pytest.mark.parametrize(("misses", "found"), [(0, True), (2, True), (3, False)])
def test_a_table_is_read_three_times(
    misses: int, found: bool, connection: Ends, tmp_path: Path
) -> None:
    """A row can slip through a table that is read while it changes."""
    server, client = connection
    without, within = tmp_path / "without", tmp_path / "within"
    without.write_text("  sl  local_address rem_address\n")
    within.write_text("  sl  local_address rem_address\n" + _row(client, server, OTHER))
    table = _Changing(*[without] * misses, within)
    owner = search_tables(client.getsockname(), server.getsockname(), tables=[table])
    assert owner == (STRANGER if found else None)
