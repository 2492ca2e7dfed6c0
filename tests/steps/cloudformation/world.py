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
from calamari_py.steps.base import StepContext, StepOutcome, Tone
from calamari_py.steps.cloudformation.kind import CloudFormationKind
from calamari_py.steps.cloudformation.spec import Parameter, StackSpec, Template
from tests.fake_cloudformation import FakeCloudFormation, JumpingClock

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
class Report:
    """A StepReport that remembers what it was told, in order in `told`."""

    told: list[tuple[str, str]] = field(default_factory=list)
    tones: list[str] = field(default_factory=list)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    sensitive: set[str] = field(default_factory=set)
    facts: dict[str, Any] = field(default_factory=dict)
    last_words: str = ""
    has_changed: bool = False

    def line(
        self,
        text: str,
        *,
        event: str = "",
        fields: Mapping[str, Any] | None = None,
        tone: Tone = "",
    ) -> None:
        self.told.append(("line", text))
        self.tones.append(tone)
        if event:
            self.events.append((event, fields or {}))

    def progress(self, percent: float | None, text: str) -> None:
        self.told.append(("progress", text))

    def warn(self, text: str, hint: str | None = None) -> None:
        self.told.append(("warning", text))
        self.hints.append(hint or "")

    def note(self, text: str) -> None:
        self.told.append(("note", text))

    def hide(self, value: str, name: str) -> None:
        self.hidden[value] = name

    def output(self, name: str, value: str, *, sensitive: bool = False) -> None:
        self.outputs[name] = value
        if sensitive:
            self.sensitive.add(name)

    def text(self, data: bytes, *, of: str = "") -> None:
        raise AssertionError(f"nothing else writes anything: {data!r} {of}")

    def settle(self) -> None:
        """Nothing is held back."""

    def artifact(self, path: Path, name: str, *, as_it_is: bool = False) -> Path | None:
        raise AssertionError(f"there is no file to keep: {path} {name} {as_it_is}")

    def fact(self, name: str, value: Any) -> None:
        json.dumps(value)
        self.facts[name] = value

    def changed(self, done: bool | None = True) -> None:
        self.has_changed = True

    def ending(self, text: str) -> None:
        self.last_words = text

    def setback(self, text: str, hint: str | None = None) -> None:
        self.told.append(("setback", text))
        self.hints.append(hint or "")

    def said(self, kind: str) -> list[str]:
        """All that was told so: ``line``, ``warning``, ``setback`` …"""
        return [text for one, text in self.told if one == kind]

    @property
    def everything(self) -> str:
        """All lines, warnings, setbacks and hints."""
        return "\n".join([*(text for _, text in self.told), *self.hints])


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
