"""The samples of docs/events.md that tell of a kind's own work are what the code writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calamari_py.masking.secret import Masked
from calamari_py.output.jsonl import JsonReporter
from calamari_py.steps.cloudformation.changes.changes import report_changes
from calamari_py.steps.cloudformation.following.event_lines import EventLines
from calamari_py.steps.cloudformation.service import answers
from calamari_py.steps.cloudformation.values import ChangeSet, StackEvent
from calamari_py.steps.kubernetes.rollout.endurance import Endurance
from calamari_py.steps.kubernetes.rollout.rules.judgement import progressing
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign
from calamari_py.steps.kubernetes.rollout.standing import Labels, Row, Standing
from calamari_py.steps.kubernetes.rollout.telling import Telling
from calamari_py.steps.kubernetes.values import ObjectRef
from calamari_py.steps.terraform.following.diagnostics import read_diagnostic, report_diagnostic
from calamari_py.steps.terraform.following.stream import JsonFollower
from calamari_py.steps.terraform.reading.summary import report_drift, report_plan
from calamari_py.steps.terraform.values import Change, Plan
from tests.fake_cloudformation import JumpingClock
from tests.output.output_samples import Screen
from tests.steps.report import Report

PAGE = (Path(__file__).parent.parent / "docs" / "events.md").read_text("utf-8")
STACK_ID = "arn:aws:cloudformation:eu-west-1:111111111111:stack/my-app-stack/9a1c2b30"
CHANGE = {
    "Action": "Modify",
    "LogicalResourceId": "Database",
    "PhysicalResourceId": "my-app-db-1",
    "ResourceType": "AWS::RDS::DBInstance",
    "Replacement": "True",
    "Scope": ["Properties"],
    "PolicyAction": "ReplaceAndDelete",
    "Details": [
        {
            "Target": {"Attribute": "Properties", "Name": "DBName", "RequiresRecreation": "Always"},
            "ChangeSource": "ParameterReference",
            "CausingEntity": "Name",
        }
    ],
}
EVENT = StackEvent(
    id="Database-UPDATE_FAILED-2026-03-01T09:30:07.412Z",
    stack_id="arn",
    stack_name="my-app-stack-Data-1X",
    logical_id="Database",
    physical_id="my-app-db-1",
    resource_type="AWS::RDS::DBInstance",
    status="UPDATE_FAILED",
    reason="The parameter MasterUserPassword is not a valid password. (Service: Rds, 400)",
    time=datetime(2026, 3, 1, 9, 30, 7, 412_000, tzinfo=UTC),
    path=("Data",),
)


REPLACEMENT = Change(
    address="module.data.aws_db_instance.main",
    kind="replace",
    actions=("delete", "create"),
    type="aws_db_instance",
    module="module.data",
    reasons=("identifier changed (cannot be updated in place)",),
    replaced_by=("identifier",),
    attributes=("identifier", "password (sensitive)"),
)
DRIFT = Change(
    address="aws_sqs_queue.jobs",
    kind="update",
    actions=("update",),
    type="aws_sqs_queue",
    attributes=("delay_seconds",),
)
DIAGNOSTIC = {
    "severity": "error",
    "summary": "Invalid value for variable",
    "detail": "The size must be smaller than 10.",
    "range": {"filename": "main.tf", "start": {"line": 1, "column": 1, "byte": 0}},
    "snippet": {
        "context": None,
        "code": 'variable "size" {',
        "start_line": 1,
        "highlight_start_offset": 0,
        "highlight_end_offset": 15,
        "values": [{"traversal": "var.size", "statement": "is 30"}],
    },
}


class Lines(Report):
    """A report whose lines with an event are what `--format json` makes of them."""

    def __init__(self) -> None:
        super().__init__()
        self.screen = Screen()
        self._reporter = JsonReporter(self.screen.options())

    def line(
        self, text: str, *, event: str = "", fields: Mapping[str, Any] | None = None, **_: Any
    ) -> None:
        if event:
            self._reporter.detail(Masked(text), event, fields or {})

    def told_as_json(self) -> dict[str, Any]:
        """The one event of them."""
        event: dict[str, Any] = json.loads(self.screen.out)
        return event


def told_change() -> dict[str, Any]:
    """The change above, of a nested stack."""
    lines = Lines()
    changes = tuple(answers.changes({"Changes": [{"ResourceChange": CHANGE}]}, ("Data",)))
    change_set = ChangeSet(
        id="arn", name="c", stack_id=STACK_ID, status="", execution="", changes=changes
    )
    report_changes(lines, change_set)
    return lines.told_as_json()


def told_event() -> dict[str, Any]:
    """The event above, in the width that it has where no name is longer."""
    lines = Lines()
    EventLines(lines).show(EVENT)
    return lines.told_as_json()


def told_terraform_change() -> dict[str, Any]:
    """One resource of a plan."""
    lines = Lines()
    report_plan(lines, Plan(changes=(REPLACEMENT,)), verb="plan")
    return lines.told_as_json()


def told_terraform_drift() -> dict[str, Any]:
    """One resource that somebody else has changed."""
    lines = Lines()
    report_drift(lines, Plan(drift=(DRIFT,)))
    return lines.told_as_json()


def told_terraform_resource() -> dict[str, Any]:
    """A resource that is done."""
    lines = Lines()
    hook = {
        "resource": {"addr": "module.data.aws_db_instance.main"},
        "action": "create",
        "id_key": "id",
        "id_value": "db-4711",
        "elapsed_seconds": 252,
    }
    message = {"@level": "info", "@message": "", "type": "apply_complete", "hook": hook}
    follower = JsonFollower(lines, JumpingClock(), total=1, verb="apply")
    follower.line("stdout", json.dumps(message).encode())
    return lines.told_as_json()


def told_terraform_diagnostic() -> dict[str, Any]:
    """An error with all that it may have but a resource."""
    lines = Lines()
    report_diagnostic(lines, read_diagnostic(DIAGNOSTIC))
    return lines.told_as_json()


def told_kube_rollout() -> dict[str, Any]:
    """A Deployment whose new pod finds no image."""
    lines, clock = Lines(), JumpingClock()
    ref = ObjectRef(group="apps", version="v1", kind="Deployment", name="web", namespace="shop")
    pod = {"metadata": {"name": "web-7d4"}}
    sign = Sign(
        trouble="image", reason="ImagePullBackOff", message="not found", pod=pod, container="app"
    )
    judgement = progressing("1 of 2 updated, 1 available")
    row = Row(ref=ref, judgement=judgement, signs=(sign,))
    telling = Telling(lines, clock, Labels([ref], namespace="shop"))
    telling.tell(Standing(rows=(row,)), Endurance(30), 30)
    return lines.told_as_json()


OF_KUBERNETES = (told_kube_rollout,)
OF_TERRAFORM = (
    told_terraform_change,
    told_terraform_drift,
    told_terraform_resource,
    told_terraform_diagnostic,
)


@pytest.mark.parametrize(
    ("type_", "told"),
    [
        pytest.param("stack_change", told_change, id="change"),
        pytest.param("stack_event", told_event, id="event"),
        pytest.param("kube_rollout", told_kube_rollout, id="kube-rollout"),
        pytest.param("terraform_change", told_terraform_change, id="terraform-change"),
        pytest.param("terraform_drift", told_terraform_drift, id="terraform-drift"),
        pytest.param("terraform_resource", told_terraform_resource, id="terraform-resource"),
        pytest.param("terraform_diagnostic", told_terraform_diagnostic, id="terraform-diagnostic"),
    ],
)
def test_samples(type_: str, told: Any) -> None:
    """Fields and texts, character by character; only when and by whom is the page's own."""
    (code,) = re.findall(rf'^{{.*"type": "{type_}".*}}$', PAGE, re.MULTILINE)
    own = {"time": None, "step": None}
    assert {**json.loads(code), **own} == {**told(), **own}
