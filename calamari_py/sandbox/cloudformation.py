"""CloudFormation for the sandbox: what moto leaves out or answers wrongly.

moto makes a second stack where a change set meets one in review, loses outputs, tags, reasons and
request tokens, shows the values of NoEcho parameters, deletes what is protected and passes over
resources that it does not know. Stack sets are in `stack_sets`; the rest is
moto's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moto.cloudformation import models
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.core.request import Request
from moto.core.responses import ActionResult, EmptyResult

from calamari_py.sandbox import planning
from calamari_py.sandbox.planning import Unsupported
from calamari_py.sandbox.stack_sets import StackSets
from calamari_py.sandbox.stacks import ChangeSet, Operation, Stack

NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
_UPDATABLE = frozenset({
    "CREATE_COMPLETE", "CREATE_FAILED", "UPDATE_COMPLETE", "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE",
})  # fmt: skip
_PAGE = 100


def answer(environ: dict[str, Any]) -> tuple[int, Mapping[str, str], str]:
    """Status, headers and body of the answer to a request; Unsupported where there is none."""
    request = Request(environ)
    try:
        status, headers, body = CloudFormation.dispatch(
            request, request.raw_url, dict(request.headers)
        )
    except NotImplementedError:
        raise Unsupported("The sandbox does not have this operation of CloudFormation.") from None
    return status, headers, body


class CloudFormation(StackSets):
    """The operations, each a method of its name."""

    def create_change_set(self) -> ActionResult:
        """Judged at once: it is ready, or has failed because nothing would change."""
        name, kind = self._get_param("ChangeSetName"), self._get_param("ChangeSetType", "UPDATE")
        if kind == "IMPORT":
            raise Unsupported("The sandbox cannot import resources.")
        stack = self._stack_for(self._get_param("StackName"), name, kind)
        text = self._template_text(stack)
        template = planning.read(text)
        planning.check_resources(template)
        given = self._get_param("Parameters", [])
        parameters = planning.parameter_values(template, given, stack.parameters if stack else {})
        capabilities = self._get_param("Capabilities", [])
        planning.check_capabilities(template, capabilities)
        tags = self._get_param("Tags", None)
        made = self._make_change_set(stack, name, kind, text, parameters)
        made.tags = made.stack.tags if tags is None else {one["Key"]: one["Value"] for one in tags}
        made.capabilities = capabilities
        made.exports = self.cloudformation_backend.exports
        made.changes = planning.changes(made.stack, template, parameters)
        made.status, made.execution_status = "CREATE_COMPLETE", "AVAILABLE"
        if kind == "UPDATE" and planning.is_same(made.stack, template, parameters, made.tags):
            made.status, made.execution_status = "FAILED", "UNAVAILABLE"
            made.status_reason = NO_CHANGES
        return ActionResult({"Id": made.change_set_id, "StackId": made.stack_id})

    def _make_change_set(
        self, stack: Stack | None, name: str, kind: str, text: str, parameters: dict[str, str]
    ) -> ChangeSet:
        backend = self.cloudformation_backend
        if stack is None:
            # moto makes a stack of its own for each CREATE, and another one for the second.
            made_id, stack_id = backend.create_change_set(
                stack_name=self._get_param("StackName"),
                change_set_name=name,
                template=text,
                parameters=parameters,
                description=self._get_param("Description"),
                change_set_type=kind,
                notification_arns=self._get_param("NotificationARNs", []),
                tags={},
                role_arn=self._get_param("RoleARN"),
            )
            backend.stacks[stack_id].parameters = {}
            return backend.change_sets[made_id]
        made_id = planning.change_set_id(name, stack.stack_id)
        made: ChangeSet = models.ChangeSet(
            change_set_type=kind,
            change_set_id=made_id,
            change_set_name=name,
            stack=stack,
            template=text,
            parameters=parameters,
            description=self._get_param("Description"),
            notification_arns=self._get_param("NotificationARNs", stack.notification_arns),
            role_arn=self._get_param("RoleARN"),
        )
        backend.change_sets[made_id] = made
        return made

    def describe_change_set(self) -> ActionResult:
        """With the parameters' values hidden that the template hides."""
        found = self._change_set()
        optional = {
            "StatusReason": found.status_reason,
            "Description": found.description,
            "NotificationARNs": found.notification_arns,
        }
        answer = {
            **_summary(found),
            "Changes": found.changes,
            "Capabilities": found.capabilities,
            "Parameters": found.parameters
            | dict.fromkeys(planning.hidden(found.template_dict) & set(found.parameters), "****"),
            "Tags": [{"Key": key, "Value": value} for key, value in found.tags.items()],
        }
        return ActionResult(answer | {key: item for key, item in optional.items() if item})

    def list_change_sets(self) -> ActionResult:
        """Those of one stack."""
        stack = self._existing(self._get_param("StackName"))
        change_sets = self.cloudformation_backend.change_sets.values()
        found = [_summary(one) for one in change_sets if one.stack_id == stack.stack_id]
        return ActionResult({"Summaries": found})

    def delete_change_set(self) -> ActionResult:
        """One that is not there is no error."""
        try:
            found = self._change_set()
        except CloudFormationError as error:
            if error.code != "ChangeSetNotFoundException":
                raise
            return EmptyResult()
        del self.cloudformation_backend.change_sets[found.change_set_id]
        return EmptyResult()

    def execute_change_set(self) -> ActionResult:
        """All of it is done when the answer goes out."""
        found = self._change_set()
        said = None
        if found.status != "CREATE_COMPLETE":
            said = f"current status of [{found.status}]"
        elif found.execution_status != "AVAILABLE":
            said = f"current execution status of [{found.execution_status}]"
        if said is not None:
            raise CloudFormationError(
                "InvalidChangeSetStatusException",
                f"ChangeSet [{found.change_set_id}] cannot be executed in its {said}",
            )
        for other in self.cloudformation_backend.change_sets.values():
            if other.stack_id == found.stack_id and other.execution_status == "AVAILABLE":
                other.execution_status = "OBSOLETE"
        stack = found.stack
        keep = self._get_bool_param("DisableRollback", False)
        operation = Operation(
            self.cloudformation_backend, stack, self._get_param("ClientRequestToken")
        )
        if stack.status == "REVIEW_IN_PROGRESS":
            operation.create(found, keep=keep)
        else:
            operation.update(found, keep=keep)
        done = stack.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        found.execution_status = "EXECUTE_COMPLETE" if done else "EXECUTE_FAILED"
        return EmptyResult()

    def describe_stacks(self) -> ActionResult:
        """One, by name or ARN, or all."""
        name = self._get_param("StackName")
        found = self.cloudformation_backend.describe_stacks(name)
        return ActionResult({"Stacks": [_described(one) for one in found]})

    def describe_stack_events(self) -> ActionResult:
        """A page of them, newest first."""
        stack = self._existing(self._get_param("StackName"))
        begin = int(self._get_param("NextToken", "0"))
        events = stack.events[::-1]
        answer: dict[str, Any] = {"StackEvents": events[begin : begin + _PAGE]}
        if begin + _PAGE < len(events):
            answer["NextToken"] = str(begin + _PAGE)
        return ActionResult(answer)

    def delete_stack(self) -> ActionResult:
        """One that is not there is no error."""
        name = self._get_param("StackName")
        retain = self._get_param("RetainResources", [])
        try:
            stack = self._existing(name)
        except ValidationError:
            return EmptyResult()
        if stack.status == "DELETE_COMPLETE":
            return EmptyResult()
        if stack.enable_termination_protection:
            raise ValidationError(
                message=f"Stack [{name}] cannot be deleted while TerminationProtection is enabled"
            )
        if retain and stack.status != "DELETE_FAILED":
            raise ValidationError(
                message=f"Invalid operation on stack [{stack.stack_id}]. Resources can only be "
                "retained when the stack is in the DELETE_FAILED state."
            )
        token = self._get_param("ClientRequestToken")
        Operation(self.cloudformation_backend, stack, token).delete(retain)
        return EmptyResult()

    def update_termination_protection(self) -> ActionResult:
        """moto has none."""
        stack = self._existing(self._get_param("StackName"))
        stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
        return ActionResult({"StackId": stack.stack_id})

    def cancel_update_stack(self) -> ActionResult:
        """No update is ever in progress."""
        self._existing(self._get_param("StackName"))
        raise ValidationError(
            message="CancelUpdateStack cannot be called from current stack status"
        )

    def rollback_stack(self) -> ActionResult:
        """Of what failed and was kept."""
        stack = self._existing(self._get_param("StackName"))
        if stack.status not in {"CREATE_FAILED", "UPDATE_FAILED"}:
            raise ValidationError(
                message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be rolled "
                "back."
            )
        token = self._get_param("ClientRequestToken")
        Operation(self.cloudformation_backend, stack, token).roll_back()
        return ActionResult({"StackId": stack.stack_id})

    def get_template_summary(self) -> ActionResult:
        """With the capabilities that it needs."""
        name = self._get_param("StackName")
        stack = self._existing(name) if name else None
        template = planning.read(self._template_text(stack, previous=True))
        return ActionResult(planning.summary(template))

    # ---- what is asked for

    def _stack_for(self, stack_name: str, name: str, kind: str) -> Stack | None:
        try:
            stack = self._existing(stack_name)
        except ValidationError:
            stack = None
        if stack is not None and stack.status == "DELETE_COMPLETE":
            stack = None
        is_new = stack is None or stack.status == "REVIEW_IN_PROGRESS"
        if kind == "UPDATE" and is_new:
            raise ValidationError(message=f"Stack [{stack_name}] does not exist")
        if kind == "CREATE" and not is_new:
            raise ValidationError(
                message=f"Stack [{stack_name}] already exists and cannot be created again with "
                f"the changeSet [{name}]."
            )
        if stack is None:
            return None
        if not is_new and stack.status not in _UPDATABLE:
            raise ValidationError(
                message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
            )
        taken = self.cloudformation_backend.change_sets.values()
        if any(one.stack_id == stack.stack_id and one.change_set_name == name for one in taken):
            raise CloudFormationError("AlreadyExistsException", f"ChangeSet {name} already exists")
        return stack

    def _template_text(self, stack: Stack | None, *, previous: bool = False) -> str:
        url, body = self._get_param("TemplateURL"), self._get_param("TemplateBody")
        if url:
            return planning.text_at(url, self.current_account, self.partition)
        if body:
            if len(body.encode()) > planning.INLINE_LIMIT:
                raise ValidationError(
                    message="1 validation error detected: Value at 'templateBody' failed to "
                    "satisfy constraint: Member must have length less than or equal to 51200"
                )
            return str(body)
        if stack is None or not (previous or self._get_bool_param("UsePreviousTemplate", False)):
            raise ValidationError(message="Either Template URL or Template Body must be specified.")
        return str(stack.template)

    def _existing(self, name: str) -> Stack:
        try:
            return self.cloudformation_backend.get_stack(name)
        except ValidationError:
            raise ValidationError(message=f"Stack [{name}] does not exist") from None

    def _change_set(self) -> ChangeSet:
        name, stack_name = self._get_param("ChangeSetName"), self._get_param("StackName")
        change_sets = self.cloudformation_backend.change_sets
        if name in change_sets:
            return change_sets[name]
        if not name.startswith("arn:"):
            stack = self._existing(stack_name)
            for one in change_sets.values():
                if one.stack_id == stack.stack_id and one.change_set_name == name:
                    return one
        raise CloudFormationError(
            "ChangeSetNotFoundException", f"ChangeSet [{name}] does not exist"
        )


