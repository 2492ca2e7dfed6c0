"""What a stack has beside its template: stack policy and termination protection."""

from __future__ import annotations

import json
from functools import partial

from calamari_py.errors import CalamariError
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work


def apply_settings(work: Work, stack: Stack) -> bool:
    """Set what differs; whether anything was set. The stack is deployed by now, and its outputs are
    published: what does not work is a setback of the step, not the end of it."""
    changed = False
    for name, apply in (("stack policy", _policy), ("termination protection", _protection)):
        call = partial(apply, work, stack)
        try:
            changed = ask_patiently(work, call, f"the {name} of stack '{stack.name}'") or changed
        except CalamariError as error:
            work.report.setback(
                f"stack '{stack.name}' is deployed, but its {name} could not be set: {error}",
                hint=error.hint,
            )
    return changed


def _protection(work: Work, stack: Stack) -> bool:
    wanted = work.spec.termination_protection
    if wanted is None or wanted == stack.protected:
        return False
    work.api.set_termination_protection(stack.id, wanted)
    work.report.changed()
    work.report.line(f"termination protection is now {'on' if wanted else 'off'}")
    return True


def _policy(work: Work, stack: Stack) -> bool:
    wanted = work.spec.stack_policy
    if wanted is None or _same(wanted, work.api.stack_policy(stack.id)):
        return False
    work.api.set_stack_policy(stack.id, wanted)
    work.report.changed()
    work.report.line("the stack policy is set")
    return True


def _same(wanted: str, there: str | None) -> bool:
    try:
        return there is not None and bool(json.loads(wanted) == json.loads(there))
    except ValueError:
        return False
