"""The manifest's sections ``kubectl`` and ``helm``, as they are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from calamari_py.manifest.scalars import Duration, Region
from calamari_py.manifest.shapes import About
from calamari_py.steps._script import ScriptSection

KubectlAction = Literal["apply", "diff", "delete", "rollout-status", "wait", "script"]
HelmAction = Literal["upgrade", "diff", "rollback", "uninstall", "test", "template"]
OnFailure = Literal["rollback-to-deployed", "keep"]


class ClusterSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which cluster, and how it is reached: one of `eks`, `server`, `kubeconfig`, `in_cluster`."""

    eks: Annotated[
        str | None, About("The EKS cluster's name: the step's role is who calls it.")
    ] = None
    region: Annotated[Region | None, About("The EKS cluster's region. Default: the step's.")] = None
    server: Annotated[
        str | None,
        About("The API server, https://…; with eks and its certificate_authority nobody is asked."),
    ] = None
    certificate_authority: Annotated[
        str | None,
        About("Who signed the server's certificate: a path, PEM, or base64 of PEM."),
    ] = None
    token: Annotated[str | None, About("A bearer token, from a sensitive variable.")] = None
    kubeconfig: Annotated[str | None, About("The path of a kubeconfig; it is copied.")] = None
    context: Annotated[
        str | None, About("The context of that kubeconfig. Default: its current one.")
    ] = None
    in_cluster: Annotated[
        bool, About("true is the service account of the pod that this runs in.")
    ] = False


class WaitSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long, and for what, a rollout is waited for."""

    timeout: Annotated[Duration, About("When a rollout that is not done has failed.")] = 600
    stable_for: Annotated[
        Duration, About("How long all must stay ready once something had to be waited for.")
    ] = 5
    fail_after: Annotated[
        Duration, About("How long a bad sign, such as ImagePullBackOff, may last.")
    ] = 30


class PruneSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is removed that was applied before and is in no file any more."""

    applyset: Annotated[str, About("The ApplySet's parent, such as configmaps/web or secrets/web.")]


class KubectlSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``kubectl``: objects of a cluster, or a script with its context set."""

    cluster: Annotated[ClusterSection, About("Which cluster, and how it is reached.")]
    namespace: Annotated[
        str | None, About("The namespace of what names none. Default: the context's, or default.")
    ] = None
    create_namespace: Annotated[bool, About("true makes the namespace where there is none.")] = (
        False
    )
    action: Annotated[
        KubectlAction | None,
        About("What is done; --action says it for one run. Default: apply, or script."),
    ] = None
    files: Annotated[
        tuple[str, ...], About("Kube manifests: paths, globs, directories (with all below them).")
    ] = ()
    kustomize: Annotated[str | None, About("A directory that kustomize builds.")] = None
    render: Annotated[bool, About("true renders the files as templates.")] = False
    resources: Annotated[
        tuple[str, ...],
        About("Objects in the cluster, such as deployment/web: for rollout-status and wait."),
    ] = ()
    selector: Annotated[
        str | None, About("Labels: narrows what resources name only by kind, such as pods.")
    ] = None
    condition: Annotated[
        str | None, About("What wait waits for, as kubectl wait --for says it: condition=Ready.")
    ] = None
    server_side: Annotated[
        bool, About("false applies on the client's side, as kubectl did of old.")
    ] = True
    field_manager: Annotated[str, About("Who owns the fields that are applied.")] = "calamari"
    force_conflicts: Annotated[bool, About("true takes fields from other owners.")] = False
    prune: Annotated[PruneSection | None, About("Removes what is in no file any more.")] = None
    delete_namespaces: Annotated[
        bool,
        About("true lets delete remove namespaces and definitions, with all that is in them."),
    ] = False
    wait: Annotated[
        WaitSection | bool, About("How the rollout is waited for; false does not wait.")
    ] = True
    script: Annotated[
        str | ScriptSection | None, About("A script that finds kubectl's context set.")
    ] = None
    binary: Annotated[str, About("The program: kubectl, or a path.")] = "kubectl"


class ChartRepositorySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a chart comes from that is named by name."""

    url: Annotated[str, About("The repository, https://… .")]
    username: Annotated[str | None, About("Who asks for the chart.")] = None
    password: Annotated[str | None, About("Its password, from a sensitive variable.")] = None


class HelmSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``helm``: one release and what becomes of it."""

    cluster: Annotated[ClusterSection, About("Which cluster, and how it is reached.")]
    namespace: Annotated[
        str | None, About("The release's namespace. Default: the context's, or default.")
    ] = None
    create_namespace: Annotated[bool, About("true makes the namespace where there is none.")] = (
        False
    )
    release: Annotated[str, About("The release's name.")]
    chart: Annotated[
        str | None, About("A path (./chart, chart.tgz), oci://…, or repository/chart.")
    ] = None
    version: Annotated[str | None, About("The chart's version, for one that is no path.")] = None
    repository: Annotated[
        str | ChartRepositorySection | None,
        About("The repository's address, with name and password where it wants them."),
    ] = None
    values: Annotated[
        tuple[str | dict[str, Any], ...],
        About("Values: paths of files, or mappings; later ones win."),
    ] = ()
    set: Annotated[
        dict[str, Any], About("Single values by dotted name, image.tag; they win over values.")
    ] = {}
    render: Annotated[bool, About("true renders the values files as templates.")] = False
    action: Annotated[HelmAction, About("What is done; --action says it for one run.")] = "upgrade"
    revision: Annotated[
        int | None, About("Where rollback goes. Default: the last deployed one before this.")
    ] = None
    on_failure: Annotated[OnFailure, About("What becomes of a release whose upgrade failed.")] = (
        "rollback-to-deployed"
    )
    recover_after: Annotated[
        Duration,
        About("How old a pending operation must be that is taken for dead, unless it is known."),
    ] = 300
    wait: Annotated[
        WaitSection | bool, About("How the rollout is waited for; false does not wait.")
    ] = True
    hooks: Annotated[bool, About("false runs no hooks.")] = True
    skip_crds: Annotated[bool, About("true leaves the chart's definitions out.")] = False
    dependency_update: Annotated[
        bool, About("true fetches the chart's dependencies anew where it is a path.")
    ] = False
    history_max: Annotated[int, About("How many revisions are kept; 0 keeps all.")] = 10
    keep_history: Annotated[bool, About("true lets uninstall keep the release's history.")] = False
    binary: Annotated[str, About("The program: helm, or a path.")] = "helm"
    kubectl: Annotated[str, About("The program that looks at the rollout: kubectl, or a path.")] = (
        "kubectl"
    )
