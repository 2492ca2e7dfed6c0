"""What comes before every action: the cluster is found, and kubectl is one that can be used."""

from __future__ import annotations

from collections.abc import Callable

from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepContext, StepOutcome
from calamari_py.steps.kubernetes.access.access import Access, open_access
from calamari_py.steps.kubernetes.kubectl.actions.apply import apply
from calamari_py.steps.kubernetes.kubectl.actions.delete import delete
from calamari_py.steps.kubernetes.kubectl.actions.diff import diff
from calamari_py.steps.kubernetes.kubectl.actions.rollout_status import rollout_status
from calamari_py.steps.kubernetes.kubectl.actions.script import script
from calamari_py.steps.kubernetes.kubectl.actions.wait import wait
from calamari_py.steps.kubernetes.kubectl.work import Work
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

_ACTIONS: dict[str, Callable[[Work], StepOutcome]] = {
    "apply": apply,
    "diff": diff,
    "delete": delete,
    "rollout-status": rollout_status,
    "wait": wait,
}


def carry_out(spec: KubectlSpec, context: StepContext) -> StepOutcome:
    """Carry out the action of `spec`. A command that calamari ended itself is an outcome; whatever
    else goes wrong is raised."""
    report = context.report
    report.fact("action", spec.action)
    if spec.script is not None:
        access = _opened(spec, context)
        return script(spec.script, access, context)
    report.changed(False)
    try:
        access = _opened(spec, context)
        kubectl = Kubectl(spec.binary, access, context, directory=spec.folder)
        report.line(f"kubectl {kubectl.version()}, {_where(access)}")
        return _ACTIONS[spec.action](Work(spec=spec, context=context, kubectl=kubectl))
    except Stopped as stopped:
        return StepOutcome(code=stopped.exit.code, exit=stopped.exit)


def _opened(spec: KubectlSpec, context: StepContext) -> Access:
    """The access to the cluster; the result knows which it is."""
    access = open_access(spec.cluster, namespace=spec.namespace, context=context)
    context.report.fact("cluster", access.fields())
    context.report.fact("namespace", access.namespace)
    return access


def _where(access: Access) -> str:
    """``EKS cluster 'blue' in eu-west-1 (Kubernetes 1.32), namespace app``."""
    version = f" (Kubernetes {access.version})" if access.version else ""
    return f"{access.name}{version}, namespace {access.namespace}"
