"""What would change in a stack if it were made from another design."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fake_cloudformation.model import Design, FakeResource, FakeStack, PlannedChange
from tests.fake_cloudformation.world import World

_RECREATING = frozenset({"Engine", "KeySchema", "CidrBlock", "AvailabilityZone", "MasterUsername"})


def plan(
    world: World, stack: FakeStack, design: Design, imports: frozenset[str] = frozenset()
) -> tuple[PlannedChange, ...]:
    """The changes of resources, in the template's order, removals last."""
    changes: list[PlannedChange] = []
    resolver = world.resolver(stack, design)
    resources = design.template.get("Resources", {})
    for logical_id, body in resources.items():
        have = stack.resources.get(logical_id)
        if have is None:
            action = "Import" if logical_id in imports else "Add"
            changes.append(PlannedChange(action=action, logical_id=logical_id, type=body["Type"]))
        elif have.type != body["Type"]:
            changes.append(_modified(have, "True", ()))
        elif have.nested is not None:
            if _nested_changes(world, stack, design, have):
                changes.append(_modified(have, "False", (_detail("TemplateURL", "Never"),)))
        else:
            wanted = resolver.value(body.get("Properties") or {})
            names = sorted(
                name
                for name in {*have.properties, *wanted}
                if have.properties.get(name) != wanted.get(name)
            )
            if names or logical_id in stack.broken:
                changes.append(_change(world, stack, design, have, names))
    gone = [one for name, one in stack.resources.items() if name not in resources]
    changes.extend(_removed(one) for one in gone)
    return tuple(changes)


def is_empty(stack: FakeStack, design: Design, changes: tuple[PlannedChange, ...]) -> bool:
    """Whether nothing at all would be different."""
    now = stack.design
    sections = ("Outputs", "Description", "Metadata", "Conditions")
    same_rest = all(now.template.get(name) == design.template.get(name) for name in sections)
    return not changes and same_rest and now.tags == design.tags and not stack.broken


def _nested_changes(world: World, stack: FakeStack, design: Design, have: FakeResource) -> bool:
    child = world.stacks[str(have.nested)]
    try:
        wanted = world.nested_design(stack, design, have.logical_id)
    except ValueError:
        return True
    return not is_empty(child, wanted, plan(world, child, wanted))


def _change(
    world: World, stack: FakeStack, design: Design, have: FakeResource, names: list[str]
) -> PlannedChange:
    scripted = world.script_of(stack, have.logical_id).replacement
    written = design.template["Resources"][have.logical_id].get("Properties") or {}
    before = stack.design.template.get("Resources", {}).get(have.logical_id, {})
    details: list[dict[str, Any]] = []
    for name in names:
        recreation = "Always" if name.endswith("Name") or name in _RECREATING else "Never"
        if scripted is not None:
            recreation = {"True": "Always", "Conditional": "Conditionally"}.get(scripted, "Never")
        is_direct = (before.get("Properties") or {}).get(name) != written.get(name)
        causing = "" if is_direct else _parameter_in(written.get(name), design, stack)
        details.append(_detail(name, recreation, causing))
    needs = {detail["Target"]["RequiresRecreation"] for detail in details}
    replacement = "True" if "Always" in needs else "Conditional" if len(needs) > 1 else "False"
    if needs == {"Conditionally"}:
        replacement = "Conditional"
    return _modified(have, replacement, tuple(details))


def _parameter_in(written: Any, design: Design, stack: FakeStack) -> str:
    text = str(written)
    changed = [
        name
        for name, value in design.parameters.items()
        if stack.design.parameters.get(name) != value and name in text
    ]
    return changed[0] if changed else ""


def _detail(name: str, recreation: str, causing: str = "") -> dict[str, Any]:
    detail: dict[str, Any] = {
        "Target": {"Attribute": "Properties", "Name": name, "RequiresRecreation": recreation},
        "Evaluation": "Static",
        "ChangeSource": "ParameterReference" if causing else "DirectModification",
    }
    if causing:
        detail["CausingEntity"] = causing
    return detail


def _modified(
    have: FakeResource, replacement: str, details: tuple[Mapping[str, Any], ...]
) -> PlannedChange:
    return PlannedChange(
        action="Modify",
        logical_id=have.logical_id,
        type=have.type,
        physical_id=have.physical_id,
        replacement=replacement,
        scope=("Properties",),
        details=tuple(dict(detail) for detail in details),
        policy="ReplaceAndDelete" if replacement == "True" else "",
    )


def _removed(have: FakeResource) -> PlannedChange:
    return PlannedChange(
        action="Remove",
        logical_id=have.logical_id,
        type=have.type,
        physical_id=have.physical_id,
        policy=have.deletion_policy,
    )
