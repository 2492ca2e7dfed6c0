"""Stacks made of moto's resources, one resource after the other, each with its events.

moto makes a whole stack in one go, tells of the stack only, and passes an error on to the caller.
Here a resource that cannot be made fails its stack, which is rolled back, as AWS does it. All of it
is done when the call returns: a sandbox does not wait.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from moto.cloudformation.exceptions import CloudFormationError
from moto.cloudformation.models import CloudFormationBackend, Event
from moto.core.utils import utcnow

from calamari_py.sandbox.resources import Resources, attempt, order

Stack = Any
"""moto's, with attributes of ours: `status_reason`, `last_updated_time`, `deletion_time`,
`capabilities`, `change_set_id`, and `kept`, what a rollback needs after an update that failed."""
ChangeSet = Any
"""moto's, with attributes of ours: `capabilities`, and `exports`, those of its region."""
_STACK = "AWS::CloudFormation::Stack"


class Operation:
    """One operation on one stack; all of its events carry `token`."""

    def __init__(self, backend: CloudFormationBackend, stack: Stack, token: str | None) -> None:
        self._backend = backend
        self._stack = stack
        self._token = token

    @property
    def _resources(self) -> Resources:
        return self._stack.resource_map  # type: ignore[no-any-return]

    def create(self, change_set: ChangeSet, *, keep: bool) -> None:
        """Make everything; what failed is rolled back, or kept."""
        self._enter("CREATE_IN_PROGRESS", "User Initiated")
        _adopt(self._stack, change_set)
        reason = self._load()
        if reason is None:
            reason = self._make(order(self._stack.template_dict)) or self._finish_making()
        if reason is None:
            self._enter("CREATE_COMPLETE")
        elif keep:
            self._enter("CREATE_FAILED", reason)
        else:
            self._unmake(f"{reason}Rollback requested by user.")

    def update(self, change_set: ChangeSet, *, keep: bool) -> None:
        """Change what differs; a failure is rolled back, or kept."""
        stack, resources = self._stack, self._resources
        before = _Before(stack)
        self._enter("UPDATE_IN_PROGRESS", "User Initiated")
        stack.last_updated_time = utcnow()
        by_action = resources.differences(change_set.template_dict, change_set.parameters)
        _adopt(stack, change_set)
        reason = resources.redesign(stack.template_dict, stack.parameters)
        if reason is None:
            reason = self._change(by_action) or self._finish_making()
        if reason is None:
            self._enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
            self._delete(by_action["Remove"], before.written)
            self._enter("UPDATE_COMPLETE")
        elif keep:
            stack.kept = before, by_action
            self._enter("UPDATE_FAILED", reason)
        else:
            self._restore(before, by_action, reason)

    def roll_back(self) -> None:
        """Do what was not done because what failed was kept."""
        if self._stack.status == "CREATE_FAILED":
            self._unmake("User Initiated")
        else:
            before, by_action = self._stack.kept
            self._restore(before, by_action, "User Initiated")

    def delete(self, retain: Iterable[str] = ()) -> None:
        """Delete everything that is not retained."""
        stack = self._stack
        self._enter("DELETE_IN_PROGRESS", "User Initiated")
        for logical_id in retain:
            self._tell(logical_id, "DELETE_SKIPPED")
            del self._resources._parsed_resources[logical_id]
        # A stack in review has moto's own, empty resources.
        made = self._resources.made() if stack.template_dict else []
        left = self._delete(reversed(made))
        if left:
            self._enter("DELETE_FAILED", left)
            return
        for name in [name for name, one in self._backend.exports.items() if _is_of(one, stack)]:
            del self._backend.exports[name]
        stack.deletion_time = utcnow()
        self._enter("DELETE_COMPLETE")
        self._backend.deleted_stacks[stack.stack_id] = self._backend.stacks.pop(stack.stack_id)

    # ---- resources; each answer is the reason why the stack fails

    def _load(self) -> str | None:
        stack = self._stack

        def load() -> None:
            stack.resource_map = Resources(
                stack.stack_id,
                stack.name,
                stack.parameters,
                stack.tags,
                account_id=stack.account_id,
                region_name=stack.region_name,
                template=stack.template_dict,
                cross_stack_resources=stack.cross_stack_resources,
            )
            stack.resource_map.load()

        return attempt(load)

    def _make(self, logical_ids: Iterable[str]) -> str | None:
        for logical_id in logical_ids:
            if not self._resources.is_wanted(logical_id):
                continue
            self._tell(logical_id, "CREATE_IN_PROGRESS")
            reason = self._resources.make(logical_id)
            if reason is not None:
                self._tell(logical_id, "CREATE_FAILED", reason)
                return _list("create", [logical_id])
            self._tell(logical_id, "CREATE_IN_PROGRESS", "Resource creation Initiated")
            self._tell(logical_id, "CREATE_COMPLETE")
        return None

    def _change(self, by_action: Mapping[str, list[str]]) -> str | None:
        for logical_id in order(self._stack.template_dict):
            if logical_id in by_action["Add"]:
                said = self._make([logical_id])
                if said is not None:
                    return said
            elif logical_id in by_action["Modify"]:
                self._tell(logical_id, "UPDATE_IN_PROGRESS")
                reason = self._resources.change(logical_id)
                if reason is not None:
                    self._tell(logical_id, "UPDATE_FAILED", reason)
                    return _list("update", [logical_id])
                self._tell(logical_id, "UPDATE_COMPLETE")
        return None

    def _finish_making(self) -> str | None:
        """Outputs and exports: what can be known only when the resources are there."""
        stack = self._stack

        def finish() -> None:
            stack.output_map = stack._create_output_map()
            list(stack.output_map.values())
            for export in stack.exports:
                known = self._backend.exports.get(export.name)
                if known is not None and not _is_of(known, stack):
                    raise CloudFormationError(
                        "ValidationError",
                        f"Export with name {export.name} is already exported by another stack",
                    )
                self._backend.exports[export.name] = export

        reason = attempt(finish)
        return None if reason is None else f"{reason}. "

    def _unmake(self, why: str) -> None:
        self._enter("ROLLBACK_IN_PROGRESS", why)
        left = self._delete(reversed(self._resources.made()))
        self._enter("ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", left)

    def _restore(self, before: _Before, by_action: Mapping[str, list[str]], why: str) -> None:
        self._enter("UPDATE_ROLLBACK_IN_PROGRESS", why)
        resources = self._resources
        added = [one for one in by_action["Add"] if one in resources._parsed_resources]
        written = resources._resource_json_map
        before.put_back(self._stack)
        reason = resources.redesign(self._stack.template_dict, self._stack.parameters)
        for logical_id in by_action["Modify"]:
            self._tell(logical_id, "UPDATE_IN_PROGRESS")
            failure = resources.change(logical_id)
            if failure is not None:
                self._tell(logical_id, "UPDATE_FAILED", failure)
                reason = reason or _list("update", [logical_id])
                continue
            self._tell(logical_id, "UPDATE_COMPLETE")
        self._stack.output_map = self._stack._create_output_map()
        if reason is not None:
            self._enter("UPDATE_ROLLBACK_FAILED", reason)
            return
        self._enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self._delete(reversed(added), written)
        self._enter("UPDATE_ROLLBACK_COMPLETE")

    def _delete(
        self, logical_ids: Iterable[str], written: Mapping[str, Any] | None = None
    ) -> str | None:
        resources = self._resources
        left: list[str] = []
        for logical_id in list(logical_ids):
            body = (written or resources._resource_json_map)[logical_id]
            kind, physical_id = body["Type"], resources.physical_id(logical_id)
            if body.get("DeletionPolicy") == "Retain":
                self._say(logical_id, kind, physical_id, "DELETE_SKIPPED")
                resources._parsed_resources.pop(logical_id, None)
                continue
            if logical_id not in resources._parsed_resources:
                continue
            self._say(logical_id, kind, physical_id, "DELETE_IN_PROGRESS")
            reason = resources.delete_one(logical_id, body)
            status = "DELETE_COMPLETE" if reason is None else "DELETE_FAILED"
            self._say(logical_id, kind, physical_id, status, reason)
            if reason is not None:
                left.append(logical_id)
        return _list("delete", left) if left else None

    # ---- events

    def _enter(self, status: str, reason: str | None = None) -> None:
        stack = self._stack
        stack.status, stack.status_reason = status, reason
        event = self._say(stack.name, _STACK, stack.stack_id, status, reason)
        event.sendToSns(stack.account_id, stack.region_name, stack.notification_arns)

    def _tell(self, logical_id: str, status: str, reason: str | None = None) -> None:
        resources = self._resources
        kind, physical_id = resources.type_of(logical_id), resources.physical_id(logical_id)
        self._say(logical_id, kind, physical_id, status, reason)

    def _say(
        self, logical_id: str, kind: str, physical_id: str, status: str, reason: str | None = None
    ) -> Event:
        event: Any = Event(
            stack_id=self._stack.stack_id,
            stack_name=self._stack.name,
            logical_resource_id=logical_id,
            physical_resource_id=physical_id,
            resource_type=kind,
            resource_status=status,
            resource_status_reason=reason,
            resource_properties=None,
        )
        event.client_request_token = self._token
        self._stack.events.append(event)
        return event  # type: ignore[no-any-return]


