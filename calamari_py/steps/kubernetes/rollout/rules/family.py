"""Family: the objects of one look, found by their owners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    condition,
    flag,
    is_true,
    mapping,
    name_of,
    number,
    rows,
    text,
    uid_of,
    when,
)

_REVISION = "deployment.kubernetes.io/revision"
_TEMPLATE = "deprecated.daemonset.template.generation"
_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


class Family:
    """Everything that was listed, with whose it is. `events` are the events among it, the newest
    last. `has_classes` says whether the storage classes could be listed."""

    def __init__(self, bodies: Iterable[Body] = (), *, has_classes: bool = True) -> None:
        self._owned: dict[str, list[Body]] = defaultdict(list)
        self._classes: list[Body] = []
        self._has_classes = has_classes
        self.events: list[Body] = []
        for body in bodies:
            if body.get("kind") == "StorageClass":
                self._classes.append(body)
            if body.get("kind") == "Event":
                self.events.append(body)
            for owner in rows(body, "metadata", "ownerReferences"):
                if uid := text(owner, "uid"):
                    self._owned[uid].append(body)
        self.events.sort(key=when)

    def children(self, body: Body, kind: str) -> list[Body]:
        """What of that kind belongs to `body`, by name."""
        owned = self._owned.get(uid_of(body), ())
        return sorted((one for one in owned if one.get("kind") == kind), key=name_of)

    def newest_replica_set(self, deployment: Body) -> Body | None:
        """The ReplicaSet of the Deployment's own template; None where it was not listed."""
        sets = self.children(deployment, "ReplicaSet")
        wanted = _revision(deployment)
        if wanted:
            return next((one for one in sets if _revision(one) == wanted), None)
        return max(sets, key=_revision, default=None)

    def newest_pods(self, body: Body) -> list[Body]:
        """The pods that were made from what `body` says now: those of an older template say nothing
        about a change."""
        if body.get("kind") == "Pod":
            return [body]
        if body.get("kind") == "Deployment":
            newest = self.newest_replica_set(body)
            return self.children(newest, "Pod") if newest is not None else []
        pods = self.children(body, "Pod")
        if body.get("kind") == "StatefulSet":
            return _labelled(
                pods, "controller-revision-hash", text(body, "status", "updateRevision")
            )
        if body.get("kind") == "DaemonSet":
            made = text(mapping(body, "metadata", "annotations"), _TEMPLATE)
            return _labelled(pods, "pod-template-generation", made)
        return pods

    def blocking_pods(self, body: Body) -> list[Body]:
        """Old pods of a StatefulSet that have to get ready before any is renewed: all, where its
        pods come one by one and no new one is in the way."""
        spec = mapping(body, "spec")
        if body.get("kind") != "StatefulSet" or spec.get("podManagementPolicy") == "Parallel":
            return []
        newest = self.newest_pods(body)
        if not all(is_true(pod, "Ready") for pod in newest):
            return []
        return [pod for pod in self.children(body, "Pod") if pod not in newest]

    def refusal(self, body: Body) -> Body | None:
        """The condition that says why its controller may not make pods. A Deployment copies that of
        any of its ReplicaSets: the newest is asked where they were listed."""
        asked: Body | None = body
        if body.get("kind") == "Deployment" and self.children(body, "ReplicaSet"):
            asked = self.newest_replica_set(body)
        found = condition(asked, "ReplicaFailure") if asked is not None else None
        return found if found is not None and found.get("status") == "True" else None

    def newest_event(self, body: Body) -> Body | None:
        """The last that was said of it, where events were listed."""
        uid = uid_of(body)
        about = (e for e in reversed(self.events) if text(e, "involvedObject", "uid") == uid)
        return next(about, None)

    def waits_for_consumer(self, claim: Body) -> bool | None:
        """Whether the claim's storage class binds it only when a pod wants it; None where nobody
        may say."""
        name = mapping(claim, "spec").get("storageClassName")
        if not self._has_classes and name != "":
            return None
        for one in self._classes:
            if name_of(one) == name if isinstance(name, str) else _is_default(one):
                return one.get("volumeBindingMode") == "WaitForFirstConsumer"
        return False


def _revision(body: Body) -> int:
    said = text(mapping(body, "metadata", "annotations"), _REVISION)
    return int(said) if said.isdecimal() else 0


def _labelled(pods: list[Body], label: str, value: str) -> list[Body]:
    """Those with the label's value; all where nobody labels them so."""
    if not value or not any(label in mapping(pod, "metadata", "labels") for pod in pods):
        return pods
    return [pod for pod in pods if text(mapping(pod, "metadata", "labels"), label) == value]


def _is_default(storage_class: Body) -> bool:
    annotations = mapping(storage_class, "metadata", "annotations")
    return any(annotations.get(name) == "true" for name in _DEFAULT_CLASS)


def is_going(body: Body) -> bool:
    """Whether it is being deleted."""
    return bool(text(body, "metadata", "deletionTimestamp"))


def pods_wanted(body: Body) -> int:
    """How many pods its controller should hold at least, as far as it says."""
    if body.get("kind") == "DaemonSet":
        return number(body, "status", "desiredNumberScheduled")
    if body.get("kind") == "Job":
        return 0 if flag(body, "spec", "suspend") else 1
    return number(body, "spec", "replicas", default=1)
