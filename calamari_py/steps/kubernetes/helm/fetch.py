"""Where the chart comes from: fetched once, so that what is shown is what is installed."""

from __future__ import annotations

import base64
import re
from pathlib import Path

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepContext
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.chart import OCI
from calamari_py.steps.kubernetes.helm.ecr import ecr_region
from calamari_py.steps.kubernetes.helm.files import write_registry
from calamari_py.steps.kubernetes.helm.tool import Helm

_NO_UPDATE = re.compile(r"Unable to get an update from the [^\n]*:\n(?P<why>[^\n]+)")


def fetch_chart(helm: Helm, context: StepContext) -> Path:
    """The folder or archive of the chart. Raises ToolFailed."""
    spec = helm.spec
    if spec.chart_is_path:
        if spec.dependency_update:
            doing = f"fetch what chart '{spec.chart}' needs"
            helm.succeed("dependency update", argv.update_dependencies(spec), doing=doing)
        return Path(spec.chart)
    doing = f"fetch chart '{spec.chart}'"
    if spec.chart.startswith(OCI):
        _log_in_to_ecr(helm, context)
    else:
        _update_repository(helm, doing)
    helm.succeed("pull", argv.pull(spec, helm.files), doing=doing)
    found = sorted(helm.files.fetched.glob("*.tgz"))
    if not found:
        raise ToolFailed(f"could not {doing}: helm ended with 0 and left no archive")
    context.report.line(f"chart {found[-1].name.removesuffix('.tgz')} from {_shown(helm)}")
    return found[-1]


def _update_repository(helm: Helm, doing: str) -> None:
    """Helm ends with 0 whatever became of it, and says on stdout why."""
    told = helm.succeed("repo update", argv.update_repository(helm.spec), doing=doing)
    found = _NO_UPDATE.search(told.decode("utf-8", "replace"))
    if found is not None:
        raise helm.failed(doing, f"Error: {found['why'].strip()}\n".encode())


def _shown(helm: Helm) -> str:
    repository = helm.spec.repository
    return repository.url if repository is not None else helm.spec.chart.rpartition("/")[0]


def _log_in_to_ecr(helm: Helm, context: StepContext) -> None:
    """As the step's role, where the manifest says nobody else."""
    spec = helm.spec
    region = ecr_region(spec.chart)
    if region is None or (spec.repository is not None and spec.repository.password):
        return
    if region != context.aws.region:
        raise ToolFailed(
            f"chart '{spec.chart}' lies in {region}, and the step is in"
            f" {context.aws.region}: ECR's logins hold for one region",
            hint="name a registry of the step's region, or write its name and password under"
            " 'repository'",
        )
    answer = context.aws.call("ecr", "GetAuthorizationToken", {}, subject=f"chart '{spec.chart}'")
    for each in answer.get("authorizationData", ()):
        login = str(each.get("authorizationToken", ""))
        if login:
            context.report.hide(login, "ECR login")
            context.report.hide(_password_of(login), "ECR password")
            write_registry(helm.files, spec.chart, login)
            return
    raise ToolFailed(f"ECR gave no login for chart '{spec.chart}'")


def _password_of(login: str) -> str:
    try:
        return base64.b64decode(login).decode("utf-8", "replace").partition(":")[2]
    except ValueError:
        return login
