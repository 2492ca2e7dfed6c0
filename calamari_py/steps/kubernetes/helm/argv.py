"""Helm's command lines. Pure; nothing secret stands in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from calamari_py.steps.kubernetes.helm.files import HelmFiles
from calamari_py.steps.kubernetes.spec import HelmSpec

_HOOKS_SECONDS = 600.0
"""How long a hook may take where nothing is waited for."""


def version(spec: HelmSpec) -> tuple[str, ...]:
    """Which one it is."""
    return (str(spec.binary), "version", "--template={{.Version}}")


def pull(spec: HelmSpec, files: HelmFiles) -> tuple[str, ...]:
    """Fetch the chart, once: what is shown before is what is installed then."""
    return (str(spec.binary), "pull", *_versioned(spec), f"--destination={files.fetched}",
            spec.chart)  # fmt: skip


def update_repository(spec: HelmSpec) -> tuple[str, ...]:
    """Fetch the list of a repository's charts."""
    return (str(spec.binary), "repo", "update", spec.chart.partition("/")[0])


def update_dependencies(spec: HelmSpec) -> tuple[str, ...]:
    """Fetch the charts that a chart needs into its folder."""
    return (str(spec.binary), "dependency", "update", spec.chart)


def dry_run(spec: HelmSpec, files: HelmFiles, chart: Path) -> tuple[str, ...]:
    """What an upgrade would store, as JSON. It holds secrets."""
    return (*_upgrade(spec, files), "--dry-run=server", spec.release, str(chart))


def upgrade(spec: HelmSpec, files: HelmFiles, chart: Path, *, label: str = "") -> tuple[str, ...]:
    """The upgrade itself; what it stored, as JSON. It tells what it is at on stderr: its reader is
    only woken by somebody who speaks."""
    return (
        *_upgrade(spec, files),
        *((f"--labels={label}",) if label else ()),
        *_waiting(spec),
        "--debug",
        spec.release,
        str(chart),
    )


def show_crds(spec: HelmSpec, chart: Path) -> tuple[str, ...]:
    """The definitions that lie beside the chart's templates."""
    return (str(spec.binary), "show", "crds", str(chart))


def template(
    spec: HelmSpec, files: HelmFiles, chart: Path, *, crds: bool = True
) -> tuple[str, ...]:
    """All that the chart makes, with its definitions unless `crds` is False; no cluster is
    asked."""
    return (
        *_begin(spec, "template"),
        *(f"--values={path}" for path in files.values),
        *(() if spec.hooks else ("--no-hooks",)),
        "--include-crds" if crds and not spec.skip_crds else "--skip-crds",
        spec.release,
        str(chart),
    )


def history(spec: HelmSpec) -> tuple[str, ...]:
    """All revisions, as JSON."""
    return (*_begin(spec, "history"), "--max=256", "--output=json", spec.release)


def manifest(spec: HelmSpec, revision: int) -> tuple[str, ...]:
    """The objects of a revision. They may be Secrets."""
    return (*_begin(spec, "get", "manifest"), f"--revision={revision}", spec.release)


def hooks(spec: HelmSpec, revision: int) -> tuple[str, ...]:
    """The hooks of a revision."""
    return (*_begin(spec, "get", "hooks"), f"--revision={revision}", spec.release)


def values(spec: HelmSpec, revision: int) -> tuple[str, ...]:
    """The values that a revision was given, as JSON. They may be secret."""
    return (*_begin(spec, "get", "values"), f"--revision={revision}", "--output=json",
            spec.release)  # fmt: skip


def rollback(spec: HelmSpec, revision: int, *, waits: bool = True) -> tuple[str, ...]:
    """Back to a revision, as a new one."""
    return (
        *_begin(spec, "rollback"),
        *(() if spec.hooks else ("--no-hooks",)),
        f"--history-max={spec.history_max}",
        *(_waiting(spec) if waits else ()),
        "--debug",
        spec.release,
        str(revision),
    )


def uninstall(spec: HelmSpec, *, keep_history: bool) -> tuple[str, ...]:
    """All of the release is deleted."""
    return (
        *_begin(spec, "uninstall"),
        *(() if spec.hooks else ("--no-hooks",)),
        *(("--keep-history",) if keep_history else ()),
        *_waiting(spec, jobs=False),
        "--debug",
        spec.release,
    )


def test(spec: HelmSpec) -> tuple[str, ...]:
    """The chart's tests. Here ``--debug`` would print the values that the release was given, and
    ``--logs`` fails for a test that is no pod."""
    return (*_begin(spec, "test"), _timeout(spec), spec.release)


def limit(spec: HelmSpec, hooks: int) -> float:
    """The seconds that an upgrade may take: Helm gives that time to each hook anew."""
    return _seconds(spec) * (hooks + (1 if spec.wait is not None else 0))


def by_hand(spec: HelmSpec, *words: str) -> str:
    """A command as a hint names it."""
    namespace = (f"--namespace={spec.namespace}",) if spec.namespace else ()
    return " ".join(("helm", *words, *namespace))


def _begin(spec: HelmSpec, *words: str) -> tuple[str, ...]:
    namespace = (f"--namespace={spec.namespace}",) if spec.namespace else ()
    return (str(spec.binary), *words, *namespace)


def _upgrade(spec: HelmSpec, files: HelmFiles) -> Iterator[str]:
    yield from _begin(spec, "upgrade")
    yield from ("--install", "--reset-values", "--output=json")
    yield f"--history-max={spec.history_max}"
    yield from (f"--values={path}" for path in files.values)
    if not spec.hooks:
        yield "--no-hooks"
    if spec.skip_crds:
        yield "--skip-crds"


def _waiting(spec: HelmSpec, *, jobs: bool = True) -> tuple[str, ...]:
    if spec.wait is None:
        return (_timeout(spec),)
    return ("--wait", *(("--wait-for-jobs",) if jobs else ()), _timeout(spec))


def _timeout(spec: HelmSpec) -> str:
    return f"--timeout={math.ceil(_seconds(spec))}s"


def _seconds(spec: HelmSpec) -> float:
    return spec.wait.timeout if spec.wait is not None else _HOOKS_SECONDS


def _versioned(spec: HelmSpec) -> tuple[str, ...]:
    return (f"--version={spec.version}",) if spec.version else ()
