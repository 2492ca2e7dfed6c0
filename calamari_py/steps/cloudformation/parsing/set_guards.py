"""What is refused of a stack set before any call."""

from __future__ import annotations

import re

from calamari_py.steps.cloudformation.parsing.guards import Checks
from calamari_py.steps.cloudformation.sections import (
    InstancesSection,
    OperationSection,
    StackSetSection,
)

_UNIT = re.compile(r"ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32}", re.ASCII)
_ROLE_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{1,64}", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_NUMBER = re.compile(r"(\d{1,9})(%?)", re.ASCII)
MAX_DESCRIPTION = 1024
_NO_UNION = (
    "write two groups: the units alone, and the accounts with their own units and "
    "account_filter: intersection"
)


def check_stack_set(checks: Checks, section: StackSetSection) -> None:
    """Everything that stands in the section alone. Source: API reference, CreateStackSet and
    CreateStackInstances."""
    if section.description is not None and not 1 <= len(section.description) <= MAX_DESCRIPTION:
        checks.refuse("description", f"must have 1 to {MAX_DESCRIPTION} characters")
    role = section.execution_role_name
    if role is not None and not _ROLE_NAME.fullmatch(role):
        message = f"{checks.shown('execution_role_name', role)} is no name of a role"
        checks.refuse("execution_role_name", message, "write the name alone, not the ARN")
    _check_model(checks, section)
    taken: dict[tuple[str, str], str] = {}
    for index, group in enumerate(section.instances):
        field = f"instances[{index}]"
        _check_targets(checks, section, group, field)
        _check_accounts(checks, group, field)
        _check_twice(checks, group, field, taken)
    _check_operation(checks, section)


def _check_model(checks: Checks, section: StackSetSection) -> None:
    """What belongs to the other permission model."""
    managed = section.permission_model == "service-managed"
    other = "self-managed" if managed else "service-managed"
    foreign = {
        "administration_role_arn": managed and section.administration_role_arn is not None,
        "execution_role_name": managed and section.execution_role_name is not None,
        "auto_deployment": not managed and section.auto_deployment is not None,
        "call_as": not managed and section.call_as != "self",
    }
    for field, wrong in foreign.items():
        if wrong:
            message = f"belongs to permission model '{other}', not '{section.permission_model}'"
            checks.refuse(field, message, f"remove it, or write permission_model: {other}")


def _check_targets(
    checks: Checks, section: StackSetSection, group: InstancesSection, field: str
) -> None:
    """Accounts, or organisational units; both only with a filter that says how."""
    managed = section.permission_model == "service-managed"
    units = group.organizational_units
    if not group.regions:
        checks.refuse(f"{field}.regions", "names no region", "write one like eu-west-1")
    if not group.accounts and not units:
        hint = "write organizational_units" if managed else "write accounts"
        checks.refuse(field, "names no accounts", hint)
    elif units and not managed:
        checks.refuse(
            f"{field}.organizational_units",
            "belong to permission model 'service-managed'",
            "name accounts, or write permission_model: service-managed",
        )
    elif managed and not units:
        checks.refuse(
            f"{field}.accounts",
            "need organizational_units and account_filter: the set is service-managed",
            "write account_filter: intersection for these accounts of a unit",
        )
    elif units and group.accounts and group.account_filter is None:
        checks.refuse(
            field,
            "names accounts and organizational_units",
            "write one of them, or an account_filter that says which accounts are meant",
        )
    if group.account_filter == "union":
        # Source: API reference, DeploymentTargets.AccountFilterType.
        message = "is 'union', for which AWS makes no instances"
        checks.refuse(f"{field}.account_filter", message, _NO_UNION)
    elif group.account_filter is not None and not (units and group.accounts):
        message = "needs accounts and organizational_units"
        checks.refuse(f"{field}.account_filter", message, "remove it")
    for index, unit in enumerate(units or ()):
        at = f"{field}.organizational_units[{index}]"
        if not _UNIT.fullmatch(unit):
            message = f"{checks.shown(at, unit)} is no organisational unit"
            checks.refuse(at, message, "write its id: ou-ab12-34cd56ef, or the root's: r-ab12")


def _check_accounts(checks: Checks, group: InstancesSection, field: str) -> None:
    """The accounts that have parameters of their own are among those of the group."""
    for account in group.account_parameters:
        at = f"{field}.account_parameters.{account}"
        if not _ACCOUNT.fullmatch(account):
            checks.refuse(at, "is no account id", "write its 12 digits in quotes")
        elif not group.organizational_units and account not in (group.accounts or ()):
            checks.refuse(at, "is not among the accounts", "add it there, or remove it here")


def _check_twice(
    checks: Checks,
    group: InstancesSection,
    field: str,
    taken: dict[tuple[str, str], str],
) -> None:
    """One instance has one set of parameters."""
    targets = group.organizational_units or group.accounts or ()
    if group.account_filter == "intersection":
        targets = group.accounts or ()
    said: set[str] = set()
    for target in targets:
        for region in group.regions:
            other = taken.setdefault((target, region), field)
            if other != field and other not in said:
                said.add(other)
                message = f"names {target} in {region}, which {other} has already"
                checks.refuse(field, message, "name it in one of them")


def _check_operation(checks: Checks, section: StackSetSection) -> None:
    operation: OperationSection = section.operation
    for name, least in (("failure_tolerance", 0), ("max_concurrent", 1)):
        text = getattr(operation, name)
        if text is None:
            continue
        found = _NUMBER.fullmatch(text)
        number = int(found[1]) if found else -1
        if number < least or (found and found[2] and number > 100):
            field = f"operation.{name}"
            message = f"{checks.shown(field, text)} is no number of accounts and no percentage"
            checks.refuse(field, message, f'write a number from {least}, or "25%"')
    regions = {region for group in section.instances for region in group.regions}
    for index, region in enumerate(operation.region_order):
        if regions and region not in regions:
            message = f"'{region}' is a region of no instances"
            checks.refuse(f"operation.region_order[{index}]", message, "remove it")