def _summary(one: ChangeSet) -> dict[str, Any]:
    return {
        "ChangeSetId": one.change_set_id,
        "ChangeSetName": one.change_set_name,
        "StackId": one.stack_id,
        "StackName": one.stack_name,
        "Status": one.status,
        "ExecutionStatus": one.execution_status,
        "CreationTime": one.creation_time,
    } | ({"Description": one.description} if one.description else {})


def _described(stack: Stack) -> dict[str, Any]:
    hidden = planning.hidden(stack.template_dict)
    optional = {
        "StackStatusReason": getattr(stack, "status_reason", None),
        "LastUpdatedTime": getattr(stack, "last_updated_time", None),
        "DeletionTime": getattr(stack, "deletion_time", None),
        "ChangeSetId": getattr(stack, "change_set_id", None),
        "Capabilities": getattr(stack, "capabilities", None),
        "Outputs": stack.outputs if stack.status.endswith("_COMPLETE") else None,
        "RoleARN": stack.role_arn,
        "Description": stack.description,
    }
    return {
        "StackId": stack.stack_id,
        "StackName": stack.name,
        "StackStatus": stack.status,
        "CreationTime": stack.creation_time,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": stack.notification_arns,
        "EnableTerminationProtection": stack.enable_termination_protection,
        "Tags": stack.tags,
        "Parameters": [
            {"ParameterKey": key, "ParameterValue": "****" if key in hidden else str(value)}
            for key, value in stack.parameters.items()
        ],
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
    } | {key: value for key, value in optional.items() if value}
