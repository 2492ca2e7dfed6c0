"""Which fields there are: of pods and what makes them, of a few others, and of custom types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.kube.server.failures import Body, Cause
from tests.kube.server.kinds import Type

_TOP = {"apiVersion", "kind", "metadata", "spec", "status"}
_EXTRA = {
    "Secret": {"data", "stringData", "type", "immutable"},
    "ConfigMap": {"data", "binaryData", "immutable"},
    "ServiceAccount": {"secrets", "imagePullSecrets", "automountServiceAccountToken"},
    "Role": {"rules"},
    "ClusterRole": {"rules", "aggregationRule"},
    "RoleBinding": {"subjects", "roleRef"},
    "ClusterRoleBinding": {"subjects", "roleRef"},
}
_SPECLESS = set(_EXTRA)
_META = {
    "name", "generateName", "namespace", "labels", "annotations", "finalizers", "ownerReferences",
    "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "managedFields", "selfLink",
}  # fmt: skip
_POD = {
    "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "containers", "dnsConfig",
    "dnsPolicy", "enableServiceLinks", "ephemeralContainers", "hostAliases", "hostIPC",
    "hostNetwork", "hostPID", "hostUsers", "hostname", "imagePullSecrets", "initContainers",
    "nodeName", "nodeSelector", "os", "overhead", "preemptionPolicy", "priority",
    "priorityClassName", "readinessGates", "resourceClaims", "resources", "restartPolicy",
    "runtimeClassName", "schedulerName", "schedulingGates", "securityContext", "serviceAccount",
    "serviceAccountName", "setHostnameAsFQDN", "shareProcessNamespace", "subdomain",
    "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints", "volumes",
}  # fmt: skip
_CONTAINER = {
    "args", "command", "env", "envFrom", "image", "imagePullPolicy", "lifecycle", "livenessProbe",
    "name", "ports", "readinessProbe", "resizePolicy", "resources", "restartPolicy",
    "securityContext", "startupProbe", "stdin", "stdinOnce", "terminationMessagePath",
    "terminationMessagePolicy", "tty", "volumeDevices", "volumeMounts", "workingDir",
}  # fmt: skip
_SPEC = {
    "Pod": _POD,
    "Deployment": {
        "minReadySeconds", "paused", "progressDeadlineSeconds", "replicas", "revisionHistoryLimit",
        "selector", "strategy", "template",
    },
    "ReplicaSet": {"minReadySeconds", "replicas", "selector", "template"},
    "StatefulSet": {
        "minReadySeconds", "ordinals", "persistentVolumeClaimRetentionPolicy",
        "podManagementPolicy", "replicas", "revisionHistoryLimit", "selector", "serviceName",
        "template", "updateStrategy", "volumeClaimTemplates",
    },
    "DaemonSet": {
        "minReadySeconds", "revisionHistoryLimit", "selector", "template", "updateStrategy",
    },
    "Job": {
        "activeDeadlineSeconds", "backoffLimit", "backoffLimitPerIndex", "completionMode",
        "completions", "managedBy", "manualSelector", "maxFailedIndexes", "parallelism",
        "podFailurePolicy", "podReplacementPolicy", "selector", "successPolicy", "suspend",
        "template", "ttlSecondsAfterFinished",
    },
    "CronJob": {
        "concurrencyPolicy", "failedJobsHistoryLimit", "jobTemplate", "schedule",
        "startingDeadlineSeconds", "successfulJobsHistoryLimit", "suspend", "timeZone",
    },
    "Service": {
        "allocateLoadBalancerNodePorts", "clusterIP", "clusterIPs", "externalIPs", "externalName",
        "externalTrafficPolicy", "healthCheckNodePort", "internalTrafficPolicy", "ipFamilies",
        "ipFamilyPolicy", "loadBalancerClass", "loadBalancerIP", "loadBalancerSourceRanges",
        "ports", "publishNotReadyAddresses", "selector", "sessionAffinity",
        "sessionAffinityConfig", "trafficDistribution", "type",
    },
}  # fmt: skip
_TEMPLATED = {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"}
_NUMBERS = ("replicas", "minReadySeconds", "progressDeadlineSeconds", "backoffLimit", "completions")


def unknown_fields(type_: Type, body: Body) -> list[str]:
    """The paths of fields that the type does not have, as far as it is known here."""
    return [*_unknown(type_, body)]


def _unknown(type_: Type, body: Body) -> Iterator[str]:
    yield from _beyond("metadata", body.get("metadata"), _META)
    if type_.custom:
        for name, value in body.items():
            if name not in ("apiVersion", "kind", "metadata"):
                inner = ((type_.schema or {}).get("properties") or {}).get(name)
                if inner is None:
                    if not (type_.schema or {}).get("x-kubernetes-preserve-unknown-fields"):
                        yield name
                else:
                    yield from _beyond_schema(name, value, inner)
        return
    known = _EXTRA.get(type_.kind)
    if known:
        yield from _beyond("", body, known | {"apiVersion", "kind", "metadata"})
        return
    spec = body.get("spec") or {}
    if type_.kind in _SPEC:
        yield from _beyond("", body, _TOP)
        yield from _beyond("spec", spec, _SPEC[type_.kind])
    if type_.kind == "Pod":
        yield from _containers("spec", spec)
    if type_.kind in _TEMPLATED:
        template = spec.get("template") or {}
        yield from _beyond("spec.template", template, {"metadata", "spec"})
        yield from _beyond("spec.template.metadata", template.get("metadata"), _META)
        yield from _beyond("spec.template.spec", template.get("spec"), _POD)
        yield from _containers("spec.template.spec", template.get("spec") or {})


def _containers(path: str, spec: Body) -> Iterator[str]:
    for sort in ("containers", "initContainers"):
        for at, container in enumerate(spec.get(sort) or ()):
            yield from _beyond(f"{path}.{sort}[{at}]", container, _CONTAINER)


def _beyond(path: str, body: Any, known: set[str]) -> Iterator[str]:
    if isinstance(body, dict):
        yield from (f"{path}.{name}".lstrip(".") for name in body if name not in known)


def _beyond_schema(path: str, value: Any, schema: Body) -> Iterator[str]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, dict):
        properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
        for name, inner in value.items():
            if name in properties:
                yield from _beyond_schema(f"{path}.{name}", inner, properties[name])
            elif isinstance(rest, dict):
                yield from _beyond_schema(f"{path}.{name}", inner, rest)
            elif not rest:
                yield f"{path}.{name}"
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _beyond_schema(f"{path}[{at}]", item, schema.get("items") or {})


def words(body: Body) -> list[str]:
    """The paths of words where numbers should be."""
    spec = body.get("spec")
    named = spec if isinstance(spec, dict) else {}
    return [f"spec.{name}" for name in _NUMBERS if isinstance(named.get(name), str)]


def wrong_types(type_: Type, body: Body) -> str:
    """The first value that the type cannot hold, as Go's decoder tells it; "" for none."""
    if type_.custom:
        return ""
    spec = body.get("spec")
    if isinstance(spec, dict):
        for name in _NUMBERS:
            if isinstance(spec.get(name), str):
                go = f"{type_.kind}Spec.spec.{name} of type int32"
                return f"json: cannot unmarshal string into Go struct field {go}"
    for name in ("labels", "annotations"):
        for value in (body["metadata"].get(name) or {}).values():
            if not isinstance(value, str):
                sort = "bool" if isinstance(value, bool) else "number"
                go = f"ObjectMeta.metadata.{name} of type string"
                return f"json: cannot unmarshal {sort} into Go struct field {go}"
    return _wrong_data(type_, body)


