"""Protobuf bodies: what kubectl create, kubectl auth and helm send, as the JSON they stand for.

Only the fields that these send are in the tables; any other is an error, so that nothing is lost
without a sound.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from typing import Any

from tests.kube.server.failures import Body, bad_request

_MAGIC = b"k8s\x00"
# number name type; a type: str, int, bool, bytes, time, duration, quantity, intstr, a message's
# name; with [] a list, with {} a mapping from str, with * one
# that may be left out, so that its 0 or false says something.
_MESSAGES = """
ObjectMeta: 1 name str, 2 generateName str, 3 namespace str, 4 selfLink str, 5 uid str,
  6 resourceVersion str, 7 generation int, 8 creationTimestamp time, 9 deletionTimestamp time,
  10 deletionGracePeriodSeconds int*, 11 labels str{}, 12 annotations str{},
  13 ownerReferences OwnerReference[], 14 finalizers str[], 17 managedFields ManagedFields[]
OwnerReference: 1 kind str, 3 name str, 4 uid str, 5 apiVersion str, 6 controller bool*,
  7 blockOwnerDeletion bool*
ManagedFields: 1 manager str, 2 operation str, 3 apiVersion str, 4 time time, 6 fieldsType str,
  7 fieldsV1 raw, 8 subresource str
Namespace: 1 metadata ObjectMeta, 2 spec NamespaceSpec, 3 status NamespaceStatus
NamespaceSpec: 1 finalizers str[]
NamespaceStatus: 1 phase str
Secret: 1 metadata ObjectMeta, 2 data bytes{}, 3 type str, 4 stringData str{}, 5 immutable bool*
ConfigMap: 1 metadata ObjectMeta, 2 data str{}, 3 binaryData bytes{}, 4 immutable bool*
ServiceAccount: 1 metadata ObjectMeta, 4 automountServiceAccountToken bool*
Service: 1 metadata ObjectMeta, 2 spec ServiceSpec, 3 status ServiceStatus
ServiceStatus: 1 loadBalancer Empty
ServiceSpec: 1 ports ServicePort[], 2 selector str{}, 3 clusterIP str, 4 type str,
  5 externalIPs str[], 7 sessionAffinity str, 8 loadBalancerIP str, 10 externalName str,
  11 externalTrafficPolicy str, 12 healthCheckNodePort int, 13 publishNotReadyAddresses bool,
  17 ipFamilyPolicy str, 18 clusterIPs str[], 19 ipFamilies str[],
  20 allocateLoadBalancerNodePorts bool*, 21 loadBalancerClass str, 22 internalTrafficPolicy str
ServicePort: 1 name str, 2 protocol str, 3 port int, 4 targetPort intstr, 5 nodePort int,
  6 appProtocol str
Deployment: 1 metadata ObjectMeta, 2 spec DeploymentSpec, 3 status Empty
DeploymentSpec: 1 replicas int*, 2 selector LabelSelector, 3 template PodTemplate,
  4 strategy Strategy, 5 minReadySeconds int, 6 revisionHistoryLimit int*, 7 paused bool,
  9 progressDeadlineSeconds int*
Strategy: 1 type str
LabelSelector: 1 matchLabels str{}, 2 matchExpressions Requirement[]
Requirement: 1 key str, 2 operator str, 3 values str[]
PodTemplate: 1 metadata ObjectMeta, 2 spec PodSpec
Pod: 1 metadata ObjectMeta, 2 spec PodSpec, 3 status Empty
PodSpec: 1 volumes Volume[], 2 containers Container[], 3 restartPolicy str,
  4 terminationGracePeriodSeconds int*, 5 activeDeadlineSeconds int*, 6 dnsPolicy str,
  7 nodeSelector str{}, 8 serviceAccountName str, 9 serviceAccount str, 10 nodeName str,
  11 hostNetwork bool, 12 hostPID bool, 13 hostIPC bool, 14 securityContext Empty,
  15 imagePullSecrets Reference[], 16 hostname str, 17 subdomain str, 19 schedulerName str,
  20 initContainers Container[], 21 automountServiceAccountToken bool*, 24 priorityClassName str,
  25 priority int*
