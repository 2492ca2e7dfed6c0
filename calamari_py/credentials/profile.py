"""A profile of the shared AWS config files: SSO, credential_process, source_profile, keys."""

from __future__ import annotations

from dataclasses import dataclass, replace

from calamari_py.credentials._keys import setting
from calamari_py.credentials.base import Absent, Found, SourceContext
from calamari_py.errors import CloudError, SourceBroken, Temporary


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSource:
    """``AWS_PROFILE`` for every account type; only type ``profile`` goes on to ``default``.

    A profile that somebody named and that does not exist is broken, not absent.
    """

    name: str = "profile"

    def resolve(self, context: SourceContext) -> Found | Absent:
        """What botocore makes of the profile."""
        account = context.account
        of_type_profile = account is not None and account.type == "profile"
        wanted = (account.profile or "").strip() if of_type_profile else ""
        profile = wanted or setting(context.environ, "AWS_PROFILE")
        if not profile and not of_type_profile:
            return Absent(
                why="AWS_PROFILE is not set",
                hint="set AWS_PROFILE, or use account type 'profile'",
            )
        try:
            launcher = context.aws.profile_credentials(profile or None)
        except Temporary:
            raise
        except CloudError as error:
            raise SourceBroken(error.message, hint=error.hint, evidence=error.evidence) from error
        if launcher is not None:
            return Found(
                launcher=replace(launcher, source=self.name), why=f"profile {profile or 'default'}"
            )
        if profile:
            raise SourceBroken(
                f"profile '{profile}' is not in the AWS config files, or holds no credentials",
                hint="list what there is with `aws configure list-profiles`, "
                "or correct account.profile or AWS_PROFILE",
            )
        return Absent(
            why="there is no profile 'default'",
            hint="name one with account.profile or AWS_PROFILE, or make it: `aws configure`",
            asked=True,
        )


SOURCE = ProfileSource()
