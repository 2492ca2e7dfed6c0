"""What a reply means: which errors are worth another try, and the CloudError for the others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeGuard

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
    "InternalServerError", "LimitExceededException", "PriorRequestNotComplete",
    "RequestLimitExceeded", "RequestThrottled", "RequestThrottledException", "RequestTimeout",
    "RequestTimeoutException", "ServiceUnavailable", "SlowDown", "Throttling",
    "ThrottlingException", "ThrottledException", "TooManyRequestsException",
    "TransactionInProgressException",
})  # fmt: skip
_SKEW_CODES = frozenset({"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"})
_SIGNATURE_CODES = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"})
_SECRET_PARAMS = ("WebIdentityToken", "accessToken", "refreshToken", "clientSecret")
_HINTS = {
    "AccessDenied": (
        "either the caller lacks the permission, or the role's trust policy does not name the "
        "caller (or asks for an external id, tags or a source identity); check both"
    ),
    "AccessDeniedException": "the caller lacks the permission; add it to the role's policy",
    "ExpiredToken": "the calling credentials have expired; obtain new ones and run again",
    "ExpiredTokenException": "the web identity token has expired; obtain a new one and run again",
    "IDPRejectedClaim": "check the token's audience and issuer against the role's trust policy",
    "InvalidIdentityToken": (
        "check that the account of the role has an IAM identity provider for the token's issuer, "
        "and that the token's audience is registered there"
    ),
    "InvalidClientTokenId": (
        "AWS does not know the access key: it is deleted or inactive, its session token is missing "
        "or not its own, or it belongs to another partition"
    ),
    "UnrecognizedClientException": (
        "AWS does not know the access key: it is deleted or inactive, its session token is missing "
        "or not its own, or it belongs to another partition"
    ),
    "SignatureDoesNotMatch": "check the secret access key: it does not belong to the access key id",
    "InvalidSignatureException": (
        "check the secret access key: it does not belong to the access key id"
    ),
    "MalformedPolicyDocument": "correct the session policy under assume_role.policy",
    "PackedPolicyTooLarge": "shorten the session policy, or pass fewer tags and policy ARNs",
    "RegionDisabledException": (
        "enable STS for the region in the role's account, or set another region"
    ),
    "ValidationError": "correct what the message names in the manifest's assume_role section",
    "ParameterNotFound": "check the name, the region and the account that the step runs in",
    "ResourceNotFoundException": "check the name, the region and the account that the step runs in",
    "NoRegion": "set 'region' in the manifest or AWS_REGION in the environment",
    "NoEndpoint": "check the region, AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT",
    "InvalidParameters": "correct what the message names in the manifest",
    "TlsError": (
        "if a proxy or a private endpoint uses its own certificate authority, name its "
        "certificates with AWS_CA_BUNDLE"
    ),
    "ProxyError": "check HTTPS_PROXY and NO_PROXY",
    "Unreachable": "check the network, HTTPS_PROXY and AWS_ENDPOINT_URL; then run the step again",
    "NotImplemented": "the sandbox answers in the place of AWS; run the step without --sandbox",
    "SignInRefused": (
        "AWS signs in with unexpired credentials of a role only, and takes no session duration "
        "for a role that was assumed from another role's session"
    ),
    "UnexpectedAnswer": (
        "something answers in the place of AWS; check HTTPS_PROXY, AWS_ENDPOINT_URL and "
        "AWS_ENDPOINT_URL_STS"
    ),
}  # fmt: skip


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


def is_transient(reply: Reply) -> bool:
    """Whether the same call may succeed a moment later."""
    return reply.status in _TRANSIENT_STATUS or reply.code in _TRANSIENT_CODES


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
        hint=_hint(call, code),
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
        hint=_HINTS["UnexpectedAnswer"],
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
        hint=_HINTS.get(why.code),
    )


def _hint(call: Call, code: str) -> str:
    if call.service != "sts" and code == "AccessDenied":
        code = "AccessDeniedException"
    return _HINTS.get(code) or f"look up '{code}' in the AWS documentation of {call.service}"


def _clean(text: str, call: Call) -> str:
    """AWS's message as one short clause: no encoded blobs, no secret of the request."""
    for secret in call.secrets():
        text = text.replace(secret, MASK)
    text = " ".join(_BLOBS.sub(" …", text).split())
    text = _LONG_VALUE.sub(r"\1…\2", text)
    if len(text) > _TEXT_LIMIT:
        text = text[: _TEXT_LIMIT - 1] + "…"
    return text.rstrip(". ")
