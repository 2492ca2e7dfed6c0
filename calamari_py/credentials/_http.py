"""HTTP to the few hosts that hand out credentials.

No proxy, no redirect, no environment variable: the host that was checked is the host that is
connected to, because one parser feeds both. Every attempt has one deadline that a dripping server
cannot move, and answers are limited in size.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from socket import socket

_TEXT = re.compile(r"[!-\[\]-~]+")
_URL = re.compile(r"(https?)://([^/?#]*)([/?][^#]*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
_HEADER = re.compile(r"[ -~]*")
_FIRST_PAUSE = 0.1
"""Seconds; doubles with every further attempt."""
LIMIT = 64 * 1024
"""Bytes of a body; as many again for a status line and its headers."""


class NoAnswerError(Exception):
    """No usable answer came; ``str()`` is a clause. `heard`: something was there and spoke.

    `timed_out`: nobody refused either, the question or the answer to it just vanished.
    """

    def __init__(self, why: str, *, heard: bool = False, timed_out: bool = False) -> None:
        super().__init__(why)
        self.heard = heard
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes. `address` is None for a name; `path` includes the query."""

    scheme: Literal["http", "https"]
    host: str
    address: IPv4Address | IPv6Address | None
    port: int
    path: str

    @property
    def authority(self) -> str:
        """``host`` or ``host:port``, as the Host header has it."""
        default = 443 if self.scheme == "https" else 80
        return self.host if self.port == default else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a server answered; `body` is at most `LIMIT` bytes."""

    status: int
    body: bytes = field(repr=False)


def parse_target(text: str) -> Target:
    """`text` as a target, or ValueError with a clause that says what is wrong with it.

    Refuses whatever two parsers could read as two hosts: user-info, backslashes, white space,
    control and non-ASCII characters, escapes in the host, numbers that are not four in a row.
    """
    if not _TEXT.fullmatch(text):
        raise ValueError("it is empty or holds a space, a backslash, a control character or such")
    url = _URL.fullmatch(text)
    if not url:
        raise ValueError("it is no plain http or https URL")
    authority = _AUTHORITY.fullmatch(url[2])
    if not authority:
        raise ValueError("its host is not just a host and a port")
    scheme: Literal["http", "https"] = "https" if url[1].lower() == "https" else "http"
    port = int(authority[2]) if authority[2] else (443 if scheme == "https" else 80)
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is no port")
    rest = url[3] or "/"
    return Target(
        scheme=scheme,
        host=authority[1].lower(),
        address=_address(authority[1]),
        port=port,
        path=rest if rest.startswith("/") else f"/{rest}",
    )


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that `host` writes out, None for a name; ValueError for a disguised one."""
    import ipaddress

    if host.startswith("["):
        try:
            return ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("its host is no IPv6 address") from None
    try:
        return ipaddress.IPv4Address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        # What a resolver would read as a number (127.1, 0x7f000001) is an address in disguise.
        if re.fullmatch(r"\d+|0[xX][0-9A-Fa-f]*", last) or ".." in host or host.startswith("."):
            raise ValueError("its host is neither a name nor four plain numbers") from None
        return None


def _random() -> float:
    return int.from_bytes(os.urandom(4), "big") / 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Time as the retries see it: a clock and pauses in seconds, and a random number below 1."""

    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = _random


def pause(pace: Pace, attempt: int, deadline: float) -> bool:
    """Wait before a further attempt (1, 2, …); False when the deadline comes first."""
    seconds = _FIRST_PAUSE * 2 ** (attempt - 1) * (0.5 + pace.random() / 2)
    if pace.clock() + seconds >= deadline:
        return False
    pace.sleep(seconds)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question, and how patiently it is asked.

    `timeout` is in seconds for each attempt. Silence, broken answers and 5xx are asked again, up
    to `tries` attempts in all; `silent_tries` caps those to which nothing at all was said.
    """

    target: Target
    method: Literal["GET", "PUT"] = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout: float = 2.0
    tries: int = 3
    silent_tries: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Asks, and asks again. `connect` opens a connection to a target within so many seconds;
    None is the real thing."""

    pace: Pace = field(default_factory=Pace)
    connect: Callable[[Target, float], socket] | None = None

    def ask(self, request: Request, *, deadline: float) -> Reply:
        """The reply, whatever its status; NoAnswerError when the last attempt brought none.

        `deadline` is on the pace's clock. The error says `heard` when any attempt was answered.
        """
        silences, heard = 0, False
        reply: Reply | None = None
        failure = NoAnswerError("there was no time left to ask")
        for attempt in range(request.tries):
            if attempt and not pause(self.pace, attempt, deadline):
                break
            try:
                reply = self._once(request, deadline)
            except NoAnswerError as error:
                reply, failure = None, error
                heard = heard or error.heard
                silences += not error.heard
                if silences >= request.silent_tries:
                    break
                continue
            heard = True
            if reply.status < 500:
                return reply
        if reply:
            return reply
        raise NoAnswerError(str(failure), heard=heard, timed_out=failure.timed_out)

    def _once(self, request: Request, deadline: float) -> Reply:
        timeout = min(request.timeout, deadline - self.pace.clock())
        if timeout <= 0:
            raise NoAnswerError("there was no time left to ask")
        # The sockets and the HTTP client take longer to import than a loopback answer takes.
        from calamari_py.credentials import _socket

        opener = self.connect or _socket.connect
        status, body = _socket.exchange(
            lambda seconds: opener(request.target, seconds),
            _head(request),
            method=request.method,
            timeout=timeout,
        )
        return Reply(status=status, body=body)


def _head(request: Request) -> bytes:
    """The request as bytes; ValueError for a header value that would end its line."""
    target = request.target
    headers = {
        "Host": target.authority,
        "User-Agent": "calamari",
        "Accept": "*/*",
        "Connection": "close",
        **({"Content-Length": "0"} if request.method == "PUT" else {}),
        **request.headers,
    }
    for name, value in headers.items():
        if not _HEADER.fullmatch(value):
            raise ValueError(f"the header '{name}' holds a character that no header has")
    lines = [f"{request.method} {target.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
