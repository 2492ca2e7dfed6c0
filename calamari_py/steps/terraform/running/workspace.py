"""The workspace: chosen, and made only where the manifest says so."""

from __future__ import annotations

import re

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import Captured
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.running.backend import configured_backend
from calamari_py.steps.terraform.running.calls import Calls
from calamari_py.steps.terraform.spec import TerraformSpec, Workspace

_MISSING = re.compile(r"""Workspace "[^"]*" doesn't exist""")
_THERE = re.compile(r"""Workspace "[^"]*" already exists""")
_MAKING = ("deploy", "plan")
_NAMED_THERE = ("cloud", "remote")
"""Kinds of backends whose own configuration may name the workspace."""
_SHOWN = 20


def select_workspace(calls: Calls) -> None:
    """Go to the manifest's workspace; without one the default stays. ToolFailed where there is none
    of that name and it may not be made."""
    workspace = calls.spec.workspace
    if workspace is None:
        _tell_default(calls)
        return
    if not _select(calls):
        if not _may_make(calls.spec, workspace):
            raise _missing(calls, workspace)
        _make(calls)
        calls.report.line(f"workspace {workspace.name} was made")
    calls.report.fact("workspace", workspace.name)


def _tell_default(calls: Calls) -> None:
    kind, _config = configured_backend(calls.files.data)
    if kind not in _NAMED_THERE:
        calls.report.fact("workspace", "default")


def _select(calls: Calls) -> bool:
    """Whether there is one of that name."""
    selected = calls.attempt("workspace select", argv.workspace_select(calls.spec))
    if selected.exit.code == 0:
        return True
    if _MISSING.search(_text(selected)):
        return False
    raise calls.failed("workspace select", selected)


def _make(calls: Calls) -> None:
    made = calls.attempt("workspace new", argv.workspace_new(calls.spec))
    if made.exit.code == 0:
        return
    # Another run was faster.
    if _THERE.search(_text(made)) and _select(calls):
        return
    raise calls.failed("workspace new", made)


def _may_make(spec: TerraformSpec, workspace: Workspace) -> bool:
    return workspace.create and spec.action in _MAKING and not spec.dry_run


def _missing(calls: Calls, workspace: Workspace) -> ToolFailed:
    hint = _how_to_make(calls.spec, workspace)
    names = _names(calls)
    if names:
        more = ", …" if len(names) > _SHOWN else ""
        hint = f"the workspaces are: {', '.join(names[:_SHOWN])}{more}; {hint}"
    return ToolFailed(f"workspace '{workspace.name}' does not exist", hint=hint)


def _how_to_make(spec: TerraformSpec, workspace: Workspace) -> str:
    if spec.action not in _MAKING:
        return f"check the name: the action {spec.action} makes none"
    if workspace.create:
        return "a dry run makes none"
    return f"to have it made write workspace: {{name: {workspace.name}, create: true}}"


def _names(calls: Calls) -> list[str]:
    listed = calls.attempt("workspace list", argv.workspace_list(calls.spec))
    if listed.exit.code != 0:
        return []
    lines = listed.stdout.decode("utf-8", "replace").splitlines()
    return [name for line in lines if (name := line.removeprefix("*").strip())]


def _text(captured: Captured) -> str:
    both = captured.stdout + b"\n" + captured.stderr
    return " ".join(both.decode("utf-8", "replace").split())
