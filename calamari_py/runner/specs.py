"""What the kinds make of their sections: the step's own, and ``finally``, which is a script."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from calamari_py.environment import owned_by_kind
from calamari_py.errors import (
    CalamariError,
    CommandNotExecutable,
    CommandNotFound,
    Findings,
    Problem,
    ToolMissing,
)
from calamari_py.manifest import LoadedManifest, Source
from calamari_py.manifest.launcher_files import LaunchersFiles
from calamari_py.masking import SecretRegistry
from calamari_py.runner.requests import step_title
from calamari_py.runner.wishes import fitting, problems_of_own_work
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import ParseContext, StepKind, Wishes
from calamari_py.templates import LATE_TEXT

FINALLY = "finally"
SCRIPT = "script"
"""The kind that ``finally`` is, whatever the step's own is."""
_TOOL_ERRORS = (CommandNotFound, CommandNotExecutable, ToolMissing)
"""Why a program that the step needs is not to be had here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specs:
    """`own` is what the step's kind parsed its section to, `of_finally` the same of ``finally``;
    None where there is none. `missing` says which programs are not here."""

    own: Any
    of_finally: Any
    missing: tuple[CalamariError, ...]


def parse_sections(
    loaded: LoadedManifest,
    environ: Mapping[str, str],
    registry: SecretRegistry,
    found: Findings,
    *,
    tools_required: bool,
    wishes: Wishes,
) -> Specs:
    """The specs, every secret in them registered; what is wrong with them goes to `found`.

    Raises CommandNotFound, CommandNotExecutable or ToolMissing when `tools_required`.
    """
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
    return Specs(own=specs.get(step.kind), of_finally=specs.get(FINALLY), missing=tuple(missing))


def problems_of_sections(
    fields: Mapping[str, Any], source: Source, environ: Mapping[str, str], wishes: Wishes
) -> list[Problem]:
    """What is wrong with the sections of a manifest that is not valid: `fields` as they stand."""
    env = fields.get("env", {})
    found = Findings()
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


def search_path(env: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The PATH that tools are looked up on: the step's own, when its manifest sets one."""
    return env.get("PATH", environ.get("PATH", ""))


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