Reference: 1 name str
Volume: 1 name str
Container: 1 name str, 2 image str, 3 command str[], 4 args str[], 5 workingDir str,
  6 ports ContainerPort[], 7 env Variable[], 8 resources Resources, 13 terminationMessagePath str,
  14 imagePullPolicy str, 16 stdin bool, 17 stdinOnce bool, 18 tty bool,
  20 terminationMessagePolicy str
ContainerPort: 1 name str, 2 hostPort int, 3 containerPort int, 4 protocol str, 5 hostIP str
Variable: 1 name str, 2 value str
Resources: 1 limits quantity{}, 2 requests quantity{}
Job: 1 metadata ObjectMeta, 2 spec JobSpec, 3 status Empty
JobSpec: 1 parallelism int*, 2 completions int*, 3 activeDeadlineSeconds int*,
  4 selector LabelSelector, 5 manualSelector bool*, 6 template PodTemplate, 7 backoffLimit int*,
  8 ttlSecondsAfterFinished int*, 9 completionMode str, 10 suspend bool*
CronJob: 1 metadata ObjectMeta, 2 spec CronJobSpec, 3 status Empty
CronJobSpec: 1 schedule str, 2 startingDeadlineSeconds int*, 3 concurrencyPolicy str,
  4 suspend bool*, 5 jobTemplate JobTemplate, 6 successfulJobsHistoryLimit int*,
  7 failedJobsHistoryLimit int*
JobTemplate: 1 metadata ObjectMeta, 2 spec JobSpec
Role: 1 metadata ObjectMeta, 2 rules PolicyRule[]
ClusterRole: 1 metadata ObjectMeta, 2 rules PolicyRule[]
PolicyRule: 1 verbs str[], 2 apiGroups str[], 3 resources str[], 4 resourceNames str[],
  5 nonResourceURLs str[]
RoleBinding: 1 metadata ObjectMeta, 2 subjects Subject[], 3 roleRef RoleRef
ClusterRoleBinding: 1 metadata ObjectMeta, 2 subjects Subject[], 3 roleRef RoleRef
Subject: 1 kind str, 2 apiGroup str, 3 name str, 4 namespace str
RoleRef: 1 apiGroup str, 2 kind str, 3 name str
ResourceQuota: 1 metadata ObjectMeta, 2 spec QuotaSpec, 3 status Empty
QuotaSpec: 1 hard quantity{}, 2 scopes str[]
PodDisruptionBudget: 1 metadata ObjectMeta, 2 spec BudgetSpec, 3 status Empty
BudgetSpec: 1 minAvailable intstr, 2 selector LabelSelector, 3 maxUnavailable intstr
PriorityClass: 1 metadata ObjectMeta, 2 value int, 3 globalDefault bool, 4 description str,
  5 preemptionPolicy str
Ingress: 1 metadata ObjectMeta, 2 spec IngressSpec, 3 status Empty
IngressSpec: 1 defaultBackend Backend, 3 rules IngressRule[], 4 ingressClassName str
IngressRule: 1 host str, 2 ingressRuleValue IngressRuleValue
IngressRuleValue: 1 http IngressHttp
IngressHttp: 1 paths IngressPath[]
IngressPath: 1 path str, 2 backend Backend, 3 pathType str
Backend: 4 service BackendService
BackendService: 1 name str, 2 port BackendPort
BackendPort: 1 name str, 2 number int
SelfSubjectReview: 1 metadata ObjectMeta, 2 status Empty
SelfSubjectAccessReview: 1 metadata ObjectMeta, 2 spec AccessSpec, 3 status Empty
AccessSpec: 1 resourceAttributes ResourceAttributes, 2 nonResourceAttributes PathAttributes
ResourceAttributes: 1 namespace str, 2 verb str, 3 group str, 4 version str, 5 resource str,
  6 subresource str, 7 name str
