"""Where launcher credentials come from, and the search for them.

``SOURCES`` are the sources that ``account.source`` can pin. ``ACCOUNT_TYPES`` say which sources,
in which order, an ``account.type`` looks at. `resolve_launcher` does the looking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from calamari_py.credentials._search import Search
from calamari_py.credentials.base import (
    Absent,
    AccountType,
    CredentialSource,
    Deferred,
    Resolution,
    SourceContext,
)
from calamari_py.errors import SourceBroken, TraceRow
from calamari_py.identity import AwsCredentials

if TYPE_CHECKING:
    from calamari_py.manifest.types import Account

__all__ = [
    "ACCOUNT_TYPES",
    "SOURCES",
    "AccountType",
    "CredentialSource",
    "Resolution",
    "SourceContext",
    "look_for_launcher",
    "profile_credential_source",
    "profile_process",
    "resolve_launcher",
]

SOURCES: dict[str, CredentialSource] = {
    "environment": Deferred(name="environment", module="environment"),
    "profile": Deferred(name="profile", module="profile"),
    "web-identity": Deferred(name="web-identity", module="web_identity"),
    "container": Deferred(name="container", module="container"),
    "imds": Deferred(name="imds", module="imds"),
}
"""In the AWS SDKs' order."""

_ACCESS_KEY = Deferred(name="access-key", module="access_key")

ACCOUNT_TYPES: dict[str, AccountType] = {
    "ambient": AccountType(sources=tuple(SOURCES.values())),
    "access-key": AccountType(sources=(_ACCESS_KEY,)),
    "oidc": AccountType(sources=(Deferred(name="oidc", module="oidc"),)),
    "profile": AccountType(sources=(SOURCES["profile"],)),
    "auto": AccountType(sources=(*SOURCES.values(), _ACCESS_KEY)),
    "none": AccountType(sources=()),
}

_PROFILE_SOURCES = {
    "Environment": "environment",
    "EcsContainer": "container",
    "Ec2InstanceMetadata": "imds",
}
"""What the config files' ``credential_source`` means here."""


def resolve_launcher(
    account: Account,
    context: SourceContext,
    *,
    types: Mapping[str, AccountType] = ACCOUNT_TYPES,
    clock: Callable[[], float] = time.monotonic,
) -> Resolution:
    """Who calamari is, by the first source of the account type that is not absent.

    Raises LauncherNotFound when all are absent, SourceBroken or PartialCredentials when one is
    broken (with ``account.fallback``: and no later one works), all with the whole trace;
    Temporary when AWS could not be reached.
    """
    search = Search(
        context=replace(context, account=account),
        pin=_pin(account),
        clock=clock,
    )
    sources = types[account.type].sources
    for source in sources:
        search.visit(source)
    if search.found:
        return search.resolution()
    if not sources:
        return Resolution(launcher=None)
    raise search.failure()


def look_for_launcher(
    account: Account,
    context: SourceContext,
    *,
    types: Mapping[str, AccountType] = ACCOUNT_TYPES,
) -> tuple[TraceRow, ...]:
    """What `resolve_launcher` would do, as far as that shows without asking anybody.

    One row a source, in order; ``result`` is ``absent``, ``present``, ``broken``, ``unknown`` or
    ``not tried``. `used` marks the source that would be the launcher, or stop the step where it is
    broken: there is none when it depends on an unknown one.
    """
    context = replace(context, account=account)
    pin = _pin(account)
    rows: list[TraceRow] = []
    decided, open_question = "", False
    for source in types[account.type].sources:
        skipped = decided
        if not skipped and pin not in {None, source.name}:
            skipped = f"account.source is {pin}"
        if skipped:
            rows.append(
                TraceRow(
                    source=source.name, present=False, tried=False, result="not tried", why=skipped
                )
            )
            continue
        seen = source.look(context)
        is_present = seen.state in {"present", "broken"}
        rows.append(
            TraceRow(
                source=source.name,
                present=is_present,
                tried=False,
                result=seen.state,
                why=seen.why,
                used=is_present and not open_question,
            )
        )
        open_question = open_question or seen.state == "unknown"
        if is_present:
            decided = f"{source.name} is present"
    return tuple(rows)


def _pin(account: Account) -> str | None:
    """The one source that the account section names."""
    is_pinned = account.type == "ambient" and account.source != "auto"
    return account.source if is_pinned else None


def profile_credential_source(name: str, context: SourceContext) -> AwsCredentials:
    """The answer to a profile's ``credential_source = name`` by our own sources.

    SourceBroken when the name is unknown, the source is broken, or absent.
    """
    if name not in _PROFILE_SOURCES:
        raise SourceBroken(
            f"'{name}' is no credential_source of a profile",
            hint=f"write one of {', '.join(_PROFILE_SOURCES)}",
        )
    outcome = SOURCES[_PROFILE_SOURCES[name]].resolve(context)
    if isinstance(outcome, Absent):
        raise SourceBroken(
            f"the profile's credential_source '{name}' is absent: {outcome.why}",
            hint=outcome.hint,
        )
    return outcome.launcher.credentials


def profile_process(argv: Sequence[str], context: SourceContext) -> bytes:
    """What the command of a profile's ``credential_process`` writes to stdout.

    It sees the config files and the region, and nothing else that holds or leads to an identity.
    SourceBroken when it is not there, fails, hangs or writes too much.
    """
    from calamari_py.credentials._process import run_process

    return run_process(argv, context)
