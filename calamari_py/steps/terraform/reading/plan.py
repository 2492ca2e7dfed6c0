"""A plan, read: what it does to which resource, without any value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from calamari_py.steps.terraform.reading.attributes import changed_attributes, replace_paths
from calamari_py.steps.terraform.reading.document import (
    ChangeDocument,
    ResourceDocument,
    plan_document,
)
from calamari_py.steps.terraform.reading.words import reason_of, replaced_because, unknown_action
from calamari_py.steps.terraform.values import Change, ChangeKind, OutputChange, Plan

_KINDS: dict[tuple[str, ...], ChangeKind] = {
    ("create",): "create",
    ("read",): "read",
    ("update",): "update",
    ("delete", "create"): "replace",
    ("create", "delete"): "replace",
    ("create", "forget"): "replace",
    ("forget", "create"): "replace",
    ("delete",): "destroy",
    ("forget",): "forget",
}
_NOTHING = ("no-op",)
_LEFT = "the old one is left alone, unmanaged"


def read_plan(document: Mapping[str, Any]) -> Plan:
    """What ``show -json`` tells of a plan. ToolFailed where that cannot be read."""
    found = plan_document(document)
    return Plan(
        changes=tuple(_changes(found.resource_changes or ())),
        outputs=tuple(_outputs(found.output_changes or {})),
        drift=tuple(_drift(found.resource_drift or ())),
        deferred=tuple(each.resource_change.address for each in found.deferred_changes or ()),
        is_complete=found.complete is not False,
        is_errored=bool(found.errored),
        is_applyable=found.applyable,
        addresses=tuple(each.address for each in found.resource_changes or ()),
    )


def _changes(resources: Iterable[ResourceDocument]) -> Iterator[Change]:
    for resource in resources:
        # Terraform only drops it from the state, and says nothing of it to people.
        if resource.mode == "data" and resource.change.actions == ("delete",):
            continue
        kind = _kind(resource)
        if kind is not None:
            yield _change(resource, kind)


def _drift(resources: Iterable[ResourceDocument]) -> Iterator[Change]:
    """What was really changed: Terraform lists also what only moved, or is written differently."""
    for resource in resources:
        kind = _KINDS.get(resource.change.actions)
        if kind == "update":
            change = _change(resource, kind)
            if change.attributes:
                yield change
        elif resource.change.actions != _NOTHING:
            yield _change(resource, kind or "destroy")


def _kind(resource: ResourceDocument) -> ChangeKind | None:
    """None where nothing happens. What is not known is the worst that it could be."""
    change = resource.change
    if change.actions != _NOTHING:
        return _KINDS.get(change.actions, "destroy")
    if change.importing is not None:
        return "import"
    return "move" if _previous(resource) else None


def _change(resource: ResourceDocument, kind: ChangeKind) -> Change:
    attributes, more = changed_attributes(resource.change) if kind == "update" else ((), 0)
    return Change(
        address=resource.address,
        kind=kind,
        type=resource.type,
        module=resource.module_address,
        previous=_previous(resource),
        reasons=tuple(_reasons(resource)),
        replaced_by=replace_paths(resource.change) if kind == "replace" else (),
        attributes=attributes,
        more_attributes=more,
        deposed=bool(resource.deposed),
        imported=resource.change.importing is not None,
        actions=resource.change.actions,
    )


def _previous(resource: ResourceDocument) -> str | None:
    previous = resource.previous_address
    return previous if previous and previous != resource.address else None


def _reasons(resource: ResourceDocument) -> Iterator[str]:
    actions = resource.change.actions
    if actions not in _KINDS and actions != _NOTHING:
        yield unknown_action(actions)
    if resource.deposed:
        yield "left over from an earlier replacement"
    yield from _said(resource.action_reason, resource.change)
    if "forget" in actions and "create" in actions:
        yield _LEFT


def _said(action_reason: str, change: ChangeDocument) -> Iterator[str]:
    paths = replace_paths(change)
    if paths and action_reason in {"", "replace_because_cannot_update"}:
        yield replaced_because(paths)
    elif action_reason:
        yield reason_of(action_reason)


def _outputs(changes: Mapping[str, ChangeDocument]) -> Iterator[OutputChange]:
    for name, change in changes.items():
        if change.actions != _NOTHING:
            yield OutputChange(
                name=name,
                action=" and ".join(change.actions),
                sensitive=bool(change.before_sensitive) or bool(change.after_sensitive),
            )
