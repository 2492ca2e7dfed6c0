"""Who a step would run as, as far as that shows without a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from calamari_py.credentials import SourceContext, look_for_launcher
from calamari_py.errors import TraceRow
from calamari_py.identity import (
    DEFAULT_DURATION,
    AssumedRole,
    AwsCredentials,
    DeploymentCredentials,
    LauncherCredentials,
    Principal,
    RoleArn,
    clamp_chained,
    clean_session_name,
)
from calamari_py.masking import Secret
from calamari_py.runner.identity import IdentityInputs, ResolvedIdentity
from calamari_py.runner.requests import default_session_name

_SELECTORS = {
    "environment": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "profile": ("AWS_PROFILE",),
    "web-identity": ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    "container": (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ),
}
"""Source → the names by which an environment selects it."""
_MAYBE = frozenset({"present", "unknown", "found", "broken"})
_ASSUMING = frozenset({"oidc", "web-identity"})
"""Sources whose credentials are a role's."""
_OF_ENVIRONMENT_OR_FILE = frozenset({"environment", "access-key", "profile"})
"""Sources that may hold long-lived keys."""


def foresee(inputs: IdentityInputs) -> ResolvedIdentity:
    """The identity that `inputs` lead to, with credentials that nobody can use: their secret parts
    stand for themselves. What only a call would tell is None. Nothing is asked."""
    aws = inputs.make_aws(inputs.settings, credential_source=_nobody, run_process=_nobody)
    rows: tuple[TraceRow, ...] = ()
    launcher = inputs.launcher
    if inputs.manifest.account.type == "none":
        launcher = None
    elif launcher is None:
        context = SourceContext(
            environ=inputs.environ,
            aws=aws,
            registry=inputs.registry,
            session_name=default_session_name(inputs.manifest),
            folder=inputs.manifest.folder,
        )
        rows = look_for_launcher(inputs.manifest.account, context)
        launcher = _launcher(inputs, rows)
    return ResolvedIdentity(
        launcher=launcher,
        deployment=_deployment(inputs, launcher) if launcher else None,
        aws=aws,
        region=inputs.settings.region,
        region_source=inputs.region_source if inputs.settings.region else None,
        trace=rows,
    )


def ignored_selectors(
    account_type: str,
    profile: str | None,
    rows: Sequence[TraceRow],
    environ: Mapping[str, str],
) -> tuple[str, ...]:
    """The names set in `environ` that select an identity for other programs, and not here."""
    counting = {row.source for row in rows if row.result in _MAYBE}
    if account_type == "profile" and profile:
        counting.discard("profile")
    return tuple(
        name
        for source, names in _SELECTORS.items()
        for name in names
        if source not in counting and environ.get(name, "").strip()
    )


def _nobody(asked: object) -> NoReturn:
    """Nothing is asked, so no profile has a question."""
    raise AssertionError(asked)


def _launcher(inputs: IdentityInputs, rows: Sequence[TraceRow]) -> LauncherCredentials:
    """Whoever `rows` lead to; `source` is empty where they do not say."""
    used = next((row for row in rows if row.used), None)
    source = used.source if used else ""
    principal = _launcher_principal(inputs, source)
    return LauncherCredentials(
        credentials=_credentials(
            is_session=_is_session(inputs, source, rows),
            expires_at=inputs.now() + timedelta(seconds=_session_seconds(inputs))
            if source in _ASSUMING
            else None,
        ),
        source=source,
        description=used.why if used else "",
        arn=principal.arn if principal else None,
    )


def _launcher_principal(inputs: IdentityInputs, source: str) -> Principal | None:
    """The session that a token would be exchanged for."""
    session = default_session_name(inputs.manifest)
    if source == "oidc":
        written = inputs.manifest.account.role_arn or ""
    elif source == "web-identity":
        written = inputs.environ.get("AWS_ROLE_ARN", "").strip()
        wanted = inputs.environ.get("AWS_ROLE_SESSION_NAME", "").strip()
        if wanted and clean_session_name(wanted) == wanted:
            session = wanted
    else:
        return None
    try:
        return _session_of(RoleArn.parse(written), session)
    except ValueError:
        return None


def _session_seconds(inputs: IdentityInputs) -> int:
    asked = inputs.manifest.account.session_duration
    return DEFAULT_DURATION if asked is None else int(asked)


def _is_session(inputs: IdentityInputs, source: str, rows: Sequence[TraceRow]) -> bool:
    """Whether the launcher's credentials would be temporary, for all that is known."""
    if source == "environment":
        return bool(inputs.environ.get("AWS_SESSION_TOKEN", "").strip())
    if source == "access-key":
        return bool(inputs.manifest.account.session_token)
    possible = {source} if source else {row.source for row in rows if row.result in _MAYBE}
    return bool(possible) and not possible & _OF_ENVIRONMENT_OR_FILE


def _deployment(inputs: IdentityInputs, launcher: LauncherCredentials) -> DeploymentCredentials:
    """What the hops would give; without any, the launcher's own."""
    hops = []
    chained = launcher.is_session
    for asked in inputs.requests:
        request, _ = clamp_chained(asked, chained=chained)
        expires_at = inputs.now() + timedelta(seconds=request.duration)
        hops.append(
            AssumedRole(
                credentials=_credentials(is_session=True, expires_at=expires_at),
                principal=_session_of(request.role, request.session_name),
                duration=request.duration,
            )
        )
        chained = True
    if hops:
        last = hops[-1]
        return DeploymentCredentials(
            credentials=last.credentials, principal=last.principal, hops=tuple(hops)
        )
    principal = Principal.parse(launcher.arn) if launcher.arn else None
    return DeploymentCredentials(credentials=launcher.credentials, principal=principal)


def _credentials(*, is_session: bool, expires_at: datetime | None) -> AwsCredentials:
    return AwsCredentials(
        access_key_id="(access key)",
        secret_access_key=Secret("(secret access key)"),
        session_token=Secret("(session token)") if is_session else None,
        expires_at=expires_at,
    )


def _session_of(role: RoleArn, name: str) -> Principal:
    return Principal.parse(
        f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.name}/{name}"
    )
