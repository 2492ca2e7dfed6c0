"""The HTTP door of the metadata sources: one parser, one deadline, no proxy, no redirect."""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from calamari_py.credentials._http import (
    LIMIT,
    Client,
    NoAnswerError,
    Request,
    parse_target,
)
from tests.credentials.fakes import FakeTime
from tests.fake_metadata import HANG_UP, SILENCE, Answer, FakeServer, Raw, Reply

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "authority", "path"),
    [
        ("http://127.0.0.1/", "127.0.0.1", "/"),
        ("HTTP://127.0.0.1", "127.0.0.1", "/"),
        ("http://127.9.9.9:81?a=b", "127.9.9.9:81", "/?a=b"),
        ("http://[::1]:99/x?y", "[::1]:99", "/x?y"),
        ("http://[fd00:ec2::23]/v1/credentials", "[fd00:ec2::23]", "/v1/credentials"),
        ("https://Agent.Example:443/c%20d", "agent.example", "/c%20d"),
        ("https://agent.example:80//evil.test/", "agent.example:80", "//evil.test/"),
    ],
)
def test_urls_that_are_understood(url: str, authority: str, path: str) -> None:
    """A plain URL is read into exactly the host, port and path that are then used."""
    target = parse_target(url)
    assert (target.authority, target.path) == (authority, path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://evil.test\\@127.0.0.1/",
        "http://127.0.0.1\\@evil.test/",
        "http://127.0.0.1@evil.test/",
        "http://user:pw@127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://127.0.0.256/",
        "https://127.1/",
        "http://fd00:ec2::23/",
        "http://[::1%25lo]/",
        "http://[::1]evil.test/",
        "http://[::g]/",
        "http://[]/",
        "//127.0.0.1",
        "127.0.0.1",
        "http:/127.0.0.1/",
        "http:127.0.0.1",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://127.0.0.1/a\r\nX-Evil: 1",
        "http://127.0.0.1/a b",
        "http://127.0.0.1\t/",
        "http://127.0.0.1/\x00",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127.0.0.1/ä",
        "http://127.0.0.1%2eevil.test/",
        "http://127.0.0.1:80a/",
        "http://127.0.0.1:/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://:80/",
        "http:///path",
        "http://127.0.0.1#@evil.test/",
        "http://127.0.0.1/#fragment",
        "https://a..b/",
        "https://.a/",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    """Whatever two parsers could read as two hosts is no URL here."""
    with pytest.raises(ValueError, match=r"^(it|its host|\d+) "):
        parse_target(url)


def ask(server: FakeServer, clock: FakeTime | None = None, **how: float) -> bytes:
    """The body of ``GET /`` from `server`, asked with little patience."""
    request = Request(
        target=parse_target(server.url),
        timeout=how.get("timeout", 5.0),
        tries=int(how.get("tries", 1)),
        silent_tries=int(how.get("silent_tries", 3)),
    )
    client = (clock or FakeTime()).client()
    return client.ask(request, deadline=client.pace.clock() + how.get("budget", 60.0)).body


def test_what_is_sent() -> None:
    """A request is one HTTP/1.1 request that asks the server to close the connection."""
    with FakeServer() as server:
        server.inject("/", Reply(200, "ok"))
        assert ask(server) == b"ok"
        assert server.heard[0].headers == {
            "host": f"127.0.0.1:{server.port}",
            "user-agent": "calamari",
            "accept": "*/*",
            "connection": "close",
        }


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(Reply(200, b"x" * LIMIT), b"x" * LIMIT, id="as much as allowed"),
        pytest.param(Raw(b"HTTP/1.0 200 OK\r\n\r\nuntil the end"), b"until the end", id="1.0"),
        pytest.param(
            Raw(CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
            b"abcde",
            id="chunked",
        ),
        pytest.param(
            Raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
            b"ok",
            id="after a 100",
        ),
        pytest.param(Raw(b"HTTP/1.1 204 No\r\n\r\n"), b"", id="no content"),
    ],
)
def test_answers_that_are_read(answer: Answer, body: bytes) -> None:
    """Every way in which HTTP ends a body is understood."""
    with FakeServer() as server:
        server.inject("/", answer)
        assert ask(server) == body


@pytest.mark.parametrize(
    ("answer", "why", "heard"),
    [
        pytest.param(HANG_UP, "closed the connection", False, id="hangs up"),
        pytest.param(Raw(b"220 mail.example ESMTP\r\n"), "no HTTP", True, id="another protocol"),
        pytest.param(Raw(b"\x00\xff" * 40), "no HTTP", True, id="binary"),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), "middle", True, id="cut"
        ),
        pytest.param(
            Raw(CHUNKED + b"zz\r\n"),
            "no HTTP",
            True,
            id="bad chunk",
        ),
        pytest.param(Reply(200, b"x" * (LIMIT + 1)), "more than 64 KiB", True, id="too long"),
        pytest.param(
            Raw(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 40_000), "HTTP|64 KiB", True, id="headers"
        ),
    ],
)
def test_answers_that_are_none(answer: Answer, why: str, heard: bool) -> None:
    """What is no whole HTTP answer of reasonable size is told as such, with who spoke."""
    with FakeServer() as server:
        server.inject("/", answer)
        with pytest.raises(NoAnswerError, match=why) as caught:
            ask(server)
        assert caught.value.heard is heard


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        pytest.param(SILENCE, False, id="silent"),
        pytest.param(Raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 5000, drip=0.01), True, id="drips"),
    ],
)
def test_an_attempt_has_one_deadline(answer: Answer, heard: bool) -> None:
    """A server that sends a byte now and then gets no more time than a silent one."""
    with FakeServer() as server:
        server.inject("/", answer)
        begin = time.monotonic()
        with pytest.raises(NoAnswerError, match=r"timed out after 0\.2 s") as caught:
            ask(server, timeout=0.2)
        assert time.monotonic() - begin < 5
        assert caught.value.heard is heard


