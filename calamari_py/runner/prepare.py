"""Everything that is known before the first call: the manifest, its secrets, its spec.

`run` and `validate` share it, so that what is valid for one is valid for the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from calamari_py import manifest
from calamari_py.delivery import DELIVERIES
from calamari_py.environment import owned_by_kind, owned_names
from calamari_py.errors import (
    CalamariError,
    CommandNotExecutable,
    CommandNotFound,
    Findings,
    ManifestError,
    Problem,
    ToolMissing,
)
from calamari_py.identity import RoleRequest
from calamari_py.manifest import LateValue, LoadedManifest, Overrides, Source
from calamari_py.manifest.launcher_files import LaunchersFiles
from calamari_py.manifest.types import StepManifest
from calamari_py.masking import SecretRegistry
from calamari_py.process import KILL_DELAY, unsafe_entries
from calamari_py.runner.region import partition_problems, region_of
from calamari_py.runner.requests import build_role_requests, step_title
from calamari_py.runner.wishes import (
    check_wishes,
    fitting,
    problems_of_own_work,
    unused_keys,
)
from calamari_py.steps import FINALLY_SECTION, STEP_KINDS
from calamari_py.steps.base import ParseContext, StepKind, Wishes
from calamari_py.templates import LATE_TEXT

FINALLY = "finally"
SCRIPT = "script"
"""The kind that ``finally`` is, whatever the step's own is."""
_TOOL_ERRORS = (CommandNotFound, CommandNotExecutable, ToolMissing)
"""Why a program that the step needs is not to be had here."""


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


def prepare_step(
    source: Source,
    *,
    environ: Mapping[str, str],
    cwd: Path,
    overrides: Overrides,
    registry: SecretRegistry,
    tools_required: bool = True,
    by_hand: bool = False,
    wishes: Wishes | None = None,
) -> PreparedStep:
    """Load, register every secret, check names and requests, parse the kind's section.

    The time limits of the step say how long its credentials are needed, unless somebody works
    with them `by_hand`.

    Raises ManifestError with every problem found, UsageError for `wishes` that its kind does not
    know, CommandNotFound, CommandNotExecutable or ToolMissing for a program that is not here, the
    last three only when `tools_required`.
    """
    wishes = wishes or Wishes()
    loaded = manifest.load(
        source,
        sections={name: kind.section for name, kind in STEP_KINDS.items()},
        finally_section=FINALLY_SECTION,
        environ=environ,
        cwd=cwd,
        overrides=overrides,
        also=lambda fields: _problems_of_fields(fields, source, environ, wishes),
    )
    _register(loaded, registry)
    kind = STEP_KINDS[loaded.manifest.kind]
    check_wishes(kind, wishes)
    found = Findings()
    found.problems += _owned_name_problems(loaded.manifest.env, loaded.scrub_names)
    found.problems += _argument_problems(loaded)
    step = loaded.manifest
    # Credentials are only delivered to a process: without one of its own, to that of `finally`.
    of_child = kind if kind.starts_processes else STEP_KINDS[SCRIPT]
    delivery = step.credentials.delivery or of_child.default_delivery
    requests: tuple[RoleRequest, ...] = ()
    with found:
        longest = None if by_hand else _longest_run(step, kind, delivery)
        requests = build_role_requests(step, longest_run=longest)
    with found:
        region, _ = region_of(step, environ)
        found.problems += partition_problems(requests, region, environ)
    specs = _parse_sections(
        loaded, environ, registry, found, tools_required=tools_required, wishes=wishes
    )
    found.problems += problems_of_own_work(kind, _fields_of(step), reads=kind.reads(specs[0]))
    found.without(loaded.late_paths).raise_if_any(loaded.error)
    path = search_path(step.env, environ)
    return PreparedStep(
        loaded=loaded,
        kind=kind,
        spec=specs[0],
        finally_spec=specs[1],
        delivery=delivery,
        requests=requests,
        notes=tuple(f"PATH entry '{entry}' is not absolute and is skipped"
                    for entry in unsafe_entries(path)),
        missing=specs[2],
        wishes=wishes,
    )  # fmt: skip


def complete_step(
    step: PreparedStep,
    values: Mapping[str, LateValue],
    *,
    environ: Mapping[str, str],
    registry: SecretRegistry,
) -> PreparedStep:
    """The same step with its late variables filled in and all that uses them rendered."""
    loaded = step.loaded.with_late(values)
    _register(loaded, registry)
    found = Findings()
    # What SSM holds turns out to be a secret only now.
    found.problems += _argument_problems(loaded)
    specs = _parse_sections(
        loaded, environ, registry, found, tools_required=True, wishes=step.wishes
    )
    found.without(loaded.late_paths).raise_if_any(loaded.error)
    return replace(step, loaded=loaded, spec=specs[0], finally_spec=specs[1])


def _fields_of(step: StepManifest) -> dict[str, Any]:
    """What the manifest says, by its keys."""
    said = asdict(step)
    if step.finally_ is not None:
        said[FINALLY] = step.finally_
    return said


def _register(loaded: LoadedManifest, registry: SecretRegistry) -> None:
    found = Findings()
    for name, secret in loaded.secrets():
        with found:
            # Whoever is given a document prints a part of it: `jq -r .password`.
            registry.add_json(secret, name=name)
    found.raise_if_any(lambda problems: ManifestError(problems, subject="the secrets"))