class _Before:
    """What a stack was before an update."""

    def __init__(self, stack: Stack) -> None:
        self.written: dict[str, Any] = copy.deepcopy(stack.resource_map._resource_json_map)
        self._kept = {
            name: getattr(stack, name)
            for name in (
                "template", "template_dict", "description", "parameters", "tags", "role_arn",
                "notification_arns", "capabilities",
            )
        }  # fmt: skip

    def put_back(self, stack: Stack) -> None:
        """Make the stack so again, but for its resources."""
        for name, value in self._kept.items():
            setattr(stack, name, value)


def _adopt(stack: Stack, change_set: ChangeSet) -> None:
    stack.template = change_set.template
    stack.template_dict = copy.deepcopy(change_set.template_dict)
    stack.description = stack.template_dict.get("Description")
    stack.parameters = change_set.parameters
    stack.tags = change_set.tags
    stack.notification_arns = change_set.notification_arns or []
    stack.role_arn = change_set.role_arn or stack.role_arn
    stack.capabilities = change_set.capabilities
    stack.change_set_id = change_set.change_set_id
    stack.cross_stack_resources = change_set.exports


def _is_of(export: Any, stack: Stack) -> bool:
    return bool(export.exporting_stack_id == stack.stack_id)


def _list(word: str, logical_ids: Iterable[str]) -> str:
    return f"The following resource(s) failed to {word}: [{', '.join(logical_ids)}]. "
