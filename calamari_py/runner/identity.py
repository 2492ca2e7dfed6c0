"""From a manifest to the credentials its step runs with: launcher, hops, guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NoReturn, Protocol

from calamari_py.aws import AwsPort, AwsSettings
from calamari_py.credentials import (
    profile_credential_source,
    profile_process,
    resolve_launcher,
)
from calamari_py.credentials.base import Diagnose, SourceContext
from calamari_py.errors import (
    CloudError,
    ExpectationNotMet,
    IdentityError,
    ManifestError,
    Problem,
    Temporary,
    TraceRow,
)
from calamari_py.identity import (
    AssumedRole,
    AwsCredentials,
    DeploymentCredentials,
    Expectation,
    LauncherCredentials,
    Principal,
    RoleRequest,
    clamp_chained,
)
from calamari_py.manifest.types import StepManifest
from calamari_py.masking import SecretRegistry
from calamari_py.runner.refusals import RefusedHop, refused_hop
from calamari_py.runner.requests import default_session_name
from calamari_py.runner.second_look import nobody_looks


class MakeAws(Protocol):
    """Opens AWS as settings reach it. The others are what a profile leaves to calamari: the answer
    to its ``credential_source``, what the command of its ``credential_process`` writes, and the
    name of a role's session.
    """

    def __call__(
        self,
        settings: AwsSettings,
        *,
        credential_source: Callable[[str], AwsCredentials],
        run_process: Callable[[Sequence[str]], bytes],
        session_name: str | None = None,
    ) -> AwsPort: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityInputs:
    """What decides an identity.

    `requests` are the hops; `environ` is the caller's; `launcher` replaces what the manifest's
    ``account`` says (the embedded sandbox); `name_launcher` asks AWS for the launcher's ARN where
    the source does not give it. `check_region` raises for a region that only the launcher's source
    knew and that nobody allows, `needs_region` says that the step itself calls AWS, `diagnose`
    looks into refusals (None: nobody does). `warn` and `tell` take plain text; `now` is UTC.
    """

    manifest: StepManifest
    requests: tuple[RoleRequest, ...]
    environ: Mapping[str, str] = field(repr=False)
    registry: SecretRegistry
    make_aws: MakeAws
    settings: AwsSettings
    region_source: str | None
    warn: Callable[[str], None]
    tell: Callable[[str], None]
    now: Callable[[], datetime]
    check_region: Callable[[str], None] = lambda _: None
    needs_region: bool = False
    launcher: LauncherCredentials | None = None
    name_launcher: bool = False
    diagnose: Diagnose | None = nobody_looks


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedIdentity:
    """Who the step runs as. Both credentials are None for ``account: none``."""

    launcher: LauncherCredentials | None
    deployment: DeploymentCredentials | None
    aws: AwsPort
    region: str | None
    region_source: str | None
    trace: tuple[TraceRow, ...] = ()

    def by_aws_clock(self, now: datetime) -> datetime:
        """What AWS's clock says when this machine's says `now`: AWS's expiries are by its own."""
        return now + self.aws.clock_offset()


def find_launcher(inputs: IdentityInputs) -> ResolvedIdentity:
    """The first half of the way: who calls STS, from which region, for which roles. There are no
    deployment credentials yet; `assume` gives them. Every refusal carries the trace."""
    aws, launcher, trace = _launcher(inputs)
    region, region_source = inputs.settings.region, inputs.region_source
    if region is None and launcher is not None and launcher.region:
        region, region_source = launcher.region, launcher.source
        inputs.check_region(region)
        aws = aws.in_region(region)
    if region is None and (inputs.requests or inputs.needs_region):
        raise missing_region(of_step=not inputs.requests)
    if inputs.name_launcher and launcher is not None and launcher.arn is None and region:
        try:
            launcher = _named(launcher, aws)
        except Temporary as error:
            error.trace = trace
            raise
    return ResolvedIdentity(
        launcher=launcher,
        deployment=None,
        aws=aws,
        region=region,
        region_source=region_source,
        trace=trace,
    )


def _named(launcher: LauncherCredentials, aws: AwsPort) -> LauncherCredentials:
    """The same with its ARN, when AWS tells it."""
    try:
        return replace(launcher, arn=aws.caller_identity(launcher.credentials).arn)
    except Temporary:
        # Whoever waits for STS once more waits in vain.
        raise
    except CloudError:
        return launcher


def assume(identity: ResolvedIdentity, inputs: IdentityInputs) -> ResolvedIdentity:
    """The same with fresh deployment credentials, guarded by ``expect`` and ``min_validity``;
    without a launcher (``account: none``) there are none."""
    launcher = identity.launcher
    if launcher is None:
        return identity
    if inputs.requests:
        deployment = _walk_hops(identity, launcher, inputs)
    else:
        deployment = _launcher_as_deployment(identity, launcher, inputs)
        if deployment.principal is not None:
            launcher = replace(launcher, arn=deployment.principal.arn)
    _guard(deployment, identity, inputs)
    _hide_in_urls(deployment.credentials, inputs.registry)
    return replace(identity, launcher=launcher, deployment=deployment)


def _hide_in_urls(credentials: AwsCredentials, registry: SecretRegistry) -> None:
    """Mask the session token as a signed URL holds it, too: the token of an EKS cluster is the
    base64 of such a URL, and a form of a form is looked for nowhere else."""
    from calamari_py.aws.eks_token import in_url

    if credentials.session_token is not None:
        registry.add(in_url(credentials.session_token.reveal()), name="session token in a URL")


