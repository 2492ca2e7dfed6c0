"""Answers about stack sets, in our values. Source: botocore's model of 2010-05-15."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calamari_py.steps.cloudformation.sets.values import Instance, Result, SetOperation, StackSet


def stack_set(found: Mapping[str, Any]) -> StackSet:
    """``StackSet``."""
    auto = found.get("AutoDeployment")
    return StackSet(
        id=found["StackSetId"],
        name=found["StackSetName"],
        managed=found.get("PermissionModel") == "SERVICE_MANAGED",
        template=found.get("TemplateBody") or "",
        description=found.get("Description") or "",
        parameters=parameters(found.get("Parameters") or ()),
        capabilities=frozenset(found.get("Capabilities") or ()),
        tags={item["Key"]: item["Value"] for item in found.get("Tags") or ()},
        administration_role_arn=found.get("AdministrationRoleARN"),
        execution_role_name=found.get("ExecutionRoleName"),
        auto_deployment=(
            (bool(auto.get("Enabled")), bool(auto.get("RetainStacksOnAccountRemoval")))
            if auto
            else None
        ),
        managed_execution=bool((found.get("ManagedExecution") or {}).get("Active")),
    )


def instance(found: Mapping[str, Any]) -> Instance:
    """``StackInstanceSummary``."""
    return Instance(
        account=found["Account"],
        region=found["Region"],
        status=found.get("Status") or "OUTDATED",
        reason=found.get("StatusReason") or "",
        detail=(found.get("StackInstanceStatus") or {}).get("DetailedStatus") or "",
        stack_id=found.get("StackId") or "",
        unit=found.get("OrganizationalUnitId") or "",
        drift=found.get("DriftStatus") or "NOT_CHECKED",
    )


def operation(found: Mapping[str, Any]) -> SetOperation:
    """``StackSetOperation`` or its summary."""
    return SetOperation(
        id=found["OperationId"],
        action=found["Action"],
        status=found["Status"],
        reason=found.get("StatusReason") or "",
        created=found.get("CreationTimestamp"),
    )


def result(found: Mapping[str, Any]) -> Result:
    """``StackSetOperationResultSummary``. A gate that did not let it pass gives its own reason."""
    reason = found.get("StatusReason") or ""
    gate = found.get("AccountGateResult") or {}
    if not reason and gate.get("Status") == "FAILED":
        reason = f"the account gate refuses it: {gate.get('StatusReason') or 'no reason given'}"
    return Result(
        account=found["Account"],
        region=found["Region"],
        status=found["Status"],
        reason=" ".join(reason.split()),
    )


def parameters(found: Any) -> dict[str, str]:
    """``Parameters`` by name."""
    return {item["ParameterKey"]: item.get("ParameterValue") or "" for item in found}
