"""Requests about stack sets, made of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from calamari_py.steps.cloudformation.sections import OperationSection
from calamari_py.steps.cloudformation.sets.values import StackSet, Target
from calamari_py.steps.cloudformation.spec import StackSetSpec


def create(spec: StackSetSpec, *, url: str | None) -> dict[str, Any]:
    """``CreateStackSet`` but for the token."""
    section = spec.section
    params = _described(spec, url)
    params["PermissionModel"] = section.permission_model.replace("-", "_").upper()
    if section.permission_model == "service-managed" and "AutoDeployment" not in params:
        params["AutoDeployment"] = {"Enabled": False}
    return params


def update(spec: StackSetSpec, there: StackSet, *, url: str | None) -> dict[str, Any]:
    """``UpdateStackSet`` for all instances. What the manifest leaves open stays as it is: AWS wants
    a customised administration role to be named each time."""
    params = _described(spec, url)
    kept = {
        "AdministrationRoleARN": there.administration_role_arn,
        "ExecutionRoleName": there.execution_role_name,
        "Description": there.description,
    }
    for field, value in kept.items():
        if value and not (there.managed and field != "Description"):
            params.setdefault(field, value)
    return params


def target(where: Target) -> dict[str, Any]:
    """Accounts or organisational units, and regions."""
    if not where.units:
        return {"Accounts": list(where.accounts), "Regions": list(where.regions)}
    targets: dict[str, Any] = {"OrganizationalUnitIds": list(where.units)}
    if where.accounts:
        targets["Accounts"] = list(where.accounts)
        targets["AccountFilterType"] = where.account_filter
    return {"DeploymentTargets": targets, "Regions": list(where.regions)}


def overrides(where: Target) -> list[dict[str, str]]:
    """``ParameterOverrides``; an empty list gives an instance back to the set's own values."""
    values = where.overrides or {}
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


def preferences(section: OperationSection, regions: Sequence[str]) -> dict[str, Any]:
    """``OperationPreferences`` of an operation in `regions`: those that the manifest puts in an
    order come first, the others follow."""
    found: dict[str, Any] = {}
    _limit(found, "FailureTolerance", section.failure_tolerance)
    _limit(found, "MaxConcurrent", section.max_concurrent)
    if section.region_concurrency is not None:
        found["RegionConcurrencyType"] = section.region_concurrency.upper()
    if section.concurrency_mode is not None:
        found["ConcurrencyMode"] = f"{section.concurrency_mode.upper()}_FAILURE_TOLERANCE"
    if section.region_order and regions:
        ordered = [region for region in section.region_order if region in regions]
        found["RegionOrder"] = list(dict.fromkeys([*ordered, *regions]))
    return found


def _limit(found: dict[str, Any], name: str, text: str | None) -> None:
    if text is None:
        return
    if text.endswith("%"):
        found[f"{name}Percentage"] = int(text.removesuffix("%"))
    else:
        found[f"{name}Count"] = int(text)


def _described(spec: StackSetSpec, url: str | None) -> dict[str, Any]:
    """What a creation and an update say alike."""
    section = spec.section
    assert spec.template is not None
    params: dict[str, Any] = {
        "Parameters": [
            {"ParameterKey": one.key, "UsePreviousValue": True}
            if one.value is None
            else {"ParameterKey": one.key, "ParameterValue": one.value}
            for one in spec.parameters
        ]
    }
    if url is not None:
        params["TemplateURL"] = url
    else:
        params["TemplateBody"] = spec.template.text
    if section.capabilities:
        params["Capabilities"] = list(section.capabilities)
    # As with a stack: without the key a set keeps its tags, an empty list would take them away.
    if section.tags:
        params["Tags"] = [{"Key": key, "Value": value} for key, value in section.tags.items()]
    optional: dict[str, Any] = {
        "Description": section.description,
        "AdministrationRoleARN": section.administration_role_arn,
        "ExecutionRoleName": section.execution_role_name,
    }
    params.update({field: value for field, value in optional.items() if value is not None})
    if section.managed_execution is not None:
        params["ManagedExecution"] = {"Active": section.managed_execution}
    auto = section.auto_deployment
    if auto is not None:
        params["AutoDeployment"] = {"Enabled": auto.enabled}
        if auto.enabled:
            params["AutoDeployment"]["RetainStacksOnAccountRemoval"] = auto.retain_stacks
    return params
