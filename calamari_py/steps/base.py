"""StepKind: what every step kind promises, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from calamari_py.identity import AwsCredentials
from calamari_py.process.base import Command, ProcessExit


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """How a kind ended. `code` is the child's own when `exit` is there.

    `changed` is None where nobody can know.
    """

    code: int
    exit: ProcessExit | None = None
    changed: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseContext:
    """What a kind may look at while its section is parsed, before any call is made.

    `folder` is what relative paths are relative to, `search_path` the PATH tools are looked up on,
    `path` the section's place in the manifest (``script``, ``finally``) for problems, and
    `render` turns a template text into its value (ManifestError when it cannot).
    """

    folder: Path
    search_path: str
    path: str
    render: Callable[[str, str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEnvironment:
    """The names a kind gives its child. `prepend` goes before a list-like value of that name."""

    names: Mapping[str, str] = field(default_factory=dict)
    prepend: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCommand:
    """A command as a kind would run it; ``{private}`` in `argv` is `StepContext.private`."""

    argv: tuple[str, ...]
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What a kind may touch. `run` is bound to the masked sink: a kind cannot print unmasked.

    `environment` is the child's complete mapping; `private` a 0700 folder removed at the end;
    `warn` takes plain text and masks it. `credentials` gives the step's credentials to a kind that
    calls AWS itself, valid now and renewed when they have to be: ask before each call, keep none;
    it raises a CalamariError when there are none.
    """

    environment: Mapping[str, str] = field(repr=False)
    private: Path
    run: Callable[[Command], ProcessExit]
    warn: Callable[[str], None]
    credentials: Callable[[], AwsCredentials]


class StepKind(Protocol):
    """One way to carry out a step: one file, one line in `STEP_KINDS`, one test."""

    name: str
    section: Any
    """The msgspec type of the manifest's section."""
    default_grace: float
    """Seconds from the polite signal to SIGTERM, unless the manifest says otherwise."""
    default_delivery: str
    """How the child gets its credentials, unless the manifest says otherwise: `DELIVERIES`."""
    argument_fields: tuple[str, ...]
    """The section's fields that become arguments of a process. No secret may stand in them:
    the whole machine can read the arguments of a process."""

    def parse(self, section: Any, context: ParseContext) -> Any:
        """A valid spec of the section: files looked up, tools resolved. ManifestError,
        CommandNotFound or CommandNotExecutable when it cannot be carried out."""

    def environment(self, spec: Any) -> KindEnvironment:
        """The names the child gets from this kind. Pure."""

    def preview(self, spec: Any) -> tuple[PlannedCommand, ...]:
        """The commands that `execute` would run, in order; none for a kind that starts no process.
        Pure."""

    def execute(self, spec: Any, context: StepContext) -> StepOutcome:
        """Carry the step out."""
