"""The credential server: until when it lives, and clients that mean no good."""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from calamari_py.delivery import DELIVERIES
from calamari_py.delivery._server import MOST_READING, MOST_WAITING, serving
from calamari_py.errors import CalamariError
from calamari_py.identity import AwsCredentials
from tests.delivery.support import (
    Client,
    Deliverer,
    Gate,
    credentials,
    open_connections,
    parse,
    read_all,
    until,
)

linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")


# --- when it ends -------------------------------------------------------------------------------


def _is_refused(client: Client) -> bool:
    try:
        client.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("name", ["endpoint", "profile"])
def test_it_is_gone_with_the_step(name: str, deliverer: Deliverer) -> None:
    """The moment the block is left nobody is connected to any more, nor after an exception."""
    with DELIVERIES[name].open(deliverer.context()) as names:
        client = Client.of(names)
        assert client.get().status == 200
    assert _is_refused(client)
    with pytest.raises(ZeroDivisionError), serving(deliverer.context()) as served:
        raise ZeroDivisionError
    assert _is_refused(Client(served.uri, served.token))


def test_the_token_of_one_step_opens_no_other(deliverer: Deliverer, client: Client) -> None:
    """Every run has its own."""
    with DELIVERIES["endpoint"].open(deliverer.context()) as names:
        other = Client.of(names)
        assert other.get(authorization=client.token).status == 401
        assert other.get().status == 200


def test_leaving_waits_for_nobody(deliverer: Deliverer) -> None:
    """Neither for a silent client, nor for half a request, nor for a renewal that hangs; all of
    them are cut."""
    gate = Gate(CalamariError("too late"))
    deliverer.answer = gate
    threads = threading.active_count()
    with ExitStack() as stack:
        with serving(deliverer.context(), patience=1000.0) as served:
            client = Client(served.uri, served.token)
            silent, half, renewing = open_connections(client, stack, 3)
            half.sendall(client.head()[:20])
            renewing.sendall(client.head())
            gate.await_callers(1)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        assert _is_refused(client)
        for connection in (silent, half, renewing):
            assert _what_is_left(connection) == b""
        gate.opened.set()
    until(lambda: threading.active_count() <= threads, "the renewal to end")
    assert deliverer.told == [], "nothing is said after the step"


def _what_is_left(connection: socket.socket) -> bytes:
    try:
        return read_all(connection)
    except ConnectionResetError:
        return b""


def test_no_thread_and_no_descriptor_stays(deliverer: Deliverer) -> None:
    """Twenty steps later as many as before."""
    threads, descriptors = _census()
    for _ in range(20):
        with DELIVERIES["endpoint"].open(deliverer.context()) as names:
            assert Client.of(names).get().status == 200
    # Fewer are none of ours: the last ones of an earlier test.
    until(lambda: _census()[0] <= threads, "the threads to end")
    until(lambda: _census()[1] <= descriptors, "the descriptors to be closed")


def _census() -> tuple[int, int]:
    folder = "/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd"
    return threading.active_count(), len(os.listdir(folder))


# --- clients that mean no good ------------------------------------------------------------------


def test_a_slow_client_is_cut(deliverer: Deliverer) -> None:
    """Who sends a byte now and then does not get more time for it."""
    with serving(deliverer.context(), patience=0.3) as served:
        client = Client(served.uri, served.token)
        with closing(client.connect()) as connection:
            try:
                while True:
                    connection.sendall(b"G")
                    connection.settimeout(0.02)
                    try:
                        assert connection.recv(1) == b""
                        break
                    except TimeoutError:
                        continue
            except (BrokenPipeError, ConnectionResetError):
                pass
        assert client.get().status == 200


def test_a_silent_client_is_cut(deliverer: Deliverer) -> None:
    """Its time is that of a whole request."""
    with serving(deliverer.context(), patience=0.3) as served:
        began = time.monotonic()
        with closing(Client(served.uri, served.token).connect()) as connection:
            assert read_all(connection) == b""
        assert time.monotonic() - began < 4


def test_silent_clients_do_not_shut_others_out(deliverer: Deliverer) -> None:
    """However many connect and say nothing, the next one is answered; threads stay bounded."""
    before = threading.active_count()
    with ExitStack() as stack, serving(deliverer.context(), patience=1000.0) as served:
        client = Client(served.uri, served.token)
        silent = open_connections(client, stack, 3 * MOST_READING)
        assert client.get().status == 200
        assert _what_is_left(silent[0]) == b"", "the oldest was cut"
        until(
            lambda: threading.active_count() <= before + MOST_READING + 1,
            "threads of clients that were cut to end",
        )


def test_a_crowd_waits_for_one_renewal(deliverer: Deliverer) -> None:
    """All that fit are answered when it is done; those beyond are told to come again."""
    gate = Gate()
    deliverer.answer = gate
    with ExitStack() as stack, serving(deliverer.context()) as served:
        client = Client(served.uri, served.token)
        crowd = []
        for _ in range(MOST_WAITING):
            # One by one: of many that have not asked yet the oldest is cut.
            (connection,) = open_connections(client, stack, 1)
            connection.sendall(client.head())
            gate.await_callers(1)
            crowd.append(connection)
        beyond = client.get()
        assert (beyond.status, beyond.document["code"]) == (503, "Busy")
        gate.opened.set()
        assert [parse(read_all(connection)).status for connection in crowd] == [200] * MOST_WAITING
        assert client.get().status == 200


# --- threads and signals ------------------------------------------------------------------------


@linux
def test_signals_are_left_to_the_main_thread(deliverer: Deliverer) -> None:
    """No thread of the server can take one, not even the one that renews; ours is as before."""
    before = _blocked(threading.get_native_id())
    seen: list[int] = []

    def current() -> AwsCredentials:
        seen.append(_blocked(threading.get_native_id()))
        found: AwsCredentials = credentials()
        return found

    deliverer.answer = current
    with DELIVERIES["endpoint"].open(deliverer.context()) as names:
        assert Client.of(names).get().status == 200
        acceptor = next(thread for thread in threading.enumerate() if thread.name == "credentials")
        assert acceptor.native_id is not None
        seen.append(_blocked(acceptor.native_id))
    stops = 1 << 0 | 1 << 1 | 1 << 14  # SIGHUP, SIGINT, SIGTERM
    assert [mask & stops for mask in seen] == [stops, stops]
    assert _blocked(threading.get_native_id()) == before
    assert not before & stops, "an earlier server took them away"


def _blocked(thread: int) -> int:
    status = Path(f"/proc/self/task/{thread}/status").read_text("ascii")
    found = re.search(r"SigBlk:\s*([0-9a-f]+)", status)
    assert found is not None
    return int(found[1], 16)
