"""What goes wrong between CloudFormation and those who call it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from calamari_py.errors import CloudError, Temporary

SAID = {
    "Throttling": "Rate exceeded",
    "RequestLimitExceeded": "Request limit exceeded.",
    "ServiceUnavailable": "Service is unavailable",
    "Unreachable": "the connection was closed",
    "ExpiredToken": "The security token included in the request is expired",
    "InvalidClientTokenId": "The security token included in the request is invalid.",
}
TEMPORARY = frozenset({"Throttling", "RequestLimitExceeded", "ServiceUnavailable", "Unreachable"})
_STATUS = {
    "AccessDenied": 403, "ExpiredToken": 403, "InvalidClientTokenId": 403, "404": 404,
    "ChangeSetNotFound": 404, "NoSuchBucket": 404, "ServiceUnavailable": 503,
}  # fmt: skip


def status_of(code: str) -> int:
    """The HTTP status that goes with `code`."""
    return _STATUS.get(code, 400)


@dataclass(kw_only=True)
class Fault:
    """Calls of `operation` (``*``: all) that fail with `error`.

    `error` is a code (``Throttling``, ``AccessDenied``, ``ExpiredToken``, ``Unreachable`` …), an
    error to raise, or a function that makes one. `message` replaces AWS's words. `times` calls fail
    (None: all from then on), after `after` that pass; `since` and `until` are seconds of the clock.
    `lost`: what was asked happens, and then the error is raised. `when` looks at the parameters.
    `close` and `http` are for the server: the connection ends without an answer, or the answer is
    no XML and has this status.
    """

    operation: str = "*"
    error: str | BaseException | Callable[[], BaseException] = "Throttling"
    message: str = ""
    times: int | None = 1
    after: int = 0
    since: float = 0.0
    until: float | None = None
    lost: bool = False
    when: Callable[[Any], bool] = field(default=lambda _: True)
    close: bool = False
    http: int | None = None

    def strikes(self, operation: str, params: Any, now: float) -> bool:
        """Whether it is its turn; counts."""
        if self.operation not in {"*", operation} or not self.when(params):
            return False
        if now < self.since or (self.until is not None and now >= self.until):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is None:
            return True
        self.times -= 1
        return self.times >= 0


def cloud_error(
    service: str, operation: str, code: str, text: str, *, subject: str = ""
) -> CloudError:
    """The error as the AWS door makes it."""
    title = f"{service}:{operation}" + (f" for {subject}" if subject else "")
    if code in TEMPORARY:
        return Temporary(
            f"{title} failed for now ({code}, 5 tries in 30 s): {text}",
            service=service,
            operation=operation,
            code=code,
            status=status_of(code),
        )
    return CloudError(
        f"{title} was refused ({code}): {text}",
        service=service,
        operation=operation,
        code=code,
        request_id="b9b4b068-3a41-11e5-94eb-example",
        status=status_of(code),
    )
