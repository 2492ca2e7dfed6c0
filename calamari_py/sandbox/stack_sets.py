"""Stack sets for the sandbox: operations that do what they say.

moto calls an update successful and changes no stack, forgets the set's parameters where an instance
overrides one, gives instances ids of stacks that are not there, and operations ids of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult

from calamari_py.sandbox import planning
from calamari_py.sandbox.planning import Unsupported
from calamari_py.sandbox.resources import attempt

StackSet = Any
Instance = Any
Overrides = list[dict[str, str]]


class StackSets(CloudFormationResponse):
    """The operations on stack sets; those that are not here are moto's."""

    def create_stack_set(self) -> ActionResult:
        """Only of what the sandbox can make."""
        self._check_template()
        return super().create_stack_set()

    def update_stack_set(self) -> ActionResult:
        """The set, and the stacks of all its instances."""
        if self._get_param("TemplateBody") or self._get_param("TemplateURL"):
            self._check_template()
        if self._get_param("Accounts", []) or self._get_param("DeploymentTargets", None):
            raise Unsupported("The sandbox updates all instances of a stack set, or none.")
        super().update_stack_set()
        stack_set = self._stack_set()
        del stack_set.operations[-1]
        instances = list(stack_set.stack_instances)
        return self._operate(
            "UPDATE", [(one, partial(_update, stack_set, one)) for one in instances]
        )

    def create_stack_instances(self) -> ActionResult:
        """A stack in each account and region that has none."""
        self._check_targets()
        stack_set, overrides = self._stack_set(), self._get_param("ParameterOverrides", [])
        missing = [one for one in self._pairs() if stack_set.instances.get_instance(*one) is None]
        return self._operate(
            "CREATE", [(one, partial(_create, stack_set, one, overrides)) for one in missing]
        )

    def update_stack_instances(self) -> ActionResult:
        """The stacks of these instances, with other parameters."""
        self._check_targets()
        stack_set, overrides = self._stack_set(), self._get_param("ParameterOverrides", [])
        return self._operate(
            "UPDATE",
            [(one, partial(_override, stack_set, one, overrides)) for one in self._pairs()],
        )

    def delete_stack_instances(self) -> ActionResult:
        """With their stacks."""
        self._check_targets()
        if self._get_bool_param("RetainStacks", False):
            raise Unsupported("The sandbox cannot retain the stacks of a stack set.")
        stack_set = self._stack_set()
        there = [one for one in self._pairs() if stack_set.instances.get_instance(*one)]
        return self._operate(
            "DELETE",
            [(one, partial(stack_set.instances.delete, [one[0]], [one[1]])) for one in there],
        )

    def list_stack_instances(self) -> ActionResult:
        """With the ids of their stacks."""
        return ActionResult(
            {"Summaries": [_shown(one) for one in self._stack_set().stack_instances]}
        )

    def describe_stack_instance(self) -> ActionResult:
        """With the id of its stack."""
        pair = self._get_param("StackInstanceAccount"), self._get_param("StackInstanceRegion")
        super().describe_stack_instance()  # refuses one that is not there
        return ActionResult(
            {"StackInstance": _shown(self._stack_set().instances.get_instance(*pair))}
        )

    def list_stack_set_operation_results(self) -> ActionResult:
        """Account by account, with reasons."""
        operation = self._stack_set().get_operation(self._get_param("OperationId"))
        return ActionResult({"Summaries": operation.get("Results", [])})

    def _stack_set(self) -> StackSet:
        return self.cloudformation_backend.describe_stack_set(self._get_param("StackSetName"))

    def _pairs(self) -> list[tuple[str, str]]:
        regions = self._get_param("Regions", [])
        return [(one, region) for region in regions for one in self._get_param("Accounts", [])]

    def _check_targets(self) -> None:
        if self._get_param("DeploymentTargets", None):
            raise Unsupported("The sandbox has no organisational units to deploy a stack set to.")

    def _check_template(self) -> None:
        url = self._get_param("TemplateURL")
        text = (
            planning.text_at(url, self.current_account, self.partition)
            if url
            else self._get_param("TemplateBody")
        )
        template = planning.read(text)
        planning.check_resources(template)
        planning.check_capabilities(template, self._get_param("Capabilities", []))

    def _operate(
        self, action: str, work: Iterable[tuple[Any, Callable[[], object]]]
    ) -> ActionResult:
        """Do it all at once, as one operation with a result for each instance."""
        results: list[Mapping[str, str]] = []
        for target, one in work:
            account, region = (
                target if isinstance(target, tuple) else (target.account_id, target.region_name)
            )
            reason = attempt(one)
            said = {"Status": "SUCCEEDED"}
            if reason is not None:
                said = {"Status": "FAILED", "StatusReason": reason}
            results.append({"Account": account, "Region": region, **said})
        failed = any(one["Status"] == "FAILED" for one in results)
        operation = self._stack_set()._create_operation(
            operation_id=self._get_param("OperationId") or str(uuid.uuid4()),
            action=action,
            status="FAILED" if failed else "SUCCEEDED",
        )
        operation["Results"] = results
        return ActionResult({"OperationId": operation["OperationId"]})


def _values(stack_set: StackSet, overrides: Overrides) -> dict[str, str]:
    given = {one["ParameterKey"]: one["ParameterValue"] for one in overrides}
    return {**stack_set.parameters, **given}


def _create(stack_set: StackSet, pair: tuple[str, str], overrides: Overrides) -> None:
    account, region = pair
    values = [
        {"ParameterKey": key, "ParameterValue": value}
        for key, value in _values(stack_set, overrides).items()
    ]
    instances = stack_set.instances
    instances.template = stack_set.template
    try:
        instances.create_instances([account], [region], values, {}, "SELF_MANAGED")
    except BaseException:
        cloudformation_backends[account][region].delete_stack(f"StackSet:{stack_set.name}")
        raise
    instances.get_instance(account, region).parameters = overrides


def _override(stack_set: StackSet, pair: tuple[str, str], overrides: Overrides) -> None:
    instance = stack_set.instances.get_instance(*pair)
    if instance is None:
        raise ValueError("there is no such stack instance")
    before, instance.parameters = instance.parameters, overrides
    try:
        _update(stack_set, instance)
    except BaseException:
        instance.parameters = before
        raise


def _update(stack_set: StackSet, instance: Instance) -> None:
    values = _values(stack_set, instance.parameters)
    instance.stack.update(stack_set.template, parameters=values)


def _shown(instance: Instance) -> dict[str, Any]:
    return {**instance.to_dict(), "StackId": instance.stack.stack_id}
