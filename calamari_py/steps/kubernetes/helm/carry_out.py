"""What comes before every action: the cluster reached, Helm asked which one it is."""

from __future__ import annotations

from collections.abc import Callable

from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepContext, StepOutcome
from calamari_py.steps.kubernetes.access.access import open_access
from calamari_py.steps.kubernetes.helm.actions.diff import diff
from calamari_py.steps.kubernetes.helm.actions.rollback import rollback
from calamari_py.steps.kubernetes.helm.actions.template import template
from calamari_py.steps.kubernetes.helm.actions.test import test
from calamari_py.steps.kubernetes.helm.actions.uninstall import uninstall
from calamari_py.steps.kubernetes.helm.actions.upgrade import upgrade
from calamari_py.steps.kubernetes.helm.files import write_files
from calamari_py.steps.kubernetes.helm.tool import Helm
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.spec import HelmSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

_ACTIONS: dict[str, Callable[[Work], StepOutcome]] = {
    "upgrade": upgrade,
    "diff": diff,
    "rollback": rollback,
    "uninstall": uninstall,
    "test": test,
}


def carry_out(spec: HelmSpec, context: StepContext) -> StepOutcome:
    """Carry out the action of `spec`. A command that calamari ended itself is an outcome; whatever
    else goes wrong is raised."""
    context.report.changed(False)
    context.report.fact("action", spec.action)
    try:
        if spec.action == "template":
            return template(spec, context)
        return _act(spec, context)
    except Stopped as stopped:
        return StepOutcome(code=stopped.exit.code, exit=stopped.exit)


def _act(spec: HelmSpec, context: StepContext) -> StepOutcome:
    access = open_access(spec.cluster, namespace=spec.namespace, context=context)
    files = write_files(spec, private=context.private, temp=context.temp)
    helm = Helm(spec, context, files, access)
    kubectl = Kubectl(spec.kubectl, access, context, directory=spec.folder)
    version = helm.version()
    kubectl.version()
    context.report.fact("helm", version)
    context.report.fact("cluster", access.fields())
    context.report.fact("namespace", access.namespace)
    context.report.line(f"Helm {version}, {access.name}")
    work = Work(spec=spec, context=context, helm=helm, kubectl=kubectl, access=access, files=files)
    return _ACTIONS[spec.action](work)
