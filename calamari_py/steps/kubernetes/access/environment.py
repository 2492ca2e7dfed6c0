"""What kubectl and helm find in their environment, and what they must not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calamari_py.steps.base import KindEnvironment

_SCRUBBED = (
    "KUBECONFIG",
    "KUBECACHEDIR",
    "KUBERC",
    "KUBECTL_*",
    "KUBE_*",
    "KUBERNETES_EXEC_INFO",
    # Of kubectl within a pod.
    "POD_NAMESPACE",
    "HELM_*",
    # How fast the API server may be asked is the machine's business.
    "!HELM_BURST_LIMIT",
    "!HELM_QPS",
    "TILLER_NAMESPACE",
)

_ONE_CLUSTER = "remove it; the step has a kubeconfig of its own, made from 'cluster'"
_OWN_FOLDER = "remove it; each step has folders of its own"
_NAMESPACE = "write namespace in the step's section"

_OWNED = {
    "KUBECONFIG": _ONE_CLUSTER,
    "KUBECACHEDIR": _OWN_FOLDER,
    "KUBERC": "remove it; what a person prefers is not for a deployment",
    "KUBECTL_KUBERC": "remove it; what a person prefers is not for a deployment",
    "KUBECTL_APPLYSET": "remove it; write prune: {applyset: …}",
    "KUBERNETES_MASTER": _ONE_CLUSTER,
    "KUBERNETES_EXEC_INFO": "remove it; kubectl sets it",
    "POD_NAMESPACE": _NAMESPACE,
    "HELM_NAMESPACE": _NAMESPACE,
    "HELM_KUBE*": _ONE_CLUSTER,
    "HELM_CACHE_HOME": _OWN_FOLDER,
    "HELM_CONFIG_HOME": _OWN_FOLDER,
    "HELM_DATA_HOME": _OWN_FOLDER,
    "HELM_DEBUG": "remove it; what Helm says then may hold secrets",
    "HELM_MAX_HISTORY": "write helm.history_max",
}


def kind_environment(*, is_read: bool = True) -> KindEnvironment:
    """What of the caller's kubectl and helm do not get, what the manifest's ``env`` may not set,
    and the names of what they get instead: `is_read` is for tools whose output we read. Pure.

    Source: kubernetes.io/docs/reference/kubectl (environment variables), helm.sh/docs/helm/helm.
    """
    anywhere = Path()
    later = [*names_for_scripts(kubeconfig=anywhere, cache=anywhere)]
    if is_read:
        later += names_for_tools(home=anywhere, temp=anywhere)
    return KindEnvironment(later=tuple(later), scrub=_SCRUBBED, owned=_OWNED)


def names_for_scripts(*, kubeconfig: Path, cache: Path) -> Mapping[str, str]:
    """What leads any program to the cluster. ``HOME`` stays the user's: a script may need it."""
    return {
        "KUBECONFIG": str(kubeconfig),
        "KUBECACHEDIR": str(cache),
        "KUBERC": "off",
        "KUBECTL_KUBERC": "false",
    }


def names_for_tools(*, home: Path, temp: Path) -> Mapping[str, str]:
    """Homes of their own for tools whose output we read: what one step leaves there, and what a
    person prefers, does not matter to another. What is large (charts) lies below `temp`."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CACHE_HOME": str(temp / "kube-home"),
        "HELM_CONFIG_HOME": str(home / "helm-config"),
        "HELM_DATA_HOME": str(home / "helm-data"),
        "HELM_CACHE_HOME": str(temp / "helm-cache"),
    }
