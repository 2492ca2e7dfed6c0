"""A manifest, from its bytes to its result, with the stacks of a fake CloudFormation: what is said
of secrets, and where a manifest that does not fit is told to be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from calamari_py.result import StepResult
from calamari_py.steps.base import Wishes
from tests.fake_cloudformation import FakeCloudFormation, Fault, JumpingClock
from tests.runner.world import World
from tests.steps.cloudformation.parsing import TEMPLATES

SECRET = "NoEchoGivenValue77"
DEFAULT = "default-of-the-key"
TEMPLATE: dict[str, Any] = {
    "Parameters": {
        "Password": {"Type": "String", "NoEcho": True},
        "Key": {"Type": "String", "NoEcho": True, "Default": DEFAULT},
    },
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}, "Queue": {"Type": "AWS::SQS::Queue"}},
}
HEAD = "name: deploy\nregion: eu-west-1\nassume_role: arn:aws:iam::111111111111:role/Dev\n"
FROM_S3 = "s3://templates/app.json"


class Answers(dict[str, Any]):
    """What `FakeAws` is to say: what the fake CloudFormation says at this time."""

    def __init__(self, fake: FakeCloudFormation, seconds: Callable[[], float]) -> None:
        super().__init__()
        self._fake = fake
        self._seconds = seconds

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        service, _, operation = name.partition(":")

        def answer(params: Mapping[str, Any]) -> Mapping[str, Any]:
            clock = self._fake.clock
            assert isinstance(clock, JumpingClock)
            clock.advance(max(0.0, self._seconds() - clock.monotonic()))
            return self._fake.call(service, operation, params)

        return answer


class Whole:
    """A folder with a manifest in it, and the AWS that it is carried out in."""

    def __init__(self, folder: Path) -> None:
        self.fake = FakeCloudFormation()
        self.world = World(folder=folder)
        self.world.aws.answers = Answers(self.fake, self.world._seconds)

    def run(self, section: str, *, action: str | None = None) -> StepResult:
        """The step, with `section` in its braces."""
        text = f"{HEAD}cloudformation: {{stack_name: my-app, {section}}}\n"
        return self.world.run(text, wishes=Wishes(action=action))

    def told(self, result: StepResult) -> str:
        """Everything that came out of it."""
        return f"{self.world.reporter.events}\n{self.world.reporter.hints}\n{result}"


@pytest.fixture
def whole(tmp_path: Path) -> Whole:
    """With a template in a file and in S3; its queue fails, and the reason quotes the secrets."""
    made = Whole(tmp_path)
    made.world.write(json.dumps(TEMPLATE), "app.json")
    made.fake.upload("templates/app.json", json.dumps(TEMPLATE))
    made.fake.script("Queue", seconds=5, fail=f"value {SECRET} or {DEFAULT} is bad")
    return made


@pytest.mark.parametrize("template", ["app.json", FROM_S3])
def test_what_a_template_hides_comes_out_nowhere(template: str, whole: Whole) -> None:
    """Given or its default: in no event, no cause, no result."""
    result = whole.run(f"template: '{template}', parameters: {{Password: {SECRET}}}")
    assert result.exit_code == 1
    told = whole.told(result)
    assert "value *** or *** is bad" in told
    assert SECRET not in told
    assert DEFAULT not in told


@pytest.mark.parametrize("template", ["app.json", FROM_S3])
@pytest.mark.parametrize("action", ["watch", "execute"])
def test_whatever_is_done_with_it(action: str, template: str, whole: Whole) -> None:
    """Somebody else's operation failed, and its events quote what this manifest gives."""
    section = f"template: '{template}', parameters: {{Password: {SECRET}}}"
    if action == "execute":
        whole.run(section, action="change-set")
    else:
        whole.fake.add_stack("my-app", template={"Resources": {"A": {"Type": "AWS::S3::Bucket"}}})
        whole.fake.start_update("my-app", TEMPLATE, parameters={"Password": SECRET})
    result = whole.run(section, action=action)
    told = whole.told(result)
    assert SECRET not in told
    assert "value *** or *** is bad" in told


@pytest.mark.parametrize("action", ["deploy", "watch"])
def test_where_nobody_may_ask(action: str, whole: Whole) -> None:
    """What is given is masked all the same, and the warning says what to allow."""
    whole.fake.faults.append(
        Fault(operation="GetTemplateSummary", error="AccessDenied", times=None)
    )
    if action == "watch":
        whole.fake.add_stack("my-app", template={"Resources": {"A": {"Type": "AWS::S3::Bucket"}}})
        whole.fake.start_update("my-app", TEMPLATE, parameters={"Password": SECRET})
    result = whole.run(f"template: '{FROM_S3}', parameters: {{Password: {SECRET}}}", action=action)
    assert SECRET not in whole.told(result)
    assert any("NoEcho" in text for text in whole.world.reporter.told("warning"))
    assert "cloudformation:GetTemplateSummary" in str(whole.world.reporter.hints)


def test_what_does_not_fit_a_template_in_s3_has_its_place(whole: Whole) -> None:
    """Exit code 65, the manifest's line, nothing made."""
    result = whole.run(f"template: '{FROM_S3}', parameters: {{Pasword: {SECRET}}}")
    assert result.exit_code == 65
    by_message = {problem.message: problem.place for problem in result.problems}
    assert len(by_message) == 2
    assert all("step.yaml:4:" in str(place) for place in by_message.values())
    assert whole.fake.stacks == {}


@pytest.mark.parametrize(
    ("environment", "code"),
    [pytest.param("Staging", 0, id="one"), pytest.param("Test", 65, id="none")],
)
def test_the_seed_documents_role(environment: str, code: int, tmp_path: Path) -> None:
    """The deployment role of a document is deployed as it stands there; an environment that it does
    not know is refused before any call."""
    whole = Whole(tmp_path)
    text = (TEMPLATES / "deploy-role.yaml").read_text("utf-8")
    whole.world.write(text, "deploy-role.yaml")
    launcher = "arn:aws:iam::123456789012:role/OctoLauncherRole"
    result = whole.run(
        "template: deploy-role.yaml, capabilities: [CAPABILITY_NAMED_IAM], "
        f"parameters: {{Environment: {environment}, LauncherRoleArn: '{launcher}'}}"
    )
    assert result.exit_code == code
    made = {
        resource.physical_id
        for stack in whole.fake.stacks.values()
        for resource in stack.resources.values()
    }
    assert made == ({"StagingDeployRole"} if code == 0 else set())
