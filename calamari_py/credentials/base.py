"""CredentialSource: what every source of launcher credentials promises, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from calamari_py.errors import TraceRow
from calamari_py.identity import LauncherCredentials, RoleArn
from calamari_py.masking import SecretRegistry

if TYPE_CHECKING:
    from pathlib import Path

    from calamari_py.aws import AwsPort

ExplainTrust = Callable[[Mapping[str, Any]], tuple[str, ...]]
"""What a trust policy's document has against a caller, one line each."""


class Diagnose(Protocol):
    """Finds out why a role was refused, where somebody may read its trust policy."""

    def __call__(self, aws: AwsPort, role: RoleArn, explain: ExplainTrust) -> tuple[str, ...]:
        """Lines of evidence; none where nobody may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What a source may look at. `environ` is the caller's environment, read once at the edge.

    A source registers every token and key with `registry` before it does anything else with it.
    `session_name` is for sources that assume a role themselves (web identity). `folder` is the
    manifest's, which relative paths of the account section begin at (None: the current one).
    `account` is the manifest's `calamari_py.manifest.types.Account`; `resolve_launcher` sets it.
    `diagnose` is asked when STS refuses a token.
    """

    environ: Mapping[str, str] = field(repr=False)
    aws: AwsPort
    registry: SecretRegistry
    session_name: str
    account: Any = field(default=None, repr=False)
    folder: Path | None = None
    diagnose: Diagnose | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The source works. `why` is a short evidence for the trace (a host, a role).

    `warnings` are whole sentences for the log. `asked` says whether anything outside this process
    was asked, so that the time it took means something.
    """

    launcher: LauncherCredentials
    why: str = ""
    warnings: tuple[str, ...] = ()
    asked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The source is not there at all: nothing that names it is set (blank counts as not set).

    `hint` says what would make it present, `evidence` what was noticed that may be the reason.
    `asked`: as for `Found`.
    """

    why: str = ""
    hint: str = ""
    asked: bool = False
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What can be said of a source without asking anybody. `why` is for the table of ``explain``.

    ``present``: something names it, so it would be asked, and stop the step where it is broken.
    ``broken``: it is certain to stop the step. ``unknown``: only asking tells.
    """

    state: Literal["absent", "present", "broken", "unknown"]
    why: str


class CredentialSource(Protocol):
    """One way to obtain launcher credentials: one file, one line in `SOURCES`, one test.

    `resolve` raises SourceBroken when the source is there and does not work, and lets a
    `calamari_py.errors.Temporary` of AWS through: that one is worth another run.
    """

    @property
    def name(self) -> str:
        """What the trace and ``account.source`` call it."""

    def resolve(self, context: SourceContext) -> Found | Absent:
        """Ask the source once; it retries by its own rules, inside its own budget."""

    def look(self, context: SourceContext) -> Presence:
        """Whether it is there, by the environment, the account section and what files exist.

        Nothing is asked, started or registered, nothing but the names of profiles is read, and no
        secret is in the answer.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The ``SOURCE`` of ``calamari_py.credentials.MODULE``, imported when it is asked.

    A run asks one or two sources; importing them all takes as long as the interpreter's start.
    """

    name: str
    module: str

    def resolve(self, context: SourceContext) -> Found | Absent:
        """What the source itself resolves to."""
        return self._source().resolve(context)

    def look(self, context: SourceContext) -> Presence:
        """What the source itself sees."""
        return self._source().look(context)

    def _source(self) -> CredentialSource:
        module = import_module(f"calamari_py.credentials.{self.module}")
        return cast("CredentialSource", module.SOURCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountType:
    """One ``account.type``: the sources it looks at, in order."""

    sources: tuple[CredentialSource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """Who calamari is. `launcher` is None only for account type ``none``.

    `trace` has one row for every source of the account type. `warnings` and `notes` are sentences
    for the log: what may be wrong, and what is only worth saying.
    """

    launcher: LauncherCredentials | None
    trace: tuple[TraceRow, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
