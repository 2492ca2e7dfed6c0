"""The workspace: chosen, and made only where the manifest says so."""

from __future__ import annotations

import re

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import Captured, StepReport
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.running.calls import Calls
from calamari_py.steps.terraform.spec import TerraformSpec, Workspace

_MISSING = re.compile(r"""Workspace "[^"]*" doesn't exist""")
_THERE = re.compile(r"""Workspace "[^"]*" already exists""")
_MAKING = ("deploy", "plan", "apply")
_SHOWN = 20


def select_workspace(calls: Calls, spec: TerraformSpec, report: StepReport) -> None:
    """Go to the workspace of `spec`; without one the default stays. ToolFailed where there is none
    of that name and it may not be made."""
    workspace = spec.workspace
    if workspace is None:
        return
    if not _select(calls, spec):
        if not _may_make(spec, workspace):
            raise _missing(calls, spec, workspace)
        _make(calls, spec)
        report.line(f"workspace {workspace.name} was made")
    report.fact("workspace", workspace.name)


def _select(calls: Calls, spec: TerraformSpec) -> bool:
    """Whether there is one of that name."""
    selected = calls.attempt("workspace select", argv.workspace_select(spec))
    if selected.exit.code == 0:
        return True
    if _MISSING.search(_text(selected)):
        return False
    raise calls.failed("workspace select", selected)


def _make(calls: Calls, spec: TerraformSpec) -> None:
    made = calls.attempt("workspace new", argv.workspace_new(spec))
    if made.exit.code == 0:
        return
    # Another run was faster.
    if _THERE.search(_text(made)) and _select(calls, spec):
        return
    raise calls.failed("workspace new", made)


def _may_make(spec: TerraformSpec, workspace: Workspace) -> bool:
    return workspace.create and spec.action in _MAKING and not spec.dry_run


def _missing(calls: Calls, spec: TerraformSpec, workspace: Workspace) -> ToolFailed:
    hint = _how_to_make(spec, workspace)
    names = _names(calls, spec)
    if names:
        more = ", …" if len(names) > _SHOWN else ""
        hint = f"there are {', '.join(names[:_SHOWN])}{more}; {hint}"
    return ToolFailed(f"workspace '{workspace.name}' does not exist", hint=hint)


def _how_to_make(spec: TerraformSpec, workspace: Workspace) -> str:
    if spec.action not in _MAKING:
        return f"check the name: the action {spec.action} makes none"
    if workspace.create:
        return "a dry run makes none"
    return f"to have it made write workspace: {{name: {workspace.name}, create: true}}"


def _names(calls: Calls, spec: TerraformSpec) -> list[str]:
    listed = calls.attempt("workspace list", argv.workspace_list(spec))
    if listed.exit.code != 0:
        return []
    lines = listed.stdout.decode("utf-8", "replace").splitlines()
    return [name for line in lines if (name := line.removeprefix("*").strip())]


def _text(captured: Captured) -> str:
    both = captured.stdout + b"\n" + captured.stderr
    return " ".join(both.decode("utf-8", "replace").split())
