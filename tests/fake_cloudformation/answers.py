"""What the model answers, in the names and types that botocore gives it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.fake_cloudformation.model import FakeChangeSet, FakeEvent, FakeStack, PlannedChange

Answer = dict[str, Any]


def page(items: Sequence[Any], size: int, token: str | None) -> tuple[Sequence[Any], str | None]:
    """One page and the token of the next; tokens are offsets."""
    begin = int(token.removeprefix("page-")) if token else 0
    end = begin + size
    return items[begin:end], f"page-{end}" if end < len(items) else None


def stack(one: FakeStack, status: str, reason: str) -> Answer:
    """A stack as DescribeStacks shows it."""
    declared = one.design.template.get("Parameters", {})
    answer: Answer = {
        "StackId": one.id,
        "StackName": one.name,
        "CreationTime": one.created,
        "StackStatus": status,
        "DisableRollback": one.disable_rollback,
        "NotificationARNs": list(one.design.notification_arns),
        "Capabilities": list(one.design.capabilities),
        "Tags": [{"Key": key, "Value": value} for key, value in one.design.tags.items()],
        "EnableTerminationProtection": one.protected,
        "DriftInformation": {"StackDriftStatus": one.drift},
        "RollbackConfiguration": {},
        "Parameters": [
            {
                "ParameterKey": key,
                "ParameterValue": "****" if _is_hidden(declared, key) else value,
            }
            for key, value in one.design.parameters.items()
        ],
    }
    if one.outputs and status not in {"REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS"}:
        answer["Outputs"] = [
            {"OutputKey": key, "OutputValue": value} for key, value in one.outputs.items()
        ]
    optional = {
        "StackStatusReason": reason,
        "ChangeSetId": one.change_set_id,
        "LastUpdatedTime": one.updated,
        "DeletionTime": one.deleted,
        "RoleARN": one.design.role_arn,
        "ParentId": one.parent_id,
        "RootId": one.root_id,
        "Description": one.design.template.get("Description"),
    }
    return answer | {key: value for key, value in optional.items() if value}


def _is_hidden(declared: Any, key: str) -> bool:
    return str(declared.get(key, {}).get("NoEcho", "")).lower() == "true"


def event(one: FakeEvent) -> Answer:
    """An event as DescribeStackEvents shows it."""
    answer: Answer = {
        "StackId": one.stack_id,
        "EventId": one.id,
        "StackName": one.stack_name,
        "LogicalResourceId": one.logical_id,
        "PhysicalResourceId": one.physical_id,
        "ResourceType": one.type,
        "Timestamp": one.time,
        "ResourceStatus": one.status,
    }
    if one.reason:
        answer["ResourceStatusReason"] = one.reason
    if one.token:
        answer["ClientRequestToken"] = one.token
    return answer


def change(one: PlannedChange) -> Answer:
    """A change as DescribeChangeSet shows it."""
    resource: Answer = {
        "Action": one.action,
        "LogicalResourceId": one.logical_id,
        "ResourceType": one.type,
        "Scope": list(one.scope),
        "Details": list(one.details),
    }
    optional = {
        "PhysicalResourceId": one.physical_id,
        "Replacement": one.replacement,
        "PolicyAction": one.policy,
        "ChangeSetId": one.nested,
    }
    resource |= {key: value for key, value in optional.items() if value}
    return {"Type": "Resource", "ResourceChange": resource}


def change_set_summary(one: FakeChangeSet) -> Answer:
    """A change set as ListChangeSets shows it."""
    answer: Answer = {
        "ChangeSetId": one.id,
        "ChangeSetName": one.name,
        "StackId": one.stack_id,
        "StackName": one.stack_name,
        "CreationTime": one.created,
        "Status": one.status,
        "ExecutionStatus": one.execution,
        "IncludeNestedStacks": one.include_nested,
    }
    optional = {
        "StatusReason": one.reason,
        "Description": one.description,
        "ParentChangeSetId": one.parent,
        "RootChangeSetId": one.root,
    }
    return answer | {key: value for key, value in optional.items() if value}


def change_set(one: FakeChangeSet, size: int, token: str | None) -> Answer:
    """A change set as DescribeChangeSet shows it, one page of its changes."""
    changes, following = page(one.changes, size, token)
    design = one.design
    answer = change_set_summary(one) | {
        "Changes": [change(item) for item in changes],
        "Capabilities": list(design.capabilities),
        "NotificationARNs": list(design.notification_arns),
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": value}
            for key, value in design.parameters.items()
        ],
        "Tags": [{"Key": key, "Value": value} for key, value in design.tags.items()],
        "RollbackConfiguration": {},
    }
    if following:
        answer["NextToken"] = following
    return answer
