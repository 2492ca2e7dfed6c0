"""Stack sets by script: they behave as AWS's do, in a time that jumps. Every request is held
against botocore's model of the service."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from tests.fake_cloudformation import Called, Fault, JumpingClock
from tests.fake_cloudformation.change_sets import Refused
from tests.fake_cloudformation.faults import cloud_error

Place = tuple[str, str]
Params = Mapping[str, Any]


@dataclass(kw_only=True)
class FakeInstance:
    """One instance. `overrides` are its own parameters."""

    status: str = "CURRENT"
    detail: str = "SUCCEEDED"
    reason: str = ""
    unit: str = ""
    drift: str = "NOT_CHECKED"
    overrides: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class FakeOperation:
    """One operation; `results` by place."""

    id: str
    action: str
    created: datetime
    request: tuple[str, Params]
    status: str = "RUNNING"
    reason: str = ""
    results: dict[Place, tuple[str, str]] = field(default_factory=dict)


@dataclass(kw_only=True)
class FakeSet:
    """One set; `said` are the fields of ``DescribeStackSet``."""

    id: str
    said: dict[str, Any]
    instances: dict[Place, FakeInstance] = field(default_factory=dict)
    operations: list[FakeOperation] = field(default_factory=list)


class FakeStackSets:
    """Implements ``steps.base.AwsCalls``. Each instance takes `seconds`, one after the other.

    `fails` says why an operation fails at a place; a function is asked with the operation's name
    and the instance. `units` are the accounts of organisational units, `hidden` the NoEcho
    parameters, `page_size` how much of a list comes at once. `pages` are templates by URL,
    `suspended` accounts that AWS passes over, `decoded` the plain texts of encoded messages, `odd`
    how many answers of an operation are none of CloudFormation's. `budgets` are those of all calls.
    """

    def __init__(self, *, region: str = "us-east-1") -> None:
        self.clock = JumpingClock()
        self.region = region
        self.account: str | None = "123456789012"
        self.partition = "aws"
        self.arn: str | None = None
        self.role: str | None = None
        self.calls: list[Called] = []
        self.faults: list[Fault] = []
        self.sets: dict[str, FakeSet] = {}
        self.fails: dict[Place, str | Callable[[str, FakeInstance], str | None]] = {}
        self.units: dict[str, tuple[str, ...]] = {}
        self.hidden: set[str] = set()
        self.page_size = 100
        self.seconds = 10.0
        self.pages: dict[str, dict[str, Any]] = {}
        self.suspended: set[str] = set()
        self.decoded: dict[str, str] = {}
        self.odd: dict[str, int] = {}
        self.budgets: list[float | None] = []

    # ---- what a test says

    def add_set(self, name: str, **said: Any) -> FakeSet:
        """A set that is there."""
        described = {"PermissionModel": "SELF_MANAGED", **said}
        made = FakeSet(id=f"{name}:1b2c", said=described)
        self.sets[name] = made
        return made

    def begin(
        self,
        name: str,
        *,
        token: str = "Console-4711",
        action: str = "UPDATE",
        seconds: float = 60.0,
    ) -> FakeOperation:
        """Somebody else works on the set for so long."""
        operation = self._begun(self.sets[name], ("", {}), token, action)

        def end() -> None:
            operation.status = "SUCCEEDED"

        self.clock.after(seconds, end)
        return operation

    def asked(self, operation: str) -> list[Params]:
        """The parameters of all calls of `operation`."""
        return [called.params for called in self.calls if called.operation == operation]

    def changing(self) -> list[str]:
        """The operations that change something, in order."""
        looks = ("Describe", "List", "Get", "Head")
        return [one.operation for one in self.calls if not one.operation.startswith(looks)]

    # ---- AwsCalls

    def call(
        self,
        service: str,
        operation: str,
        params: Params,
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        """As the step's door to AWS."""
        assert service in ("cloudformation", "sts"), f"nobody expects {service}:{operation}"
        _check(service, operation, params)
        self.budgets.append(budget)
        now = self.clock.monotonic()
        asked = copy.deepcopy(dict(params))
        self.calls.append(Called(service=service, operation=operation, params=asked, at=now))
        fault = next((one for one in self.faults if one.strikes(operation, params, now)), None)
        try:
            if fault is not None and not fault.lost:
                raise _raised(fault, operation)
            answer: Mapping[str, Any] = getattr(self, f"_{operation}")(asked)
            if fault is not None:
                raise _raised(fault, operation)
        except Refused as refused:
            raise cloud_error(
                service, operation, refused.code, refused.message, subject=subject
            ) from None
        if self.odd.get(operation, 0) > 0:
            self.odd[operation] -= 1
            return {"Summaries": [{}]}
        return answer

    # ---- the set

    def _DescribeStackSet(self, params: Params) -> dict[str, Any]:  # noqa: N802
        found = self._set(params)
        said = copy.deepcopy(found.said)
        for one in said.get("Parameters", ()):
            if one["ParameterKey"] in self.hidden:
                one["ParameterValue"] = "****"
        return {"StackSet": {**said, "StackSetId": found.id, "StackSetName": _name(found)}}

    def _CreateStackSet(self, params: Params) -> dict[str, Any]:  # noqa: N802
        name = params["StackSetName"]
        token = params["ClientRequestToken"]
        if name in self.sets:
            if self.sets[name].said.get("token") != token:
                raise Refused("NameAlreadyExistsException", "the name is taken")
            return {"StackSetId": self.sets[name].id}
        said = {key: value for key, value in params.items() if key not in _NOT_SAID}
        return {"StackSetId": self.add_set(name, token=token, **said).id}

    def _UpdateStackSet(self, params: Params) -> dict[str, Any]:  # noqa: N802
        found = self._set(params)

        def change() -> list[Place]:
            said = {key: value for key, value in params.items() if key not in _NOT_SAID}
            found.said.update(said)
            for one in found.instances.values():
                if one.status == "CURRENT":
                    one.status = "OUTDATED"
            return [place for place, one in found.instances.items() if one.status != "INOPERABLE"]

        return self._operate(found, "UpdateStackSet", params, "UPDATE", change)

    def _DeleteStackSet(self, params: Params) -> dict[str, Any]:  # noqa: N802
        found = self._set(params)
        if found.instances:
            raise Refused("StackSetNotEmptyException", "StackSet is not empty")
        self._refuse_busy(found)
        del self.sets[_name(found)]
        return {}

    def _GetTemplateSummary(self, params: Params) -> dict[str, Any]:  # noqa: N802
        return self.pages[params["TemplateURL"]]

    def _DecodeAuthorizationMessage(self, params: Params) -> dict[str, Any]:  # noqa: N802
        return {"DecodedMessage": self.decoded[params["EncodedMessage"]]}

    # ---- instances

    def _ListStackInstances(self, params: Params) -> dict[str, Any]:  # noqa: N802
        found = self._set(params)
        rows = [
            {
                "StackSetId": found.id,
                "Account": account,
                "Region": region,
                "Status": one.status,
                "StatusReason": one.reason,
                "StackInstanceStatus": {"DetailedStatus": one.detail},
                "StackId": stack_id(_name(found), account, region),
                "OrganizationalUnitId": one.unit,
                "DriftStatus": one.drift,
            }
            for (account, region), one in found.instances.items()
        ]
        return self._page(rows, params)

    def _DescribeStackInstance(self, params: Params) -> dict[str, Any]:  # noqa: N802
        place = params["StackInstanceAccount"], params["StackInstanceRegion"]
        one = self._set(params).instances[place]
        shown = {key: "****" if key in self.hidden else text for key, text in one.overrides.items()}
        given = [{"ParameterKey": key, "ParameterValue": text} for key, text in shown.items()]
        return {"StackInstance": {"ParameterOverrides": given}}

    def _CreateStackInstances(self, params: Params) -> dict[str, Any]:  # noqa: N802
        found = self._set(params)

        def change() -> list[Place]:
            places = self._places(found, params)
            for place, unit in places.items():
                made = FakeInstance(status="OUTDATED", unit=unit, overrides=_overrides(params))
                found.instances.setdefault(place, made)
            return list(places)

        return self._operate(found, "CreateStackInstances", params, "CREATE", change)

    def _UpdateStackInstances(self, params: Params) -> dict[str, Any]:  # noqa: N802
        found = self._set(params)
        missing = [one for one in self._places(found, params) if one not in found.instances]
        if missing:
            raise Refused("StackInstanceNotFoundException", f"no instance in {missing}")

        def change() -> list[Place]:
            places = self._places(found, params)
            if "ParameterOverrides" in params:
                for place in places:
                    found.instances[place].overrides = _overrides(params)
            return list(places)

        return self._operate(found, "UpdateStackInstances", params, "UPDATE", change)

    def _DeleteStackInstances(self, params: Params) -> dict[str, Any]:  # noqa: N802
        found = self._set(params)

        def change() -> list[Place]:
            return [one for one in self._places(found, params) if one in found.instances]

        return self._operate(found, "DeleteStackInstances", params, "DELETE", change)

    # ---- operations

    def _ListStackSetOperations(self, params: Params) -> dict[str, Any]:  # noqa: N802
        return self._page([_operation(one) for one in self._set(params).operations], params)

    def _DescribeStackSetOperation(self, params: Params) -> dict[str, Any]:  # noqa: N802
        return {"StackSetOperation": _operation(self._operation(params))}

    def _ListStackSetOperationResults(self, params: Params) -> dict[str, Any]:  # noqa: N802
        rows = [
            {"Account": account, "Region": region, "Status": status, "StatusReason": reason}
            for (account, region), (status, reason) in self._operation(params).results.items()
        ]
        return self._page(rows, params)

    def _operate(
        self,
        found: FakeSet,
        name: str,
        params: Params,
        action: str,
        change: Callable[[], list[Place]],
    ) -> dict[str, Any]:
        token = params["OperationId"]
        known = next((one for one in found.operations if one.id == token), None)
        if known is not None:
            if known.request != (name, params):
                raise Refused("OperationIdAlreadyExistsException", "the operation ID exists")
            return {"OperationId": token}
        self._refuse_busy(found)
        operation = self._begun(found, (name, params), token, action)
        places = change()
        operation.results = dict.fromkeys(places, ("PENDING", ""))
        tolerated = params.get("OperationPreferences", {}).get("FailureToleranceCount", 0)
        for number, place in enumerate(places):
            at = self.seconds * (number + 1)
            self.clock.after(at, partial(self._reach, found, operation, place, tolerated))
        self.clock.after(self.seconds * (len(places) + 1), lambda: _end(operation, tolerated))
        return {"OperationId": token}

    def _reach(
        self, found: FakeSet, operation: FakeOperation, place: Place, tolerated: int
    ) -> None:
        instance = found.instances[place]
        if _failures(operation) > tolerated:
            operation.results[place] = "CANCELLED", "Cancelled since failure tolerance has exceeded"
            return
        if place[0] in self.suspended:
            operation.results[place] = "SUCCEEDED", "the account is suspended"
            instance.detail = "SKIPPED_SUSPENDED_ACCOUNT"
            return
        why = self.fails.get(place)
        reason = why(operation.request[0], instance) if callable(why) else why
        if reason:
            operation.results[place] = "FAILED", reason
            gone = operation.action == "DELETE"
            instance.status = "INOPERABLE" if gone else "OUTDATED"
            instance.detail, instance.reason = "FAILED", reason
            return
        operation.results[place] = "SUCCEEDED", ""
        instance.status, instance.detail, instance.reason = "CURRENT", "SUCCEEDED", ""
        if operation.action == "DELETE":
            del found.instances[place]

    def _begun(
        self, found: FakeSet, request: tuple[str, Params], token: str, action: str
    ) -> FakeOperation:
        made = FakeOperation(id=token, action=action, created=self.clock.now(), request=request)
        found.operations.insert(0, made)
        return made

    def _refuse_busy(self, found: FakeSet) -> None:
        if any(one.status == "RUNNING" for one in found.operations):
            raise Refused("OperationInProgressException", "another operation is in progress")

    def _set(self, params: Params) -> FakeSet:
        name = params["StackSetName"]
        if name not in self.sets:
            raise Refused("StackSetNotFoundException", f"StackSet {name} not found")
        return self.sets[name]

    def _operation(self, params: Params) -> FakeOperation:
        for one in self._set(params).operations:
            if one.id == params["OperationId"]:
                return one
        raise Refused("OperationNotFoundException", f"Operation {params['OperationId']} not found")

    def _places(self, found: FakeSet, params: Params) -> dict[Place, str]:
        """Where an operation works, with the unit that each place was asked for by."""
        accounts = dict.fromkeys(params.get("Accounts", ()), "")
        targets = params.get("DeploymentTargets")
        if (found.said["PermissionModel"] == "SERVICE_MANAGED") != (targets is not None):
            raise Refused("ValidationError", "targets of the other permission model")
        if targets is not None:
            accounts = self._accounts(targets)
        return {
            (one, region): unit for region in params["Regions"] for one, unit in accounts.items()
        }

    def _accounts(self, targets: Params) -> dict[str, str]:
        units = targets["OrganizationalUnitIds"]
        inside = {one: unit for unit in units for one in self.units[unit]}
        named = targets.get("Accounts", [])
        match targets.get("AccountFilterType", "NONE"):
            case "NONE":
                return inside
            case "INTERSECTION":
                return {one: unit for one, unit in inside.items() if one in named}
            case "DIFFERENCE":
                return {one: unit for one, unit in inside.items() if one not in named}
        raise Refused("ValidationError", "UNION is not supported")

    def _page(self, rows: list[dict[str, Any]], params: Params) -> dict[str, Any]:
        first = int(params.get("NextToken", "0"))
        last = first + self.page_size
        more = {"NextToken": str(last)} if last < len(rows) else {}
        return {"Summaries": rows[first:last], **more}


