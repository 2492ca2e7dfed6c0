"""What the server fills into an object that leaves it out."""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.kube.server.failures import Body
from tests.kube.server.kinds import Type
from tests.kube.server.store import group_of

_addresses = count(1)


def fill(type_: Type, body: Body) -> None:
    """Put the defaults into `body`, in place."""
    default = _DEFAULTS.get(type_.kind)
    if default and type_.group == group_of(body) and not type_.custom:
        default(body)


def _set(body: Body, **values: Any) -> None:
    for name, value in values.items():
        body.setdefault(name, value)


def _pod_spec(spec: Body) -> None:
    _set(
        spec,
        restartPolicy="Always",
        terminationGracePeriodSeconds=30,
        dnsPolicy="ClusterFirst",
        securityContext={},
        schedulerName="default-scheduler",
    )
    if "serviceAccountName" in spec:
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        image = str(container.get("image", ""))
        latest = ":" not in image.rpartition("/")[2] or image.endswith(":latest")
        _set(
            container,
            resources={},
            terminationMessagePath="/dev/termination-log",
            terminationMessagePolicy="File",
            imagePullPolicy="Always" if latest else "IfNotPresent",
        )
        for port in container.get("ports") or ():
            _set(port, protocol="TCP")
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            if name in container:
                _set(container[name], timeoutSeconds=1, periodSeconds=10, successThreshold=1)
                _set(container[name], failureThreshold=3)
    for volume in spec.get("volumes") or ():
        for source in ("secret", "configMap"):
            if source in volume:
                _set(volume[source], defaultMode=420)


def _template(spec: Body) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    _pod_spec(template.setdefault("spec", {}))


def _deployment(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _set(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(strategy.setdefault("rollingUpdate", {}), maxSurge="25%", maxUnavailable="25%")
    _template(spec)


def _replica_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _set(spec, replicas=1)
    _template(spec)


def _stateful_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _set(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    strategy = spec.setdefault("updateStrategy", {})
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(strategy.setdefault("rollingUpdate", {}), partition=0)
    _template(spec)


def _daemon_set(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _set(spec, revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(strategy.setdefault("rollingUpdate", {}), maxSurge=0, maxUnavailable=1)
    _template(spec)


def _job_spec(spec: Body) -> None:
    _set(spec, parallelism=1, completions=1, backoffLimit=6, suspend=False)
    _set(spec, completionMode="NonIndexed", manualSelector=False)
    _template(spec)


def _job(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _job_spec(spec)
    uid = body["metadata"].get("uid")
    if uid and "selector" not in spec:
        # The real one makes both from the uid, which is known when defaults are filled in.
        labels = {"batch.kubernetes.io/controller-uid": uid}
        spec["selector"] = {"matchLabels": labels}
        told = spec["template"]["metadata"].setdefault("labels", {})
        told.update(labels, **{"batch.kubernetes.io/job-name": body["metadata"]["name"]})


def _cron_job(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _set(spec, concurrencyPolicy="Allow", suspend=False)
    _set(spec, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    job = spec.setdefault("jobTemplate", {})
    job.setdefault("metadata", {}).setdefault("creationTimestamp", None)
    template = job.setdefault("spec", {})
    _template(template)


def _pod(body: Body) -> None:
    _pod_spec(body.setdefault("spec", {}))
    if body.get("status") is None:
        body["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def _service(body: Body) -> None:
    spec = body.setdefault("spec", {})
    _set(spec, type="ClusterIP", sessionAffinity="None")
    if spec["type"] != "ExternalName":
        address = f"10.100.{next(_addresses) // 250}.{next(_addresses) % 250 + 1}"
        _set(spec, clusterIP=address, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"])
        _set(spec, clusterIPs=[spec["clusterIP"]], ipFamilyPolicy="SingleStack")
    if spec["type"] in ("LoadBalancer", "NodePort"):
        _set(spec, externalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _set(spec, allocateLoadBalancerNodePorts=True)
    for port in spec.get("ports") or ():
        _set(port, protocol="TCP", targetPort=port.get("port"))
        if spec["type"] in ("LoadBalancer", "NodePort"):
            _set(port, nodePort=30000 + next(_addresses) % 2767)
    body.setdefault("status", {"loadBalancer": {}})


def _secret(body: Body) -> None:
    _set(body, type="Opaque")
    for name, text in (body.pop("stringData", None) or {}).items():
        coded = base64.b64encode(str(text).encode()).decode()
        body["data"] = {**(body.get("data") or {}), name: coded}


def _namespace(body: Body) -> None:
    name = body["metadata"]["name"]
    body["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name
    _set(body, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})


def _claim(body: Body) -> None:
    _set(body.setdefault("spec", {}), volumeMode="Filesystem")
    _set(body, status={"phase": "Pending"})


def _definition(body: Body) -> None:
    names = body["spec"]["names"]
    _set(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    _set(body["spec"], conversion={"strategy": "None"})


_DEFAULTS: dict[str, Callable[[Body], None]] = {
    "Deployment": _deployment,
    "ReplicaSet": _replica_set,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Pod": _pod,
    "Service": _service,
    "Secret": _secret,
    "Namespace": _namespace,
    "PersistentVolumeClaim": _claim,
    "CustomResourceDefinition": _definition,
}
