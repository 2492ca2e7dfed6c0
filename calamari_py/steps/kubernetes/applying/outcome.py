"""What became of each object of an application, as far as it is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from calamari_py.steps.kubernetes.objects.secrets import secret_keys
from calamari_py.steps.kubernetes.values import (
    KubeObject,
    ObjectAction,
    ObjectRef,
    ObjectResult,
    ref_of,
)

Body = Mapping[str, Any]

_SERVERS_OWN = frozenset({"resourceVersion", "managedFields", "generation"})


@dataclass(slots=True, kw_only=True)
class Known:
    """What was found, and what was done. `before` and `after` are the objects as the server had
    them, `unseen` those that could not be looked at before. `made` are the bodies of those that the
    server named, by their place among the objects."""

    before: dict[ObjectRef, Body] = field(default_factory=dict, repr=False)
    after: dict[ObjectRef, Body] = field(default_factory=dict, repr=False)
    unseen: set[ObjectRef] = field(default_factory=set)
    applied: set[ObjectRef] = field(default_factory=set)
    failed: dict[ObjectRef, str] = field(default_factory=dict)
    made: dict[int, Body] = field(default_factory=dict, repr=False)
    not_made: dict[int, str] = field(default_factory=dict)
    pruned: list[ObjectResult] = field(default_factory=list)

    def results(self, objects: Sequence[KubeObject]) -> Iterator[ObjectResult]:
        """One for each of `objects`, in their order, then what was pruned. Their refs are the
        server's where it has told them: with name and namespace."""
        for place, each in enumerate(objects):
            yield self._generated(place, each) if not each.ref.name else self._named(each)
        yield from self.pruned

    def _generated(self, place: int, each: KubeObject) -> ObjectResult:
        body = self.made.get(place)
        if body is not None:
            return _result(each, "created", body)
        message = self.not_made.get(place)
        return _result(each, "unknown" if message is None else "failed", None, message or "")

    def _named(self, each: KubeObject) -> ObjectResult:
        ref = each.ref
        body = self.after.get(ref) or self.before.get(ref)
        if ref in self.failed:
            return _result(each, "failed", body, self.failed[ref])
        if ref not in self.applied:
            return _result(each, "unknown", body)
        return _result(each, self._action(ref), body)

    def _action(self, ref: ObjectRef) -> ObjectAction:
        before, after = self.before.get(ref), self.after.get(ref)
        if before is None:
            return "configured" if ref in self.unseen else "created"
        return "unchanged" if after is not None and is_same(before, after) else "configured"


def is_same(before: Body, after: Body) -> bool:
    """Whether an object was left as it was. Its status does not count, and who owns its fields: a
    controller may be at work on them at any time."""
    if _metadata(before, "resourceVersion") == _metadata(after, "resourceVersion"):
        return True
    return _metadata(before, "uid") == _metadata(after, "uid") and _own(before) == _own(after)


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
