"""One call with all its attempts: the budget, the pauses, the clock."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from calamari_py.aws import failures
from calamari_py.aws.failures import Call, Reply, Unreached
from calamari_py.aws.settings import AwsSettings
from calamari_py.errors import CloudError
from calamari_py.masking import SecretRegistry

if TYPE_CHECKING:
    from calamari_py.aws.wire import Wire

_FRESH_KEY_SECONDS = 5.0
_LONGEST_PAUSE = 5.0
_ROUNDING = timedelta(seconds=2)
"""What a ``Date`` in whole seconds and the answer's way may make of two clocks that agree."""
_FIRST_PAUSE = 0.2
_SHORTEST_ATTEMPT = 1.0
_A_DAY = timedelta(days=1)
_UNKNOWN_KEY = frozenset({
    "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException",
})  # fmt: skip
"""What a service says of a key that it has not heard of, yet."""
PLAIN_TYPES = ("String", "StringList")
"""The types of SSM parameters that are no secrets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a call may take, in seconds, and the clocks it is measured with.

    No attempt begins when `budget` is spent, and none goes on for over a second when it is. The two
    timeouts are those of one attempt, for the connection and for the answer; together they are the
    longest that an attempt takes, however the answer comes. `jitter` gives numbers from 0 to 1.
    """

    budget: float = 30.0
    connect_timeout: float = 5.0
    read_timeout: float = 10.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class _Learnt:
    """What a run has learnt of AWS, whatever the region: AWS's clock less ours, as signatures are
    corrected for it (`offset`) and as STS's last answer showed it (`measured`)."""

    offset: timedelta = timedelta()
    measured: timedelta = timedelta()
    warnings: list[str] = field(default_factory=list)


