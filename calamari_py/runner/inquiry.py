"""Who a step would be, for somebody who only asks: the ways of ``whoami``, ``credentials`` and
``console`` along the corridor. Nothing is run, and late variables are not fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from calamari_py.errors import CalamariError, IdentityError, Problem
from calamari_py.identity import AwsCredentials, DeploymentCredentials, LauncherCredentials
from calamari_py.masking.secret import Secret
from calamari_py.output._identity_page import IdentityPage, Session
from calamari_py.result import dump_json
from calamari_py.runner.corridor import Corridor
from calamari_py.runner.identity import ResolvedIdentity, find_launcher
from calamari_py.runner.prepared import PreparedStep
from calamari_py.runner.record import masked_trace
from calamari_py.runner.report import identity_report, step_header
from calamari_py.runner.second_look import look_with_profile

_SERVICE = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """A step and who it would run as."""

    step: PreparedStep
    identity: ResolvedIdentity


def whoami(
    corridor: Corridor,
    show: Callable[[IdentityPage], None],
    *,
    trust_profile: str | None = None,
    with_trace: bool = False,
) -> None:
    """Find out who the step would run as and `show` it. A refused role's trust policy is read with
    `trust_profile`; the differences then stand in the failure."""
    with corridor.opened():
        found = _ask(corridor, name_launcher=True, trust_profile=trust_profile)
        show(_page(corridor, found, with_trace=with_trace))


def credentials(
    corridor: Corridor, print_secret: Callable[[bytes], None], *, of_launcher: bool
) -> None:
    """Give `print_secret` the document of a ``credential_process``: the step's credentials, or its
    launcher's."""
    with corridor.opened():
        found = _ask_launcher(corridor) if of_launcher else _ask(corridor)
        owner = found.identity.launcher if of_launcher else found.identity.deployment
        if owner is None:
            raise _no_credentials()
        print_secret(_process_document(owner))


def console(
    corridor: Corridor,
    use: Callable[[Secret], None],
    *,
    destination: str | None = None,
    duration: int | None = None,
) -> None:
    """Have `use` take the URL that signs a browser in to the console as the step.

    `destination` is a URL of the console or the name of a service, None for the region's home
    page; `duration` is in seconds.
    """
    with corridor.opened():
        found = _ask(corridor)
        identity, deployment = found.identity, found.identity.deployment
        if deployment is None:
            raise _no_credentials()
        if deployment.credentials.session_token is None:
            raise IdentityError(
                "an access key without a session token cannot sign in to the console",
                hint="sign in as a role: give the step an assume_role section",
            )
        if identity.region is None:
            raise found.step.loaded.error([_NO_REGION])
        if duration is not None and _is_chained(identity):
            corridor.warn(
                "AWS does not take a duration for chained roles: the console session lasts as long "
                "as the credentials"
            )
        url = identity.aws.sign_in_url(
            deployment.credentials,
            destination=_destination(destination, identity.region),
            session_duration=duration,
        )
        for warning in identity.aws.take_warnings():
            corridor.warn(warning)
        use(url)


def reveal_url(url: Secret) -> bytes:
    """The sign-in URL as a line: a secret, for stdout alone."""
    return url.reveal().encode() + b"\n"


_NO_REGION = Problem(
    path="region",
    message="is not known, and the console has one",
    hint="write 'region: eu-west-1' into the manifest, or set AWS_REGION",
)


def _ask(
    corridor: Corridor, *, name_launcher: bool = False, trust_profile: str | None = None
) -> Inquiry:
    """The corridor's stages up to the identity."""
    step = corridor.prepare(tools_required=False)
    inputs = replace(corridor.identity_inputs(step), name_launcher=name_launcher)
    if trust_profile:
        inputs = replace(inputs, diagnose=look_with_profile(trust_profile))
    identity = corridor.identify(step, inputs)
    return Inquiry(step=step, identity=identity)


def _ask_launcher(corridor: Corridor) -> Inquiry:
    """The same up to the launcher; no role is assumed, so ``expect`` has nothing to say."""
    step = corridor.prepare(tools_required=False)
    corridor.policing.check_launcher(step.loaded)
    inputs = replace(corridor.identity_inputs(step), requests=(), needs_region=False)
    try:
        identity = find_launcher(inputs)
    except CalamariError as error:
        corridor.trail.refused(error)
        raise
    corridor.trail.launcher(identity)
    for warning in identity.aws.take_warnings():
        corridor.warn(warning)
    return Inquiry(step=step, identity=identity)


def _no_credentials() -> IdentityError:
    return IdentityError(
        "the step has no credentials (account: none)",
        hint="say under 'account' who it starts as, and under 'assume_role' who it runs as",
    )


def _process_document(owner: LauncherCredentials | DeploymentCredentials) -> bytes:
    """The JSON of a ``credential_process``, version 1, **secrets included**."""
    credentials = owner.credentials
    document: dict[str, Any] = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.reveal(),
    }
    # Long-lived keys have neither; a name without a value would be taken for one.
    if credentials.session_token is not None:
        document["SessionToken"] = credentials.session_token.reveal()
    if credentials.expires_at is not None:
        expires = credentials.expires_at.astimezone(UTC)
        document["Expiration"] = expires.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(owner, DeploymentCredentials) and owner.principal is not None:
        document["AccountId"] = owner.principal.account
    return dump_json(document) + b"\n"


def _is_chained(identity: ResolvedIdentity) -> bool:
    """Whether the step's credentials were obtained with those of another session."""
    hops = identity.deployment.hops if identity.deployment else ()
    begins_as_session = identity.launcher is not None and identity.launcher.is_session
    return len(hops) > 1 or (len(hops) == 1 and begins_as_session)


def _destination(text: str | None, region: str) -> str:
    """The page of the console: a URL as it is, a service's name as its home page."""
    if text is None:
        return f"/console/home?region={region}"
    return f"/{text}/home?region={region}" if is_service(text) else text


def is_service(text: str) -> bool:
    """Whether `text` looks like the console's name of a service (``s3``, ``cloudformation``)."""
    return _SERVICE.fullmatch(text) is not None


def _page(corridor: Corridor, found: Inquiry, *, with_trace: bool) -> IdentityPage:
    """All of it, masked."""
    mask, identity = corridor.record.masked, found.identity
    now = identity.by_aws_clock(corridor.doors.now())
    launcher, deployment = identity.launcher, identity.deployment

    def session(
        credentials: AwsCredentials, arn: str | None, request_id: str | None, role: str | None
    ) -> Session:
        return Session(
            arn=mask(arn) if arn else None,
            access_key_id=mask(credentials.access_key_id),
            role=mask(role) if role else None,
            expires_at=credentials.expires_at,
            request_id=mask(request_id) if request_id else None,
        )

    hops = deployment.hops if deployment else ()
    return IdentityPage(
        header=step_header(found.step.loaded.manifest, mask),
        report=identity_report(
            found.step, identity, now=now, secrets=len(corridor.registry), mask=mask
        ),
        now=now,
        launcher=(
            session(launcher.credentials, launcher.arn, launcher.request_id, None)
            if launcher
            else None
        ),
        source=launcher.source if launcher else None,
        hops=tuple(
            session(hop.credentials, hop.principal.arn, hop.request_id, str(request.role))
            for hop, request in zip(hops, found.step.requests, strict=True)
        ),
        delivery=found.step.delivery if deployment else None,
        trace=masked_trace(identity.trace, corridor.registry) if with_trace else None,
    )
