"""Which objects have a namespace, as far as that is known without asking a cluster."""

from __future__ import annotations

from dataclasses import replace

from calamari_py.steps.kubernetes.values import ObjectRef

_NAMESPACED: dict[str, tuple[str, ...]] = {
    "": (
        "ConfigMap", "Endpoints", "Event", "LimitRange", "PersistentVolumeClaim", "Pod",
        "PodTemplate", "ReplicationController", "ResourceQuota", "Secret", "Service",
        "ServiceAccount",
    ),
    "apps": ("ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "batch": ("CronJob", "Job"),
    "coordination.k8s.io": ("Lease",),
    "discovery.k8s.io": ("EndpointSlice",),
    "networking.k8s.io": ("Ingress", "NetworkPolicy"),
    "policy": ("PodDisruptionBudget",),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding"),
}  # fmt: skip


def placed(ref: ObjectRef, namespace: str) -> ObjectRef:
    """`ref` in `namespace` where it names none and its kind is known to have one. Pure."""
    if ref.namespace or ref.kind not in _NAMESPACED.get(ref.group, ()):
        return ref
    return replace(ref, namespace=namespace)
