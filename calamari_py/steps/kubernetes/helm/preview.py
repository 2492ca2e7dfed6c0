"""The commands that a run would start, in order, as far as anyone can tell without starting one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from calamari_py.steps.base import PlannedCommand
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.chart import OCI
from calamari_py.steps.kubernetes.helm.files import HelmFiles, helm_files
from calamari_py.steps.kubernetes.helm.ours import get_labels
from calamari_py.steps.kubernetes.spec import HelmSpec
from calamari_py.steps.kubernetes.tool import argv as of_kubectl

_PRIVATE = Path("{private}")
_REFERENCES = _PRIVATE / "0001.yaml"
_LAST = 1
"""Stands for a revision that only the cluster knows."""
_TYPES = ("TYPES",)
"""Stands for those of the objects that the chart makes."""


def preview(spec: HelmSpec) -> tuple[PlannedCommand, ...]:
    """What only looks is there where it is done first. They end where there is nothing to do."""
    files = helm_files(spec, private=_PRIVATE, temp=_PRIVATE)
    lines = (argv.version(spec), *_reach(spec), *_fetch(spec, files), *_action(spec, files))
    return tuple(PlannedCommand(argv=line, directory=spec.folder) for line in lines)


def _reach(spec: HelmSpec) -> Iterator[tuple[str, ...]]:
    if spec.action != "template":
        yield _kubectl(spec, "version", "--client", "-o", "json")


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
    with_chart = spec.action in ("upgrade", "diff")
    only_looks = spec.dry_run or spec.action == "diff"
    if with_chart and spec.namespace:
        yield _look(spec)
        if spec.create_namespace and not only_looks:
            yield _kubectl(spec, "create", "namespace", spec.namespace, of_kubectl.WRITE_TIMEOUT)
    yield argv.history(spec)
    if with_chart:
        yield argv.dry_run(spec, files, chart)
    yield from (argv.manifest(spec, _LAST), argv.hooks(spec, _LAST), argv.values(spec, _LAST))
    if spec.action == "test":
        yield from () if spec.dry_run else (argv.test(spec),)
    elif not only_looks:
        yield from _change(spec, files, chart)
    elif with_chart:
        yield _look(spec)


def _change(spec: HelmSpec, files: HelmFiles, chart: Path) -> Iterator[tuple[str, ...]]:
    """The command that changes the release, between looks at its objects."""
    yield _look(spec)
    if spec.action == "upgrade":
        yield argv.upgrade(spec, files, chart)
    elif spec.action == "rollback":
        yield argv.rollback(spec, spec.revision or _LAST)
    else:
        yield argv.uninstall(spec, keep_history=spec.keep_history)
    if spec.action == "upgrade":
        yield _kubectl(spec, *get_labels(spec, [_LAST]))
    if spec.wait is not None and spec.action != "uninstall":
        yield _kubectl(spec, *of_kubectl.get_types(_TYPES, namespace="", selector=""))


def _look(spec: HelmSpec) -> tuple[str, ...]:
    """What is there of all objects."""
    return _kubectl(spec, *of_kubectl.get_file(_REFERENCES))


def _kubectl(spec: HelmSpec, *words: str) -> tuple[str, ...]:
    return (str(spec.kubectl), *of_kubectl.with_timeout(words))
