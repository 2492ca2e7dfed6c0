"""Requests of CloudFormation, made of a spec."""

from __future__ import annotations

import math
from typing import Any

from calamari_py.steps.cloudformation.changes.ownership import description
from calamari_py.steps.cloudformation.spec import StackSpec
from calamari_py.steps.cloudformation.states import ChangeSetKind


def change_set(
    spec: StackSpec, *, name: str, kind: ChangeSetKind, token: str, for_approval: bool = False
) -> dict[str, Any]:
    """``CreateChangeSet`` but for the template. `for_approval` says so at AWS."""
    params: dict[str, Any] = {
        "StackName": spec.stack_name,
        "ChangeSetName": name,
        "ChangeSetType": kind,
        "ClientToken": token,
        "Description": description(token, for_approval=for_approval),
        "IncludeNestedStacks": spec.change_set.nested,
        "Parameters": [
            {"ParameterKey": one.key, "UsePreviousValue": True}
            if one.value is None
            else {"ParameterKey": one.key, "ParameterValue": one.value}
            for one in spec.parameters
        ],
    }
    # Where the key is not sent a stack keeps the tags, topics and triggers that it has; an empty
    # list would take them away, which nobody has asked for.
    if spec.tags:
        params["Tags"] = [{"Key": key, "Value": value} for key, value in spec.tags.items()]
    if spec.capabilities:
        params["Capabilities"] = list(spec.capabilities)
    if spec.notification_arns:
        params["NotificationARNs"] = list(spec.notification_arns)
    if spec.role_arn is not None:
        params["RoleARN"] = spec.role_arn
    if spec.rollback_triggers is not None:
        params["RollbackConfiguration"] = _rollback_configuration(spec)
    if kind == "IMPORT":
        params["ResourcesToImport"] = [
            {
                "ResourceType": item.resource_type,
                "LogicalResourceId": item.logical_id,
                "ResourceIdentifier": dict(item.identifier),
            }
            for item in spec.imports
        ]
    return params


def _rollback_configuration(spec: StackSpec) -> dict[str, Any]:
    triggers = spec.rollback_triggers
    assert triggers is not None
    alarms = {"Alarm": triggers.alarms, "CompositeAlarm": triggers.composite_alarms}
    configuration: dict[str, Any] = {
        "RollbackTriggers": [
            {"Arn": arn, "Type": f"AWS::CloudWatch::{kind}"}
            for kind, arns in alarms.items()
            for arn in arns
        ]
    }
    if triggers.monitoring_time is not None:
        configuration["MonitoringTimeInMinutes"] = math.ceil(triggers.monitoring_time / 60)
    return configuration


def operation(stack_id: str, token: str, role_arn: str | None) -> dict[str, Any]:
    """An operation on a stack as a whole; `token` marks its events."""
    params: dict[str, Any] = {"StackName": stack_id, "ClientRequestToken": token}
    if role_arn is not None:
        params["RoleARN"] = role_arn
    return params
