"""Late variables: read from SSM and Secrets Manager with the step's own credentials."""

from __future__ import annotations

from collections.abc import Iterable

from calamari_py.aws import AwsPort
from calamari_py.errors import (
    CloudError,
    IdentityError,
    ManifestError,
    Problem,
    Temporary,
    TraceRow,
)
from calamari_py.identity import AwsCredentials
from calamari_py.manifest import LateValue, LateVariable
from calamari_py.masking import SecretRegistry

_MISSING = frozenset({"ParameterNotFound", "ResourceNotFoundException", "ParameterVersionNotFound"})
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnrecognizedClientException"})


def fetch_late(
    wanted: Iterable[LateVariable],
    aws: AwsPort,
    credentials: AwsCredentials,
    registry: SecretRegistry,
    *,
    trace: tuple[TraceRow, ...] = (),
) -> dict[str, LateValue]:
    """The values by variable name, the secret ones registered.

    ManifestError for what does not exist, IdentityError (with `trace`: how the launcher was found)
    for what the role may not read.
    """
    values: dict[str, LateValue] = {}
    problems: list[Problem] = []
    for late in wanted:
        try:
            values[late.name] = _fetch(late, aws, credentials)
        except Temporary:
            raise
        except CloudError as error:
            if error.code in _DENIED:
                raise IdentityError(
                    f"the step's role may not read '{late.key}' for variable '{late.name}' "
                    f"({error.code})",
                    hint=f"allow {error.service}:{error.operation} on it in the role's policy",
                    trace=trace,
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
        if values[late.name].sensitive:
            registry.add(values[late.name].value, name=late.name)
        if late.source == "from_secretsmanager":
            registry.add_json(values[late.name].value, name=late.name)
    if problems:
        raise ManifestError(problems)
    return values


def _fetch(late: LateVariable, aws: AwsPort, credentials: AwsCredentials) -> LateValue:
    if late.source == "from_ssm":
        parameter = aws.parameter(credentials, late.key)
        return LateValue(value=parameter.value, sensitive=parameter.sensitive or late.sensitive)
    return LateValue(value=aws.secret(credentials, late.key), sensitive=True)
