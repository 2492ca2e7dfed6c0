"""Action ``diff``: what an upgrade would change, and nothing more."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.helm.fetch import fetch_chart
from calamari_py.steps.kubernetes.helm.planning import only_looked, plan
from calamari_py.steps.kubernetes.helm.work import Work


def diff(work: Work) -> StepOutcome:
    """Tell it."""
    chart = fetch_chart(work.helm, work.context)
    return only_looked(work, plan(work, chart, work.helm.history()), "would upgrade")
