"""Whether a command did what its exit code says: a wrapper may swallow it, a stream end early.

An apply that is done says so, at its very end; a plan says of itself whether there is anything to
apply, as its exit code does.
"""

from __future__ import annotations

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.running.backend import configured_backend
from calamari_py.steps.terraform.values import Followed, Plan
from calamari_py.steps.terraform.work import Work

_ELSEWHERE = ("remote", "cloud")
"""Backends that apply on a server: its own output ends as it likes."""
_WRAPPER = (
    "check that 'binary' is Terraform or OpenTofu itself, or a wrapper that keeps its output and"
    " its exit code"
)


def is_finished(work: Work, verb: str, followed: Followed) -> bool:
    """Whether the command said that it had done all; of a plan that is its file."""
    if verb == "plan" or followed.is_summed_up:
        return True
    kind, _config = configured_backend(work.files.data)
    return kind in _ELSEWHERE


def never_finished(work: Work, verb: str) -> ToolFailed:
    """The failure of a command that says nothing of its end."""
    return ToolFailed(
        f"{work.spec.program} {verb} ended with 0 and never said that it had finished",
        hint=f"look at what is there before anything else is applied, and {_WRAPPER}",
    )


def check_agreement(work: Work, plan: Plan, *, is_needed: bool) -> None:
    """ToolFailed where the plan itself says otherwise than the exit code, by which `is_needed`."""
    if plan.is_errored:
        raise _contradiction(work, "ended well, and its plan says that it failed")
    if is_needed and (_is_empty(plan) if plan.is_applyable is None else not plan.is_applyable):
        raise _contradiction(work, "says that there are changes, and there are none in its plan")
    if not is_needed and (plan.has_changes or plan.is_applyable):
        raise _contradiction(work, "says that there is nothing to do, and its plan has changes")


def _is_empty(plan: Plan) -> bool:
    """Whether it says nothing at all. Old versions do something about what is no change here."""
    return not (plan.addresses or plan.outputs or plan.drift or plan.deferred)


def _contradiction(work: Work, text: str) -> ToolFailed:
    said = f"{work.spec.program} plan {text}"
    return ToolFailed(said, hint=f"nothing was applied; {_WRAPPER}")