def _owned_name_problems(env: Mapping[str, str], scrub_names: frozenset[str]) -> list[Problem]:
    return [
        Problem(
            path=f"env.{name}",
            message="is set by calamari"
            if name.startswith("CALAMARI_")
            else "belongs to calamari, because it could select another identity for the step",
            hint="choose another name"
            if name.startswith("CALAMARI_")
            else "remove it; the step's own credentials and region are set for it",
        )
        for name in owned_names(env, scrub_names)
    ]


def _longest_run(step: StepManifest, kind: StepKind, delivery: str) -> float | None:
    """Seconds that one set of credentials may be needed for; None when nobody knows."""
    timeout = kind.default_timeout if step.timeout is None else step.timeout
    if timeout is None or not kind.starts_processes or DELIVERIES[delivery].renews:
        return None
    # Each attempt and `finally` are given credentials that are fresh enough.
    grace = step.grace or kind.default_grace
    return max(timeout + grace + KILL_DELAY, step.credentials.min_validity or 0.0)


def _argument_problems(loaded: LoadedManifest) -> list[Problem]:
    """A secret among a command's arguments could be read by everybody on the machine."""
    kinds = {loaded.manifest.kind: loaded.manifest.kind, FINALLY: SCRIPT}
    fields = {
        f"{place}.{field}"
        for place, kind in kinds.items()
        for field in STEP_KINDS[kind].argument_fields
    }
    return [
        Problem(
            path=path,
            message="is made from a sensitive variable and would stand on a command line",
            hint="hand it over under env, or read it with get_variable in the script",
        )
        for path in sorted(loaded.secret_paths)
        if path.partition("[")[0] in fields
    ]


def _problems_of_fields(
    fields: Mapping[str, Any], source: Source, environ: Mapping[str, str], wishes: Wishes
) -> list[Problem]:
    """What else is wrong with a manifest that is not valid: told with the rest."""
    env = fields.get("env", {})
    found = Findings()
    found.problems += _owned_name_problems(env, frozenset())
    for place, section in fields.items():
        if place in STEP_KINDS or place == FINALLY:
            kind = STEP_KINDS[SCRIPT if place == FINALLY else place]
            spec = None
            context = ParseContext(
                folder=source.folder,
                search_path=search_path(env, environ),
                path=place,
                render=lambda text, _place: text,
                launchers=LaunchersFiles(environ),
                wishes=fitting(kind, wishes),
            )
            with found, suppress(*_TOOL_ERRORS):
                spec = kind.parse(section, context)
            # Whether there is a 'finally' that could not be read is not known here.
            said = {FINALLY: None, **fields}
            found.problems += problems_of_own_work(kind, said, reads=kind.reads(spec))
    return found.problems


def _parse_sections(
    loaded: LoadedManifest,
    environ: Mapping[str, str],
    registry: SecretRegistry,
    found: Findings,
    *,
    tools_required: bool,
    wishes: Wishes,
) -> tuple[Any, Any, tuple[CalamariError, ...]]:
    """The specs of the kind's section and of ``finally``, and why one of them has none."""
    step = loaded.manifest

    rendered_secrets: set[str] = set()

    def render(text: str, place: str) -> str:
        rendered = loaded.render_text(text, place)
        if rendered.sensitive:
            rendered_secrets.add(place)
        for name, secret in rendered.secrets:
            registry.add(secret, name=name)
        return rendered.text

    specs: dict[str, Any] = {}
    missing: list[CalamariError] = []
    sections = ((step.kind, step.kind, step.section), (FINALLY, SCRIPT, step.finally_))
    for place, kind, section in sections:
        if section is None:
            continue
        context = ParseContext(
            folder=step.folder,
            search_path=search_path(step.env, environ),
            path=place,
            render=render,
            sensitive=lambda path: path in loaded.secret_paths or path in rendered_secrets,
            launchers=LaunchersFiles(environ, loaded.launcher_files),
            wishes=fitting(STEP_KINDS[kind], wishes),
            title=step_title(step),
        )
        try:
            with found:
                spec = STEP_KINDS[kind].parse(section, context)
                _register_found(STEP_KINDS[kind], spec, registry)
                specs[place] = spec
        except _TOOL_ERRORS as error:
            if tools_required:
                raise
            missing.append(error)
    if step.kind in specs:
        found.problems += _problems_of_env(STEP_KINDS[step.kind], specs[step.kind], step.env)
    return specs.get(step.kind), specs.get(FINALLY), tuple(missing)


def _problems_of_env(kind: StepKind, spec: Any, env: Mapping[str, str]) -> list[Problem]:
    """Names under ``env`` that the step's kind keeps for itself."""
    return [
        Problem(path=f"env.{name}", message=f"belongs to the step ('{kind.name}')", hint=advice)
        for name, advice in owned_by_kind(env, kind.environment(spec).owned).items()
    ]


def _register_found(kind: StepKind, spec: Any, registry: SecretRegistry) -> None:
    """The secrets that only the kind knows of."""
    for name, value in kind.secrets(spec):
        # What stands for a late variable is no secret; its value is registered when it is there.
        if value != LATE_TEXT:
            registry.add_json(value, name=name)


@contextmanager
def placed(loaded: LoadedManifest) -> Iterator[None]:
    """A manifest's problem that only shows later still names its file and line."""
    try:
        yield
    except ManifestError as error:
        placed = loaded.error(error.problems)
        raise type(error)(placed.problems, subject=placed.subject) from None


def search_path(env: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The PATH that tools are looked up on: the step's own, when its manifest sets one."""
    return env.get("PATH", environ.get("PATH", ""))
