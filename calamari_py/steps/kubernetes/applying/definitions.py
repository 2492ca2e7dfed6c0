"""Definitions (CRDs): what they define can be applied once they are established."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepClock
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef

_DEADLINE = 60.0
_INTERVAL = 0.5
_LONGEST_INTERVAL = 2.0


def is_definition(ref: ObjectRef) -> bool:
    """Whether it is a CustomResourceDefinition."""
    return ref.kind == "CustomResourceDefinition" and ref.group == "apiextensions.k8s.io"


def holds_others(ref: ObjectRef) -> bool:
    """Whether other objects are deleted with it: a namespace or a definition."""
    return is_definition(ref) or (ref.kind == "Namespace" and not ref.group)


def defined_by(objects: Iterable[KubeObject]) -> Iterator[tuple[str, str]]:
    """Group and kind of what the definitions among `objects` define."""
    for each in objects:
        spec = each.body.get("spec")
        if not is_definition(each.ref) or not isinstance(spec, Mapping):
            continue
        names = spec.get("names")
        if isinstance(names, Mapping):
            yield str(spec.get("group", "")), str(names.get("kind", ""))


def new_types(
    objects: Iterable[KubeObject], live: Mapping[ObjectRef, Mapping[str, Any]]
) -> Iterator[tuple[str, str, str]]:
    """Group, kind and version of what the definitions among `objects` add to those that are `live`;
    the version is "" where all of it is new."""
    for each in objects:
        for group, kind in defined_by([each]):
            if each.ref not in live:
                yield group, kind, ""
                continue
            for version in _served(each.body) - _served(live[each.ref]):
                yield group, kind, version


def _served(body: Mapping[str, Any]) -> set[str]:
    versions = (body.get("spec") or {}).get("versions") or ()
    return {str(each.get("name", "")) for each in versions if each.get("served")}


def wait_for_definitions(kubectl: Kubectl, refs: Sequence[ObjectRef], clock: StepClock) -> None:
    """Wait until the definitions `refs` are established, for a minute. ToolFailed when one is not,
    or its names belong to another one."""
    end = clock.monotonic() + _DEADLINE
    interval = _INTERVAL
    waiting = list(refs)
    while waiting:
        found = kubectl.get_objects(waiting, doing="wait for the definitions")
        for ref in waiting:
            _refuse_names(ref, found.get(ref, {}))
        waiting = [
            ref for ref in waiting
            if _condition(found.get(ref, {}), "Established").get("status") != "True"
        ]  # fmt: skip
        if not waiting:
            return
        if clock.monotonic() >= end:
            raise _not_established(waiting, found)
        clock.sleep(interval)
        interval = min(interval * 2, _LONGEST_INTERVAL)


def _refuse_names(ref: ObjectRef, body: Mapping[str, Any]) -> None:
    names = _condition(body, "NamesAccepted")
    if names.get("status") == "False":
        raise ToolFailed(
            f"definition '{ref.name}' is not accepted: {names.get('message', 'name conflict')}",
            hint="another definition has these names: see 'kubectl get crds'",
        )


def _not_established(refs: Sequence[ObjectRef], found: Mapping[ObjectRef, Any]) -> ToolFailed:
    ref = refs[0]
    why = _condition(found.get(ref, {}), "Established").get("message", "it says no reason")
    return ToolFailed(
        f"definition '{ref.name}' was not established within {int(_DEADLINE)}s: {why}",
        hint=f"look at it with 'kubectl describe crd {ref.name}'",
    )


def _condition(body: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    status = body.get("status")
    conditions = status.get("conditions") if isinstance(status, Mapping) else None
    for condition in conditions or ():
        if isinstance(condition, Mapping) and condition.get("type") == kind:
            return condition
    return {}
