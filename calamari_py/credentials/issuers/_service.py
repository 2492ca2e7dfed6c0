"""A CI's own token service: asked over https with a bearer, by the ``requests`` library.

Unlike metadata these services are reached over the network: proxies and certificate authorities
are those of the caller's environment, given explicitly. Redirects are never followed.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from calamari_py.addresses import proxies_for
from calamari_py.credentials._http import (
    LIMIT,
    NoAnswerError,
    Pace,
    Reply,
    Target,
    parse_target,
    pause,
)
from calamari_py.credentials._keys import setting
from calamari_py.credentials._metadata import excerpt
from calamari_py.credentials.issuers.base import TokenRequest
from calamari_py.errors import SourceBroken

BUDGET = 15.0
"""Seconds for one token, retries included."""
_CERTIFICATE = re.compile(r"certificate verify failed: ([^(\]]{1,80})")
_CA_NAMES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenService:
    """One service. `title` names it in messages, `variable` is where its URL comes from.

    `timeout` is in seconds for each attempt. Silence, broken answers and 5xx are asked again, up
    to `tries` attempts in all; everything else is the answer.
    """

    title: str
    variable: str
    pace: Pace = field(default_factory=Pace)
    timeout: float = 5.0
    tries: int = 3

    def ask(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        headers: Mapping[str, str],
        request: TokenRequest,
        refused: str,
    ) -> Mapping[str, Any]:
        """The fields of a 200 answer; SourceBroken for whatever else comes, or nothing.

        `refused` is the hint for an answer of 4xx.
        """
        target = self._target(url)
        who = f"{self.title} '{target.host}'"
        question = _Question(
            method=method,
            url=url,
            headers=headers,
            proxies=proxies_for(request.environ, url),
            authorities=next(
                filter(None, (setting(request.environ, name) for name in _CA_NAMES)), None
            ),
        )
        try:
            reply = self._patiently(question.ask)
        except NoAnswerError as error:
            raise SourceBroken(
                f"{who} gave no answer: {error}",
                hint="check the network, HTTPS_PROXY and NO_PROXY, and where a proxy has its own "
                f"certificate authority {_CA_NAMES[0]}; then run again",
            ) from None
        if reply.status != 200:
            raise SourceBroken(
                f"{who} answered {reply.status}",
                hint=self._hint(reply.status, refused),
                evidence=excerpt(reply, request.registry),
            )
        return _fields(reply.body)

    def _target(self, url: str) -> Target:
        """`url` in its parts: the bearer leaves this machine by https only."""
        hint = f"{self.variable} is set by the CI system; do not set it yourself"
        try:
            target = parse_target(url)
        except ValueError as error:
            raise SourceBroken(f"'{self.variable}' is refused: {error}", hint=hint) from None
        if target.scheme != "https" and not _is_loopback(target):
            raise SourceBroken(f"'{self.variable}' is refused: it is no https URL", hint=hint)
        return target

    def _patiently(self, attempt: Callable[[float], Reply]) -> Reply:
        deadline = self.pace.clock() + BUDGET
        reply: Reply | None = None
        failure = NoAnswerError("there was no time left to ask")
        for number in range(self.tries):
            if number and not pause(self.pace, number, deadline):
                break
            try:
                reply = _within(min(self.timeout, deadline - self.pace.clock()), attempt)
            except NoAnswerError as error:
                reply, failure = None, error
                continue
            if reply.status < 500:
                return reply
        if reply is None:
            raise failure
        return reply

    def _hint(self, status: int, refused: str) -> str:
        if status >= 500:
            return "the service fails itself: look at the CI system's status, then run again"
        if status < 400:
            return f"redirects are not followed; {self.variable} has to name the service itself"
        return refused


def extended(url: str, query: str) -> str:
    """`url` with more of a query."""
    return f"{url}{'&' if '?' in url else '?'}{query}"


def _is_loopback(target: Target) -> bool:
    return target.address is not None and target.address.is_loopback


def _within(seconds: float, attempt: Callable[[float], Reply]) -> Reply:
    """What `attempt` comes to within `seconds`.

    `requests` bounds each read and not the whole, nor the name look-up, so that a slow server may
    hold it for ever: it works in a thread, which is left behind.
    """
    if seconds <= 0:
        raise NoAnswerError("there was no time left to ask")
    answers: list[Reply | NoAnswerError] = []

    def work() -> None:
        try:
            answers.append(attempt(seconds))
        except NoAnswerError as error:
            answers.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    outcome = answers[0] if answers else NoAnswerError(f"timed out after {seconds:.3g} s")
    if isinstance(outcome, NoAnswerError):
        raise outcome
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One request as `requests` takes it. `authorities` is a CA bundle's path."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    proxies: Mapping[str, str]
    authorities: str | None

    def ask(self, seconds: float) -> Reply:
        """The answer; NoAnswerError for everything that is no whole HTTP answer."""
        # Imported here: it takes longer than everything else that a run needs.
        import requests
        from urllib3.exceptions import HTTPError

        try:
            with requests.Session() as session:
                # Neither os.environ nor a .netrc has a say.
                session.trust_env = False
                with session.request(
                    self.method, self.url, headers=dict(self.headers), proxies=dict(self.proxies),
                    verify=self.authorities or True, timeout=seconds, allow_redirects=False,
                    stream=True,
                ) as response:  # fmt: skip
                    body = next(response.iter_content(LIMIT + 1), b"")
                    status = response.status_code
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise NoAnswerError(_why(error, seconds)) from None
        if len(body) > LIMIT:
            raise NoAnswerError(f"answered more than {LIMIT // 1024} KiB", heard=True)
        return Reply(status=status, body=body)


def _why(error: Exception, seconds: float) -> str:
    """A clause without URLs: what `requests` says of `error`."""
    import requests

    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy cannot be reached or refuses"
    if isinstance(error, requests.exceptions.SSLError):
        found = _CERTIFICATE.search(str(error))
        return f"TLS failed ({found[1].strip() if found else 'no common ground'})"
    if isinstance(error, requests.Timeout):
        return f"timed out after {seconds:.3g} s"
    if isinstance(error, requests.ConnectionError):
        return "the connection failed or broke off"
    if isinstance(error, requests.RequestException):
        return "answered something that is no HTTP"
    return "the certificate authorities cannot be read, or the request cannot be sent"


def _fields(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    return answer if isinstance(answer, dict) else {}
