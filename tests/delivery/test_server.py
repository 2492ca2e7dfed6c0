"""The credential server: who is answered, and with what."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calamari_py.delivery import DELIVERIES
from calamari_py.errors import CalamariError, OutputNotWritable, RoleNotAssumable
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Secret
from tests.delivery.support import (
    SECRET,
    TOKEN,
    Client,
    Deliverer,
    credentials,
    parse,
    read_all,
    send_as_user,
)
from tests.tools import require_tool

NOBODY = 65534
linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


# --- what is answered ---------------------------------------------------------------------------


def test_the_answer_is_what_sdks_know_from_ecs(client: Client) -> None:
    """Keys, token and expiry in ECS's words and format; nobody on the way may keep it."""
    answer = client.get()
    assert answer.status == 200
    assert {**answer.document, "Expiration": ""} == {
        "AccessKeyId": "ASIADELIVERED0000001",
        "SecretAccessKey": f"{SECRET}1",
        "Token": f"{TOKEN}1",
        "Expiration": "",
        "AccountId": "111111111111",
    }
    assert 3500 < _seconds_left(answer.document) < 3600
    assert set(answer.headers) == {
        "content-type", "content-length", "cache-control", "connection",
    }  # fmt: skip
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"


def test_every_request_gets_what_is_current(client: Client, deliverer: Deliverer) -> None:
    """Nothing is kept: renewed credentials are served at once."""
    assert client.get().document["AccessKeyId"].endswith("1")
    deliverer.answer = lambda: credentials(2)
    assert client.get().document["SecretAccessKey"] == f"{SECRET}2"


def test_long_lived_keys_are_asked_for_again(client: Client, deliverer: Deliverer) -> None:
    """SDKs insist on an expiry and a token; keys without get an hour and an empty one."""
    deliverer.answer = lambda: credentials(token=None)
    document = client.get().document
    assert 3500 < _seconds_left(document) <= 3600
    assert document["Token"] == ""


def _seconds_left(document: Mapping[str, str]) -> float:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["Expiration"])
    return (datetime.fromisoformat(document["Expiration"]) - datetime.now(UTC)).total_seconds()


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        pytest.param({}, 200, id="raw-token"),
        pytest.param({"authorization": "Bearer TOKEN"}, 200, id="bearer-token"),
        pytest.param({"authorization": None}, 401, id="no-token"),
        pytest.param({"authorization": ""}, 401, id="empty-token"),
        pytest.param({"authorization": "0" * 64}, 401, id="wrong-token"),
        pytest.param({"authorization": "Bearer"}, 401, id="bearer-alone"),
        pytest.param({"authorization": "Basic TOKEN"}, 401, id="basic"),
        pytest.param({"authorization": "TOKEN0"}, 401, id="token-and-more"),
        pytest.param({"authorization": "TÖKEN"}, 401, id="not-ascii"),
        pytest.param({"more": ("Authorization: TOKEN",)}, 401, id="two-tokens"),
        pytest.param({"path": "/"}, 404, id="root"),
        pytest.param({"path": "/role-arn/arn:aws:iam::1:role/Admin"}, 404, id="another-role"),
        pytest.param({"path": "/v1/credentials/"}, 404, id="slash"),
        pytest.param({"path": "/v1/credentials?x=1"}, 404, id="query"),
        pytest.param({"path": "/v1/../v1/credentials"}, 404, id="dots"),
        pytest.param({"path": "http://127.0.0.1:PORT/v1/credentials"}, 404, id="proxy-form"),
        pytest.param({"path": "/role-arn/x", "authorization": None}, 401, id="path-unsaid"),
        pytest.param({"host": "evil.test"}, 403, id="rebinding"),
        pytest.param({"host": "evil.test:PORT"}, 403, id="rebinding-with-port"),
        pytest.param({"host": "127.0.0.1"}, 403, id="host-without-port"),
        pytest.param({"host": "127.0.0.1:1"}, 403, id="host-other-port"),
        pytest.param({"host": "localhost:PORT"}, 403, id="localhost"),
        pytest.param({"host": "127.0.0.1.evil.test:PORT"}, 403, id="host-longer"),
        pytest.param({"host": None}, 403, id="no-host"),
        pytest.param({"more": ("Host: 127.0.0.1:PORT",)}, 403, id="two-hosts"),
        pytest.param({"more": ("Origin: http://evil.test",)}, 403, id="origin"),
        pytest.param({"more": ("oRiGiN: null",)}, 403, id="origin-null"),
        pytest.param({"more": ("Referer: http://evil.test/",)}, 403, id="referer"),
        pytest.param({"more": ("X-Forwarded-For: 10.0.0.1",)}, 403, id="x-forwarded-for"),
        pytest.param({"more": ("X-Forwarded-Host: a",)}, 403, id="x-forwarded-host"),
        pytest.param({"more": ("Forwarded: for=10.0.0.1",)}, 403, id="forwarded"),
        pytest.param({"more": ("Via: 1.1 proxy",)}, 403, id="via"),
        pytest.param({"more": ("Sec-Fetch-Site: cross-site",)}, 403, id="sec-fetch-site"),
        pytest.param({"more": ("Sec-Fetch-Mode: cors",)}, 403, id="sec-fetch-mode"),
        pytest.param({"method": "POST"}, 403, id="POST"),
        pytest.param({"method": "PUT"}, 403, id="PUT"),
        pytest.param({"method": "HEAD"}, 403, id="HEAD"),
        pytest.param({"method": "DELETE"}, 403, id="DELETE"),
        pytest.param({"method": "OPTIONS"}, 403, id="preflight"),
        pytest.param({"method": "CONNECT"}, 403, id="CONNECT"),
        pytest.param({"method": "get"}, 400, id="method-in-small-letters"),
        pytest.param({"path": "/v1/credentials\tx"}, 400, id="path-with-tab"),
        pytest.param({"more": ("Authorization : TOKEN",)}, 400, id="space-before-colon"),
        pytest.param({"more": (" folded",)}, 400, id="folded-header"),
        pytest.param({"more": ("no colon",)}, 400, id="no-colon"),
        pytest.param({"more": ("X: a\nOrigin: b",)}, 400, id="bare-newline"),
        pytest.param({"more": ("X: a\0b",)}, 400, id="nul"),
    ],
)  # fmt: skip
def test_who_is_answered(
    parts: dict[str, Any], status: int, client: Client, deliverer: Deliverer
) -> None:
    """Only the step's own SDKs are: the token, our Host, GET, one path, no browser, no proxy."""
    answer = client.get(**parts)
    assert answer.status == status
    assert deliverer.asked == (status == 200)
    assert not {name for name in answer.headers if name.startswith("access-control")}
    assert "server" not in answer.headers
    if status != 200:
        assert set(answer.document) == {"code", "message"}
        assert client.token.encode() not in answer.body


