"""How an action ends that carries nothing out: refused, or only looked."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.errors import StackFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.work import Waiting


def refusal(
    message: str,
    *,
    operation: str,
    code: str = "",
    hint: str | None = None,
    evidence: Sequence[str] = (),
) -> StackFailed:
    """A step that ends because of what its stack is, not of what AWS answered."""
    return StackFailed(
        message,
        service="cloudformation",
        operation=operation,
        code=code,
        hint=hint,
        evidence=evidence,
    )


def only_looked(work: Waiting, name: str, would: str, *, pending: bool = True) -> StepOutcome:
    """The outcome of a rehearsal. Nothing was changed, but it is not that there was nothing to
    change, as `pending` says: `changed` is unknown."""
    work.report.ending(f"{name}: {would}")
    return StepOutcome(code=0, changed=None, pending=pending)
