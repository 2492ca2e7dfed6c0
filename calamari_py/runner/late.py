"""Late variables: what is known only when there is an identity, its own or its launcher's."""

from __future__ import annotations

from collections.abc import Iterable

from calamari_py.errors import CloudError, IdentityError, ManifestError, Problem, Temporary
from calamari_py.identity import LauncherCredentials
from calamari_py.manifest import LateValue, LateVariable
from calamari_py.masking import Secret, SecretRegistry
from calamari_py.runner.identity import ResolvedIdentity

_MISSING = frozenset({"ParameterNotFound", "ResourceNotFoundException", "ParameterVersionNotFound"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnrecognizedClientException"})


def fetch_late(
    wanted: Iterable[LateVariable], identity: ResolvedIdentity, registry: SecretRegistry
) -> dict[str, LateValue]:
    """The values by variable name, the secret ones registered.

    ManifestError for what does not exist, IdentityError (with how the launcher was found) for what
    the role may not read.
    """
    values: dict[str, LateValue] = {}
    problems: list[Problem] = []
    for late in wanted:
        try:
            values[late.name] = _fetch(late, identity)
        except Temporary:
            raise
        except CloudError as error:
            if error.code in _DENIED:
                raise IdentityError(
                    f"the step's role may not read '{late.key}' for variable '{late.name}' "
                    f"({error.code})",
                    hint=f"allow {error.service}:{error.operation} on it in the role's policy",
                    trace=identity.trace,
                    evidence=(error.message, *error.evidence),
                ) from error
            if error.code not in _MISSING:
                raise
            what = "parameter" if late.source == "from_ssm" else "secret"
            problems.append(
                Problem(
                    path=f"variables.{late.name}",
                    message=f"there is no {what} '{late.key}' in this account and region",
                    hint="correct the name, the account or the region, or create it",
                    file=late.file,
                    line=late.line,
                    column=late.column,
                )
            )
            continue
        if values[late.name].sensitive and late.mask:
            registry.add(values[late.name].value, name=late.name)
        if late.source == "from_secretsmanager":
            registry.add_json(values[late.name].value, name=late.name)
    if problems:
        raise ManifestError(problems)
    return values


def _fetch(late: LateVariable, identity: ResolvedIdentity) -> LateValue:
    if late.source == "launcher":
        return _of_launcher(late, identity.launcher)
    assert identity.deployment is not None, "the manifest refuses late variables without AWS"
    aws, credentials = identity.aws, identity.deployment.credentials
    if late.source == "from_ssm":
        parameter = aws.parameter(credentials, late.key)
        return LateValue(value=parameter.value, sensitive=parameter.sensitive or late.sensitive)
    return LateValue(value=aws.secret(credentials, late.key), sensitive=True)


def _of_launcher(late: LateVariable, launcher: LauncherCredentials | None) -> LateValue:
    """What ``account.expose_to_step`` hands over; empty where the launcher has no such part."""
    value = Secret("")
    if launcher is not None:
        keys = launcher.credentials
        value = {
            "AccessKey": Secret(keys.access_key_id),
            "SecretKey": keys.secret_access_key,
            "SessionToken": keys.session_token,
            "OpenIdConnect.Jwt": launcher.token,
        }[late.key] or value
    return LateValue(value=value, sensitive=late.sensitive)
