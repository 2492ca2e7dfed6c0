"""From a manifest to the credentials its step runs with: launcher, hops, guard."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from calamari_py.aws import AwsPort, AwsSettings
from calamari_py.credentials import profile_credential_source, resolve_launcher
from calamari_py.credentials.base import SourceContext
from calamari_py.errors import (
    CloudError,
    ExpectationNotMet,
    FileMissing,
    IdentityError,
    ManifestError,
    Problem,
    RoleNotAssumable,
    Temporary,
    TraceRow,
)
from calamari_py.identity import (
    DEFAULT_DURATION,
    AssumedRole,
    AwsCredentials,
    DeploymentCredentials,
    Expectation,
    LauncherCredentials,
    Principal,
    RoleArn,
    RoleRequest,
    build_session_name,
    clamp_chained,
    request_violations,
)
from calamari_py.manifest.types import Hop, StepManifest
from calamari_py.masking import SecretRegistry
from calamari_py.variables import SourceUnreadable, from_file

READ_ONLY_PRESET = "preset:read-only"
MakeAws = Callable[[AwsSettings, Callable[[str], AwsCredentials]], AwsPort]
"""AWS as settings reach it; the second argument answers a profile's ``credential_source``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityInputs:
    """What decides an identity. `environ` is the caller's; `launcher` replaces what the manifest's
    ``account`` says (the embedded sandbox). `warn` and `tell` take plain text; `now` is UTC."""

    manifest: StepManifest
    environ: Mapping[str, str]
    registry: SecretRegistry
    make_aws: MakeAws
    settings: AwsSettings
    region_source: str | None
    warn: Callable[[str], None]
    tell: Callable[[str], None]
    now: Callable[[], datetime]
    launcher: LauncherCredentials | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedIdentity:
    """Who the step runs as. Both credentials are None for ``account: none``."""

    launcher: LauncherCredentials | None
    deployment: DeploymentCredentials | None
    aws: AwsPort
    region: str | None
    region_source: str | None
    trace: tuple[TraceRow, ...] = ()
    requests: tuple[RoleRequest, ...] = ()


def find_launcher(inputs: IdentityInputs) -> ResolvedIdentity:
    """The first half of the way: who calls STS, from which region, for which roles. There are no
    deployment credentials yet; `assume` gives them. Every refusal carries the trace."""
    requests = build_role_requests(inputs.manifest)
    aws, launcher, trace = _launcher(inputs)
    region, region_source = inputs.settings.region, inputs.region_source
    if region is None and launcher is not None and launcher.region:
        region, region_source = launcher.region, launcher.source
        aws = aws.in_region(region)
    if requests and region is None:
        raise missing_region()
    return ResolvedIdentity(
        launcher=launcher,
        deployment=None,
        aws=aws,
        region=region,
        region_source=region_source,
        trace=trace,
        requests=requests,
    )


def assume(identity: ResolvedIdentity, inputs: IdentityInputs) -> ResolvedIdentity:
    """The same with fresh deployment credentials, guarded by ``expect`` and ``min_validity``;
    without a launcher (``account: none``) there are none."""
    launcher = identity.launcher
    if launcher is None:
        return identity
    if identity.requests:
        deployment = _walk_hops(identity, launcher, inputs)
    else:
        deployment = _launcher_as_deployment(identity, launcher, inputs)
    _guard(deployment, identity, inputs)
    return replace(identity, deployment=deployment)


def missing_region() -> ManifestError:
    """Assuming a role needs a region, and none is known."""
    return ManifestError(
        [Problem(path="region", message="is not known, and assuming a role needs one")],
        hint="write 'region: eu-west-1' into the manifest, or set AWS_REGION",
    )


def build_role_requests(manifest: StepManifest) -> tuple[RoleRequest, ...]:
    """The hops as STS will be asked for them; ManifestError when one breaks STS's input rules."""
    problems: list[Problem] = []
    requests = []
    for index, hop in enumerate(manifest.assume_role):
        request = _role_request(hop, manifest, f"assume_role[{index}]")
        requests.append(request)
        problems.extend(
            Problem(path=f"assume_role[{index}].{name}", message=message)
            for name, message in request_violations(request)
        )
    if problems:
        raise ManifestError(problems, subject=manifest.source)
    return tuple(requests)


def default_session_name(manifest: StepManifest) -> str:
    """What CloudTrail shows of a step unless the manifest says otherwise."""
    return build_session_name(
        manifest.project, manifest.environment, manifest.name, manifest.deployment_id
    )


def _role_request(hop: Hop, manifest: StepManifest, path: str) -> RoleRequest:
    role = RoleArn.parse(hop.role_arn)
    policy, policy_arns = _session_policy(hop, role, manifest.folder, f"{path}.policy")
    return RoleRequest(
        role=role,
        session_name=hop.session_name or default_session_name(manifest),
        duration=int(hop.duration or DEFAULT_DURATION),
        external_id=hop.external_id,
        policy=policy,
        policy_arns=policy_arns,
        tags=hop.tags,
        transitive_tags=hop.transitive_tags,
        source_identity=hop.source_identity,
    )


