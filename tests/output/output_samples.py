"""Values that the tests of the output formats tell a reporter, and a reporter on byte buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, BinaryIO

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked
from calamari_py.output.base import (
    Failure,
    IdentityReport,
    MaskedProblem,
    ReporterOptions,
    StepHeader,
)
from calamari_py.result import Attempt, Outcome, StepResult, Usage

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LAUNCHER = "arn:aws:sts::123456789012:assumed-role/OctoLauncherRole/octopus-pod"
HUB = "arn:aws:sts::222222222222:assumed-role/HubRole/payments-dev-deploy-network"
ROLE = (
    "arn:aws:sts::111111111111:assumed-role/DevDeployRole/"
    "payments-dev-deploy-network-deployments-4711"
)
COLOUR = {"TERM": "xterm-256color"}

ATTEMPT = Attempt(
    exit_code=1,
    outcome=Outcome.FAILED,
    stopped=None,
    started_at=START,
    ended_at=START,
    duration=1.0,
    usage=Usage(),
)

TRACE = (
    TraceRow(source="environment", present=False, tried=True, result="absent"),
    TraceRow(
        source="web-identity",
        present=False,
        tried=True,
        result="absent",
        why="AWS_WEB_IDENTITY_TOKEN_FILE is not set",
    ),
    TraceRow(
        source="container",
        present=True,
        tried=True,
        result="found",
        why="169.254.170.23",
        milliseconds=14,
        used=True,
    ),
    TraceRow(
        source="imds", present=False, tried=False, result="not tried", why="container was found"
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Two byte buffers, or one buffer that both streams write to, as on a terminal."""

    stdout: BytesIO = field(default_factory=BytesIO)
    stderr: BytesIO = field(default_factory=BytesIO)

    @classmethod
    def shared(cls) -> Screen:
        both = BytesIO()
        return cls(stdout=both, stderr=both)

    def options(self, **changes: Any) -> ReporterOptions:
        return options(stdout=self.stdout, stderr=self.stderr, **changes)

    @property
    def out(self) -> str:
        return self.stdout.getvalue().decode()

    @property
    def err(self) -> str:
        return self.stderr.getvalue().decode()


def options(
    *,
    stdout: BinaryIO,
    stderr: BinaryIO,
    terminal: bool = False,
    width: int = 120,
    environ: Mapping[str, str] | None = None,
    quiet: bool = False,
    verbose: bool = False,
    encoding: str = "utf-8",
) -> ReporterOptions:
    return ReporterOptions(
        stdout=stdout,
        stderr=stderr,
        terminal=terminal,
        width=width,
        environ=environ if environ is not None else COLOUR,
        quiet=quiet,
        verbose=verbose,
        encoding=encoding,
    )


def header(**changes: Any) -> StepHeader:
    values: dict[str, Any] = {
        "step": "deploy-network",
        "kind": "script",
        "version": "0.1.0",
        "project": "payments",
        "environment": "dev",
        "deployment_id": "deployments-4711",
    }
    return StepHeader(**{**values, **changes})


def identity(**changes: Any) -> IdentityReport:
    values: dict[str, Any] = {
        "launcher": LAUNCHER,
        "launcher_arn": LAUNCHER,
        "launcher_source": "EKS Pod Identity",
        "hops": (ROLE,),
        "role": ROLE,
        "account": "111111111111",
        "expected": True,
        "region": "eu-west-1",
        "region_source": "manifest",
        "expires_at": START + timedelta(hours=1),
        "seconds_left": 3590.0,
        "secrets": 3,
    }
    return IdentityReport(**{**values, **changes})


def refusal() -> Failure:
    return Failure(
        message=Masked(
            "cannot assume role 'arn:aws:iam::333333333333:role/ProdDeployRole' "
            f"as '{LAUNCHER}' (AccessDenied)"
        ),
        hint=Masked(
            "the role's trust policy may not name the launcher. Check it:\n"
            "calamari whoami deploy-network.yaml --trace-credentials"
        ),
        trace=TRACE,
        evidence=(Masked("STS request id 6f1c2a9e, host sts.eu-west-1.amazonaws.com"),),
        exit_code=77,
    )


def manifest_failure() -> Failure:
    return Failure(
        message=Masked("3 problems in deploy-network.yaml"),
        problems=(
            MaskedProblem(
                message=Masked("unknown key; did you mean 'assume_role'?"),
                path=Masked("asume_role"),
                place=Masked("deploy-network.yaml:4:1"),
                hint=None,
            ),
            MaskedProblem(
                message=Masked('012345678901 is not quoted; write "012345678901"'),
                path=Masked("expect.account"),
                place=Masked("deploy-network.yaml:9:12"),
                hint=Masked("YAML reads it as a number"),
            ),
            MaskedProblem(
                message=Masked("'soon' is not a duration; write 90s, 15m or 1h30m"),
                path=Masked("timeout"),
                place=Masked("deploy-network.yaml:14:3"),
                hint=None,
            ),
        ),
        hint=Masked("calamari schema prints the format"),
        exit_code=65,
    )


def result(
    outcome: Outcome = Outcome.SUCCEEDED, code: int = 0, *, seconds: float = 12.4, **changes: Any
) -> StepResult:
    values: dict[str, Any] = {
        "step": "deploy-network",
        "outcome": outcome,
        "exit_code": code,
        "exit_origin": "child",
        "started_at": START,
        "ended_at": START + timedelta(seconds=seconds),
    }
    return StepResult(**{**values, **changes})
