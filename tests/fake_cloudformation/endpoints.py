"""The operations: what CloudFormation, STS and S3 do when they are asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from tests.fake_cloudformation import answers, templates
from tests.fake_cloudformation.change_sets import ChangeSets, Refused, invalid
from tests.fake_cloudformation.clock import JumpingClock, RunningClock
from tests.fake_cloudformation.model import FakeChangeSet, FakeStack
from tests.fake_cloudformation.operations import Operation
from tests.fake_cloudformation.world import World

Params = Mapping[str, Any]


class Endpoints:
    """A method for each operation, ``_<service>_<operation>``; Refused where AWS refuses."""

    def __init__(self, clock: JumpingClock | RunningClock, region: str, account: str) -> None:
        self.clock = clock
        self.world = World(clock, region, account)
        self.change_sets = ChangeSets(self.world)
        self.decoded: dict[str, str] = {}
        self.page_size = 100
        self.change_page_size = 100
        self.status_lag = 0.0
        self.session_arn = ""
        self._running: dict[str, Operation] = {}

    def method(self, service: str, operation: str) -> Callable[[Params], dict[str, Any]]:
        """The method that answers."""
        name = re.sub("(?<=[a-z])([A-Z])", r"_\1", operation).lower()
        method = getattr(self, f"_{service}_{name}", None)
        if method is None:
            raise AssertionError(f"the fake does not know {service}:{operation}")
        return method  # type: ignore[no-any-return]

    # ---- stacks

    def _cloudformation_describe_stacks(self, params: Params) -> dict[str, Any]:
        if "StackName" not in params:
            there = [one for one in self.world.stacks.values() if not one.is_gone]
            return {"Stacks": [self._described(one) for one in there]}
        found = self.world.find(params["StackName"])
        if found is None:
            raise invalid(f"Stack with id {params['StackName']} does not exist")
        return {"Stacks": [self._described(found)]}

    def _described(self, one: FakeStack) -> dict[str, Any]:
        horizon = self.clock.monotonic() - self.status_lag
        seen = [entry for entry in one.statuses if entry[0] <= horizon]
        if self.status_lag and seen:
            views = [view for view in one.views if view[0] <= horizon] or one.views[:1]
            _, updated, outputs = views[-1]
            there = replace(one, updated=updated, outputs=outputs)
            return answers.stack(there, seen[-1][1], seen[-1][2])
        return answers.stack(one, one.status, one.reason)

    def _cloudformation_describe_stack_events(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        now = self.clock.monotonic()
        events = [one for one in reversed(found.events) if one.seen_from <= now]
        items, following = answers.page(events, self.page_size, params.get("NextToken"))
        answer: dict[str, Any] = {"StackEvents": [answers.event(one) for one in items]}
        return answer | ({"NextToken": following} if following else {})

    def _existing(self, params: Params) -> FakeStack:
        found = self.world.find(params["StackName"])
        if found is None:
            raise invalid(f"Stack [{params['StackName']}] does not exist")
        return found

    def _cloudformation_delete_stack(self, params: Params) -> dict[str, Any]:
        found = self.world.find(params["StackName"])
        if found is None or found.is_gone:
            return {}
        if found.protected:
            raise invalid(
                f"Stack [{params['StackName']}] cannot be deleted while TerminationProtection is "
                "enabled"
            )
        retain = params.get("RetainResources", [])
        if retain and found.status != "DELETE_FAILED":
            raise invalid(
                f"Invalid operation on stack [{found.id}]. Resources can only be retained when the "
                "stack is in the DELETE_FAILED state."
            )
        unknown = [one for one in retain if one not in found.broken]
        if unknown:
            raise invalid(
                f"Invalid resources to retain: [{', '.join(unknown)}]. Only resources that failed "
                "to delete can be retained."
            )
        busy = found.status.endswith("_IN_PROGRESS")
        if busy and found.status not in {
            "CREATE_IN_PROGRESS", "REVIEW_IN_PROGRESS", "ROLLBACK_IN_PROGRESS",
        }:  # fmt: skip
            raise invalid(f"Stack [{found.name}] cannot be deleted while in status {found.status}")
        if found.id in self._running:
            self._running[found.id].give_up()
        found.change_sets.clear()
        self._operation(found, params.get("ClientRequestToken")).delete(retain)
        return {}

    def _cloudformation_continue_update_rollback(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        if found.status != "UPDATE_ROLLBACK_FAILED":
            raise invalid(
                f"Stack:{found.id} is in {found.status} state and can not continue update rollback."
            )
        skip = params.get("ResourcesToSkip", [])
        unknown = [one for one in skip if one.split(".")[0] not in found.broken]
        if unknown:
            raise invalid(f"Resources to skip [{', '.join(unknown)}] are not in a skippable state.")
        self._operation(found, params.get("ClientRequestToken")).roll_back(skip=skip)
        return {}

    def _cloudformation_rollback_stack(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        if found.status not in {"CREATE_FAILED", "UPDATE_FAILED"}:
            raise invalid(
                f"Stack:{found.id} is in {found.status} state and can not be rolled back."
            )
        self._operation(found, params.get("ClientRequestToken")).roll_back()
        return {"StackId": found.id}

    def _cloudformation_cancel_update_stack(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        if found.status != "UPDATE_IN_PROGRESS":
            raise invalid("CancelUpdateStack cannot be called from current stack status")
        if found.id in self._running:
            self._running[found.id].cancel()
        return {}

    def _cloudformation_get_stack_policy(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        return {"StackPolicyBody": found.policy} if found.policy is not None else {}

    def _cloudformation_set_stack_policy(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        try:
            json.loads(params["StackPolicyBody"])
        except ValueError:
            raise invalid("Error validating stack policy: Invalid stack policy") from None
        found.policy = params["StackPolicyBody"]
        return {}

    def _cloudformation_update_termination_protection(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        if found.parent_id is not None:
            raise invalid(
                "Termination protection cannot be changed on nested stacks; change it on the root "
                f"stack [{found.root_id}]"
            )
        found.protected = bool(params["EnableTerminationProtection"])
        return {"StackId": found.id}

    def _cloudformation_get_template_summary(self, params: Params) -> dict[str, Any]:
        stack = self._existing(params) if "StackName" in params else None
        text = self.change_sets.text({**params, "UsePreviousTemplate": True}, stack)
        try:
            template = templates.read(text)
        except ValueError as error:
            raise invalid(f"Template format error: {error}") from None
        needed = templates.required_capabilities(template)
        types = sorted({one["Type"] for one in template.get("Resources", {}).values()})
        answer: dict[str, Any] = {
            "Parameters": [
                {
                    "ParameterKey": name,
                    "ParameterType": one.get("Type", "String"),
                    "NoEcho": str(one.get("NoEcho", "")).lower() == "true",
                    "ParameterConstraints": {"AllowedValues": one.get("AllowedValues", [])},
                }
                | ({"DefaultValue": str(one["Default"])} if "Default" in one else {})
                for name, one in template.get("Parameters", {}).items()
            ],
            "ResourceTypes": types,
        }
        if needed:
            answer["Capabilities"] = list(needed)
            answer["CapabilitiesReason"] = (
                "The following resource(s) require capabilities: "
                f"[{', '.join(one for one in types if '::IAM::' in one)}]"
            )
        transforms = template.get("Transform")
        if transforms:
            answer["DeclaredTransforms"] = (
                transforms if isinstance(transforms, list) else [transforms]
            )
        return answer

    def _cloudformation_get_template(self, params: Params) -> dict[str, Any]:
        return {"TemplateBody": self._existing(params).design.text}

    # ---- change sets

    def _cloudformation_create_change_set(self, params: Params) -> dict[str, Any]:
        made = self.change_sets.create(params)
        return {"Id": made.id, "StackId": made.stack_id}

    def _cloudformation_describe_change_set(self, params: Params) -> dict[str, Any]:
        found = self.change_sets.find(params)
        return answers.change_set(found, self.change_page_size, params.get("NextToken"))

    def _cloudformation_list_change_sets(self, params: Params) -> dict[str, Any]:
        found = self._existing(params)
        items, following = answers.page(
            list(found.change_sets.values()), self.page_size, params.get("NextToken")
        )
        answer: dict[str, Any] = {"Summaries": [answers.change_set_summary(one) for one in items]}
        return answer | ({"NextToken": following} if following else {})

    def _cloudformation_delete_change_set(self, params: Params) -> dict[str, Any]:
        self.change_sets.delete(params)
        return {}

    def _cloudformation_execute_change_set(self, params: Params) -> dict[str, Any]:
        one = self.change_sets.take(params)
        stack = self.world.stacks[one.stack_id]
        stack.disable_rollback = bool(params.get("DisableRollback"))
        stack.change_set_id = one.id
        operation = self._operation(
            stack, params.get("ClientRequestToken"), lambda failure: _executed(one, failure)
        )
        if one.kind == "IMPORT":
            operation.adopt(
                one.design,
                {
                    item["LogicalResourceId"]: next(iter(item["ResourceIdentifier"].values()))
                    for item in one.imports
                },
            )
        elif stack.status == "REVIEW_IN_PROGRESS":
            stack.design = one.design
            operation.create()
        else:
            operation.update(one.design)
        return {}

    # ---- others

    def _sts_decode_authorization_message(self, params: Params) -> dict[str, Any]:
        decoded = self.decoded.get(params["EncodedMessage"])
        if decoded is None:
            raise Refused("InvalidAuthorizationMessageException", "Message is not valid")
        return {"DecodedMessage": decoded}

    def _sts_get_caller_identity(self, params: Params) -> dict[str, Any]:
        return {
            "Account": self.world.account,
            "Arn": self.session_arn,
            "UserId": "AROAEXAMPLE:deploy",
        }

    def _s3_head_object(self, params: Params) -> dict[str, Any]:
        body = self.world.objects.get((params["Bucket"], params["Key"]))
        if body is None:
            raise Refused("404", "Not Found")
        return {"ContentLength": len(body), "ETag": '"0123456789abcdef"'}

    def _s3_put_object(self, params: Params) -> dict[str, Any]:
        body = params["Body"]
        self.world.objects[params["Bucket"], params["Key"]] = (
            body.encode() if isinstance(body, str) else bytes(body)
        )
        return {"ETag": '"0123456789abcdef"'}

    def _operation(
        self,
        stack: FakeStack,
        token: str | None,
        done: Callable[[str | None], None] = lambda _: None,
    ) -> Operation:
        operation = Operation(self.world, stack, token, done)
        self._running[stack.id] = operation
        return operation


def _executed(one: FakeChangeSet, failure: str | None) -> None:
    one.execution = "EXECUTE_COMPLETE" if failure is None else "EXECUTE_FAILED"
