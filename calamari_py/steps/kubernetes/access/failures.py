"""What kubectl and helm say when an API server does not let them, and what cures it.

All texts were taken from kubectl 1.32 and helm 3.17 in front of real servers: the tests have them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepContext
from calamari_py.steps.kubernetes.access.access import Access
from calamari_py.steps.kubernetes.access.cures import cure_of
from calamari_py.steps.kubernetes.clip import clip

FailureKind = Literal[
    "unauthorized", "forbidden", "not-found", "conflict", "invalid", "unreachable", "tls",
    "expired", "timeout", "plugin", "quota", "unknown-type", "other",
]  # fmt: skip
Program = Literal["kubectl", "helm"]
_ACCESS = frozenset({"unauthorized", "unreachable", "tls", "expired", "plugin"})
_TEXT_LIMIT = 2000
_OURS = "calamari: "

# klog's header, glog's fields: kubectl asks for the list of types five times before it gives up.
_LOG_LINE = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ \S+\] ?(?P<text>.*)")
_QUOTED_ERROR = re.compile(r'err="(?P<text>(?:[^"\\]|\\.)*)"')
_WARNING = re.compile(r"Warning: |WARNING: ")
_IGNORE = re.compile(r"; if you choose to ignore these errors.*")
_ADVICE = re.compile(r"^(Please review the fields above|See https?://|See 'kubectl)")
_HEADS = re.compile(
    rf"^(?:{_OURS}|[eE]rror(?: from server(?: \([A-Za-z]+\))?)?: |"
    r"Unable to connect to the server: |Kubernetes cluster unreachable: |"
    r"You must be logged in to the server \(|"
    r"unable to recognize \"[^\"]*\": |couldn't get current server API group list: |"
    r"(?:error validating (?:data|\"[^\"]*\"): )*failed to \w+ openapi: |"
    r"error when \w+ \"[^\"]*\": |(?:Get|Post|Put|Patch|Delete) \"[^\"]*\": )"
)
_SIGNS: tuple[tuple[FailureKind, tuple[str, ...]], ...] = (
    ("expired", (r"the credentials ended at", r"\btoken\b.{0,40}\bexpired", r"expired ?token")),
    ("plugin", (rf"^{_OURS}", r"getting credentials: ", r"exec plugin", r"exec: executable",
                r"no auth provider found")),
    ("tls", (r"\bx509:", r"\btls: ", r"HTTP response to HTTPS client")),
    ("unauthorized", (r"\bUnauthorized\b", r"must be logged in",
                      r"asked for the client to provide credentials")),
    ("quota", (r"exceeded quota", r"maximum .{0,60} usage per ", r"LimitRange")),
    ("timeout", (r"timed out waiting for", r"\(Timeout\)", r"request did not complete within")),
    ("invalid", (r"denied the request", r"violates PodSecurity", r"it is being terminated")),
    ("forbidden", (r"\(Forbidden\)", r"\bis forbidden: ", r"\bforbidden: User", r"(^|: )unknown$")),
    ("unknown-type", (r"doesn't have a resource type", r"no matches for kind",
                      r"resource mapping not found", r"could not find the requested resource")),
    ("not-found", (r"\(NotFound\)", r"\bnot found\b")),
    ("conflict", (r"\((Conflict|AlreadyExists)\)", r"Apply failed with \d+ conflict",
                  r"already exists", r"object has been modified")),
    ("invalid", (r"\((Invalid|BadRequest)\)", r"\bis invalid: ", r"\brequest is invalid\b",
                 r"strict decoding error", r"error validating(?!.* openapi: )", r"unknown field",
                 r"unmarshal", r"cannot be handled as")),
    ("unreachable", (r"connection to the server .* was refused", r"connection refused",
                     r"no such host", r"no route to host", r"network is unreachable", r"dial tcp",
                     r"i/o timeout", r"connection reset by peer", r"proxyconnect",
                     r"server misbehaving", r"\bEOF$", r"connection lost",
                     r"no configuration has been provided")),
    ("timeout", (r"context deadline exceeded", r"Client\.Timeout", r"request canceled",
                 r"TLS handshake timeout", r"timed out")),
)  # fmt: skip
"""In this order: the first that fits."""
_KINDS = tuple(
    (kind, re.compile("|".join(signs), re.IGNORECASE | re.MULTILINE)) for kind, signs in _SIGNS
)
_BUSY = re.compile(r"TooManyRequests|ServiceUnavailable|InternalError|Internal error occurred")
_CHART = re.compile(
    r"chart repository|\"https?://[^\"]*/v2/|"
    r"failed to (do request|download|fetch|pull|authorize)(?! openapi)|repo \S+ not found"
)
"""Of Helm, about a server of charts: whatever is wrong with that, the cluster is not. kubectl says
some of it of the API server."""
_REFUSED = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\w+) (?:resource "(?P<resource>[^"]*)" in API group '
    r'"(?P<group>[^"]*)"|path "(?P<path>[^"]*)")(?: in the namespace "(?P<namespace>[^"]*)")?'
)
_MISSING_NAMESPACE = re.compile(r'namespaces "(?P<namespace>[^"]+)" not found')


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFailure:
    """Why an API server did not do what it was asked, as far as it says.

    `text` is what kubectl or helm says of it, on one line; `user` is who the cluster took us for,
    `resource` the plural with its group (``deployments.apps``), or a path, which begins with ``/``.
    """

    kind: FailureKind
    text: str
    verb: str = ""
    resource: str = ""
    namespace: str = ""
    user: str = ""

    @property
    def is_access(self) -> bool:
        """Whether whatever comes next would fail in the same way."""
        return self.kind in _ACCESS


def read_failure(stderr: bytes, *, program: Program = "kubectl") -> ApiFailure | None:
    """What went wrong, of what `program` wrote to stderr; None where it complains of nothing."""
    lines = _lines(stderr.decode("utf-8", "replace"))
    if not lines:
        return None
    text = clip(_IGNORE.sub("", " ".join(lines)), _TEXT_LIMIT)
    kind = _kind_of(text, program)
    refused = _REFUSED.search(text)
    found = refused.groupdict(default="") if refused else {}
    missing = _MISSING_NAMESPACE.search(text)
    group, resource = found.get("group", ""), found.get("resource", "")
    return ApiFailure(
        kind=kind,
        text=_plain(text),
        verb=found.get("verb", ""),
        resource=(f"{resource}.{group}" if group else resource) or found.get("path", ""),
        namespace=found.get("namespace", "") or (missing["namespace"] if missing else ""),
        user=found.get("user", ""),
    )


def tool_failed(
    doing: str,
    failure: ApiFailure | bytes,
    *,
    access: Access,
    context: StepContext,
    program: Program = "kubectl",
) -> ToolFailed:
    """The error ``could not {doing}: …`` with the cure that is known of it. `failure` may be what
    `program` wrote to stderr."""
    if isinstance(failure, bytes):
        read = read_failure(failure, program=program)
        failure = read or ApiFailure(kind="other", text=f"{program} said nothing")
    cure = cure_of(failure, access, context)
    return ToolFailed(f"could not {doing}: {cure.what}", hint=cure.hint, evidence=cure.evidence)


def _kind_of(text: str, program: Program) -> FailureKind:
    if _BUSY.search(text) or (program == "helm" and _CHART.search(text)):
        return "other"
    return next((kind for kind, pattern in _KINDS if pattern.search(text)), "other")


def _lines(text: str) -> list[str]:
    """What counts of a stderr: without warnings, kubectl's advice and its own log, unless that is
    all there is; each line once."""
    counting: list[str] = []
    logged: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or _WARNING.match(stripped):
            continue
        if log := _LOG_LINE.fullmatch(stripped):
            error = _QUOTED_ERROR.search(log["text"])
            logged.append(error["text"].replace('\\"', '"') if error else log["text"])
        elif _ADVICE.match(stripped):
            break
        else:
            counting.append(stripped)
    # What our own plugin says is why, and what kubectl makes of it says less.
    ours = [line for line in counting if line.startswith(_OURS)]
    return list(dict.fromkeys(ours or counting or logged[-1:]))


def _plain(text: str) -> str:
    """`text` without what says no more than that something failed."""
    head = _HEADS.match(text)
    while head:
        rest = text[head.end() :]
        text = rest.removesuffix(")") if head[0].endswith("(") else rest
        head = _HEADS.match(text)
    return text
