"""The page of whoami, as people see it; and the one line of a credential process."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked
from calamari_py.output._brief import brief_reporter
from calamari_py.output._identity_page import IdentityPage, Session, page_lines
from calamari_py.output._page import page_bytes
from calamari_py.output.base import (
    Failure,
    IdentityReport,
    MaskedProblem,
    ReporterOptions,
    StepHeader,
)

NOW = datetime(2026, 3, 1, 9, 30, 10, tzinfo=UTC)
ENDS = NOW + timedelta(minutes=59, seconds=50)
POD = Masked("arn:aws:sts::123456789012:assumed-role/OctoLauncherRole/octopus-pod")
HUB = Masked("arn:aws:sts::222222222222:assumed-role/HubRole/deploy-network")
DEV = Masked("arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy-network")
KEY = Masked("ASIAEXAMPLE")
REPORT = IdentityReport(
    launcher=POD, launcher_arn=POD, launcher_source=Masked("EKS Pod Identity"), hops=(HUB, DEV),
    role=DEV, account=Masked("111111111111"), expected=True, region=Masked("eu-west-1"),
    region_source="manifest", expires_at=ENDS, seconds_left=3590.0, secrets=3,
)  # fmt: skip
PAGE = IdentityPage(
    header=StepHeader(
        step=Masked("deploy-network"), kind="script", version="0", project=Masked("payments"),
        environment=Masked("dev"),
    ),
    report=REPORT,
    now=NOW,
    launcher=Session(arn=POD, access_key_id=KEY, expires_at=NOW + timedelta(hours=5)),
    source="container",
    hops=(
        Session(arn=HUB, access_key_id=KEY, expires_at=ENDS, request_id=Masked("4b1f")),
        Session(arn=DEV, access_key_id=KEY, expires_at=ENDS, request_id=Masked("6f1c")),
    ),
    delivery="endpoint",
    trace=(
        TraceRow(source="environment", present=False, tried=False, result="absent"),
        TraceRow(source="container", present=True, tried=True, result="found",
                 why="169.254.170.23", milliseconds=14, used=True),
    ),
)  # fmt: skip
SHOWN = """\
─ deploy-network ──────────────────────────────────────────────────── payments · dev
  launcher   arn:aws:sts::123456789012:assumed-role/OctoLauncherRole/octopus-pod
             EKS Pod Identity, valid for 5h
  through    arn:aws:sts::222222222222:assumed-role/HubRole/deploy-network
             valid for 59m, STS request 4b1f
  role       arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy-network
             valid for 59m, STS request 6f1c
  account    111111111111 (as expected)
  region     eu-west-1 (manifest)
  expires    2026-03-01 10:30 UTC, in 59m
  delivery   endpoint: from a local server, renewed while the step runs
  launcher sources
    environment   absent
    container     found    169.254.170.23, 14 ms   ← used
"""
NOBODY = replace(
    REPORT, launcher=None, launcher_arn=None, launcher_source=None, hops=(), role=None,
    account=None, expected=None, region=None, expires_at=None, seconds_left=None,
)  # fmt: skip


def shown(page: IdentityPage, *, terminal: bool = False, term: str = "xterm") -> str:
    lines = page_lines(page, 84)
    return page_bytes(lines, terminal=terminal, environ={"TERM": term}, encoding="utf-8").decode()


def test_the_page() -> None:
    """Launcher, each hop with what CloudTrail knows of it, and what the step gets."""
    assert shown(PAGE) == SHOWN


def test_colour_only_emphasises() -> None:
    """A terminal without colour loses nothing."""
    assert "\x1b[" in shown(PAGE, terminal=True)
    assert shown(PAGE, terminal=True, term="dumb") == SHOWN


def test_a_step_without_credentials() -> None:
    """`account: none` is said, and nothing that there is not."""
    page = replace(PAGE, report=NOBODY, launcher=None, hops=(), delivery=None, trace=None)
    assert shown(page).splitlines()[1:] == [
        "  launcher   none, as the manifest says (account: none)",
        "  role       none: the step gets no credentials",
    ]


def test_a_step_that_runs_as_the_launcher() -> None:
    """No role is said aloud."""
    text = shown(replace(PAGE, report=replace(REPORT, role=POD), hops=()))
    assert "  role       none: the step runs as the launcher\n" in text
    assert "through" not in text


def told(failure: Failure) -> str:
    """What the caller of a credential process sees of a failure."""
    stderr = io.BytesIO()
    reporter = brief_reporter(
        ReporterOptions(stdout=io.BytesIO(), stderr=stderr, terminal=False, width=0, environ={})
    )
    reporter.warning(Masked("a warning"))
    reporter.highlight(Masked("a highlight"))
    reporter.failed(failure)
    return stderr.getvalue().decode()


def problem(message: str) -> MaskedProblem:
    return MaskedProblem(
        message=Masked(message),
        path=Masked("name"),
        place=Masked("s.yaml:1:1"),
        hint=Masked("do x"),
    )


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        pytest.param(
            Failure(
                message=Masked("no launcher"),
                hint=Masked("first\nsecond"),
                evidence=(Masked("evidence"),),
                trace=PAGE.trace or (),
            ),
            "calamari: no launcher; first second\n",
            id="no trace, no evidence",
        ),
        pytest.param(
            Failure(message=Masked("1 problem in s.yaml"), problems=(problem("is wrong"),)),
            "calamari: s.yaml:1:1: name: is wrong; do x\n",
            id="a problem",
        ),
        pytest.param(
            Failure(message=Masked("3 problems"), problems=(problem("is wrong"),) * 3),
            "calamari: s.yaml:1:1: name: is wrong (and 2 other problems); do x\n",
            id="several problems",
        ),
        pytest.param(Failure(message=Masked("a\nb\x1b")), "calamari: a\\nb\\x1b\n", id="no hint"),
    ],
)
def test_a_failure_in_one_line(failure: Failure, expected: str) -> None:
    """An SDK puts all of stderr into its error message: no warnings, one line, what to do."""
    assert told(failure) == expected
