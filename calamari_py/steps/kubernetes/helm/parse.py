"""A section becomes a spec, or every problem that can be told before anything is started."""

from __future__ import annotations

import re
from typing import cast

from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes.access.parse import read_cluster, secrets_of
from calamari_py.steps.kubernetes.common import check_namespace, find_program, read_wait
from calamari_py.steps.kubernetes.helm.chart import Chart, read_chart
from calamari_py.steps.kubernetes.helm.values_text import read_values
from calamari_py.steps.kubernetes.sections import HelmAction, HelmSection
from calamari_py.steps.kubernetes.spec import ClusterSpec, HelmSpec
from calamari_py.templates import LATE_TEXT

_RELEASE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_LONGEST_RELEASE = 53
_WITH_CHART = ("upgrade", "diff", "template")


def parse_helm(section: HelmSection, context: ParseContext) -> HelmSpec:
    """The release of a section and what becomes of it.

    Raises ManifestError with all problems, FileMissing when nothing else is wrong than that files
    are missing, and then ToolMissing or CommandNotExecutable for the programs.
    """
    action = cast("HelmAction", context.wishes.action or section.action)
    checks = Checks(context)
    cluster = read_cluster(section.cluster, checks, context)
    _check_release(section.release, checks)
    check_namespace(section.namespace, checks, creates=section.create_namespace)
    # One manifest serves all actions: what the others need is looked at by them.
    chart = read_chart(section, checks, context) if action in _WITH_CHART else Chart()
    values = read_values(
        section.values if action in _WITH_CHART else (),
        section.set if action in _WITH_CHART else {},
        render=section.render,
        checks=checks,
        context=context,
    )
    wait = read_wait(section.wait, checks)
    _check_numbers(section, checks)
    _check_programs(section, checks)
    checks.found.raise_if_any()
    assert cluster is not None
    return HelmSpec(
        action=action,
        dry_run=context.wishes.dry_run,
        binary=find_program(section.binary, context, field="helm.binary"),
        kubectl=find_program(section.kubectl, context, field="helm.kubectl"),
        cluster=cluster,
        namespace=section.namespace or "",
        create_namespace=section.create_namespace,
        folder=context.folder,
        release=section.release,
        chart=chart.name,
        chart_is_path=chart.is_path,
        version=chart.version,
        repository=chart.repository,
        values=values,
        revision=section.revision,
        on_failure=section.on_failure,
        recover_after=section.recover_after,
        wait=wait,
        hooks=section.hooks,
        skip_crds=section.skip_crds,
        dependency_update=section.dependency_update,
        history_max=section.history_max,
        keep_history=section.keep_history,
        warnings=tuple(checks.warnings),
        secrets=_secrets(cluster, chart),
    )


def _check_release(name: str, checks: Checks) -> None:
    shown = checks.shown("release", name)
    hint = "use lower-case letters, digits and '-', begin and end with a letter or a digit"
    if not _RELEASE.fullmatch(name):
        checks.refuse("release", f"{shown} is no name of a release", hint)
    elif len(name) > _LONGEST_RELEASE:
        message = f"{shown} has {len(name)} characters, and Helm takes {_LONGEST_RELEASE}"
        checks.refuse("release", message, "use a shorter name")


def _check_numbers(section: HelmSection, checks: Checks) -> None:
    if section.revision is not None and section.revision < 1:
        hint = "write the number that 'helm history' shows, or remove it"
        checks.refuse("revision", f"{section.revision} is no revision", hint)
    if section.history_max < 0 or section.history_max == 1:
        # With one revision kept nothing is left that a failed upgrade could go back to.
        hint = "write 2 or more, or 0 to keep all"
        checks.refuse("history_max", f"{section.history_max} keeps too little", hint)


def _check_programs(section: HelmSection, checks: Checks) -> None:
    for field in ("binary", "kubectl"):
        if LATE_TEXT in getattr(section, field):
            checks.refuse(field, "must be known before there are credentials")


def _secrets(cluster: ClusterSpec, chart: Chart) -> tuple[tuple[str, str], ...]:
    found = [*secrets_of(cluster)]
    if chart.repository is not None and chart.repository.password:
        found.append(("repository.password", chart.repository.password))
    return tuple(found)