def test_nobody_listens() -> None:
    """A closed port is silence."""
    with FakeServer() as server:
        port = server.port
    client = FakeTime().client()
    request = Request(target=parse_target(f"http://127.0.0.1:{port}/"), tries=1)
    with pytest.raises(NoAnswerError, match="connection refused") as caught:
        client.ask(request, deadline=client.pace.clock() + 5)
    assert not caught.value.heard


def test_redirects_are_not_followed() -> None:
    """A redirect is an answer like any other."""
    with FakeServer() as elsewhere, FakeServer() as server:
        server.inject("/", Reply(302, "moved", {"Location": elsewhere.url}))
        assert ask(server) == b"moved"
        assert elsewhere.connections == 0


def test_no_proxy_is_ever_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the proxy variables say, the request goes to its host."""
    with FakeServer() as proxy, FakeServer() as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        server.inject("/", Reply(200, "direct"))
        assert ask(server) == b"direct"
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("answers", "asked", "pauses"),
    [
        pytest.param([Reply(503), Reply(200, "ok")], 2, [0.1], id="503, then well"),
        pytest.param([HANG_UP, Reply(500), Reply(200, "ok")], 3, [0.1, 0.2], id="two faults"),
        pytest.param([Raw(b"noise"), Reply(200, "ok")], 2, [0.1], id="noise, then well"),
        pytest.param([Reply(404, "ok"), Reply(200)], 1, [], id="404 is an answer"),
        pytest.param([Reply(429, "ok"), Reply(200)], 1, [], id="so is every 4xx"),
        pytest.param([Reply(503)] * 2 + [Reply(503, "ok")], 3, [0.1, 0.2], id="the last 503"),
    ],
)
def test_faults_are_asked_again(answers: list[Answer], asked: int, pauses: list[float]) -> None:
    """Silence, noise and 5xx are tried three times with growing pauses and none at the end."""
    clock = FakeTime()
    with FakeServer() as server:
        server.inject("/", *answers)
        assert ask(server, clock, tries=3) == b"ok"
        assert len(server.heard) == asked
    assert clock.pauses == pytest.approx(pauses)


def test_silence_may_be_given_fewer_tries() -> None:
    """Where silence means absence, two attempts tell it."""
    with FakeServer() as server:
        server.inject("/", *[HANG_UP] * 3)
        with pytest.raises(NoAnswerError) as caught:
            ask(server, tries=3, silent_tries=2)
        assert (len(server.heard), caught.value.heard) == (2, False)


def test_one_word_is_enough_to_be_heard() -> None:
    """A server that failed first and was silent then is there, and does not work."""
    with FakeServer() as server:
        server.inject("/", Reply(503), HANG_UP, HANG_UP)
        with pytest.raises(NoAnswerError) as caught:
            ask(server, tries=3, silent_tries=2)
        assert caught.value.heard


@pytest.mark.parametrize(
    ("budget", "asked"), [pytest.param(0.05, 1, id="no pause fits"), (0.25, 2), (0.0, 0)]
)
def test_a_budget_ends_the_tries(budget: float, asked: int) -> None:
    """No pause begins that would end after the deadline, and no attempt begins after it."""
    clock = FakeTime()
    with FakeServer() as server:
        server.inject("/", *[HANG_UP] * 3)
        with pytest.raises(NoAnswerError):
            ask(server, clock, tries=3, budget=budget)
        assert len(server.heard) == asked
        assert sum(clock.pauses) <= budget


def test_a_header_cannot_end_its_line() -> None:
    """A value with a line break never reaches a socket."""
    with FakeServer() as server:
        request = Request(
            target=parse_target(server.url), headers={"Authorization": "x\r\nX-Evil: 1"}
        )
        with pytest.raises(ValueError, match="'Authorization'"):
            Client().ask(request, deadline=time.monotonic() + 5)
        assert server.heard == []


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's TLS with a certificate for 127.0.0.1 that nobody vouches for."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2099, 1, 1, tzinfo=UTC))
        .add_extension(addresses, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    encodings = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(*encodings, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@pytest.mark.parametrize(
    ("trusted", "outcome"), [(False, "TLS failed .*self.signed certificate"), (True, "answered")]
)
def test_certificates_are_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, outcome: str
) -> None:
    """Https to a host whose certificate nobody vouches for ends before the request is sent."""
    tls = self_signed(tmp_path)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    with FakeServer(tls=tls) as server:
        server.inject("/", Reply(200, "answered"))
        request = Request(
            target=parse_target(server.url.replace("http:", "https:")), tries=1, timeout=5.0
        )
        try:
            said = FakeTime().client().ask(request, deadline=2000.0).body.decode()
        except NoAnswerError as error:
            said = str(error)
        assert re.search(outcome, said)
        assert len(server.heard) == int(trusted)


@pytest.mark.parametrize(
    ("name", "why"), [("unknown.test", "cannot be resolved"), ("slow.test", "timed out after")]
)
def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch, name: str, why: str) -> None:
    """A look-up that fails is silence, and one that hangs ends with the attempt."""
    asked = threading.Event()
    released = threading.Event()

    def look_up(host: str, *rest: object, **more: object) -> list[object]:
        asked.set()
        if host == "slow.test":
            released.wait()
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    request = Request(target=parse_target(f"https://{name}/"), tries=1, timeout=0.2)
    with pytest.raises(NoAnswerError, match=why):
        FakeTime().client().ask(request, deadline=2000.0)
    released.set()
    assert asked.is_set()
