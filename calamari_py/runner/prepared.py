"""A step as it is known before the first call; and its problems that only show later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from calamari_py.delivery import DELIVERIES
from calamari_py.errors import CalamariError, ManifestError
from calamari_py.identity import RoleRequest
from calamari_py.manifest import LoadedManifest
from calamari_py.runner.wishes import unused_keys
from calamari_py.steps.base import StepKind, Wishes


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedStep:
    """A step that can be run as far as anyone can tell without a call.

    `spec` is what `kind` parsed its section to, `finally_spec` the same of ``finally`` (always a
    script), None without one. `requests` are the hops, `delivery` names how the child gets its
    credentials. `notes` are for ``--verbose``. `missing` says which interpreters are not here,
    where that was no reason to stop. `wishes` are what the caller asked for, all of it legal.
    """

    loaded: LoadedManifest
    kind: StepKind
    spec: Any
    finally_spec: Any
    delivery: str = "env"
    requests: tuple[RoleRequest, ...] = ()
    notes: tuple[str, ...] = ()
    missing: tuple[CalamariError, ...] = ()
    wishes: Wishes = field(default_factory=Wishes)

    @property
    def scrub(self) -> tuple[str, ...]:
        """What its own kind keeps from its children, as far as that is known."""
        return () if self.spec is None else self.kind.environment(self.spec).scrub

    @property
    def reads(self) -> bool:
        """Whether its kind reads what its processes write, as far as that is known."""
        return self.kind.reads(self.spec)

    @property
    def knows_changes(self) -> bool:
        """Whether its outcome says if anything was changed. Of a command whose output is only
        passed on nobody knows what it does."""
        return self.kind.knows_changes and (self.reads or not self.kind.starts_processes)

    @property
    def timeout(self) -> float | None:
        """Seconds that the step may take: the manifest's, else its kind's."""
        asked = self.loaded.manifest.timeout
        return self.kind.default_timeout if asked is None else asked

    @property
    def has_child(self) -> bool:
        """Whether anything is started at all, be it for ``finally`` only."""
        return self.kind.starts_processes or self.loaded.manifest.finally_ is not None

    @property
    def renews(self) -> bool:
        """Whether the step's credentials are renewed for as long as it takes."""
        return not self.kind.starts_processes or DELIVERIES[self.delivery].renews

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its kind finds odd, and what means nothing for it."""
        odd = () if self.spec is None else self.kind.warnings(self.spec)
        return (*unused_keys(self.kind, self.loaded), *odd)


@contextmanager
def placed(loaded: LoadedManifest) -> Iterator[None]:
    """A manifest's problem that only shows later still names its file and line."""
    try:
        yield
    except ManifestError as error:
        placed = loaded.error(error.problems)
        raise type(error)(placed.problems, subject=placed.subject) from None
