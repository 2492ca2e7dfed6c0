"""In which order objects are applied, and deleted.

Each kind after those that it needs to be there: a namespace before what is in it, a definition
before its objects, rights and configuration before workloads. Webhooks and API services come last:
before those who answer for them are there, they keep everything else out. Close to the order that
Helm installs in.
"""

from __future__ import annotations

from collections.abc import Iterable

from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef

_RBAC = "rbac.authorization.k8s.io"
_FIRST = (("", "Namespace"), ("apiextensions.k8s.io", "CustomResourceDefinition"))
"""What all others may need, and the API server has to know before it takes them."""
_BEFORE_OTHERS = (
    *_FIRST,
    ("scheduling.k8s.io", "PriorityClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("storage.k8s.io", "CSIDriver"),
    ("storage.k8s.io", "StorageClass"),
    ("networking.k8s.io", "IngressClass"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("", "ResourceQuota"),
    ("", "LimitRange"),
    ("policy", "PodDisruptionBudget"),
    ("", "ServiceAccount"),
    (_RBAC, "ClusterRole"),
    (_RBAC, "ClusterRoleBinding"),
    (_RBAC, "Role"),
    (_RBAC, "RoleBinding"),
    ("", "Secret"),
    ("", "ConfigMap"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
    ("", "Service"),
    ("", "Endpoints"),
    ("discovery.k8s.io", "EndpointSlice"),
    ("apps", "DaemonSet"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("apps", "Deployment"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "Job"),
    ("batch", "CronJob"),
    ("networking.k8s.io", "Ingress"),
)
_AFTER_OTHERS = (
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ("apiregistration.k8s.io", "APIService"),
)
_OTHERS = len(_BEFORE_OTHERS)
_PLACES = {
    **{type_: at for at, type_ in enumerate(_BEFORE_OTHERS)},
    **{type_: at for at, type_ in enumerate(_AFTER_OTHERS, start=_OTHERS + 1)},
}


def in_order(objects: Iterable[KubeObject]) -> tuple[KubeObject, ...]:
    """`objects` as they are to be applied; those of one kind stay as they are. Kinds that only a
    definition knows come after workloads."""
    return tuple(sorted(objects, key=lambda each: _place(each.ref)))


def for_deletion(objects: Iterable[KubeObject]) -> tuple[KubeObject, ...]:
    """`objects` as they are to be deleted: the other way round."""
    return in_order(objects)[::-1]


def phases(objects: Iterable[KubeObject]) -> tuple[tuple[KubeObject, ...], ...]:
    """Namespaces and definitions, then the rest, each in order. A phase that has no object is left
    out; what the first one makes has to be there before the second."""
    ordered = in_order(objects)
    first = tuple(each for each in ordered if is_first(each.ref))
    rest = tuple(each for each in ordered if not is_first(each.ref))
    return tuple(phase for phase in (first, rest) if phase)


def is_first(ref: ObjectRef) -> bool:
    """Whether it is a namespace or a definition."""
    return (ref.group, ref.kind) in _FIRST


def _place(ref: ObjectRef) -> int:
    return _PLACES.get((ref.group, ref.kind), _OTHERS)
