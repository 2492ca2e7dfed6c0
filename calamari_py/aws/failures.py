"""What a reply means: which errors are worth another try, and the CloudError for the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeGuard

from calamari_py.aws.hints import hint_for
from calamari_py.errors import CloudError, Temporary
from calamari_py.identity import AwsCredentials
from calamari_py.masking.secret import MASK

_TEXT_LIMIT = 600
# AWS repeats the value before it says what is wrong with it: the reason comes last.
_LONG_VALUE = re.compile(r"(Value '.{80}).*(' at ')")
_BLOBS = re.compile(
    r"\s*Encoded authorization failure message:\s*\S+|eyJ[\w-]+\.[\w.-]+|[\w+/=-]{200,}", re.ASCII
)
_TRANSIENT_STATUS = frozenset({429, 500, 502, 503, 504})
_TRANSIENT_CODES = frozenset({
    "BandwidthLimitExceeded", "IDPCommunicationError", "InternalError", "InternalFailure",
    "InternalServerError", "PriorRequestNotComplete",
    "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "RequestTimeout",
    "RequestTimeoutException", "ServiceUnavailable", "SlowDown", "TemporaryRedirect", "Throttling",
    "ThrottlingException", "ThrottledException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip
_SKEW_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SIGNATURE_CODES = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"})
_SECRET_PARAMS = ("WebIdentityToken", "accessToken", "refreshToken", "clientSecret")
_CONTENTS = frozenset({"Body", "ParameterValue", "TemplateBody"})
"""Parameters, at any depth, whose values are the user's own and may be secrets."""
_SHORTEST_CONTENT = 4
"""Characters; what is shorter is in every sentence, and the masker does not hide it either."""
_ENCODED = re.compile(r"Encoded authorization failure message:\s*([\w-]+)", re.ASCII)
_ECHO = re.compile(
    r"Value '(?:(?!' at ').)*' at '(?=(?:\w+\.)*(?:body|parameterValue|templateBody)')",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call: what is asked, by whom. `credentials` is None where AWS wants no signature.

    `subject` names what the call is about (``role 'arn…'``). `offset` is what is added to this
    machine's clock to get AWS's.
    """

    service: str
    operation: str
    params: Mapping[str, Any] = field(repr=False)
    credentials: AwsCredentials | None
    subject: str = ""
    offset: timedelta = timedelta()

    @property
    def title(self) -> str:
        """``sts:AssumeRole for role 'arn…'``."""
        name = f"{self.service}:{self.operation}"
        return f"{name} for {self.subject}" if self.subject else name

    @property
    def bucket(self) -> str:
        """The bucket that S3 is asked about, "" for none."""
        return str(self.params.get("Bucket") or "") if self.service == "s3" else ""

    def contents(self) -> tuple[str, ...]:
        """Whatever the user gave that may be a secret, the longest first, unless the request says
        the same in clear (a parameter with the stack's own name)."""
        hidden, plain = set[str](), set[str]()
        _sort_texts("", self.params, hidden, plain)
        found = {text for text in hidden - plain if len(text) >= _SHORTEST_CONTENT}
        return tuple(sorted(found, key=len, reverse=True))

    def secrets(self) -> tuple[str, ...]:
        """The secrets that the request carries: none of them belongs into a message."""
        known = [str(self.params.get(name, "")) for name in _SECRET_PARAMS]
        if self.credentials is not None:
            known.append(self.credentials.secret_access_key.reveal())
            if self.credentials.session_token is not None:
                known.append(self.credentials.session_token.reveal())
        return tuple(value for value in known if value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back. `fields` is None when it is not in AWS's language."""

    status: int
    fields: Mapping[str, Any] | None = field(repr=False)
    request_id: str | None
    date: datetime | None

    @property
    def is_error(self) -> bool:
        """Whether AWS refused, or something else answered."""
        return not 200 <= self.status < 300 or self.fields is None

    @property
    def code(self) -> str:
        """AWS's own word for the error; ``UnexpectedAnswer`` when it is not AWS that answers."""
        code = self._said("Code")
        if self.status >= 500:
            return code or f"HTTP{self.status}"
        return code if code and not code.isdigit() else "UnexpectedAnswer"

    @property
    def text(self) -> str:
        """AWS's message, as it came."""
        return self._said("Message")

    def _said(self, name: str) -> str:
        error = (self.fields or {}).get("Error")
        value = error.get(name) if isinstance(error, Mapping) else None
        return printable(str(value or ""))


class Unreached(Exception):
    """No answer of AWS came back. `code` is our word for why, `reason` a clause without secrets."""

    def __init__(self, code: str, reason: str, *, retryable: bool) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.retryable = retryable


def is_text(value: object) -> TypeGuard[str]:
    """Whether `value` is text that can be written down: JSON can say what UTF-8 cannot."""
    return isinstance(value, str) and printable(value) == value


def printable(text: str) -> str:
    """`text` with a question mark for every half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def _sort_texts(name: str, value: object, hidden: set[str], plain: set[str]) -> None:
    """Every text of the parameter `name`: what is the user's own, and what may be shown."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            _sort_texts(name if name in _CONTENTS else key, part, hidden, plain)
    elif isinstance(value, list | tuple):
        for part in value:
            _sort_texts(name, part, hidden, plain)
    elif isinstance(value, str | bytes):
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        (hidden if name in _CONTENTS else plain).add(text)


def is_transient(reply: Reply) -> bool:
    """Whether the same call may succeed a moment later.

    ``LimitExceededException`` is none of these: with the services that are called here it is a
    quota, which waiting does not lift.
    """
    if reply.status in _TRANSIENT_STATUS or reply.code in _TRANSIENT_CODES:
        return True
    # CloudFormation says it under ValidationError, too.
    return reply.is_error and reply.text.startswith("Rate exceeded")


def is_skew(reply: Reply, offset: timedelta) -> bool:
    """Whether AWS refused because of the time in the signature; `offset` is AWS's clock less ours.

    A plain wrong signature with a clock that is right stays what it is: a wrong key.
    """
    if reply.code in _SKEW_CODES:
        return True
    if reply.code not in _SIGNATURE_CODES:
        return False
    named = re.search(r"signature (expired|not yet current)", reply.text, re.IGNORECASE)
    return named is not None or abs(offset) > timedelta(minutes=4)


def evidence(call: Call, reply: Reply, host: str, offset: timedelta | None) -> tuple[str, ...]:
    """One line to hand to those who look into it at AWS."""
    parts = [f"{call.service.upper()} request id {reply.request_id}"] if reply.request_id else []
    parts.append(f"host {host}")
    if offset is not None:
        seconds = round(abs(offset).total_seconds())
        parts.append("clock within 1 s" if seconds <= 1 else f"clock off by {seconds} s")
    return (", ".join(parts),)


def refused(call: Call, reply: Reply, proof: tuple[str, ...]) -> CloudError:
    """The error for a reply that is no success and not worth another try."""
    code, text = reply.code, _clean(reply.text, call)
    if code == "UnexpectedAnswer":
        return unexpected(call, reply, f"by something that is not AWS (HTTP {reply.status})", proof)
    message = f"{call.title} was refused ({code})" + (f": {text}" if text else "")
    return CloudError(
        message,
        service=call.service,
        operation=call.operation,
        code=code,
        request_id=reply.request_id,
        status=reply.status,
        evidence=proof,
        hint=hint_for(call.service, call.operation, code, text),
        encoded=_encoded(reply.text, call),
    )


def unexpected(call: Call, reply: Reply, what: str, proof: tuple[str, ...]) -> CloudError:
    """The error for a success that lacks what AWS always sends: somebody else answers."""
    return CloudError(
        f"{call.title} was answered {what}",
        service=call.service,
        operation=call.operation,
        code="UnexpectedAnswer",
        request_id=reply.request_id,
        status=reply.status,
        evidence=proof,
        hint=hint_for(call.service, call.operation, "UnexpectedAnswer"),
    )


def another_role(call: Call, reply: Reply, arn: str) -> CloudError:
    """The error for a role of the right name that is not the one asked about."""
    return CloudError(
        f"{call.title} found another role of this name, '{arn}'",
        service=call.service,
        operation=call.operation,
        code="NoSuchEntity",
        request_id=reply.request_id,
        status=reply.status,
        hint="correct account and path in the role's ARN, or ask with credentials of its account",
    )


def exhausted(call: Call, reply: Reply, proof: tuple[str, ...], tried: str) -> Temporary:
    """The error for a transient reply when the budget is spent."""
    text = _clean(reply.text, call)
    return Temporary(
        f"{call.title} failed for now ({reply.code}, {tried})" + (f": {text}" if text else ""),
        service=call.service,
        operation=call.operation,
        code=reply.code,
        request_id=reply.request_id,
        status=reply.status,
        evidence=proof,
        hint="it is safe to run the step again in a while",
    )


def unreached(call: Call, why: Unreached, host: str, tried: str) -> CloudError:
    """The error for a call that no answer came back to."""
    kind = Temporary if why.retryable else CloudError
    at = f" at '{host}'" if host else ""
    return kind(
        f"{call.title}{at} failed: {_clean(why.reason, call)}" + (f" ({tried})" if tried else ""),
        service=call.service,
        operation=call.operation,
        code=why.code,
        evidence=(f"host {host}",) if host else (),
        hint=hint_for(call.service, call.operation, why.code),
    )


def _encoded(text: str, call: Call) -> str | None:
    """The authorization failure message in `text` that has to be decoded."""
    found = _ENCODED.search(text)
    if found is None or any(secret in found[1] for secret in (*call.secrets(), *call.contents())):
        return None
    return found[1]


def _clean(text: str, call: Call) -> str:
    """AWS's message as one short clause: no encoded blobs, no secret of the request."""
    for secret in call.secrets():
        text = text.replace(secret, MASK)
    for content in filter(text.__contains__, call.contents()):
        text = re.sub(rf"(?<![\w-]){re.escape(content)}(?![\w-])", MASK, text)
    text = _ECHO.sub("the value at '", text)
    text = " ".join(_BLOBS.sub(" …", text).split())
    text = _LONG_VALUE.sub(r"\1…\2", text)
    if len(text) > _TEXT_LIMIT:
        text = text[: _TEXT_LIMIT - 1] + "…"
    return text.rstrip(". ")