def _wrong_data(type_: Type, body: Body) -> str:
    if type_.kind == "ConfigMap":
        for value in (body.get("data") or {}).values():
            if not isinstance(value, str):
                sort = "bool" if isinstance(value, bool) else "number"
                go = "ConfigMap.data of type string"
                return f"json: cannot unmarshal {sort} into Go struct field {go}"
    if type_.kind == "Secret":
        for value in (body.get("data") or {}).values():
            bad = re.search(r"[^A-Za-z0-9+/=\n\r]", value or "")
            if bad or len(re.sub(r"[\n\r]", "", value or "")) % 4:
                at = bad.start() if bad else len(value) - len(value) % 4
                return f"illegal base64 data at input byte {at}"
    return ""


_SORTS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
}


def wrong_values(type_: Type, body: Body) -> Iterator[Cause]:
    """What a custom type's schema does not allow."""
    if type_.custom and type_.schema:
        plain = {name: value for name, value in body.items() if name != "metadata"}
        yield from _against("", plain, type_.schema)


def _against(path: str, value: Any, schema: Body) -> Iterator[Cause]:
    if value is None and schema.get("nullable"):
        return
    sort = schema.get("type")
    if sort in _SORTS:
        fits = isinstance(value, _SORTS[sort]) and (sort == "boolean") == isinstance(value, bool)
        if not fits:
            told = f'"{_go(value)}"'
            text = f"Invalid value: {told}: {path} in body must be of type {sort}: {told}"
            yield Cause(reason="FieldValueTypeInvalid", message=text, field=path)
            return
    if "enum" in schema and value not in schema["enum"]:
        told = ", ".join(f'"{one}"' for one in schema["enum"])
        text = f'Unsupported value: "{value}": supported values: {told}'
        yield Cause(reason="FieldValueNotSupported", message=text, field=path)
    if isinstance(value, dict):
        for name in schema.get("required") or ():
            if name not in value:
                field = f"{path}.{name}".lstrip(".")
                yield Cause(reason="FieldValueRequired", message="Required value", field=field)
        for name, inner in (schema.get("properties") or {}).items():
            if name in value:
                yield from _against(f"{path}.{name}".lstrip("."), value[name], inner)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _against(f"{path}[{at}]", item, schema.get("items") or {})


def _go(value: Any) -> str:
    return next((sort for sort, of in _SORTS.items() if type(value) is of), "null")
