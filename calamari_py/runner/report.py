"""What is said of an identity: in the header, in the result, and about what is to come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from calamari_py import __version__
from calamari_py.manifest.types import StepManifest
from calamari_py.masking import Masked
from calamari_py.output import format_seconds
from calamari_py.output.base import IdentityReport, StepHeader
from calamari_py.result import StepIdentity
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.prepared import PreparedStep

Mask = Callable[[str], Masked]


def step_header(step: StepManifest, mask: Mask) -> StepHeader:
    """What the manifest alone says."""
    return StepHeader(
        step=mask(step.name),
        kind=step.kind,
        version=__version__,
        project=mask(step.project) if step.project else None,
        environment=mask(step.environment) if step.environment else None,
        deployment_id=mask(step.deployment_id) if step.deployment_id else None,
    )


def step_identity(identity: ResolvedIdentity, mask: Mask) -> StepIdentity:
    """What the result says of the identity, as far as it is known.

    Masked: a session name may be made from a secret, and the result file is read by others.
    """
    launcher, deployment = identity.launcher, identity.deployment
    principal = deployment.principal if deployment else None
    return StepIdentity(
        launcher_arn=mask(launcher.arn) if launcher and launcher.arn else None,
        hops=tuple(mask(hop.principal.arn) for hop in deployment.hops) if deployment else (),
        arn=mask(principal.arn) if principal else None,
        account=mask(principal.account) if principal else None,
        region=identity.region,
        expires_at=deployment.credentials.expires_at if deployment else None,
    )


def identity_report(
    step: PreparedStep,
    identity: ResolvedIdentity,
    *,
    now: datetime,
    secrets: int,
    mask: Mask,
    masking_off: bool = False,
) -> IdentityReport:
    """The header."""
    known, launcher = step_identity(identity, mask), identity.launcher
    expect = step.loaded.manifest.expect
    who = None
    if launcher is not None:
        who = launcher.arn or f"access key {launcher.credentials.access_key_id}"
    expires_at = known.expires_at
    return IdentityReport(
        launcher=mask(who) if who else None,
        launcher_arn=mask(known.launcher_arn) if known.launcher_arn else None,
        launcher_source=mask(launcher.description) if launcher else None,
        hops=tuple(mask(arn) for arn in known.hops),
        role=mask(known.arn) if known.arn else None,
        account=mask(known.account) if known.account else None,
        expected=True if expect is not None and expect.account is not None else None,
        region=mask(identity.region) if identity.region else None,
        region_source=identity.region_source,
        expires_at=expires_at,
        seconds_left=(expires_at - now).total_seconds() if expires_at else None,
        renewed=step.renews,
        secrets=secrets,
        masking_off=masking_off,
    )


def forecast(step: PreparedStep, identity: ResolvedIdentity, *, now: datetime) -> str | None:
    """A sentence when the credentials may run out before the step does; None when they cannot."""
    deployment, timeout = identity.deployment, step.timeout
    expires_at = deployment.credentials.expires_at if deployment else None
    if expires_at is None or timeout is None or step.renews:
        return None
    left = (expires_at - now).total_seconds()
    if left >= timeout:
        return None
    return (
        f"the credentials are valid until {expires_at.astimezone(UTC):%H:%M} UTC "
        f"({format_seconds(left)}) and the step may take {format_seconds(timeout)} (timeout): "
        "they will expire mid-step; use credentials.delivery: endpoint, which renews them"
    )