def missing_region(*, of_step: bool = False) -> ManifestError:
    """Assuming a role needs a region, or `of_step` the step itself, and none is known."""
    who = "the step, which calls AWS," if of_step else "assuming a role"
    return ManifestError(
        [
            Problem(
                path="region",
                message=f"is not known, and {who} needs one",
                hint="write 'region: eu-west-1' into the manifest, or set AWS_REGION",
            )
        ]
    )


def _launcher(
    inputs: IdentityInputs,
) -> tuple[AwsPort, LauncherCredentials | None, tuple[TraceRow, ...]]:
    """AWS, who calls it first, and how that was found out."""

    def credential_source(name: str) -> AwsCredentials:
        return profile_credential_source(name, context)

    def run_process(argv: Sequence[str]) -> bytes:
        return profile_process(argv, context)

    session_name = default_session_name(inputs.manifest)
    aws = inputs.make_aws(
        inputs.settings,
        credential_source=credential_source,
        run_process=run_process,
        session_name=session_name,
    )
    context = SourceContext(
        environ=inputs.environ,
        aws=aws,
        registry=inputs.registry,
        session_name=session_name,
        folder=inputs.manifest.folder,
        diagnose=inputs.diagnose,
    )
    if inputs.launcher is not None and inputs.manifest.account.type != "none":
        return aws, inputs.launcher, ()
    try:
        resolution = resolve_launcher(inputs.manifest.account, context)
    finally:
        # What is wrong with a profile's settings may be why it does not work.
        for warning in aws.take_warnings():
            inputs.warn(warning)
    for warning in resolution.warnings:
        inputs.warn(warning)
    for note in resolution.notes:
        inputs.tell(note)
    return aws, resolution.launcher, resolution.trace


def _walk_hops(
    identity: ResolvedIdentity, launcher: LauncherCredentials, inputs: IdentityInputs
) -> DeploymentCredentials:
    """Each hop with the previous one's credentials; there is no other way on."""
    credentials, chained = launcher.credentials, launcher.is_session
    caller = launcher.arn
    hops: list[AssumedRole] = []
    for asked in inputs.requests:
        request, clamped = clamp_chained(asked, chained=chained)
        if clamped:
            inputs.warn(clamped)
        try:
            assumed = identity.aws.assume_role(credentials, request)
        except Temporary as error:
            error.trace = identity.trace
            raise
        except CloudError as error:
            raise refused_hop(
                error,
                RefusedHop(
                    request=request,
                    credentials=credentials,
                    caller=caller,
                    launcher=launcher,
                    before=tuple(hops),
                ),
                identity.aws,
                trace=identity.trace,
                diagnose=inputs.diagnose,
            ) from error
        for warning in assumed.warnings:
            inputs.warn(warning)
        hops.append(assumed)
        credentials, chained, caller = assumed.credentials, True, assumed.principal.arn
    return DeploymentCredentials(
        credentials=credentials, principal=hops[-1].principal, hops=tuple(hops)
    )


def _launcher_as_deployment(
    identity: ResolvedIdentity, launcher: LauncherCredentials, inputs: IdentityInputs
) -> DeploymentCredentials:
    """No role: the launcher itself runs the step, said aloud and only then asked who it is."""
    principal = None
    if identity.region is not None:
        try:
            principal = identity.aws.caller_identity(launcher.credentials)
        except Temporary as error:
            error.trace = identity.trace
            raise
        except CloudError as error:
            raise IdentityError(
                f"the launcher credentials of '{launcher.source}' do not work ({error.code})",
                hint=error.hint or "renew them, or correct the account section",
                trace=identity.trace,
                evidence=(error.message, *error.evidence),
            ) from error
    elif inputs.manifest.expect is not None:
        raise missing_region()
    who = principal.arn if principal else f"access key {launcher.credentials.access_key_id}"
    inputs.warn(f"no assume_role: the step runs as the launcher {who}")
    return DeploymentCredentials(credentials=launcher.credentials, principal=principal)


def _guard(
    deployment: DeploymentCredentials, identity: ResolvedIdentity, inputs: IdentityInputs
) -> None:
    """``expect`` and ``min_validity``, on the final credentials, on every path."""
    expect = inputs.manifest.expect
    if expect is not None:
        expectation = Expectation(
            account=expect.account,
            role=expect.role,
            region=expect.region,
            partition=expect.partition,
        )
        assert deployment.principal is not None
        mismatches = expectation.mismatches(deployment.principal, identity.region)
        if mismatches:
            _raise_unexpected(mismatches, deployment.principal, identity.trace)
    least = inputs.manifest.credentials.min_validity
    expires_at = deployment.credentials.expires_at
    if least and expires_at is not None:
        left = (expires_at - identity.by_aws_clock(inputs.now())).total_seconds()
        if left < least:
            raise IdentityError(
                f"the credentials live for {left:.0f} s only, and min_validity asks for "
                f"{least:.0f} s",
                hint="ask for a longer duration, or lower credentials.min_validity",
                trace=identity.trace,
            )


def _raise_unexpected(
    mismatches: Sequence[str], principal: Principal, trace: tuple[TraceRow, ...]
) -> NoReturn:
    raise ExpectationNotMet(
        f"the step would run as '{principal.arn}', which is not what 'expect' says: "
        + "; ".join(mismatches),
        hint="nothing was run; correct assume_role, or expect if the manifest moved",
        trace=trace,
        is_lasting=True,
    )
