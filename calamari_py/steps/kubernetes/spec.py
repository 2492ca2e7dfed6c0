"""KubectlSpec and HelmSpec: sections that can be carried out. All paths are absolute."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from calamari_py.steps._script import ScriptSpec
from calamari_py.steps.kubernetes.sections import HelmAction, KubectlAction, OnFailure
from calamari_py.steps.kubernetes.values import KubeObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """How a cluster is reached.

    `way` says which of the others count: ``eks`` (`eks`, `region`, "" for the step's; `server` and
    `authority`, where both are there, in place of a question), ``server`` (`server`, `authority`,
    `token`), ``kubeconfig`` (`kubeconfig`, `context`, "" for its current one) or ``in-cluster``.
    `authority` is PEM, `config` the kubeconfig that was made of `context` alone, as JSON.
    """

    way: Literal["eks", "server", "kubeconfig", "in-cluster"]
    eks: str = ""
    region: str = ""
    server: str = ""
    authority: bytes | None = None
    token: str = field(default="", repr=False)
    kubeconfig: Path | None = None
    context: str = ""
    config: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitSpec:
    """How a rollout is waited for, in seconds. None in its place: it is not waited for."""

    timeout: float = 600.0
    stable_for: float = 5.0
    fail_after: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KubectlSpec:
    """What is to be done with objects.

    `objects` are those of all files, in the order of the files; `kustomize` is a directory that
    only kubectl can read. `resources` are names as kubectl takes them. `applyset` is the parent of
    what prune counts on, "" for no prune. `script` is there for that action only.
    """

    action: KubectlAction
    dry_run: bool = False
    binary: Path
    cluster: ClusterSpec
    namespace: str = ""
    create_namespace: bool = False
    folder: Path
    objects: tuple[KubeObject, ...] = field(default=(), repr=False)
    kustomize: Path | None = None
    resources: tuple[str, ...] = ()
    selector: str = ""
    condition: str = ""
    server_side: bool = True
    field_manager: str = "calamari"
    force_conflicts: bool = False
    applyset: str = ""
    delete_namespaces: bool = False
    wait: WaitSpec | None = field(default_factory=WaitSpec)
    script: ScriptSpec | None = None
    warnings: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartRepository:
    """Where a chart is asked for by name."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmSpec:
    """What is to be done with a release.

    `chart` is a path, ``oci://…`` or ``repository/chart`` as helm takes it, "" where the action
    needs none; `chart_is_path` tells. `values` are the documents of all values as Helm is to read
    them (YAML or JSON, each a mapping), later ones win, the last of them made from ``set``.
    `revision` is where a rollback goes, None for the last deployed.
    """

    action: HelmAction
    dry_run: bool = False
    binary: Path
    kubectl: Path
    cluster: ClusterSpec
    namespace: str = ""
    create_namespace: bool = False
    folder: Path
    release: str
    chart: str = ""
    chart_is_path: bool = False
    version: str = ""
    repository: ChartRepository | None = None
    values: tuple[bytes, ...] = field(default=(), repr=False)
    revision: int | None = None
    on_failure: OnFailure = "rollback-to-deployed"
    recover_after: float = 300.0
    wait: WaitSpec | None = field(default_factory=WaitSpec)
    hooks: bool = True
    skip_crds: bool = False
    dependency_update: bool = False
    history_max: int = 10
    keep_history: bool = False
    warnings: tuple[str, ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
