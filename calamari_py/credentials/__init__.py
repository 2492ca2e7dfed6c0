"""Where launcher credentials come from, and the search for them.

``SOURCES`` are the sources that ``account.source`` can pin. ``ACCOUNT_TYPES`` say which sources,
in which order, an ``account.type`` looks at. `resolve_launcher` does the looking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from calamari_py.credentials.base import (
    Absent,
    AccountType,
    CredentialSource,
    Deferred,
    Found,
    Resolution,
    SourceContext,
)
from calamari_py.errors import LauncherNotFound, SourceBroken, Temporary, TraceRow
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
    "profile_credential_source",
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
    Temporary when AWS could not be reached, with the trace among its evidence.
    """
    search = _Search(
        context=replace(context, account=account),
        pin=account.source if account.type == "ambient" and account.source != "auto" else None,
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


@dataclass(slots=True, kw_only=True)
class _Search:
    """One walk along the sources: what was met so far, and whether it goes on."""

    context: SourceContext
    pin: str | None
    clock: Callable[[], float]
    found: Found | None = None
    broken: SourceBroken | Temporary | None = None
    broken_name: str = ""
    stopped: str = ""
    absent: list[Absent] = field(default_factory=list)
    rows: list[TraceRow] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def visit(self, source: CredentialSource) -> None:
        """Ask `source` unless something before it decided; add its row."""
        skipped = self.stopped
        if not skipped and self.pin not in {None, source.name}:
            skipped = f"account.source is {self.pin}"
        if skipped:
            self._row(source.name, "not tried", why=skipped)
            return
        begin = self.clock()
        try:
            outcome = source.resolve(self.context)
        except (SourceBroken, Temporary) as error:
            self._row(source.name, "broken", why=error.message, begin=begin)
            self._meet_broken(source.name, error)
            return
        asked = begin if outcome.asked else None
        if isinstance(outcome, Absent):
            self._row(source.name, "absent", why=outcome.why, begin=asked)
            self.absent.append(outcome)
            return
        self._row(source.name, "found", why=outcome.why, begin=asked)
        self.found = outcome
        self.stopped = f"{source.name} was found"
        self.warnings.extend(outcome.warnings)

    def _row(self, source: str, result: str, *, why: str, begin: float | None = None) -> None:
        self.rows.append(
            TraceRow(
                source=source,
                present=result in {"found", "broken"},
                tried=result in {"found", "broken"} or begin is not None,
                result=result,
                why=why,
                milliseconds=None if begin is None else round((self.clock() - begin) * 1000),
                used=result == "found",
            )
        )

    def _meet_broken(self, name: str, error: SourceBroken | Temporary) -> None:
        if self.broken is None:
            self.broken, self.broken_name = error, name
        if self.context.account.fallback:
            self.warnings.append(
                f"account.fallback is true: the broken credential source '{name}' "
                f"was passed over ({error.message})"
            )
        else:
            self.stopped = f"{name} is broken"

    def resolution(self) -> Resolution:
        """What was found, and how."""
        assert self.found is not None
        launcher = self.found.launcher
        notes = (f"account type auto: '{launcher.source}' won ({launcher.description})",)
        return Resolution(
            launcher=launcher,
            trace=tuple(self.rows),
            warnings=tuple(self.warnings),
            notes=notes if self.context.account.type == "auto" else (),
        )

    def failure(self) -> LauncherNotFound | SourceBroken | Temporary:
        """Why there is no launcher: the first broken source, or that none is present."""
        if isinstance(self.broken, Temporary):
            rows = [f"{row.source}: {row.result}, {row.why}" for row in self.rows]
            self.broken.evidence = (*self.broken.evidence, *rows)
            return self.broken
        if self.broken is not None:
            return type(self.broken)(
                f"credential source '{self.broken_name}' is broken: {self.broken.message}",
                hint=self.broken.hint,
                trace=self.rows,
                evidence=self.broken.evidence,
            )
        if len(self.absent) == 1:
            name = next(row.source for row in self.rows if row.result == "absent")
            return LauncherNotFound(
                f"credential source '{name}' is absent: {self.absent[0].why}",
                hint=self.absent[0].hint,
                trace=self.rows,
            )
        return LauncherNotFound(
            "no launcher credentials were found",
            hint="give calamari an identity (environment keys, a profile, a pod or instance role), "
            "or say under `account` where it is; `account: none` for a step that needs none",
            trace=self.rows,
        )
