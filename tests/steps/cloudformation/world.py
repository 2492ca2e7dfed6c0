"""A CloudFormation step in a world of its own: the fake AWS, a clock that jumps, a report that
remembers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from calamari_py.errors import CalamariError, Cancelled
from calamari_py.identity import AwsCredentials
from calamari_py.process import Command
from calamari_py.steps.base import StepContext, StepOutcome
from calamari_py.steps.cloudformation.kind import CloudFormationKind
from calamari_py.steps.cloudformation.spec import Parameter, StackSpec, Template
from tests.fake_cloudformation import FakeCloudFormation, JumpingClock
from tests.steps.report import Report

NAME = "my-app"
PREFIX = "calamari-payments-dev"
QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "jobs"}}
BUCKET = {"Type": "AWS::S3::Bucket"}


def template_text(**resources: Any) -> str:
    """A template with these resources and an output for each of them."""
    return json.dumps(
        {
            "Resources": resources,
            "Outputs": {f"{name}Ref": {"Value": {"Ref": name}} for name in resources},
        }
    )


ONE = template_text(Bucket=BUCKET)
TWO = template_text(Bucket=BUCKET, Queue=QUEUE)


@dataclass
class StackWorld:
    """One stack's world. `spec` is changed with `run`'s arguments."""

    aws: FakeCloudFormation = field(default_factory=FakeCloudFormation)
    report: Report = field(default_factory=Report)
    timeout: float | None = 3600.0
    spec: StackSpec = field(
        default_factory=lambda: StackSpec(
            stack_name=NAME,
            action="deploy",
            token_prefix=PREFIX,
            template=Template(shown="template.json", text=ONE),
        )
    )

    @property
    def clock(self) -> JumpingClock:
        """The time of all of it."""
        assert isinstance(self.aws.clock, JumpingClock)
        return self.aws.clock

    def context(self) -> StepContext:
        """What the kind is given."""
        return StepContext(
            environment={},
            private=Path("/nowhere"),
            temp=Path("/nowhere"),
            run=_no_process,
            read=_no_process,
            capture=_no_process,
            warn=self.report.warn,
            credentials=_no_credentials,
            aws=self.aws,
            report=self.report,
            clock=self.clock,
            timeout=self.timeout,
        )

    def has(self, template: str = ONE, **more: Any) -> None:
        """The stack is there already; see `FakeCloudFormation.add_stack`."""
        self.aws.add_stack(NAME, template=template, **more)

    def run(self, *, template: str | None = None, **changes: Any) -> StepOutcome:
        """Carry the step out. What was called and told before is forgotten first."""
        self.aws.calls.clear()
        self.report = Report()
        if template is not None:
            changes["template"] = Template(shown="template.json", text=template)
        return CloudFormationKind().execute(replace(self.spec, **changes), self.context())

    def run_url(self, url: str, **parameters: str) -> StepOutcome:
        """The same with a template that lies in S3, and parameters."""
        given = tuple(Parameter(key=key, value=value) for key, value in parameters.items())
        self.spec = replace(self.spec, template=Template(shown=url, url=url), parameters=given)
        return self.run()

    def fail(self, **changes: Any) -> CalamariError | Cancelled:
        """The error that `run` ends with."""
        try:
            outcome = self.run(**changes)
        except (CalamariError, Cancelled) as error:
            return error
        raise AssertionError(f"no error but {outcome}")

    def called(self) -> list[str]:
        """The operations that change something, in order."""
        looks = ("Describe", "List", "Get", "Head", "Decode")
        return [one.operation for one in self.aws.calls if not one.operation.startswith(looks)]

    def params(self, operation: str) -> list[Mapping[str, Any]]:
        """What each call of `operation` asked for."""
        return [one.params for one in self.aws.calls if one.operation == operation]

    def after_call(self, operation: str, act: Callable[[], object]) -> None:
        """Do `act` right after the first call of `operation` was answered."""
        original = self.aws.call
        done: list[bool] = []

        def call(service: str, name: str, params: Mapping[str, Any], **more: Any) -> Any:
            answer = original(service, name, params, **more)
            if name == operation and not done:
                done.append(True)
                act()
            return answer

        self.aws.call = call  # type: ignore[method-assign,assignment]

    def status(self) -> str | None:
        """The stack's, None where there is none."""
        found = self.aws.world.find(NAME)
        return found.status if found is not None else None

    def change_sets(self) -> list[str]:
        """The names of the change sets that are left."""
        return list(self.aws.stack(NAME).change_sets)


def _no_process(command: Command, *_: object, **__: object) -> Any:
    raise AssertionError("a CloudFormation step starts no process")


def _no_credentials() -> AwsCredentials:
    raise AssertionError("the door asks for them")
