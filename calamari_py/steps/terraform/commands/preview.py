"""The commands that a run would start, in order, as far as anyone can tell without starting one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from calamari_py.steps.base import PlannedCommand
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.commands.files import PrivateFiles, private_files
from calamari_py.steps.terraform.spec import TerraformSpec

_PRIVATE = Path("{private}")


def preview(spec: TerraformSpec) -> tuple[PlannedCommand, ...]:
    """They end where a plan has nothing to do, or is refused; ``init`` may be tried again, and a
    workspace that is not there is made where the manifest says so."""
    files = private_files(spec, private=_PRIVATE, temp=_PRIVATE)
    lines = (*_before(spec, files), *_action(spec, files))
    return tuple(PlannedCommand(argv=line, directory=spec.directory) for line in lines)


def _before(spec: TerraformSpec, files: PrivateFiles) -> Iterator[tuple[str, ...]]:
    yield argv.version(spec)
    yield argv.init(spec, files)
    if spec.workspace is not None:
        yield argv.workspace_select(spec)
    yield argv.show_state(spec)


def _action(spec: TerraformSpec, files: PrivateFiles) -> Iterator[tuple[str, ...]]:
    action = spec.action
    if action not in ("apply", "output"):
        yield argv.plan(
            spec,
            files,
            out=files.plan,
            destroy=action in ("destroy", "plan-destroy"),
            refresh_only=action == "drift",
        )
    if action != "output":
        yield argv.show_plan(spec, files.plan)
    if action in ("deploy", "apply", "destroy") and not spec.dry_run:
        yield argv.apply(spec, files.plan)
        yield argv.show_state(spec)
    if action in ("deploy", "apply", "output") and not spec.dry_run:
        yield argv.outputs(spec)
