"""Answers about stack sets, in our values. Source: botocore's model of 2010-05-15."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from calamari_py.steps.cloudformation.sets.values import Instance, Result, SetOperation, StackSet

Answer = Mapping[str, Any]


def described(answer: Answer) -> StackSet | None:
    """What ``DescribeStackSet`` says; None of a set that was deleted."""
    found = answer["StackSet"]
    return None if found.get("Status") == "DELETED" else _stack_set(found)


def overrides(answer: Answer) -> dict[str, str]:
    """The parameters that ``DescribeStackInstance`` says to differ."""
    return _parameters(answer["StackInstance"].get("ParameterOverrides") or ())


def operations(answer: Answer) -> tuple[SetOperation, ...]:
    """What ``ListStackSetOperations`` says."""
    return tuple(_operation(item) for item in answer.get("Summaries") or ())


def described_operation(answer: Answer) -> SetOperation:
    """What ``DescribeStackSetOperation`` says."""
    return _operation(answer["StackSetOperation"])


def _stack_set(found: Answer) -> StackSet:
    auto = found.get("AutoDeployment")
    return StackSet(
        id=found["StackSetId"],
        name=found["StackSetName"],
        managed=found.get("PermissionModel") == "SERVICE_MANAGED",
        template=found.get("TemplateBody") or "",
        description=found.get("Description") or "",
        parameters=_parameters(found.get("Parameters") or ()),
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


def instance(found: Answer) -> Instance:
    """``StackInstanceSummary``."""
    return Instance(
        account=found["Account"],
        region=found["Region"],
        status=found.get("Status") or "OUTDATED",
        reason=_one_line(found),
        detail=(found.get("StackInstanceStatus") or {}).get("DetailedStatus") or "",
        stack_id=found.get("StackId") or "",
        unit=found.get("OrganizationalUnitId") or "",
        drift=found.get("DriftStatus") or "NOT_CHECKED",
    )


def _operation(found: Answer) -> SetOperation:
    return SetOperation(
        id=found["OperationId"],
        action=found["Action"],
        status=found["Status"],
        reason=_one_line(found),
        created=found.get("CreationTimestamp"),
    )


def result(found: Answer) -> Result:
    """``StackSetOperationResultSummary``. A gate that did not let it pass gives its own reason."""
    reason = _one_line(found)
    gate = found.get("AccountGateResult") or {}
    if not reason and gate.get("Status") == "FAILED":
        reason = f"the account gate refuses it: {_one_line(gate) or 'no reason given'}"
    return Result(
        account=found["Account"],
        region=found["Region"],
        status=found["Status"],
        reason=reason,
    )


def _one_line(found: Answer) -> str:
    """AWS's reason; some have line feeds."""
    return " ".join((found.get("StatusReason") or "").split())


def _parameters(found: Iterable[Answer]) -> dict[str, str]:
    return {item["ParameterKey"]: item.get("ParameterValue") or "" for item in found}
