"""Which user is at the other end: what the system says, and what it does not."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeAlias

import pytest

from calamari_py.delivery._peer import peer_of

Ends: TypeAlias = tuple[socket.socket, socket.socket]
OWN, OTHER = os.geteuid(), os.geteuid() + 1
linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")


@pytest.fixture
def connection() -> Iterator[Ends]:
    """The server's end and the client's."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as listener,
        closing(socket.create_connection(listener.getsockname())) as client,
    ):
        server, _ = listener.accept()
        with closing(server):
            yield server, client


def _row(local: socket.socket, remote: socket.socket, uid: int, inode: int = 4711) -> str:
    ends = " ".join(f"0100007F:{end.getsockname()[1]:04X}" for end in (local, remote))
    return f"   7: {ends} 01 00000000:00000000 00:00000000 00000000 {uid:5}        0 {inode} 1\n"


@linux
@pytest.mark.parametrize(("uid", "whose"), [(OWN, "own"), (OTHER, "other")])
def test_linux_knows_whose_connection_it_is(uid: int, whose: str, connection: Ends) -> None:
    """The live tables tell one user from another."""
    assert peer_of(connection[0], uid=uid) == whose


@linux
def test_linux_knows_who_has_left(connection: Ends) -> None:
    """A client that has closed its end is nobody: neither ours nor a stranger."""
    server, client = connection
    client.close()
    assert peer_of(server) == "gone"
    assert peer_of(server, uid=OTHER) == "gone"


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
    assert peer_of(server, tables=[str(table)]) == whose


def test_without_tables_nothing_is_known(connection: Ends, tmp_path: Path) -> None:
    """A system without /proc."""
    assert peer_of(connection[0], tables=[str(tmp_path / "tcp")]) == "unknown"


@linux
def test_a_machine_without_ipv6_has_one_table(connection: Ends, tmp_path: Path) -> None:
    """The second table may be missing."""
    tables = ["/proc/net/tcp", str(tmp_path / "tcp6")]
    assert peer_of(connection[0], uid=OTHER, tables=tables) == "other"
    assert peer_of(connection[0], uid=OWN, tables=tables) == "own"
