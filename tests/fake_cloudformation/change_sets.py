"""Change sets: made after a while, judged, executed once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.fake_cloudformation import templates
from tests.fake_cloudformation.faults import Fault
from tests.fake_cloudformation.model import Design, FakeChangeSet, FakeStack
from tests.fake_cloudformation.plan import is_empty, plan
from tests.fake_cloudformation.world import World

NO_CHANGES = (
    "The submitted information didn't contain changes. "
    "Submit different information to create a change set."
)
NO_UPDATES = "No updates are to be performed."
UPDATABLE = frozenset({
    "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED",
})  # fmt: skip
_INLINE_LIMIT = 51_200


class Refused(Exception):
    """AWS says no, on its own or because of a fault."""

    def __init__(self, code: str, message: str, fault: Fault | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fault = fault


def invalid(message: str) -> Refused:
    """A ValidationError."""
    return Refused("ValidationError", message)


class ChangeSets:
    """All change sets. `seconds` is how long it takes to make one; `fail_next` makes the next one
    fail with that reason; `no_change_text` is what an empty one says."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.seconds = 5.0
        self.fail_next: str | None = None
        self.no_change_text = NO_CHANGES

    def create(self, params: Mapping[str, Any]) -> FakeChangeSet:
        """CreateChangeSet."""
        name, kind = params["ChangeSetName"], params.get("ChangeSetType", "UPDATE")
        stack = self._world.find(params["StackName"])
        if stack is not None and name in stack.change_sets:
            return self._again(stack.change_sets[name], params)
        stack = self._stack_for(stack, kind, name, params["StackName"])
        design = self.design(params, stack)
        _check_capabilities(design)
        if stack is None:
            stack = self._world.make_stack(
                params["StackName"], Design(), status="", parent=None, logical_id=""
            )
            self._world.enter(stack, "REVIEW_IN_PROGRESS", "User Initiated")
        made = self._make(stack, name, kind, design)
        made.description = params.get("Description", "")
        made.client_token = params.get("ClientToken", "")
        made.imports = tuple(params.get("ResourcesToImport", ()))
        made.include_nested = bool(params.get("IncludeNestedStacks"))
        made.on_failure = params.get("OnStackFailure")
        failure, self.fail_next = self.fail_next, None
        self._world.clock.after(min(1.0, self.seconds), lambda: self._pending(made))
        self._world.clock.after(self.seconds, lambda: self._judge(made, stack, failure))
        return made

    def find(self, params: Mapping[str, Any]) -> FakeChangeSet:
        """By ARN, or by name and stack; Refused as AWS does it."""
        named = params["ChangeSetName"]
        if named.startswith("arn:"):
            for stack in self._world.stacks.values():
                for one in stack.change_sets.values():
                    if one.id == named:
                        return one
            raise Refused("ChangeSetNotFound", f"ChangeSet [{named}] does not exist")
        if "StackName" not in params:
            raise invalid(
                "StackName must be specified if ChangeSetName is not specified as an ARN."
            )
        found = self._world.find(params["StackName"])
        if found is None:
            raise invalid(f"Stack [{params['StackName']}] does not exist")
        if named not in found.change_sets:
            raise Refused("ChangeSetNotFound", f"ChangeSet [{named}] does not exist")
        return found.change_sets[named]

    def delete(self, params: Mapping[str, Any]) -> None:
        """DeleteChangeSet: what is not there is no error."""
        try:
            one = self.find(params)
        except Refused as refused:
            if refused.code == "ChangeSetNotFound":
                return
            raise
        if one.execution == "EXECUTE_IN_PROGRESS":
            raise Refused(
                "InvalidChangeSetStatus", "An operation on this ChangeSet is currently in progress."
            )
        for change in one.changes:
            if change.nested:
                self.delete({"ChangeSetName": change.nested})
        stack = self._world.stacks[one.stack_id]
        stack.change_sets.pop(one.name, None)

    def take(self, params: Mapping[str, Any]) -> FakeChangeSet:
        """What ExecuteChangeSet is to execute, marked as taken; the others are obsolete."""
        one = self.find(params)
        if one.status != "CREATE_COMPLETE":
            raise Refused(
                "InvalidChangeSetStatus",
                f"ChangeSet [{one.id}] cannot be executed in its current status of [{one.status}]",
            )
        if one.execution != "AVAILABLE":
            raise Refused(
                "InvalidChangeSetStatus",
                f"ChangeSet [{one.id}] cannot be executed in its current execution status of "
                f"[{one.execution}]",
            )
        stack = self._world.stacks[one.stack_id]
        if stack.status not in UPDATABLE | {"REVIEW_IN_PROGRESS"}:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        one.execution = "EXECUTE_IN_PROGRESS"
        self.outdate(stack, but=one)
        return one

    def outdate(self, stack: FakeStack, *, but: FakeChangeSet | None = None) -> None:
        """The stack changes: what was planned before is obsolete."""
        for other in stack.change_sets.values():
            if other is not but and other.execution == "AVAILABLE":
                other.execution = "OBSOLETE"

    def design(self, params: Mapping[str, Any], stack: FakeStack | None) -> Design:
        """What a request asks for; Refused where AWS refuses at once."""
        text = self.text(params, stack)
        try:
            template = templates.read(text)
        except ValueError as error:
            raise invalid(f"Template format error: {error}") from None
        if not template.get("Resources"):
            raise invalid("Template format error: At least one Resources member must be defined.")
        before = stack.design if stack is not None else Design()
        declared = template.get("Parameters", {})
        given: dict[str, str] = {}
        for item in params.get("Parameters", ()):
            key = item["ParameterKey"]
            if key not in declared:
                raise invalid(f"Parameters: [{key}] do not exist in the template")
            if item.get("UsePreviousValue"):
                if key not in before.parameters:
                    raise invalid(
                        f"Invalid input for parameter key {key}. Cannot specify usePreviousValue "
                        "as true for a parameter key not in the previous template"
                    )
                given[key] = before.parameters[key]
            else:
                given[key] = item["ParameterValue"]
        try:
            values = templates.parameter_values(template, given, {})
        except KeyError as error:
            raise invalid(f"Parameters: [{error.args[0]}] must have values") from None
        tags = params.get("Tags")
        return Design(
            template=template,
            text=text,
            parameters=values,
            tags=before.tags if tags is None else {one["Key"]: one["Value"] for one in tags},
            capabilities=tuple(params.get("Capabilities", ())),
            role_arn=params.get("RoleARN", before.role_arn),
            notification_arns=tuple(params.get("NotificationARNs", before.notification_arns)),
        )

    def text(self, params: Mapping[str, Any], stack: FakeStack | None) -> str:
        """The template of a request; Refused where there is none."""
        if params.get("UsePreviousTemplate") and stack is not None:
            return stack.design.text
        if "TemplateURL" in params:
            try:
                return self._world.text_at(params["TemplateURL"])
            except ValueError as error:
                raise invalid(str(error)) from None
        if "TemplateBody" not in params:
            raise invalid("Either Template URL or Template Body must be specified.")
        text = str(params["TemplateBody"])
        if len(text.encode()) > _INLINE_LIMIT:
            raise invalid(
                f"1 validation error detected: Value '{text[:60]}…' at 'templateBody' failed to "
                "satisfy constraint: Member must have length less than or equal to 51200"
            )
        return text

    def _stack_for(
        self, stack: FakeStack | None, kind: str, name: str, stack_name: str
    ) -> FakeStack | None:
        if stack is not None and stack.is_gone:
            stack = None
        if kind == "CREATE":
            if stack is not None and stack.status != "REVIEW_IN_PROGRESS":
                raise invalid(
                    f"Stack [{stack.name}] already exists and cannot be created again with the "
                    f"changeSet [{name}]."
                )
            return stack
        if stack is None or (kind == "UPDATE" and stack.status == "REVIEW_IN_PROGRESS"):
            if kind == "IMPORT" and stack is None:
                return None
            raise invalid(f"Stack [{stack_name}] does not exist")
        if stack.status not in UPDATABLE | {"REVIEW_IN_PROGRESS"}:
            raise invalid(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        return stack

    def _again(self, one: FakeChangeSet, params: Mapping[str, Any]) -> FakeChangeSet:
        token = params.get("ClientToken", "")
        if token and token == one.client_token:
            return one
        raise Refused("AlreadyExistsException", f"ChangeSet {one.name} already exists")

    def _make(
        self,
        stack: FakeStack,
        name: str,
        kind: str,
        design: Design,
        parent: FakeChangeSet | None = None,
    ) -> FakeChangeSet:
        world = self._world
        made = FakeChangeSet(
            id=(
                f"arn:{world.partition}:cloudformation:{world.region}:{world.account}:changeSet/"
                f"{name}/{world.uuid()}"
            ),
            name=name,
            stack_id=stack.id,
            stack_name=stack.name,
            kind=kind,
            design=design,
            created=world.now(),
            parent=parent.id if parent else None,
            root=(parent.root or parent.id) if parent else None,
        )
        stack.change_sets[name] = made
        return made

    def _pending(self, made: FakeChangeSet) -> None:
        if made.status == "CREATE_PENDING":
            made.status = "CREATE_IN_PROGRESS"

    def _judge(self, made: FakeChangeSet, stack: FakeStack, failure: str | None) -> None:
        imports = frozenset(one["LogicalResourceId"] for one in made.imports)
        made.changes = plan(self._world, stack, made.design, imports)
        unchanged = stack.status != "REVIEW_IN_PROGRESS" and is_empty(
            stack, made.design, made.changes
        )
        if failure is None and unchanged:
            failure = self.no_change_text
        if failure is not None:
            made.status, made.execution, made.reason = "FAILED", "UNAVAILABLE", failure
            made.changes = ()
            return
        if made.include_nested:
            self._nest(made, stack)
        made.status, made.execution = "CREATE_COMPLETE", "AVAILABLE"

    def _nest(self, made: FakeChangeSet, stack: FakeStack) -> None:
        """Change sets of nested stacks that exist and change."""
        for change in made.changes:
            have = stack.resources.get(change.logical_id)
            if change.action != "Modify" or have is None or have.nested is None:
                continue
            child = self._world.stacks[have.nested]
            try:
                design = self._world.nested_design(stack, made.design, change.logical_id)
            except ValueError:
                continue
            name = f"{made.name}-{change.logical_id}-{self._world.letters()}"
            inner = self._make(child, name, "UPDATE", design, made)
            inner.changes = plan(self._world, child, design)
            inner.include_nested = True
            self._nest(inner, child)
            inner.status, inner.execution = "CREATE_COMPLETE", "UNAVAILABLE"
            change.nested = inner.id


def _check_capabilities(design: Design) -> None:
    given = set(design.capabilities)
    if "CAPABILITY_NAMED_IAM" in given:
        given.add("CAPABILITY_IAM")
    missing = [one for one in templates.required_capabilities(design.template) if one not in given]
    if missing:
        raise Refused(
            "InsufficientCapabilitiesException", f"Requires capabilities : [{', '.join(missing)}]"
        )
