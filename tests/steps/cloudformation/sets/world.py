"""A step of kind ``stack_set`` in a world of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from calamari_py.errors import CalamariError, Cancelled
from calamari_py.identity import AwsCredentials
from calamari_py.process import Command
from calamari_py.steps.base import StepContext, StepOutcome
from calamari_py.steps.cloudformation.parsing.template import read_facts
from calamari_py.steps.cloudformation.sections import InstancesSection, StackSetSection
from calamari_py.steps.cloudformation.sets.kind import StackSetKind
from calamari_py.steps.cloudformation.spec import Parameter, StackSetSpec, Template
from tests.steps.cloudformation.sets.fake_stack_sets import FakeInstance, FakeSet, FakeStackSets
from tests.steps.report import Report

NAME = "deployment-roles"
ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"
EAST, WEST = "us-east-1", "eu-west-1"
UNIT = "ou-ab12-34cd56ef"
TEXT = json.dumps(
    {
        "Parameters": {
            "Stage": {"Type": "String"},
            "Size": {"Type": "String", "Default": "small"},
            "Secret": {"Type": "String", "NoEcho": True, "Default": "none"},
        },
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    }
)
TEMPLATE = Template(shown="roles.json", text=TEXT, facts=read_facts(TEXT))
STAGE = (Parameter(key="Stage", value="Dev"),)


def group(*accounts: str, regions: tuple[str, ...] = (EAST,), **more: Any) -> InstancesSection:
    """Accounts in regions."""
    return InstancesSection(accounts=accounts or None, regions=regions, **more)


def unit(*, regions: tuple[str, ...] = (EAST,), **more: Any) -> InstancesSection:
    """An organisational unit in regions."""
    return InstancesSection(organizational_units=(UNIT,), regions=regions, **more)


@dataclass
class SetWorld:
    """One stack set's world. What `run` is given changes spec and section for good."""

    aws: FakeStackSets = field(default_factory=FakeStackSets)
    report: Report = field(default_factory=Report)
    timeout: float | None = 3600.0
    spec: StackSetSpec = field(
        default_factory=lambda: StackSetSpec(
            name=NAME,
            action="deploy",
            token_prefix="calamari-payments-dev",
            template=TEMPLATE,
            parameters=STAGE,
            instances=(group(ONE, TWO),),
            section=StackSetSection(name=NAME),
        )
    )

    def there(self, *places: tuple[str, str], **said: Any) -> FakeSet:
        """The set as the spec has it, but for what is `said`, with CURRENT instances."""
        described = {
            "TemplateBody": TEXT,
            "Parameters": [{"ParameterKey": "Stage", "ParameterValue": "Dev"}],
            **said,
        }
        found = self.aws.add_set(NAME, **described)
        found.instances = {place: FakeInstance() for place in places}
        return found

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
            clock=self.aws.clock,
            timeout=self.timeout,
        )

    def run(self, **changes: Any) -> StepOutcome:
        """Carry the step out. What was called and told before is forgotten first."""
        self.aws.calls.clear()
        self.report = Report()
        of_section = {
            key: changes.pop(key)
            for key in list(changes)
            if key not in StackSetSpec.__dataclass_fields__
        }
        section = msgspec.structs.replace(self.spec.section, **of_section)
        self.spec = replace(self.spec, section=section, **changes)
        return StackSetKind().execute(self.spec, self.context())

    def fail(self, **changes: Any) -> CalamariError | Cancelled:
        """The error that `run` ends with."""
        try:
            outcome = self.run(**changes)
        except (CalamariError, Cancelled) as error:
            return error
        raise AssertionError(f"no error but {outcome}")

    def places(self) -> dict[tuple[str, str], str]:
        """The status of every instance."""
        return {place: one.status for place, one in self.aws.sets[NAME].instances.items()}


def _no_process(command: Command, *_: object, **__: object) -> Any:
    raise AssertionError("a stack set starts no process")


def _no_credentials() -> AwsCredentials:
    raise AssertionError("the door asks for them")
