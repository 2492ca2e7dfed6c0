"""LoadedManifest: a valid manifest with its variables, ready to be run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from calamari_py.errors import ManifestError, Problem
from calamari_py.manifest.nodes import Place, placed
from calamari_py.manifest.types import StepManifest
from calamari_py.masking.secret import Secret
from calamari_py.templates import Rendered
from calamari_py.variables import LateValue, LateVariable, Variable, VariableSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line adds, already read by the edge.

    `variables` and `sensitive` map names to values and win over everything else;
    `variable_files` are relative to the working directory and win over the manifest.
    `region` stands in where neither the manifest nor the environment names one.
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    sensitive: Mapping[str, str] = field(default_factory=dict, repr=False)
    variable_files: tuple[str, ...] = ()
    region: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedManifest:
    """A valid manifest. `late` names what still has to be fetched; until `with_late` the texts
    that depend on it hold a placeholder and `variables` does not have it.

    `scrub_names` are the environment variables that sensitive values came from and every one that
    the ``account`` section read: the child must not have them.
    """

    manifest: StepManifest
    variables: VariableSet
    late: tuple[LateVariable, ...] = ()
    warnings: tuple[str, ...] = ()
    scrub_names: frozenset[str] = frozenset()
    withheld: frozenset[str] = frozenset()
    """Names of the variables that the child does not get."""
    secret_paths: frozenset[str] = frozenset()
    """The YAML paths of the texts that were made from a sensitive variable."""
    late_paths: frozenset[str] = frozenset()
    """The YAML paths of the texts that hold a placeholder."""
    launcher_files: tuple[Path, ...] = ()
    """What the account's own secret is read from; absolute, there or not."""
    places: Mapping[str, Place] = field(default_factory=dict, repr=False)
    """Where everything stands, by its YAML path."""
    known_secrets: tuple[tuple[str, Secret], ...] = field(default=(), repr=False)
    render_again: Callable[[Mapping[str, LateValue]], LoadedManifest] = field(repr=False)
    render: Callable[[str, str], Rendered] = field(repr=False)

    def secrets(self) -> Iterator[tuple[str, Secret]]:
        """Name and value of everything sensitive that is known now: variables, texts rendered
        from them, and the account's own secret fields. For the registry, before any line is
        logged, and again after `with_late`."""
        yield from self.known_secrets

    def with_late(self, values: Mapping[str, LateValue]) -> LoadedManifest:
        """The same manifest with late variables filled in and all that uses them rendered.

        Raises ManifestError when a template cannot be rendered with the real values.
        """
        return self.render_again(values)

    def error(self, problems: Iterable[Problem]) -> ManifestError:
        """The error of `problems` that others found: each gets the place of its `path`, or at least
        its file, if it has none. FileMissing is for the finder to raise."""
        found = [placed(problem, self.places) for problem in problems]
        source = self.manifest.source
        found = [each if each.file else replace(each, file=source) for each in found]
        found.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
        return ManifestError(found, subject=self.manifest.source)

    def child_variables(self) -> Mapping[str, Variable]:
        """The variables a step gets: all but the ones that only the launcher is for."""
        return self.variables.without(self.withheld)

    def render_text(self, text: str, place: str) -> Rendered:
        """`text` (a script file's content) as a template; `place` names it in problems.

        Whatever `Rendered.secrets` holds must be registered before the text is used. Raises
        ManifestError.
        """
        return self.render(text, place)
