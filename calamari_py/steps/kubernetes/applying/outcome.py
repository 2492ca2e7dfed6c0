"""What became of each object of an application, as far as it is known."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from calamari_py.steps.kubernetes.applying.tell import NOT_REACHED
from calamari_py.steps.kubernetes.applying.terminating import blocked_by
from calamari_py.steps.kubernetes.objects.scope import placed
from calamari_py.steps.kubernetes.objects.secrets import secret_keys
from calamari_py.steps.kubernetes.values import (
    KubeObject,
    ObjectAction,
    ObjectRef,
    ObjectResult,
    ref_of,
)

Body = Mapping[str, Any]

_DEFAULT_REPLICAS = 1
_SERVERS_OWN = frozenset({"resourceVersion", "managedFields", "generation"})


@dataclass(slots=True, kw_only=True)
class Known:
    """What was found, and what was done. `before` and `after` are the objects as the server had
    them, `unseen` those that could not be looked at before; `tried` were handed over, whatever came
    of it. `made` are the bodies of those that the server named, by their place among the objects,
    which stands for them in `tried`, too. `gone` is what was pruned and seen gone. `namespace` is
    that of objects that name none."""

    before: dict[ObjectRef, Body] = field(default_factory=dict, repr=False)
    after: dict[ObjectRef, Body] = field(default_factory=dict, repr=False)
    unseen: set[ObjectRef] = field(default_factory=set)
    tried: set[ObjectRef | int] = field(default_factory=set)
    applied: set[ObjectRef] = field(default_factory=set)
    failed: dict[ObjectRef, str] = field(default_factory=dict)
    made: dict[int, Body] = field(default_factory=dict, repr=False)
    not_made: dict[int, str] = field(default_factory=dict)
    pruned: list[ObjectResult] = field(default_factory=list)
    gone: set[ObjectRef] = field(default_factory=set)
    namespace: str = ""

    def confirm(self, refs: Collection[ObjectRef]) -> None:
        """`refs` are applied, whatever failed of them before."""
        self.applied |= set(refs)
        for ref in refs:
            self.failed.pop(ref, None)

    def results(self, objects: Sequence[KubeObject]) -> Iterator[ObjectResult]:
        """One for each of `objects`, in their order, then what was pruned. Their refs are the
        server's where it has told them: with name and namespace."""
        for place, each in enumerate(objects):
            found = self._generated(place, each) if not each.ref.name else self._named(each)
            yield replace(found, ref=placed(found.ref, self.namespace))
        yield from map(self._pruned, self.pruned)

    def _pruned(self, result: ObjectResult) -> ObjectResult:
        if result.ref in self.failed:
            return replace(result, action="failed", message=self.failed[result.ref])
        return replace(result, action="pruned") if result.ref in self.gone else result

    def _generated(self, place: int, each: KubeObject) -> ObjectResult:
        body = self.made.get(place)
        if body is not None:
            return _result(each, "created", body)
        message = self.not_made.get(place, "" if place in self.tried else NOT_REACHED)
        return _result(each, "failed" if message else "unknown", None, message)

    def _named(self, each: KubeObject) -> ObjectResult:
        ref = each.ref
        body = self.after.get(ref) or self.before.get(ref)
        if ref in self.failed:
            return _result(each, "failed", body, self.failed[ref])
        if ref not in self.tried:
            return _result(each, "failed", body, NOT_REACHED)
        if ref not in self.applied:
            return _result(each, "unknown", body)
        if body is not None and _metadata(body, "deletionTimestamp") and ref in self.after:
            return _result(each, "failed", body, _leaving(body))
        return _result(each, self._action(each), body)

    def _action(self, each: KubeObject) -> ObjectAction:
        before, after = self.before.get(each.ref), self.after.get(each.ref)
        if before is None:
            return "applied" if each.ref in self.unseen else "created"
        if after is None:
            return "applied"
        return "unchanged" if is_same(before, after, each.body) else "configured"


def is_same(before: Body, after: Body, wanted: Body | None = None) -> bool:
    """Whether an object was left as it was. Its status does not count, and who owns its fields: a
    controller may be at work on them at any time. Nor do replicas that an autoscaler sets: those
    that the file `wanted` does not name, but for the one that a server makes of none."""
    if _metadata(before, "resourceVersion") == _metadata(after, "resourceVersion"):
        return True
    if _metadata(before, "uid") != _metadata(after, "uid"):
        return False
    if wanted is not None and _replicas(wanted) is None and _replicas(before) is not None:
        scaled = _replicas(after)
        if scaled not in (None, _DEFAULT_REPLICAS):
            before = {**before, "spec": {**before["spec"], "replicas": scaled}}
    return _own(before) == _own(after)


def _replicas(body: Body) -> Any:
    spec = body.get("spec")
    return spec.get("replicas") if isinstance(spec, Mapping) else None


def _leaving(body: Body) -> str:
    what_blocks = blocked_by(body)
    waits = f" (it waits for {what_blocks})" if what_blocks else ""
    return f"it is being deleted{waits}, and goes with what was applied: apply it once it is gone"


def _own(body: Body) -> Body:
    metadata = body.get("metadata") or {}
    return {
        **{name: value for name, value in body.items() if name != "status"},
        "metadata": {name: value for name, value in metadata.items() if name not in _SERVERS_OWN},
    }


def _metadata(body: Body, name: str) -> Any:
    return (body.get("metadata") or {}).get(name)


def _result(
    each: KubeObject, action: ObjectAction, body: Body | None, message: str = ""
) -> ObjectResult:
    ref = each.ref
    if body is not None:
        seen = ref_of(body)
        ref = replace(ref, name=seen.name, namespace=seen.namespace)
    return ObjectResult(
        ref=ref,
        action=action,
        uid=str(_metadata(body, "uid") or "") if body is not None else "",
        keys=secret_keys(each.body),
        message=message,
    )


def result_of(body: Body, action: ObjectAction, message: str = "") -> ObjectResult:
    """What became of an object that is in no file."""
    uid = str(_metadata(body, "uid") or "")
    keys = secret_keys(body)
    return ObjectResult(ref=ref_of(body), action=action, uid=uid, keys=keys, message=message)
