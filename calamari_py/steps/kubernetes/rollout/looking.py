"""Looking: everything a rollout needs to know, with one process per namespace."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.rollout.contact import NoAnswer, is_passing
from calamari_py.steps.kubernetes.rollout.evidence.events import EVENT_TYPE, warnings_of
from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import Body
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

_DOING = "see how the rollout goes"
PODS = "Pod.v1."
REPLICA_SETS = "ReplicaSet.v1.apps"
STORAGE_CLASSES = "StorageClass.v1.storage.k8s.io"
_CHILDREN: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): (REPLICA_SETS, PODS),
    ("apps", "ReplicaSet"): (PODS,),
    ("", "ReplicationController"): (PODS,),
    ("apps", "StatefulSet"): (PODS,),
    ("apps", "DaemonSet"): (PODS,),
    ("batch", "Job"): (PODS,),
    ("", "PersistentVolumeClaim"): (STORAGE_CLASSES,),
}
_BY_NAME = {
    ("", "Namespace"),
    ("", "Node"),
    ("", "PersistentVolume"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
}
"""Kinds of the whole cluster: a few are wanted, and a list has those of everybody."""
_PLURALS = {PODS: "pods", REPLICA_SETS: "replicasets", STORAGE_CLASSES: "storageclasses"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look. `bodies` are the objects that were asked for and are there. `asked` are those whose
    events were asked for, and may have been refused, with their namespaces."""

    bodies: Mapping[ObjectRef, Body] = field(repr=False)
    family: Family = field(repr=False)
    asked: Mapping[ObjectRef, str] = field(default_factory=dict)


class Looking:
    """Looks at `refs`. What may not be listed beside them is said once and left out from then
    on."""

    def __init__(self, kubectl: Kubectl, refs: Sequence[ObjectRef], report: StepReport) -> None:
        self._kubectl = kubectl
        self._report = report
        self._named = [ref for ref in refs if (ref.group, ref.kind) in _BY_NAME]
        self._listed: dict[str, list[ObjectRef]] = defaultdict(list)
        for ref in refs:
            if ref not in self._named:
                self._listed[self._namespace(ref)].append(ref)
        self._refused: set[str] = set()

    def look(self, *, events_of: Iterable[ObjectRef] = ()) -> Seen:
        """Everything as it is now, with the events of the namespaces of `events_of`. Raises
        ToolFailed where the objects themselves cannot be seen."""
        asked = {ref: self._namespace(ref) for ref in events_of}
        bodies, others = dict[ObjectRef, Body](), list[Body]()
        for namespace, refs in self._listed.items():
            items = self._list(namespace, refs, with_events=namespace in asked.values())
            found = _index(items)
            for ref in refs:
                body = found.get((ref.group, ref.kind, ref.name))
                if body is not None:
                    bodies[ref] = body
            others += items
        if self._named:
            bodies.update(self._kubectl.get_objects(self._named, doing=_DOING))
        family = Family(others, has_classes=STORAGE_CLASSES not in self._refused)
        return Seen(bodies=bodies, family=family, asked=asked)

    def namespaces(self, refs: Iterable[ObjectRef]) -> tuple[str, ...]:
        """Where they are, each once."""
        return tuple(dict.fromkeys(map(self._namespace, refs)))

    def warnings(self, namespace: str) -> list[Body]:
        """The Warning events of a namespace, the newest last."""
        listed = self._kubectl.list([EVENT_TYPE], namespace=namespace, doing="list the events")
        return warnings_of(listed.items)

    def _namespace(self, ref: ObjectRef) -> str:
        return ref.namespace or self._kubectl.access.namespace

    def _list(
        self, namespace: str, refs: Sequence[ObjectRef], *, with_events: bool
    ) -> Sequence[Body]:
        own = dict.fromkeys(ref.type for ref in refs)
        children = [type_ for ref in refs for type_ in _CHILDREN.get((ref.group, ref.kind), ())]
        # A claim's own events say what its class would.
        if with_events or (STORAGE_CLASSES in children and STORAGE_CLASSES in self._refused):
            children.append(EVENT_TYPE)
        types = [*own, *(one for one in dict.fromkeys(children) if one not in own)]
        types = [one for one in types if one not in self._refused]
        listed = self._kubectl.list(types, namespace=namespace, doing=_DOING)
        for failure in listed.failures:
            self._take_failure(failure, types[len(own) :])
        return listed.items

    def _take_failure(self, failure: ApiFailure, children: Sequence[str]) -> None:
        """Do without what only explains; what has to be seen is no failure of the rest."""
        for type_ in children:
            plural = _PLURALS.get(type_, "events")
            if not _is_about(failure, type_, plural):
                continue
            self._refused.add(type_)
            if type_ in (PODS, REPLICA_SETS):
                self._report.warn(
                    f"the {plural} may not be listed: the rollout is judged without them, and "
                    "what is wrong with a pod is seen late",
                    f"let the step's role list {plural} in the namespace",
                )
            return
        error = self._kubectl.failed(_DOING, failure)
        if is_passing(failure):
            raise NoAnswer(error.message, hint=error.hint, evidence=error.evidence)
        raise error


def _is_about(failure: ApiFailure, type_: str, plural: str) -> bool:
    if failure.kind == "unknown-type":
        return type_.partition(".")[0].lower() in failure.text.lower()
    return failure.resource.partition(".")[0].lower() == plural


def _index(items: Iterable[Body]) -> dict[tuple[str, str, str], Body]:
    """By group, kind and name: a list is of one namespace."""
    refs = ((ref_of(item), item) for item in items)
    return {(ref.group, ref.kind, ref.name): item for ref, item in refs}
