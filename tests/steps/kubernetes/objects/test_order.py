"""In which order objects are applied, and deleted."""

from __future__ import annotations

import pytest

from calamari_py.steps.kubernetes.objects.load import objects_of
from calamari_py.steps.kubernetes.objects.order import for_deletion, in_order, phases
from calamari_py.steps.kubernetes.values import KubeObject

ORDER = [
    "v1/Namespace",
    "apiextensions.k8s.io/v1/CustomResourceDefinition",
    "scheduling.k8s.io/v1/PriorityClass",
    "storage.k8s.io/v1/StorageClass",
    "policy/v1/PodDisruptionBudget",
    "v1/ServiceAccount",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/Role",
    "rbac.authorization.k8s.io/v1/RoleBinding",
    "v1/Secret",
    "v1/ConfigMap",
    "v1/PersistentVolume",
    "v1/PersistentVolumeClaim",
    "v1/Service",
    "apps/v1/DaemonSet",
    "v1/Pod",
    "apps/v1/StatefulSet",
    "apps/v1/Deployment",
    "autoscaling/v2/HorizontalPodAutoscaler",
    "batch/v1/Job",
    "batch/v1/CronJob",
    "networking.k8s.io/v1/Ingress",
    "serving.knative.dev/v1/Service",
    "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
    "apiregistration.k8s.io/v1/APIService",
]


def made(*types: str) -> tuple[KubeObject, ...]:
    """An object of each type, named by its number."""
    texts = []
    for number, type_ in enumerate(types):
        version, _, kind = type_.rpartition("/")
        texts.append(f"apiVersion: {version}\nkind: {kind}\nmetadata: {{name: o{number}}}\n")
    return objects_of("---\n".join(texts).encode(), origin="the test")


def types_of(objects: tuple[KubeObject, ...]) -> list[str]:
    """The type of each."""
    return [f"{each.ref.api_version}/{each.ref.kind}" for each in objects]


def test_each_kind_comes_after_what_it_needs() -> None:
    """A kind that only a definition knows comes after workloads, whatever it is called."""
    assert types_of(in_order(made(*reversed(ORDER)))) == ORDER


def test_objects_of_one_kind_stay_as_they_are() -> None:
    """Who wrote them may have had a reason."""
    objects = in_order(made("x.org/v1/B", "v1/Pod", "x.org/v1/A", "v1/Pod"))
    assert [each.ref.name for each in objects] == ["o1", "o3", "o0", "o2"]


def test_deletion_goes_the_other_way() -> None:
    """Webhooks first: they keep things from being deleted, too."""
    assert types_of(for_deletion(made(*ORDER))) == ORDER[::-1]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        pytest.param(ORDER, [ORDER[:2], ORDER[2:]], id="both"),
        pytest.param(ORDER[:1], [ORDER[:1]], id="first-only"),
        pytest.param(ORDER[5:], [ORDER[5:]], id="rest-only"),
        pytest.param([], [], id="none"),
    ],
)
def test_phases(types: list[str], expected: list[list[str]]) -> None:
    """Namespaces and definitions are a phase of their own; no phase is empty."""
    assert [types_of(phase) for phase in phases(made(*types))] == expected
