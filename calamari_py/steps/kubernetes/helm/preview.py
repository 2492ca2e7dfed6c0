"""The commands that a run would start, in order, as far as anyone can tell without starting one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from calamari_py.steps.base import PlannedCommand
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.chart import OCI
from calamari_py.steps.kubernetes.helm.files import HelmFiles, helm_files
from calamari_py.steps.kubernetes.spec import HelmSpec

_PRIVATE = Path("{private}")
_LAST = 1
"""Stands for a revision that only the cluster knows."""


def preview(spec: HelmSpec) -> tuple[PlannedCommand, ...]:
    """Those of Helm; kubectl looks at the objects before, meanwhile and after. They end where there
    is nothing to do."""
    files = helm_files(spec, private=_PRIVATE, temp=_PRIVATE)
    lines = (argv.version(spec), *_fetch(spec, files), *_action(spec, files))
    return tuple(PlannedCommand(argv=line, directory=spec.folder) for line in lines)


def _fetch(spec: HelmSpec, files: HelmFiles) -> Iterator[tuple[str, ...]]:
    if not spec.chart:
        return
    if spec.chart_is_path:
        if spec.dependency_update:
            yield argv.update_dependencies(spec)
        return
    if not spec.chart.startswith(OCI):
        yield argv.update_repository(spec)
    yield argv.pull(spec, files)


def _action(spec: HelmSpec, files: HelmFiles) -> Iterator[tuple[str, ...]]:
    chart = Path(spec.chart) if spec.chart_is_path else files.fetched / "CHART.tgz"
    if spec.action == "template":
        yield argv.template(spec, files, chart)
        return
    yield argv.history(spec)
    if spec.action in ("upgrade", "diff"):
        yield argv.dry_run(spec, files, chart)
    if spec.dry_run:
        return
    if spec.action == "upgrade":
        yield argv.upgrade(spec, files, chart)
    elif spec.action == "rollback":
        yield argv.rollback(spec, spec.revision or _LAST)
    elif spec.action == "uninstall":
        yield argv.uninstall(spec, keep_history=spec.keep_history)
    elif spec.action == "test":
        yield argv.test(spec)
