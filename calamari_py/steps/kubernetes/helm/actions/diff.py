"""Action ``diff``: what an upgrade would change, and nothing more."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.applying.namespace import foresee_namespace
from calamari_py.steps.kubernetes.helm.fetch import fetch_chart
from calamari_py.steps.kubernetes.helm.planning import only_looked, plan
from calamari_py.steps.kubernetes.helm.work import Work


def diff(work: Work) -> StepOutcome:
    """Tell it. A namespace that the upgrade would not make has to be there."""
    spec = work.spec
    made = (
        foresee_namespace(work.kubectl, spec.namespace, create=spec.create_namespace)
        if spec.namespace
        else ()
    )
    chart = fetch_chart(work.helm, work.context)
    planned = plan(work, chart, work.helm.history(), foreseen=made)
    return only_looked(work, planned, "would upgrade")
