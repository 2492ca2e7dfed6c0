"""Contact: how long an API server that does not answer is waited for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from calamari_py.errors import ToolFailed
from calamari_py.identity import elapsed_text
from calamari_py.steps.base import StepClock, StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.tool.complaints import failures_in

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

PATIENCE = 60.0
"""Seconds without an answer after which the cluster counts as lost."""
_PASSING = frozenset({"unreachable", "timeout"})
_BUSY = re.compile(
    r"too ?many ?requests|service ?unavailable|unable to handle the request"
    r"|internal ?(server )?error|an error on the server|etcdserver|leader changed|http2: "
    r"|bad gateway|gateway timeout",
    re.IGNORECASE,
)


class NoAnswer(ToolFailed):
    """The API server did not answer this once, or was too busy to."""


def is_passing(failure: ApiFailure) -> bool:
    """Whether the next try may do better."""
    return failure.kind in _PASSING or (
        failure.kind == "other" and _BUSY.search(failure.text) is not None
    )


class Contact:
    """Says once that there is none, and once that there is again."""

    def __init__(self, kubectl: Kubectl, report: StepReport, clock: StepClock) -> None:
        self._kubectl = kubectl
        self._report = report
        self._clock = clock
        self._lost: float | None = None

    def answered(self) -> None:
        """The API server has answered."""
        if self._lost is not None:
            silent = elapsed_text(self._clock.monotonic() - self._lost)
            self._report.line(f"the API server answers again after {silent}")
        self._lost = None

    def failed(self, error: ToolFailed) -> None:
        """It has not, or not what was asked. Raises `error` when that will not change, or has
        lasted too long."""
        now = self._clock.monotonic()
        if self._lost is not None and now - self._lost >= PATIENCE:
            raise error
        if not isinstance(error, NoAnswer) and not self._may_pass():
            raise error
        if self._lost is None:
            self._lost = now
            self._report.warn(
                f"no answer for now: {error.message}; the rollout goes on meanwhile, and is looked "
                f"at again for {PATIENCE:.0f}s"
            )

    def _may_pass(self) -> bool:
        """Whether the API server itself is out of reach for now: an error does not tell what kind
        it is, its version is what everybody may ask."""
        asked = self._kubectl.capture("get", "--raw", "/version")
        if asked.exit.code == 0:
            return False
        return any(is_passing(failure) for failure in failures_in(asked.stderr))