@pytest.mark.parametrize("cut", [1, 2, 32, 63])
def test_a_part_of_the_token_is_no_token(cut: int, client: Client) -> None:
    """Neither its head nor its tail opens anything."""
    assert client.get(authorization=client.token[:-cut]).status == 401
    assert client.get(authorization=client.token[cut:]).status == 401


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(b"\r\n\r\n", id="empty"),
        pytest.param(b"hello\r\n\r\n", id="no-http"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="tls"),
        pytest.param(b"GET / HTTP/2.0\r\n\r\n", id="http-2"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"a" * 9000, id="endless-header"),
    ],
)
def test_what_is_no_request_is_refused(request_bytes: bytes, client: Client) -> None:
    """Bytes that are no HTTP, or too many, get a 400 and nothing else happens."""
    assert client.send(request_bytes).status == 400
    assert client.get().status == 200


def test_a_request_may_come_in_pieces(client: Client) -> None:
    """A head cut anywhere is put together again."""
    with closing(client.connect()) as connection:
        for byte in client.head():
            connection.sendall(bytes([byte]))
        assert parse(read_all(connection)).status == 200


def test_the_token_is_random_registered_and_long_enough(deliverer: Deliverer) -> None:
    """256 bits, another one each time, and the masker knows it before a client can."""
    tokens = set()
    for _ in range(3):
        with DELIVERIES["endpoint"].open(deliverer.context()) as names:
            tokens.add(names["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
    assert len(tokens) == 3
    assert set(deliverer.registered) == tokens
    assert all(re.fullmatch(r"[0-9a-f]{64}", token) for token in tokens)


# --- where it listens, and for whom -------------------------------------------------------------


@linux
def test_it_listens_on_loopback_only(client: Client) -> None:
    """Of all listening sockets of the machine, the port is bound to 127.0.0.1 and nothing else."""
    assert _listeners(client.port) == ["0100007F"]


def _listeners(port: int) -> list[str]:
    """Local addresses that listen on `port`, IPv4 and IPv6, as the kernel writes them."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text("ascii").splitlines()[1:]:
            address, number = line.split()[1].split(":")
            if line.split()[3] == "0A" and int(number, 16) == port:
                found.append(address)
    return found


def test_ipv6_loopback_is_not_served(client: Client) -> None:
    """Nobody listens on ::1."""
    with (
        closing(socket.socket(socket.AF_INET6)) as other,
        pytest.raises(OSError, match=r"refused|not available|unreachable"),
    ):
        other.connect(("::1", client.port))


@linux
@root
@pytest.mark.process
@pytest.mark.parametrize("mapped", [False, True], ids=["ipv4-socket", "ipv6-socket"])
def test_another_user_is_refused(mapped: bool, client: Client, deliverer: Deliverer) -> None:
    """Even with the token in hand; and it is said, once."""
    for _ in range(2):
        answer = send_as_user(NOBODY, client, client.head(), mapped=mapped)
        assert (answer.status, answer.document["code"]) == (403, "Forbidden")
    assert deliverer.asked == 0
    assert deliverer.told == ["another user of this machine asked for the step's credentials"]


@linux
@pytest.mark.process
@pytest.mark.parametrize("mapping", ["--map-root-user", "--map-current-user"])
def test_a_child_in_a_user_namespace_is_answered(mapping: str, client: Client) -> None:
    """Whoever it believes to be there, the kernel knows it as the step's user."""
    bash, unshare = require_tool("bash"), require_tool("unshare")
    if subprocess.run([unshare, "--user", mapping, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here")
    ended = subprocess.run(
        [unshare, "--user", mapping, bash, "-c",
         f"exec 3<>/dev/tcp/127.0.0.1/{client.port}; cat >&3; cat <&3"],
        input=client.head(), capture_output=True, timeout=60,
    )  # fmt: skip
    assert parse(ended.stdout).status == 200


@linux
@pytest.mark.process
@pytest.mark.parametrize("mapped", [False, True], ids=["ipv4-socket", "ipv6-socket"])
def test_another_process_of_this_user_is_answered(mapped: bool, client: Client) -> None:
    """A child on an IPv6 socket, as Java's are, too."""
    if os.geteuid() != 0:
        pytest.skip("the client sets its groups, which takes root")
    assert send_as_user(0, client, client.head(), mapped=mapped).status == 200


# --- what cannot be given -----------------------------------------------------------------------


def _raising(error: Exception) -> Any:
    def current() -> AwsCredentials:
        raise error

    return current


def _half(**parts: Any) -> Any:
    keys = {"access_key_id": "ASIAX", "secret_access_key": Secret("key"), **parts}
    return lambda: AwsCredentials(**keys)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(
            _raising(RoleNotAssumable("cannot assume role 'x'")),
            ["the step asked for credentials and got none: cannot assume role 'x'"],
            id="renewal-failed",
        ),
        pytest.param(
            _raising(KeyError(SECRET)),
            ["the step asked for credentials and got none: a defect in calamari (KeyError)"],
            id="defect",
        ),
        pytest.param(_half(access_key_id=""), [], id="no-key-id"),
        pytest.param(_half(secret_access_key=Secret("")), [], id="no-secret"),
    ],
)
def test_without_whole_credentials_there_are_none(
    answer: Any,
    told: list[str],
    client: Client,
    deliverer: Deliverer,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A 503 that SDKs try again after, without any value; one line in the log for all tries."""
    deliverer.answer = answer
    for _ in range(3):
        refused = client.get()
        assert refused.status == 503
        assert refused.document["code"] == "CredentialsUnavailable"
        assert SECRET.encode() not in refused.body
    assert deliverer.told == told
    deliverer.answer = credentials
    assert client.get().status == 200
    assert capfd.readouterr() == ("", "")


def test_a_log_that_takes_no_more_costs_no_answer(
    deliverer: Deliverer, capfd: pytest.CaptureFixture[str]
) -> None:
    """A closed stderr of ours is not the client's trouble, nor anything a thread may print."""

    def tell(sentence: str) -> None:
        deliverer.told.append(sentence)
        raise OutputNotWritable("stderr takes no more")

    deliverer.answer = _raising(CalamariError("no"))
    context = deliverer.context()
    object.__setattr__(context, "tell", tell)
    with DELIVERIES["endpoint"].open(context) as names:
        assert Client.of(names).get().status == 503
    assert deliverer.told
    assert capfd.readouterr() == ("", "")


# --- what the child sees -------------------------------------------------------------------------


def test_names_are_the_sdks_own_and_hold_no_key(deliverer: Deliverer) -> None:
    """An address and a token; keys only for who asks."""
    with DELIVERIES["endpoint"].open(deliverer.context()) as names:
        assert set(names) == {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        }
        assert _no_key_in(names)
    assert deliverer.asked == 0


def _no_key_in(names: Mapping[str, str]) -> bool:
    return not any(SECRET in value or TOKEN in value for value in names.values())
