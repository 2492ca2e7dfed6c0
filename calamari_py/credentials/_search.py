"""One walk along the sources of an account type, and what it says when it fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from calamari_py.credentials._keys import setting
from calamari_py.credentials.base import Absent, CredentialSource, Found, Resolution, SourceContext
from calamari_py.errors import LauncherNotFound, SourceBroken, Temporary, TraceRow
from calamari_py.identity import LauncherCredentials

_SELECTING = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""What makes AWS's own programs somebody."""


@dataclass(slots=True, kw_only=True)
class Search:
    """What was met so far, and whether it goes on. `pin` names the one source that counts."""

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
        launcher, type_ = self.found.launcher, self.context.account.type
        notes: list[str] = []
        if type_ == "auto":
            notes.append(f"account type auto: '{launcher.source}' won ({launcher.description})")
        elif type_ != "ambient" and (ignored := self._ignored(launcher)):
            notes.append(f"account type {type_}: ignored {', '.join(ignored)} of the environment")
        return Resolution(
            launcher=launcher,
            trace=tuple(self.rows),
            warnings=tuple(self.warnings),
            notes=tuple(notes),
        )

    def _ignored(self, launcher: LauncherCredentials) -> list[str]:
        """Variables that would select a launcher, where the account section has selected one."""
        names = [name for name in _SELECTING if setting(self.context.environ, name)]
        if launcher.source == "profile" and not self.context.account.profile:
            names = [name for name in names if name != "AWS_PROFILE"]
        return names

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
            evidence=[line for absent in self.absent for line in absent.evidence],
        )
