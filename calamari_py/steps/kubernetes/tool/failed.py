"""ApiFailed: kubectl did not get what it asked for, and why."""

from __future__ import annotations

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.access.failures import ApiFailure


class ApiFailed(ToolFailed):
    """A `ToolFailed` that knows the failure behind it: whoever can wait looks whether it may pass.
    None where kubectl said nothing that is known."""

    def __init__(self, told: ToolFailed, failure: ApiFailure | None) -> None:
        super().__init__(
            told.message, hint=told.hint, evidence=told.evidence, file=told.file, line=told.line
        )
        self.is_final = told.is_final
        self.failure = failure