class Calls:
    """Makes calls until they succeed, are refused, or the budget is spent.

    Registers every secret part of an answer before it returns the answer.
    """

    def __init__(
        self,
        settings: AwsSettings,
        registry: SecretRegistry,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], datetime],
        pace: Pace,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._environ = environ
        self._clock = clock
        self._pace = pace
        self._wire: Wire | None = None
        self._learnt = _Learnt()

    @property
    def wire(self) -> Wire:
        """The transport, made at the first use."""
        if self._wire is None:
            from calamari_py.aws.wire import Wire

            timeouts = (self._pace.connect_timeout, self._pace.read_timeout)
            self._wire = Wire(self._settings, self._environ, self._clock, timeouts)
        return self._wire

    def take_warnings(self) -> tuple[str, ...]:
        """What went not quite as it should since the last time this was asked."""
        taken = tuple(self._learnt.warnings)
        self._learnt.warnings.clear()
        return taken

    def clock_offset(self) -> timedelta:
        """AWS's clock less ours, as STS's last answer showed it."""
        measured = self._learnt.measured
        return measured if abs(measured) > _ROUNDING else timedelta()

    def share(self, other: Calls) -> None:
        """Learn together with `other` from now on: of the clock, and what to warn of."""
        self._learnt = other._learnt

    def warn(self, warning: str) -> None:
        """Keep `warning` for whoever takes the next ones."""
        self._learnt.warnings.append(warning)

    def run(self, call: Call, *, fresh_key: bool = False, budget: float | None = None) -> Reply:
        """The successful reply to `call`, or a CloudError.

        `fresh_key` says that the credentials are seconds old: AWS may not know them everywhere yet.
        `budget` replaces the pace's; with 0 there is one attempt, and one more only when the clock
        was corrected.
        """
        pace = self._pace
        budget = pace.budget if budget is None else budget
        started = pace.monotonic()
        attempts = 0
        corrected = False
        while True:
            attempts += 1
            call = dataclasses.replace(call, offset=self._learnt.offset)
            left = budget - (pace.monotonic() - started)
            outcome = self._attempt(call, max(left, _SHORTEST_ATTEMPT) if budget else None)
            spent = pace.monotonic() - started
            pause = self._pause(attempts)
            if isinstance(outcome, Reply):
                if not outcome.is_error:
                    return outcome
                offset = self._offset_of(outcome)
                if not corrected and offset is not None and failures.is_skew(outcome, offset):
                    corrected = True
                    self._correct_clock(offset)
                    continue
                if not _is_retried(
                    outcome, fresh_key=fresh_key and spent + pause < _FRESH_KEY_SECONDS
                ):
                    raise failures.refused(call, outcome, self.evidence(call, outcome))
            elif not outcome.retryable:
                raise failures.unreached(call, outcome, self._host(call, outcome), "")
            if spent + pause > budget:
                raise self._exhausted(call, outcome, f"{_times(attempts)} in {spent:.0f} s")
            pace.sleep(pause)

    def evidence(self, call: Call, reply: Reply) -> tuple[str, ...]:
        """Request id, host and clock of `reply`, in one line."""
        host = self.wire.host(call.service, call.bucket)
        return failures.evidence(call, reply, host, self._offset_of(reply))

    def _attempt(self, call: Call, within: float | None) -> Reply | Unreached:
        try:
            reply = self.wire.send(call, within=within)
        except Unreached as why:
            return why
        self._register(call, reply)
        if call.service == "sts" and not reply.is_error:
            self._measure(self._offset_of(reply))
        return reply

    def _measure(self, offset: timedelta | None) -> None:
        """Keep `offset`, unless it is days from the one that AWS takes signatures with: that is no
        clock to judge expiries by."""
        if offset is not None and abs(offset - self._learnt.offset) <= _A_DAY:
            self._learnt.measured = offset

    def _pause(self, attempts: int) -> float:
        """Seconds before the next attempt: exponential, and never quite the same for two runs."""
        ceiling = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts, 10))
        return ceiling * (0.5 + 0.5 * self._pace.jitter())

    def _offset_of(self, reply: Reply) -> timedelta | None:
        """AWS's clock less ours, as far as a ``Date`` of whole seconds tells."""
        return None if reply.date is None else reply.date - self._clock()

    def _correct_clock(self, offset: timedelta) -> None:
        self._learnt.offset = offset
        if abs(offset) <= _ROUNDING:
            return
        seconds = round(abs(offset).total_seconds())
        side = "behind" if offset > timedelta() else "ahead of"
        self._learnt.warnings.append(
            f"this machine's clock is {seconds} s {side} AWS's; signatures are corrected for it, "
            "the step's own tools may fail until it is set"
        )

    def _host(self, call: Call, why: Unreached) -> str:
        if why.code in {"NoRegion", "NoEndpoint"}:
            return ""
        return self.wire.host(call.service, call.bucket)

    def _exhausted(self, call: Call, outcome: Reply | Unreached, tried: str) -> CloudError:
        if isinstance(outcome, Unreached):
            return failures.unreached(call, outcome, self._host(call, outcome), tried)
        return failures.exhausted(call, outcome, self.evidence(call, outcome), tried)

    def _register(self, call: Call, reply: Reply) -> None:
        fields = reply.fields or {}
        of = call.subject
        match call.operation:
            case "AssumeRole" | "AssumeRoleWithWebIdentity":
                keys = fields.get("Credentials") or {}
                self._add(keys.get("SecretAccessKey"), f"secret access key of {of}")
                self._add(keys.get("SessionToken"), f"session token of {of}")
            case "GetParameter":
                parameter = fields.get("Parameter") or {}
                if parameter.get("Type") not in PLAIN_TYPES:
                    self._add(parameter.get("Value"), of)
            case "GetSecretValue":
                self._add(fields.get("SecretBinary"), of)
                if isinstance(text := fields.get("SecretString"), str):
                    self._registry.add_json(text, name=of)
            case "GetSigninToken":
                self._add(fields.get("SigninToken"), "sign-in token")
            case "GetRoleCredentials":
                keys = fields.get("roleCredentials") or {}
                self._add(keys.get("secretAccessKey"), f"secret access key of {of}")
                self._add(keys.get("sessionToken"), f"session token of {of}")
            case "CreateToken":
                for part in ("accessToken", "refreshToken", "idToken"):
                    self._add(fields.get(part), f"{part} of {of}")

    def _add(self, value: object, name: str) -> None:
        if isinstance(value, str | bytes):
            self._registry.add(value, name=name)


def _is_retried(reply: Reply, *, fresh_key: bool) -> bool:
    if failures.is_transient(reply):
        return True
    return fresh_key and reply.code in _UNKNOWN_KEY


def _times(attempts: int) -> str:
    return f"{attempts} attempt" + ("" if attempts == 1 else "s")