_NOT_SAID = {"StackSetName", "ClientRequestToken", "OperationId", "OperationPreferences", "CallAs"}


def stack_id(name: str, account: str, region: str) -> str:
    """The ARN of an instance's stack."""
    return f"arn:aws:cloudformation:{region}:{account}:stack/StackSet-{name}/77"


def _name(found: FakeSet) -> str:
    return found.id.partition(":")[0]


def _overrides(params: Params) -> dict[str, str]:
    given = params.get("ParameterOverrides", ())
    return {item["ParameterKey"]: item["ParameterValue"] for item in given}


def _operation(one: FakeOperation) -> dict[str, Any]:
    return {
        "OperationId": one.id,
        "Action": one.action,
        "Status": one.status,
        "StatusReason": one.reason,
        "CreationTimestamp": one.created,
    }


def _failures(operation: FakeOperation) -> int:
    return sum(status == "FAILED" for status, _ in operation.results.values())


def _end(operation: FakeOperation, tolerated: int) -> None:
    operation.status = "FAILED" if _failures(operation) > tolerated else "SUCCEEDED"


def _raised(fault: Fault, operation: str) -> BaseException:
    if callable(fault.error):
        return fault.error()
    if isinstance(fault.error, BaseException):
        return fault.error
    text = fault.message
    if not text and fault.error == "AccessDenied":
        text = f"User: arn:x is not authorized to perform: cloudformation:{operation}"
    return Refused(fault.error, text or fault.error, fault)


def _check(service: str, operation: str, params: Params) -> None:
    """Names and types as AWS knows them."""
    shape = _model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(params, shape)
    assert not report.has_errors(), f"{operation}: {report.generate_report()}"


@cache
def _model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)
