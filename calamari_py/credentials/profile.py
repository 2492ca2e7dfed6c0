"""A profile of the shared AWS config files: SSO, credential_process, source_profile, keys."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from calamari_py.credentials._keys import setting
from calamari_py.credentials._profiles import profile_files, profile_names
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.errors import CloudError, SourceBroken, Temporary

_DEFAULT_PROFILE = "AWS_DEFAULT_PROFILE"


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
                why=f"AWS_PROFILE is not set{_aside(context.environ)}",
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
        is_empty = "default" in profile_names(context.environ)
        what = (
            "profile 'default' holds no credentials"
            if is_empty
            else "there is no profile 'default'"
        )
        return Absent(
            why=what + _aside(context.environ),
            hint="name one with account.profile or AWS_PROFILE, or "
            f"{'complete' if is_empty else 'make'} it: `aws configure`",
            asked=True,
        )

    def look(self, context: SourceContext) -> Presence:
        """Which profile, and whether one of the files names it; what it holds is not looked at."""
        environ = context.environ
        profile, default_too = _wanted(context)
        if not profile and not default_too:
            return Presence(state="absent", why=f"AWS_PROFILE is not set{_aside(environ)}")
        files = profile_files(environ)
        both = " and ".join(f"'{path}'" for path in files)
        try:
            if (profile or "default") in profile_names(environ):
                return _named(profile)
        except SourceBroken as error:
            return Presence(state="broken", why=error.message)
        is_there = any(map(os.path.exists, files))
        missing = f"it is not in {both}" if is_there else f"neither of {both} exists"
        if profile:
            return Presence(state="broken", why=f"profile '{profile}': {missing}")
        return Presence(state="absent", why=f"profile 'default': {missing}{_aside(environ)}")


def _named(profile: str) -> Presence:
    if profile:
        return Presence(state="present", why=f"profile '{profile}'")
    return Presence(state="unknown", why="profile 'default', if it holds credentials")


def _wanted(context: SourceContext) -> tuple[str, bool]:
    """The profile that is named, and whether ``default`` is meant where none is."""
    account = context.account
    of_type_profile = account is not None and account.type == "profile"
    named = (account.profile or "").strip() if of_type_profile else ""
    return named or setting(context.environ, "AWS_PROFILE"), of_type_profile


def _aside(environ: Mapping[str, str]) -> str:
    """What an absence may be about: other programs go by that name."""
    return ", and AWS_DEFAULT_PROFILE is not read" if setting(environ, _DEFAULT_PROFILE) else ""


SOURCE = ProfileSource()
