"""judge: the rule of an object's kind, and what is true of every kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calamari_py.steps.kubernetes.rollout.rules.conditions import by_conditions
from calamari_py.steps.kubernetes.rollout.rules.extensions import (
    api_service,
    definition,
    namespace,
)
from calamari_py.steps.kubernetes.rollout.rules.family import Family, is_going
from calamari_py.steps.kubernetes.rollout.rules.fields import Body, mapping
from calamari_py.steps.kubernetes.rollout.rules.jobs import cron_job, job
from calamari_py.steps.kubernetes.rollout.rules.judgement import Judgement, failed
from calamari_py.steps.kubernetes.rollout.rules.network import ingress, service
from calamari_py.steps.kubernetes.rollout.rules.pods import pod
from calamari_py.steps.kubernetes.rollout.rules.scaling import autoscaler, disruption_budget
from calamari_py.steps.kubernetes.rollout.rules.storage import claim
from calamari_py.steps.kubernetes.rollout.rules.workloads import (
    daemon_set,
    deployment,
    replica_set,
    stateful_set,
)
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of

Rule = Callable[[Body, Family], Judgement]

RULES: Mapping[tuple[str, str], Rule] = {
    ("apps", "Deployment"): deployment,
    ("apps", "ReplicaSet"): replica_set,
    ("", "ReplicationController"): replica_set,
    ("apps", "StatefulSet"): stateful_set,
    ("apps", "DaemonSet"): daemon_set,
    ("batch", "Job"): job,
    ("batch", "CronJob"): cron_job,
    ("", "Pod"): pod,
    ("", "PersistentVolumeClaim"): claim,
    ("", "Service"): service,
    ("networking.k8s.io", "Ingress"): ingress,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaler,
    ("policy", "PodDisruptionBudget"): disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): definition,
    ("apiregistration.k8s.io", "APIService"): api_service,
    ("", "Namespace"): namespace,
}
"""By group and kind, of whatever version; `by_conditions` for all others."""

_STATELESS = {
    "": {"ConfigMap", "Secret", "ServiceAccount", "LimitRange", "Endpoints", "PodTemplate"},
    "rbac.authorization.k8s.io": {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"},
    "networking.k8s.io": {"NetworkPolicy", "IngressClass"},
    "storage.k8s.io": {"StorageClass", "CSIDriver"},
    "scheduling.k8s.io": {"PriorityClass"},
    "node.k8s.io": {"RuntimeClass"},
    "discovery.k8s.io": {"EndpointSlice"},
    "coordination.k8s.io": {"Lease"},
    "admissionregistration.k8s.io": {
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicyBinding",
    },
}


def has_state(ref: ObjectRef) -> bool:
    """Whether there is more to it than that it exists. Others are done when they were applied, and
    nobody asks for them again: that would fetch the values of all Secrets."""
    return ref.kind not in _STATELESS.get(ref.group, ())


def judge(body: Body, family: Family) -> Judgement:
    """What is true of the object now."""
    if is_going(body):
        return failed("Terminating", f"it is being deleted{_held_by(body)}")
    ref = ref_of(body)
    return RULES.get((ref.group, ref.kind), by_conditions)(body, family)


def _held_by(body: Body) -> str:
    """Who must let it go first."""
    named = mapping(body, "metadata").get("finalizers")
    if not isinstance(named, list) or not named:
        return ""
    return f" (finalizers: {', '.join(map(str, named))})"