def _session_policy(
    hop: Hop, role: RoleArn, folder: Path, path: str
) -> tuple[str | None, tuple[str, ...]]:
    """The inline session policy's text, and the policy ARNs."""
    if hop.policy == READ_ONLY_PRESET:
        preset = f"arn:{role.partition}:iam::aws:policy/ReadOnlyAccess"
        return None, (*hop.policy_arns, preset)
    if not isinstance(hop.policy, str):
        document = hop.policy
    else:
        try:
            document = json.loads(from_file(folder / hop.policy, shown=hop.policy))
        except SourceUnreadable as error:
            problem = Problem(path=path, message=error.message, hint=error.hint)
            raise (FileMissing if error.missing else ManifestError)([problem]) from None
        except ValueError:
            message = f"the policy file '{hop.policy}' is no JSON"
            hint = f"write an IAM policy document, or '{READ_ONLY_PRESET}'"
            raise ManifestError([Problem(path=path, message=message, hint=hint)]) from None
    text = None if document is None else json.dumps(document, separators=(",", ":"))
    return text, hop.policy_arns


def _launcher(
    inputs: IdentityInputs,
) -> tuple[AwsPort, LauncherCredentials | None, tuple[TraceRow, ...]]:
    """AWS, who calls it first, and how that was found out."""

    def credential_source(name: str) -> AwsCredentials:
        return profile_credential_source(name, context)

    aws = inputs.make_aws(inputs.settings, credential_source)
    context = SourceContext(
        environ=inputs.environ,
        aws=aws,
        registry=inputs.registry,
        session_name=default_session_name(inputs.manifest),
        folder=inputs.manifest.folder,
    )
    if inputs.launcher is not None and inputs.manifest.account.type != "none":
        return aws, inputs.launcher, ()
    resolution = resolve_launcher(inputs.manifest.account, context)
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
    for asked in identity.requests:
        request, clamped = clamp_chained(asked, chained=chained)
        if clamped:
            inputs.warn(clamped)
        try:
            assumed = identity.aws.assume_role(credentials, request)
        except Temporary:
            raise
        except CloudError as error:
            _refused(error, request, caller, credentials, identity)
        for warning in assumed.warnings:
            inputs.warn(warning)
        hops.append(assumed)
        credentials, chained, caller = assumed.credentials, True, assumed.principal.arn
    return DeploymentCredentials(
        credentials=credentials, principal=hops[-1].principal, hops=tuple(hops)
    )


def _refused(
    error: CloudError,
    request: RoleRequest,
    caller: str | None,
    credentials: AwsCredentials,
    identity: ResolvedIdentity,
) -> NoReturn:
    """STS said no: name both ends, whose fault it can be, and the evidence."""
    who = caller or _ask_who(credentials, identity.aws)
    raise RoleNotAssumable(
        f"cannot assume role '{request.role}' as '{who}' ({error.code})",
        hint=_refusal_hint(error, request),
        trace=identity.trace,
        evidence=(error.message, *error.evidence),
    ) from error


def _ask_who(credentials: AwsCredentials, aws: AwsPort) -> str:
    try:
        return aws.caller_identity(credentials).arn
    except CloudError:
        return f"access key {credentials.access_key_id}"


def _refusal_hint(error: CloudError, request: RoleRequest) -> str:
    if error.hint:
        return error.hint
    if error.code in {"AccessDenied", "AccessDeniedException"}:
        external = (
            "\nthe trust policy may also ask for an external id: write external_id"
            if request.external_id is None
            else "\nor its condition on sts:ExternalId does not match external_id"
        )
        return (
            "either the launcher lacks sts:AssumeRole on this ARN, or the role's trust policy "
            f"does not name the launcher{external}"
        )
    if error.code in {"ExpiredToken", "ExpiredTokenException"}:
        return "the launcher credentials have expired; renew them and run the step again"
    if error.code in {"InvalidClientTokenId", "UnrecognizedClientException"}:
        return "the launcher's access key does not exist, is inactive, or lacks its session token"
    if error.code == "RegionDisabledException":
        return "STS is not active in this region for the account; activate it or use another region"
    return "see the message of STS below; the role and its trust policy decide this"


def _launcher_as_deployment(
    identity: ResolvedIdentity, launcher: LauncherCredentials, inputs: IdentityInputs
) -> DeploymentCredentials:
    """No role: the launcher itself runs the step, said aloud and only then asked who it is."""
    principal = None
    if identity.region is not None:
        try:
            principal = identity.aws.caller_identity(launcher.credentials)
        except Temporary:
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
        left = (expires_at - inputs.now()).total_seconds()
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
    )
