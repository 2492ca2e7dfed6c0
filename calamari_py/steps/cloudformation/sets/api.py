"""StackSetApi: stack sets in our values. It decides nothing and waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from calamari_py.errors import CloudError, Temporary
from calamari_py.steps.base import AwsCalls
from calamari_py.steps.cloudformation.service import refused
from calamari_py.steps.cloudformation.sets import answers, requests
from calamari_py.steps.cloudformation.sets.values import (
    Instance,
    Place,
    Result,
    SetOperation,
    StackSet,
    Target,
)

Value = TypeVar("Value")

_PAGE = 100
"""The most that AWS gives at once. Source: API reference, `MaxResults`."""


class StackSetApi:
    """One stack set, as the step's role.

    Every method raises CloudError (Temporary when it is worth another try); one for a refusal names
    the action that is missing. Of the methods that begin an operation `token` is the operation's
    id: the same token again is the same operation.
    """

    def __init__(self, calls: AwsCalls, name: str, *, delegated: bool = False) -> None:
        self._calls = calls
        self._name = name
        self._as: dict[str, Any] = {"CallAs": "DELEGATED_ADMIN"} if delegated else {}

    def find(self) -> StackSet | None:
        """The set; None only when AWS says that it does not exist, or was deleted."""
        try:
            answer = self._ask("DescribeStackSet")
        except CloudError as error:
            if is_missing(error):
                return None
            raise
        return self._read("DescribeStackSet", answers.described, answer)

    def instances(self) -> tuple[Instance, ...]:
        """All of its instances, whoever made them."""
        return tuple(self._all("ListStackInstances", answers.instance))

    def overrides(self, place: Place) -> dict[str, str]:
        """The parameters that differ in one instance."""
        where = {"StackInstanceAccount": place[0], "StackInstanceRegion": place[1]}
        answer = self._ask("DescribeStackInstance", where)
        return self._read("DescribeStackInstance", answers.overrides, answer)

    def operations(self) -> tuple[SetOperation, ...]:
        """Its last operations, the newest first."""
        answer = self._ask("ListStackSetOperations", {"MaxResults": _PAGE})
        operations = self._read("ListStackSetOperations", answers.operations, answer)
        return tuple(sorted(operations, key=_age, reverse=True))

    def operation(self, operation_id: str) -> SetOperation:
        """One operation as it is now."""
        answer = self._ask("DescribeStackSetOperation", {"OperationId": operation_id})
        return self._read("DescribeStackSetOperation", answers.described_operation, answer)

    def results(self, operation_id: str) -> tuple[Result, ...]:
        """What it came to so far, everywhere."""
        asked = {"OperationId": operation_id}
        return tuple(self._all("ListStackSetOperationResults", answers.result, asked))

    def create(self, params: Mapping[str, Any], *, token: str) -> None:
        """Make the set, without instances."""
        self._ask("CreateStackSet", {**params, "ClientRequestToken": token})

    def update(
        self, params: Mapping[str, Any], *, preferences: Mapping[str, Any], token: str
    ) -> None:
        """Begin to change the set and all its instances."""
        self._begin("UpdateStackSet", params, preferences, token)

    def create_instances(
        self, where: Target, *, preferences: Mapping[str, Any], token: str
    ) -> None:
        """Begin to make instances."""
        params = requests.target(where)
        if where.overrides:
            params["ParameterOverrides"] = requests.overrides(where)
        self._begin("CreateStackInstances", params, preferences, token)

    def update_instances(
        self, where: Target, *, preferences: Mapping[str, Any], token: str
    ) -> None:
        """Begin to update instances, with the target's overrides in place of those they have."""
        params = requests.target(where)
        if where.overrides is not None:
            params["ParameterOverrides"] = requests.overrides(where)
        self._begin("UpdateStackInstances", params, preferences, token)

    def delete_instances(
        self, where: Target, *, retain: bool, preferences: Mapping[str, Any], token: str
    ) -> None:
        """Begin to take instances out of the set, with their stacks unless `retain`."""
        params = {**requests.target(where), "RetainStacks": retain}
        self._begin("DeleteStackInstances", params, preferences, token)

    def delete(self) -> None:
        """Delete the set, which has no instances any longer; that it is gone already is fine."""
        try:
            self._ask("DeleteStackSet")
        except CloudError as error:
            if not is_missing(error):
                raise

    def _begin(
        self,
        operation: str,
        params: Mapping[str, Any],
        preferences: Mapping[str, Any],
        token: str,
    ) -> None:
        asked = {**params, "OperationId": token}
        if preferences:
            asked["OperationPreferences"] = preferences
        try:
            self._ask(operation, asked)
        except CloudError as error:
            if not error.code.startswith("OperationIdAlreadyExists"):
                raise

    def _all(
        self,
        operation: str,
        read: Callable[[Mapping[str, Any]], Value],
        params: Mapping[str, Any] | None = None,
    ) -> Iterator[Value]:
        token: str | None = None
        while True:
            more = {"NextToken": token} if token else {}
            page = self._ask(operation, {**(params or {}), "MaxResults": _PAGE, **more})
            for item in page.get("Summaries") or ():
                yield self._read(operation, read, item)
            token = page.get("NextToken")
            if not token:
                return

    def _read(
        self, operation: str, read: Callable[[Mapping[str, Any]], Value], answer: Mapping[str, Any]
    ) -> Value:
        """The answer as our value. One that lacks what AWS always says is no answer: the next may
        be."""
        try:
            return read(answer)
        except (KeyError, TypeError, AttributeError) as error:
            raise Temporary(
                f"cloudformation:{operation} was answered with something that is none of "
                f"CloudFormation's answers ({error!r} for stack set '{self._name}')",
                service="cloudformation",
                operation=operation,
                code="UnexpectedAnswer",
            ) from error

    def _ask(self, operation: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        subject = f"stack set '{self._name}'"
        asked = {"StackSetName": self._name, **(params or {}), **self._as}
        try:
            return self._calls.call("cloudformation", operation, asked, subject=subject)
        except CloudError as error:
            if refused.is_denied(error):
                raise refused.denied(error, subject) from error
            raise


def is_missing(error: CloudError) -> bool:
    """Whether AWS says that there is no such set."""
    return error.code in ("StackSetNotFoundException", "StackSetNotFound")


def is_unknown_operation(error: CloudError) -> bool:
    """Whether AWS says that the set has no such operation."""
    return error.code in ("OperationNotFoundException", "OperationNotFound")


def _age(operation: SetOperation) -> float:
    return operation.created.timestamp() if operation.created is not None else 0.0
