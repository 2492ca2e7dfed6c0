"""Everything that is known before the first call: the manifest, its secrets, its spec.

`run` and `validate` share it, so that what is valid for one is valid for the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from calamari_py import manifest
from calamari_py.delivery import DELIVERIES
from calamari_py.environment import owned_names
from calamari_py.errors import Findings, ManifestError, Problem
from calamari_py.identity import RoleRequest
from calamari_py.manifest import LateValue, LoadedManifest, Overrides, Source
from calamari_py.manifest.types import StepManifest
from calamari_py.masking import SecretRegistry
from calamari_py.process import KILL_DELAY, unsafe_entries
from calamari_py.runner.prepared import PreparedStep
from calamari_py.runner.region import partition_problems, region_of
from calamari_py.runner.requests import build_role_requests
from calamari_py.runner.specs import (
    FINALLY,
    SCRIPT,
    parse_sections,
    problems_of_sections,
    search_path,
)
from calamari_py.runner.wishes import check_wishes, problems_of_own_work
from calamari_py.steps import FINALLY_SECTION, STEP_KINDS
from calamari_py.steps.base import StepKind, Wishes


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
        also=lambda fields: [
            *_owned_name_problems(fields.get("env", {}), frozenset()),
            *problems_of_sections(fields, source, environ, wishes),
        ],
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
    specs = parse_sections(
        loaded, environ, registry, found, tools_required=tools_required, wishes=wishes
    )
    found.problems += problems_of_own_work(kind, _fields_of(step), reads=kind.reads(specs.own))
    found.without(loaded.late_paths).raise_if_any(loaded.error)
    path = search_path(step.env, environ)
    return PreparedStep(
        loaded=loaded,
        kind=kind,
        spec=specs.own,
        finally_spec=specs.of_finally,
        delivery=delivery,
        requests=requests,
        notes=tuple(f"PATH entry '{entry}' is not absolute and is skipped"
                    for entry in unsafe_entries(path)),
        missing=specs.missing,
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
    specs = parse_sections(
        loaded, environ, registry, found, tools_required=True, wishes=step.wishes
    )
    found.without(loaded.late_paths).raise_if_any(loaded.error)
    return replace(step, loaded=loaded, spec=specs.own, finally_spec=specs.of_finally)


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
