"""The child's environment: built from values, never edited in place.

A list of names to remove is not enough: every name that could select another identity is dropped
first, then the step's own credentials are set. Pure: no environment is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from types import MappingProxyType

from calamari_py.identity import AwsCredentials

HARMLESS = (
    "AWS_CA_BUNDLE",
    "AWS_MAX_ATTEMPTS",
    "AWS_RETRY_MODE",
    "AWS_PAGER",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_ENDPOINT_URL*",
    "AWS_SDK_UA_APP_ID",
)
"""Settings that select no identity; they pass, and may stand under ``env``."""

DROPPED = (
    "AWS_*",
    "AMAZON_*",
    "BOTO_CONFIG",
    "ECS_*",
    "ACTIONS_ID_TOKEN_*",
    "CI_JOB_JWT*",
    "GITLAB_OIDC_TOKEN",
    "CIRCLE_OIDC_TOKEN*",
    "BITBUCKET_STEP_OIDC_TOKEN",
    "BUILDKITE_AGENT_ACCESS_TOKEN",
    "BUILDKITE_AGENT_JOB_API_*",
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_OIDCREQUESTURI",
    "CALAMARI_*",
)
"""Every name that holds, or leads to, an identity; and our own names."""

ALWAYS_INHERITED = (
    "PATH", "HOME", "USER", "SHELL", "LANG", "LC_*", "TERM", "TZ", "TMPDIR",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnvironment:
    """The complete mapping a child gets, and what `explain` and the log say of it by name."""

    values: Mapping[str, str] = field(repr=False)
    removed: tuple[str, ...]
    added: tuple[str, ...]
    passed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSpec:
    """Everything that decides a child's environment.

    `inherited` is the caller's environment; `inherit` as the manifest's ``inherit_env``;
    `scrub_names` are dropped beside `DROPPED`, and `scrub`, patterns of the step kind, among the
    inherited names, but for those that a pattern with a ``!`` before it keeps; `credential_names`
    come from the delivery; `kind_names` from the step kind, of which those in `prepend` go before a
    list-like value (``PYTHONPATH``) instead of replacing it; `overlay` is the manifest's ``env``.
    """

    inherited: Mapping[str, str]
    inherit: bool | Sequence[str] = True
    scrub_names: frozenset[str] = frozenset()
    scrub: Sequence[str] = ()
    credential_names: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    region: str | None = None
    expires_at: datetime | None = None
    kind_names: Mapping[str, str] = field(default_factory=dict)
    prepend: Mapping[str, str] = field(default_factory=dict)
    overlay: Mapping[str, str] = field(default_factory=dict)


def build_child_environment(spec: EnvironmentSpec) -> ChildEnvironment:
    """Scrub, inject, overlay. Owned names in the overlay were refused before (`owned_names`)."""
    kept = {
        name: value
        for name, value in spec.inherited.items()
        if not _is_dropped(name, spec.scrub_names)
        and not _is_scrubbed(name, spec.scrub)
        and _is_inherited(name, spec.inherit)
    }
    values = dict(kept)
    values.update(_identity_names(spec))
    values.update(spec.kind_names)
    values.update(spec.overlay)
    for name, first in spec.prepend.items():
        rest = values.get(name)
        values[name] = f"{first}:{rest}" if rest else first
    added = [name for name in values if values[name] != spec.inherited.get(name)]
    return ChildEnvironment(
        values=MappingProxyType(values),
        removed=tuple(sorted(set(spec.inherited) - set(values))),
        added=tuple(sorted(added)),
        passed=tuple(sorted(set(kept) - set(added))),
    )


def owned_names(names: Iterable[str], scrub_names: frozenset[str] = frozenset()) -> list[str]:
    """Those of `names` that belong to calamari and may not stand under ``env``."""
    return [name for name in names if _is_dropped(name, scrub_names)]


def owned_by_kind(names: Iterable[str], owned: Mapping[str, str]) -> dict[str, str]:
    """Those of `names` that match a pattern of `owned`, each with its first pattern's advice."""
    advice = {
        name: next((text for pattern, text in owned.items() if _matches(name, (pattern,))), None)
        for name in names
    }
    return {name: text for name, text in advice.items() if text is not None}


def credential_environment(credentials: AwsCredentials) -> dict[str, str]:
    """``delivery: env``: the three variables that every AWS SDK reads."""
    values = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key.reveal(),
    }
    if credentials.session_token is not None:
        values["AWS_SESSION_TOKEN"] = credentials.session_token.reveal()
    return values


def _identity_names(spec: EnvironmentSpec) -> dict[str, str]:
    """What selects the identity. /dev/null hides every profile, by name too."""
    values = dict(spec.credential_names)
    values.setdefault("AWS_CONFIG_FILE", "/dev/null")
    values.setdefault("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    values["AWS_EC2_METADATA_DISABLED"] = "true"
    if spec.expires_at is not None:
        utc = spec.expires_at.astimezone(UTC)
        values["AWS_CREDENTIAL_EXPIRATION"] = utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    if spec.account:
        values["AWS_ACCOUNT_ID"] = spec.account
    if spec.region:
        values["AWS_REGION"] = values["AWS_DEFAULT_REGION"] = spec.region
    return values


def _is_dropped(name: str, scrub_names: frozenset[str]) -> bool:
    # Names are compared in upper case: some SDKs and Windows-minded tools read either case.
    upper = name.upper()
    if name in scrub_names:
        return True
    return _matches(upper, DROPPED) and not _matches(name, HARMLESS)


def _is_scrubbed(name: str, patterns: Iterable[str]) -> bool:
    kept = [pattern.removeprefix("!") for pattern in patterns if pattern.startswith("!")]
    return _matches(name, patterns) and not _matches(name, kept)


def _is_inherited(name: str, inherit: bool | Sequence[str]) -> bool:
    if inherit is True or _matches(name, ALWAYS_INHERITED) or _matches(name, HARMLESS):
        return True
    return inherit is not False and _matches(name, inherit)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(
        name == pattern or ("*" in pattern and fnmatchcase(name, pattern)) for pattern in patterns
    )
