"""Who a step would run as: the page of ``calamari whoami``, for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked
from calamari_py.output._failure import trace_lines
from calamari_py.output._frame import caption, title_lines
from calamari_py.output._lines import Line, Span
from calamari_py.output._page import header_document
from calamari_py.output._words import format_validity, printable
from calamari_py.output.base import IdentityReport, StepHeader
from calamari_py.result import format_time

SCHEMA_VERSION = 1
_DELIVERIES = {
    "env": "env: as environment variables, not renewed",
    "endpoint": "endpoint: from a local server, renewed while the step runs",
    "profile": "profile: from a private config file, renewed while the step runs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The launcher's credentials, or one hop's. `arn` is None where nobody says, `role` is the ARN
    of the role that was assumed, None for the launcher. `request_id` is STS's, where STS was asked.
    """

    arn: Masked | None
    access_key_id: Masked
    role: Masked | None = None
    expires_at: datetime | None = None
    request_id: Masked | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPage:
    """Everything that ``whoami`` says. `launcher` is None for ``account: none``. `source` is the
    name of the credential source that won; `delivery` how the step would get its credentials, None
    when it gets none; `trace` is None unless it was asked for; `now` is when this was true."""

    header: StepHeader
    report: IdentityReport
    now: datetime
    launcher: Session | None = None
    source: str | None = None
    hops: tuple[Session, ...] = ()
    delivery: str | None = None
    trace: tuple[TraceRow, ...] | None = None


def page_lines(page: IdentityPage, width: int) -> list[Line]:
    """The page for people, its rule `width` columns wide."""
    report = page.report
    lines = title_lines(page.header, width)
    if page.launcher is None:
        lines.append(_row("launcher", "none, as the manifest says (account: none)"))
        lines.append(_row("role", "none: the step gets no credentials"))
    else:
        lines.append(_row("launcher", report.launcher or ""))
        lines += _facts(page.launcher, page.now, first=report.launcher_source)
        lines += _role_lines(page)
    if report.account:
        expected = " (as expected)" if report.expected else ""
        lines.append(_row("account", f"{report.account}{expected}"))
    if report.region:
        source = f" ({report.region_source})" if report.region_source else ""
        lines.append(_row("region", f"{report.region}{source}"))
    if report.expires_at is not None:
        until = f"{report.expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        lines.append(_row("expires", f"{until}, in {format_validity(report.seconds_left or 0)}"))
    if page.delivery is not None:
        lines.append(_row("delivery", _DELIVERIES.get(page.delivery, page.delivery)))
    if page.trace is not None:
        lines += trace_lines(page.trace)
    return lines


def _role_lines(page: IdentityPage) -> list[Line]:
    """The hops; the last of them is the role that the step runs as."""
    if not page.hops:
        return [(caption("role"), Span("none: the step runs as the launcher", "warn"))]
    lines: list[Line] = []
    for hop in page.hops:
        is_last = hop is page.hops[-1]
        arn = Span(printable(hop.arn or ""), "strong" if is_last else "plain")
        lines.append((caption("role" if is_last else "through"), arn))
        lines += _facts(hop, page.now)
    return lines


def _facts(session: Session, now: datetime, *, first: str | None = None) -> list[Line]:
    """A faint line under an ARN: where it is from, how long it lives, what CloudTrail knows."""
    facts = [printable(first)] if first else []
    if session.expires_at is not None:
        left = (session.expires_at - now).total_seconds()
        facts.append(f"valid for {format_validity(left)}")
    if session.request_id:
        facts.append(f"STS request {printable(session.request_id)}")
    return [(caption(""), Span(", ".join(facts), "faint"))] if facts else []


def _row(name: str, text: str) -> Line:
    return (caption(name), Span(printable(text)))


def page_document(page: IdentityPage) -> dict[str, Any]:
    """The page for programs; described in docs/commands.md. Fields are added, never changed."""
    report = page.report
    launcher = None
    if page.launcher is not None:
        launcher = {
            "arn": page.launcher.arn,
            "source": page.source,
            "description": report.launcher_source,
            **_session(page.launcher),
        }
    return {
        "schema_version": SCHEMA_VERSION,
        **header_document(page.header),
        "launcher": launcher,
        "hops": [{"role_arn": hop.role, "arn": hop.arn, **_session(hop)} for hop in page.hops],
        "arn": report.role or (page.launcher.arn if page.launcher else None),
        "account": report.account,
        "as_expected": report.expected,
        "region": report.region,
        "region_source": report.region_source,
        "expires_at": _time(report.expires_at),
        "delivery": page.delivery,
        "renewed": report.renewed if page.delivery is not None else None,
        "trace": None if page.trace is None else _rows(page.trace),
    }


def _session(session: Session) -> dict[str, Any]:
    return {
        "access_key_id": session.access_key_id,
        "expires_at": _time(session.expires_at),
        "request_id": session.request_id,
    }


def _rows(trace: Sequence[TraceRow]) -> list[dict[str, Any]]:
    return [asdict(row) for row in trace]


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None
