"""CloudFormation's answers, made our own values. A field that is not there is no error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from calamari_py.steps.cloudformation.spec import TemplateFacts, TemplateParameter
from calamari_py.steps.cloudformation.values import Change, ChangeSet, Stack, StackEvent

Answer = Mapping[str, Any]

_CAUSES = {
    "ParameterReference": "new value from parameter {}",
    "ResourceReference": "follows {}",
    "ResourceAttribute": "follows {}",
    "Automatic": "its own change set decides",
}
_RECREATION = {"Always": "needs recreation", "Conditionally": "may need recreation"}
_STRENGTH = {"Always": 2, "Conditionally": 1}


def stack(answer: Answer) -> Stack:
    """One of ``Stacks`` of ``DescribeStacks``."""
    drift = answer.get("DriftInformation") or {}
    return Stack(
        id=answer.get("StackId", ""),
        name=answer["StackName"],
        status=answer["StackStatus"],
        reason=answer.get("StackStatusReason", ""),
        outputs=_pairs(answer.get("Outputs"), "OutputKey", "OutputValue"),
        parameters=_pairs(answer.get("Parameters"), "ParameterKey", "ParameterValue"),
        tags=_pairs(answer.get("Tags"), "Key", "Value"),
        role_arn=answer.get("RoleARN"),
        protected=bool(answer.get("EnableTerminationProtection")),
        drift=drift.get("StackDriftStatus", "NOT_CHECKED"),
        drift_checked=drift.get("LastCheckTimestamp"),
        created=answer.get("CreationTime"),
        updated=answer.get("LastUpdatedTime"),
        parent_id=answer.get("ParentId"),
    )


def event(answer: Answer, path: tuple[str, ...]) -> StackEvent:
    """One of ``StackEvents``. What a hook says is the reason where CloudFormation gives none."""
    return StackEvent(
        id=answer["EventId"],
        stack_id=answer["StackId"],
        stack_name=answer["StackName"],
        logical_id=answer.get("LogicalResourceId", ""),
        physical_id=answer.get("PhysicalResourceId", ""),
        resource_type=answer.get("ResourceType", ""),
        status=answer.get("ResourceStatus") or answer.get("HookStatus", ""),
        reason=answer.get("ResourceStatusReason") or answer.get("HookStatusReason", ""),
        time=answer["Timestamp"],
        token=answer.get("ClientRequestToken"),
        path=path,
        hook=answer.get("HookType", ""),
        hook_status=answer.get("HookStatus", ""),
        hook_reason=answer.get("HookStatusReason", ""),
    )


def change_set(answer: Answer) -> ChangeSet:
    """``DescribeChangeSet``, or one of ``Summaries`` of ``ListChangeSets``."""
    return ChangeSet(
        id=answer.get("ChangeSetId", ""),
        name=answer.get("ChangeSetName", ""),
        stack_id=answer.get("StackId", ""),
        status=answer.get("Status", ""),
        execution=answer.get("ExecutionStatus", ""),
        reason=answer.get("StatusReason", ""),
        created=answer.get("CreationTime"),
        description=answer.get("Description", ""),
    )


def with_changes(known: ChangeSet, changes: Iterable[Change], unread: Iterable[str]) -> ChangeSet:
    """`known` with its changes."""
    return replace(known, changes=tuple(changes), unread=tuple(unread))


def changes(answer: Answer, path: tuple[str, ...]) -> Iterable[Change]:
    """One page of ``Changes``, in AWS's order."""
    for item in answer.get("Changes") or ():
        resource = item.get("ResourceChange")
        if resource:
            yield _change(resource, path)


def summary_facts(answer: Answer) -> TemplateFacts:
    """``GetTemplateSummary``. It says nothing of outputs and how many resources there are."""
    reason = answer.get("CapabilitiesReason")
    return TemplateFacts(
        parameters={
            item["ParameterKey"]: TemplateParameter(
                name=item["ParameterKey"],
                type=item.get("ParameterType", "String"),
                default=item.get("DefaultValue"),
                no_echo=bool(item.get("NoEcho")),
                allowed_values=tuple(
                    (item.get("ParameterConstraints") or {}).get("AllowedValues") or ()
                ),
            )
            for item in answer.get("Parameters") or ()
        },
        capabilities=frozenset(answer.get("Capabilities") or ()),
        reasons=(reason,) if reason else (),
        transforms=tuple(answer.get("DeclaredTransforms") or ()),
    )


def _change(answer: Answer, path: tuple[str, ...]) -> Change:
    return Change(
        action=answer.get("Action", ""),
        logical_id=answer.get("LogicalResourceId", ""),
        resource_type=answer.get("ResourceType", ""),
        physical_id=answer.get("PhysicalResourceId", ""),
        replacement=answer.get("Replacement", ""),
        scope=tuple(answer.get("Scope") or ()),
        because=_clauses(answer.get("Details") or ()),
        policy=answer.get("PolicyAction", ""),
        nested=answer.get("ChangeSetId"),
        path=path,
    )


def _clauses(details: Iterable[Answer]) -> tuple[str, ...]:
    """Why, a clause for each property or attribute: AWS tells of one several times, as it is seen
    now and as it may turn out. Names only, never a value."""
    strength: dict[str, int] = {}
    causes: dict[str, list[str]] = {}
    for detail in details:
        target = detail.get("Target") or {}
        attribute = target.get("Attribute", "")
        name = target.get("Name")
        what = f"property {name}" if name else _ATTRIBUTES.get(attribute, attribute)
        recreation = _STRENGTH.get(target.get("RequiresRecreation", ""), 0)
        strength[what] = max(strength.get(what, 0), recreation)
        cause = _CAUSES.get(detail.get("ChangeSource", ""), "")
        cause = cause.format(detail.get("CausingEntity") or "another resource")
        if cause and cause not in causes.setdefault(what, []):
            causes[what].append(cause)
    return tuple(_clause(what, strength[what], causes.get(what, ())) for what in strength)


_ATTRIBUTES = {"": "something", "Tags": "tags", "Properties": "properties"}


def _clause(what: str, strength: int, causes: Iterable[str]) -> str:
    said = {2: _RECREATION["Always"], 1: _RECREATION["Conditionally"]}.get(strength)
    if said is None:
        said = "is changed" if what.startswith("property ") else "changed"
    because = ", ".join(causes)
    return f"{what} {said} ({because})" if because else f"{what} {said}"


def _pairs(answer: Iterable[Answer] | None, key: str, value: str) -> dict[str, str]:
    return {item[key]: item.get(value, "") for item in answer or ()}
