"""The world a stack lives in: its account, its neighbours, its time, what is to happen to it."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.fake_cloudformation import templates
from tests.fake_cloudformation.clock import JumpingClock, RunningClock
from tests.fake_cloudformation.model import (
    STACK_TYPE,
    Design,
    FakeEvent,
    FakeResource,
    FakeStack,
)

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_HOST = re.compile(
    r"https://(?:(?P<bucket>.+)\.)?s3[.-](?:[\w-]+\.)*amazonaws\.com(?:\.cn)?/(?P<key>.+)"
)


@dataclass(kw_only=True)
class Script:
    """What happens to one resource: how long everything takes, and what fails with which reason.

    `fail` is of creations and updates, `fail_rollback` of what a rollback does, `fail_delete` of
    other deletions. `replacement` is what a change set says of a modification.
    """

    seconds: float = 10.0
    fail: str | None = None
    fail_rollback: str | None = None
    fail_delete: str | None = None
    replacement: str | None = None


class World:
    """An account in a region."""

    def __init__(self, clock: JumpingClock | RunningClock, region: str, account: str) -> None:
        self.clock = clock
        self.region = region
        self.account = account
        self.partition = "aws-cn" if region.startswith("cn-") else "aws"
        self.stacks: dict[str, FakeStack] = {}
        self.scripts: dict[str, Script] = {}
        self.objects: dict[tuple[str, str], bytes] = {}
        self.event_lag = 0.0
        self.nested_tokens = False
        self.skew = timedelta()
        self._random = random.Random(20260301)

    def now(self) -> datetime:
        """AWS's time: the clock's but for `skew`."""
        return self.clock.now() + self.skew

    def uuid(self) -> str:
        """A new one."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def letters(self, count: int = 13) -> str:
        """The random end of a physical id."""
        return "".join(self._random.choice(_LETTERS) for _ in range(count))

    def script_of(self, stack: FakeStack, logical_id: str) -> Script:
        """What is to happen to a resource; nothing but time when nobody said."""
        return self.scripts.get("/".join((*stack.path, logical_id)), Script())

    def find(self, name_or_id: str) -> FakeStack | None:
        """By name only what is there, by id what has been."""
        if name_or_id in self.stacks:
            return self.stacks[name_or_id]
        found = [one for one in self.stacks.values() if one.name == name_or_id and not one.is_gone]
        return found[-1] if found else None

    def make_stack(
        self, name: str, design: Design, *, status: str, parent: FakeStack | None, logical_id: str
    ) -> FakeStack:
        """A stack without anything in it."""
        stack_id = (
            f"arn:{self.partition}:cloudformation:{self.region}:{self.account}:stack/{name}/"
            f"{self.uuid()}"
        )
        stack = FakeStack(
            id=stack_id,
            name=name,
            status=status,
            created=self.now(),
            design=design,
            path=(*parent.path, logical_id) if parent else (),
            parent_id=parent.id if parent else None,
            root_id=(parent.root_id or parent.id) if parent else None,
            disable_rollback=parent.disable_rollback if parent else False,
        )
        self.stacks[stack_id] = stack
        return stack

    def emit(
        self,
        stack: FakeStack,
        resource: FakeResource,
        status: str,
        reason: str = "",
        *,
        token: str | None = None,
    ) -> None:
        """An event of a resource."""
        now = self.now()
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"
        is_stack = resource.physical_id == stack.id
        event_id = self.uuid() if is_stack else f"{resource.logical_id}-{status}-{stamp}"
        taken = {event.id for event in stack.events[-40:]}
        if event_id in taken:  # two of a kind in one millisecond: AWS writes an id at random
            event_id = f"{resource.logical_id}-{self.uuid()}"
        shows_token = stack.parent_id is None or self.nested_tokens
        stack.events.append(
            FakeEvent(
                id=event_id,
                stack_id=stack.id,
                stack_name=stack.name,
                logical_id=resource.logical_id,
                physical_id=resource.physical_id,
                type=resource.type,
                status=status,
                reason=reason,
                time=now,
                token=token if shows_token else None,
                seen_from=self.clock.monotonic() + self.event_lag,
            )
        )

    def enter(
        self, stack: FakeStack, status: str, reason: str = "", *, token: str | None = None
    ) -> None:
        """The stack goes into `status`, with an event that says so."""
        stack.status, stack.reason = status, reason
        stack.statuses.append((self.clock.monotonic(), status, reason))
        self.keep_view(stack)
        itself = FakeResource(logical_id=stack.name, type=STACK_TYPE, physical_id=stack.id)
        self.emit(stack, itself, status, reason, token=token)

    def keep_view(self, stack: FakeStack) -> None:
        """Remember what DescribeStacks shows from now on: whoever is late still sees it later."""
        stack.views.append((self.clock.monotonic(), stack.updated, dict(stack.outputs)))

    def resolver(self, stack: FakeStack, design: Design) -> templates.Resolver:
        """Functions of `design` over the resources that `stack` has."""
        nested = {
            one.logical_id: self.stacks[one.nested].outputs
            for one in stack.resources.values()
            if one.nested
        }
        return templates.Resolver(design, stack.resources, nested, self.pseudo(stack))

    def pseudo(self, stack: FakeStack) -> Mapping[str, str]:
        """The pseudo parameters."""
        return {
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::Partition": self.partition,
            "AWS::StackName": stack.name,
            "AWS::StackId": stack.id,
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": templates.NO_VALUE,
        }

    def physical_id(
        self, stack: FakeStack, logical_id: str, properties: Mapping[str, object]
    ) -> str:
        """A new one: the name that the template gives, or one at random."""
        given = [value for name, value in properties.items() if name.endswith("Name")]
        return str(given[0]) if given else f"{stack.name}-{logical_id}-{self.letters()}"

    def outputs(self, stack: FakeStack) -> dict[str, str]:
        """What the template's outputs are now."""
        resolver = self.resolver(stack, stack.design)
        written = stack.design.template.get("Outputs", {})
        return {name: str(resolver.value(one["Value"])) for name, one in written.items()}

    def nested_design(self, stack: FakeStack, design: Design, logical_id: str) -> Design:
        """What a nested stack is to be made from; ValueError with AWS's words when it cannot."""
        properties = design.template["Resources"][logical_id].get("Properties", {})
        given = self.resolver(stack, design).value(properties)
        text = self.text_at(str(given.get("TemplateURL", "")))
        template = templates.read(text)
        try:
            values = templates.parameter_values(
                template, {key: str(item) for key, item in given.get("Parameters", {}).items()}, {}
            )
        except KeyError as error:
            raise ValueError(f"Parameters: [{error.args[0]}] must have values") from None
        return Design(
            template=template,
            text=text,
            parameters=values,
            tags=dict(design.tags),
            capabilities=design.capabilities,
            role_arn=design.role_arn,
        )

    def text_at(self, url: str) -> str:
        """The template at an S3 URL; ValueError with AWS's words when there is none."""
        host = _HOST.fullmatch(url.split("?", maxsplit=1)[0])
        if host is None:
            raise ValueError("TemplateURL must be a supported URL.")
        bucket, key = host["bucket"], host["key"]
        if bucket is None:
            bucket, _, key = key.partition("/")
        body = self.objects.get((bucket, key))
        if body is None:
            raise ValueError("S3 error: Access Denied")
        return body.decode()
