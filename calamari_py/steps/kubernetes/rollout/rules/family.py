"""Family: the objects of one look, found by their owners."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    flag,
    mapping,
    name_of,
    number,
    rows,
    text,
    uid_of,
)

_REVISION = "deployment.kubernetes.io/revision"
_TEMPLATE = "deprecated.daemonset.template.generation"
_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


class Family:
    """Everything that was listed, with whose it is."""

    def __init__(self, bodies: Iterable[Body] = ()) -> None:
        self._owned: dict[str, list[Body]] = defaultdict(list)
        self._classes: list[Body] = []
        for body in bodies:
            if body.get("kind") == "StorageClass":
                self._classes.append(body)
            for owner in rows(body, "metadata", "ownerReferences"):
                if uid := text(owner, "uid"):
                    self._owned[uid].append(body)

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

    def waits_for_consumer(self, claim: Body) -> bool | None:
        """Whether the claim's storage class binds it only when a pod wants it; None where nobody
        may say."""
        name = mapping(claim, "spec").get("storageClassName")
        for one in self._classes:
            if name_of(one) == name if isinstance(name, str) else _is_default(one):
                return one.get("volumeBindingMode") == "WaitForFirstConsumer"
        return None


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
