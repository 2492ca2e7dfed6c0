"""A profile of the shared AWS config files: SSO, credential_process, source_profile, keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from calamari_py.credentials._keys import setting
from calamari_py.credentials._tokens import exists
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.errors import CloudError, SourceBroken, Temporary


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileSource:
    """``AWS_PROFILE`` for every account type; only type ``profile`` goes on to ``default``.

    A profile that somebody named and that does not exist is broken, not absent.
    """

    name: str = "profile"

    def resolve(self, context: SourceContext) -> Found | Absent:
        """What botocore makes of the profile."""
        profile, default_too = _wanted(context)
        if not profile and not default_too:
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

    def look(self, context: SourceContext) -> Presence:
        """Which profile, and whether there are files that may hold it; none is read."""
        profile, default_too = _wanted(context)
        if not profile and not default_too:
            return Presence(state="absent", why="AWS_PROFILE is not set")
        if not any(exists(path) for path in _files(context.environ)):
            files = " and ".join(f"'{path}'" for path in _files(context.environ))
            missing = f"neither of {files} exists"
            if profile:
                return Presence(state="broken", why=f"profile '{profile}', and {missing}")
            return Presence(state="absent", why=missing)
        if profile:
            return Presence(state="present", why=f"profile '{profile}'")
        return Presence(state="unknown", why="profile 'default', if there is one")


def _wanted(context: SourceContext) -> tuple[str, bool]:
    """The profile that is named, and whether ``default`` is meant where none is."""
    account = context.account
    of_type_profile = account is not None and account.type == "profile"
    named = (account.profile or "").strip() if of_type_profile else ""
    return named or setting(context.environ, "AWS_PROFILE"), of_type_profile


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    """Where botocore looks."""
    home = Path(environ.get("HOME") or "/")
    for variable, name in (
        ("AWS_CONFIG_FILE", "config"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
    ):
        written = setting(environ, variable)
        if written.startswith("~/"):
            yield home / written[2:]
        else:
            yield Path(written) if written else home / ".aws" / name


SOURCE = ProfileSource()