PathAttributes: 1 path str, 2 verb str
SelfSubjectRulesReview: 1 metadata ObjectMeta, 2 spec RulesSpec, 3 status Empty
RulesSpec: 1 namespace str
DeleteOptions: 1 gracePeriodSeconds int*, 2 preconditions Preconditions, 3 orphanDependents bool*,
  4 propagationPolicy str, 5 dryRun str[]
Preconditions: 1 uid str, 2 resourceVersion str
Scale: 1 metadata ObjectMeta, 2 spec ScaleSpec, 3 status Empty
ScaleSpec: 1 replicas int
Empty:
"""
_KEPT = {"int*", "bool*", "intstr"}
_PARTS = {"time", "duration", "intstr", "quantity", "raw"}
Table = dict[int, tuple[str, str]]


def _tables() -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for block in _MESSAGES.replace("\n  ", " ").strip().splitlines():
        name, _, fields = block.partition(":")
        rows = [field.split() for field in fields.split(",") if field.strip()]
        tables[name] = {int(number): (field, sort) for number, field, sort in rows}
    return tables


_TABLES = _tables()


def decoded(body: bytes) -> Body:
    """The object in a protobuf body."""
    if not body.startswith(_MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message")
    api_version, kind, raw = "", "", b""
    for number, value in _fields(body[len(_MAGIC) :]):
        if number == 1:
            told = {part: _text(text) for part, text in _fields(_bytes(value))}
            api_version, kind = told.get(1, ""), told.get(2, "")
        elif number == 2:
            raw = _bytes(value)
    if kind not in _TABLES:
        raise bad_request(f"the tests' decoder has no table for {kind}")
    return {"apiVersion": api_version, "kind": kind, **_message(kind, raw)}


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        sort = tag & 7
        if sort == 0:
            number, at = _varint(raw, at)
            yield tag >> 3, number
        elif sort == 2:
            length, at = _varint(raw, at)
            yield tag >> 3, raw[at : at + length]
            at += length
        elif sort in (1, 5):
            size = 8 if sort == 1 else 4
            yield tag >> 3, struct.unpack_from("<q" if sort == 1 else "<i", raw, at)[0]
            at += size
        else:
            raise bad_request(f"wire type {sort} in a protobuf message")


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _message(name: str, raw: bytes) -> Body:
    result: Body = {}
    table = _TABLES[name]
    for number, value in _fields(raw):
        if number not in table:
            if name == "Empty":
                continue
            raise bad_request(f"the tests' decoder has no field {number} of {name}")
        field, sort = table[number]
        if sort.endswith("[]"):
            result.setdefault(field, []).append(_value(sort[:-2], value))
        elif sort.endswith("{}"):
            pair = dict(_fields(_bytes(value)))
            key = _text(pair.get(1, b""))
            result.setdefault(field, {})[key] = _value(sort[:-2], pair.get(2, b""))
        else:
            found = _value(sort, value)
            # Go's encoder writes its zero values, too, which JSON leaves out.
            if found or sort in _KEPT:
                result[field] = found
    if name == "IngressRule":
        result.update(result.pop("ingressRuleValue", {}))
    return result


def _value(sort: str, value: int | bytes) -> Any:
    sort = sort.removesuffix("*")
    if sort == "int":
        number = _number(value)
        return number - (1 << 64) if number >= 1 << 63 else number
    if sort == "bool":
        return bool(value)
    if sort == "bytes":
        return base64.b64encode(_bytes(value)).decode()
    if sort == "str":
        return _text(value)
    if sort in _PARTS:
        return _part(sort, dict(_fields(_bytes(value))))
    return _message(sort, _bytes(value))


def _part(sort: str, parts: dict[int, int | bytes]) -> Any:
    if sort == "intstr":
        is_text = parts.get(1, 0) == 1
        return _text(parts.get(3, b"")) if is_text else _number(parts.get(2, 0))
    if sort == "quantity":
        return _text(parts.get(1, b""))
    # Times are the server's to tell, and so are the fields of managers.
    return None


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise bad_request("a number where a protobuf message should be")
    return value


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise bad_request("a protobuf message where a number should be")
    return value


def _text(value: int | bytes) -> str:
    return _bytes(value).decode()
