"""A name under ``terraform.variables`` that is not declared: nothing that was planned without it is
applied or left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.following.undeclared import undeclared
from calamari_py.steps.terraform.values import Followed
from calamari_py.steps.terraform.work import Work

_NAMED = 20


def refuse_undeclared(work: Work, followed: Followed) -> None:
    """ToolFailed where the plan that was just made passed over a variable of the manifest."""
    if not followed.undeclared:
        return
    declared = _declared(work.tool.show_plan(work.files.plan))
    # Terraform names the first of them and counts the rest.
    names = [name for name in work.spec.variables if declared and name not in declared]
    names = names or list(followed.undeclared)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    failed = ToolFailed(undeclared(*names[:_NAMED], more=more), hint=_cure(names[0], declared))
    failed.is_final = True
    raise failed


def _declared(document: Mapping[str, Any]) -> Sequence[str]:
    """The variables of the root module."""
    found: Any = document
    for part in ("configuration", "root_module", "variables"):
        found = found.get(part) if isinstance(found, dict) else None
    return list(found) if isinstance(found, dict) else []


def _cure(name: str, declared: Sequence[str]) -> str:
    near = get_close_matches(name, declared, n=1)
    meant = f"did you mean '{near[0]}'? " if near else ""
    return f"{meant}correct the name, or declare variable '{name}' in the root module"
