"""Why a role was refused: its trust policy, read with credentials that may read it.

The launcher seldom may; a person with access to the role's account can lend a profile of theirs.
"""

from __future__ import annotations

from calamari_py.aws import AwsPort
from calamari_py.credentials.base import Diagnose, ExplainTrust
from calamari_py.errors import CalamariError, CloudError
from calamari_py.identity import RoleArn


def nobody_looks(aws: AwsPort, role: RoleArn, explain: ExplainTrust) -> tuple[str, ...]:  # noqa: ARG001
    """What is known without a second look."""
    return ()


def look_with_profile(profile: str) -> Diagnose:
    """A `Diagnose` that reads the trust policy with `profile` of the shared config files: a heading
    and the differences, or why they cannot be told."""

    def look(aws: AwsPort, role: RoleArn, explain: ExplainTrust) -> tuple[str, ...]:
        try:
            reader = aws.profile_credentials(profile)
            if reader is None:
                return (f"the profile '{profile}' has no credentials",)
            beside = aws.in_region(reader.region) if reader.region else aws
            differences = explain(beside.trust_policy(reader.credentials, role))
        except CalamariError as error:
            reason = f"{error.message}; {error.hint}" if error.hint else error.message
            if isinstance(error, CloudError) and error.code == "NoSuchEntity":
                reason = f"it is no profile of account {role.account}, or there is no role"
            about = f"the trust policy of '{role}' with profile '{profile}'"
            return (f"cannot compare with {about}: {reason}",)
        return (f"trust policy of '{role}', read with profile '{profile}':", *differences)

    return look
