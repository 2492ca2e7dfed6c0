"""What a stack's template, its texts and its neighbours must not be able to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import (
    CloudError,
    IdentityError,
    Indeterminate,
    ManifestError,
    PolicyRefused,
)
from calamari_py.manifest import Overrides, Source
from calamari_py.masking import SecretRegistry
from calamari_py.runner.prepare import prepare_step
from calamari_py.runner.prepared import PreparedStep
from calamari_py.steps.base import StepContext
from calamari_py.steps.cloudformation.following.contact import is_passing
from calamari_py.steps.cloudformation.parsing.addresses import shown
from calamari_py.steps.cloudformation.parsing.parse import parse_stack, parse_stack_set
from calamari_py.steps.cloudformation.sections import (
    CloudFormationSection,
    InstancesSection,
    StackSetSection,
)
from calamari_py.steps.cloudformation.service.places import template_key
from calamari_py.steps.cloudformation.spec import Parameter
from tests.steps.cloudformation.parsing import context, problems_of, said
from tests.steps.cloudformation.scripted import STACK_ID, scripted
from tests.steps.cloudformation.world import (
    BUCKET,
    NAME,
    ONE,
    QUEUE,
    TWO,
    StackWorld,
    template_text,
)

DATABASE = "postgres://user:s3cr3t@db"
ADMIN = "arn:aws:iam::111111111111:role/Admin"
HEAD = (
    "name: deploy\nregion: eu-west-1\n"
    "assume_role: arn:aws:iam::111111111111:role/DevDeployRole\n"
    "variables: {Plain: plain, Tok: {value: sup3r-s3cr3t-value, sensitive: true}}\n"
)


def prepared(folder: Path, section: str, environ: Mapping[str, str] | None = None) -> PreparedStep:
    """The step of a manifest in `folder`, as far as no call is needed."""
    text = f"{HEAD}cloudformation:\n  stack_name: my-app\n  {section}\n"
    return prepare_step(
        Source(text=text, name="step.yaml", folder=folder),
        environ=environ or {"HOME": str(folder / "home")},
        cwd=folder,
        overrides=Overrides(),
        registry=SecretRegistry(),
    )


# --- templates in a bucket ----------------------------------------------------------------------


def test_an_object_that_somebody_planted_is_not_deployed() -> None:
    """The name of its content says nothing of an object that others could write."""
    world = StackWorld()
    text = template_text(Bucket=BUCKET) + " " * 60_000
    evil = template_text(Evil=QUEUE)
    evil += " " * (len(text) - len(evil))
    where = ("artifacts", template_key("calamari/templates", text))
    world.aws.objects[where] = evil.encode()
    world.run(template=text, artifact_bucket="artifacts")
    assert world.aws.objects[where] == text.encode()
    assert list(world.aws.stack(NAME).resources) == ["Bucket"]


# --- sensitive outputs --------------------------------------------------------------------------


class _Listening(StackWorld):
    """Knows what was `told_before` the first secret was hidden."""

    def context(self) -> StepContext:
        report, hide = self.report, self.report.hide
        self.told_before: list[str] = ["nothing was hidden"]

        def listen(value: str, name: str) -> None:
            if not report.hidden:
                self.told_before = report.said("line")
            hide(value, name)

        report.hide = listen  # type: ignore[method-assign]
        return super().context()


@pytest.mark.parametrize("action", ["deploy", "watch"])
def test_a_sensitive_output_is_hidden_before_a_word_is_said(action: str) -> None:
    """An event of the operation may quote it."""
    world = _Listening()
    world.has(ONE)
    if action == "watch":
        world.aws.start_update(NAME, TWO)
    value = world.aws.stack(NAME).outputs["BucketRef"]
    world.aws.script("Queue", fail=f"cannot reach {value}")
    error = world.fail(template=TWO, action=action, sensitive_outputs=frozenset({"BucketRef"}))
    assert isinstance(error, CloudError)
    assert world.report.hidden == {value: "stack output BucketRef"}
    assert world.told_before == []


# --- the launcher's own files -------------------------------------------------------------------


@pytest.mark.parametrize(
    "field",
    ["template: token.json", "parameters: token.json", "stack_policy: token.json"],
)
@pytest.mark.parametrize(
    "name", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
             "AWS_SHARED_CREDENTIALS_FILE"]
)  # fmt: skip
def test_the_launchers_own_file_is_not_handed_over(tmp_path: Path, field: str, name: str) -> None:
    """Neither by its name nor by another that leads to it."""
    (tmp_path / "secret").write_text("{}", "utf-8")
    (tmp_path / "token.json").symlink_to("secret")
    (tmp_path / "t.json").write_text(ONE, "utf-8")
    section = field if field.startswith("template") else f"template: t.json\n  {field}"
    with pytest.raises(ManifestError) as caught:
        prepared(tmp_path, section, {name: str(tmp_path / "secret")})
    assert [problem.message for problem in caught.value.problems] == [
        "'token.json' belongs to the launcher"
    ]


# --- secrets where others see them --------------------------------------------------------------


def test_a_rendered_template_holds_no_secret(tmp_path: Path) -> None:
    """Whoever may read the stack reads its template."""
    text = "Resources: {A: {Type: AWS::SQS::Queue, Metadata: {P: '{{ Tok }}'}}}\n"
    (tmp_path / "t.yaml").write_text(text, "utf-8")
    with pytest.raises(ManifestError) as caught:
        prepared(tmp_path, "template: t.yaml\n  render: true")
    (problem,) = caught.value.problems
    assert problem.path == "cloudformation.template"
    assert problem.hint is not None
    assert "NoEcho" in problem.hint


def test_a_rendered_template_without_a_secret_is_fine(tmp_path: Path) -> None:
    """What is rendered of other variables is no secret."""
    text = "Resources: {A: {Type: AWS::SQS::Queue, Metadata: {P: '{{ Plain }}'}}}\n"
    (tmp_path / "t.yaml").write_text(text, "utf-8")
    assert prepared(tmp_path, "template: t.yaml\n  render: true").spec is not None


SECRET = '"{{ Tok }}"'


@pytest.mark.parametrize(
    ("field", "path"),
    [
        pytest.param('role_arn: "arn:aws:iam::111111111111:role/{{ Tok }}"', "role_arn", id="role"),
        pytest.param(f"notification_arns: [{SECRET}]", "notification_arns[0]", id="topic"),
        pytest.param(f"rollback_triggers: {{alarms: [{SECRET}]}}", "rollback_triggers.alarms[0]",
                     id="alarm"),
        pytest.param(f"stack_policy: {{Statement: [{{Sid: {SECRET}}}]}}",
                     "stack_policy.Statement[0].Sid", id="policy"),
        pytest.param(f"artifact_prefix: {SECRET}", "artifact_prefix", id="prefix"),
        pytest.param(f"retain: [{SECRET}]", "retain[0]", id="retain"),
        pytest.param(f"skip: [{SECRET}]", "skip[0]", id="skip"),
        pytest.param(f"import: [{{resource_type: A::B::C, logical_id: A, "
                     f"identifier: {{N: {SECRET}}}}}]",
                     "import[0].identifier.N", id="import"),
        pytest.param(f"tags: {{Owner: {SECRET}}}", "tags.Owner", id="tag"),
    ],
)  # fmt: skip
def test_a_field_that_others_see_is_not_made_from_a_secret(
    tmp_path: Path, field: str, path: str
) -> None:
    """Every text but the values of parameters goes out in clear."""
    (tmp_path / "t.json").write_text(ONE, "utf-8")
    with pytest.raises(ManifestError) as caught:
        prepared(tmp_path, f"template: t.json\n  {field}")
    refused = [problem.path for problem in caught.value.problems
               if "is made from a sensitive variable" in problem.message]  # fmt: skip
    assert refused == [f"cloudformation.{path}"]


def test_the_address_of_a_template_is_not_made_from_a_secret(tmp_path: Path) -> None:
    """CloudTrail has it."""
    with pytest.raises(ManifestError, match="1 problem"):
        prepared(tmp_path, 'template: "s3://bucket/{{ Tok }}"')


def test_a_parameter_may_be_made_from_a_secret(tmp_path: Path) -> None:
    """That is what NoEcho is for."""
    template = (
        "Parameters: {P: {Type: String, NoEcho: true}}\nResources: {A: {Type: AWS::SQS::Queue}}\n"
    )
    (tmp_path / "t.yaml").write_text(template, "utf-8")
    assert prepared(tmp_path, f"template: t.yaml\n  parameters: {{P: {SECRET}}}").spec is not None


def test_a_stack_sets_fields_are_not_made_from_a_secret() -> None:
    """The same of a stack set, but for the parameters of its instances."""
    group = InstancesSection(
        accounts=("111111111111",), regions=("eu-west-1",), parameters={"P": "x"}
    )
    section = StackSetSection(
        name="roles", template="s3://bucket/k", description="d", instances=(group,)
    )
    secret = ("stack_set.description", "stack_set.instances[0].parameters.P")
    where = context(section="stack_set", secret=secret)
    (problem,) = problems_of(lambda: parse_stack_set(section, where))
    assert problem.path == "stack_set.description"


# --- the service role ---------------------------------------------------------------------------


class _Guarded(StackWorld):
    """An operator's policy that allows no role."""

    def context(self) -> StepContext:
        def refuse(place: str, arn: str) -> None:
            raise PolicyRefused([])

        return replace(super().context(), check_role=refuse)


@pytest.mark.parametrize("action", ["deploy", "delete", "execute", "rollback", "diff"])
def test_a_service_role_that_the_stack_keeps_is_held_against_the_policy(action: str) -> None:
    """CloudFormation works with it though the manifest does not name it."""
    world = _Guarded()
    world.has(ONE, role_arn=ADMIN)
    assert isinstance(world.fail(template=TWO, action=action), PolicyRefused)
    assert world.called() == []
    assert any(ADMIN in line for line in world.report.said("line"))


def test_a_service_role_that_the_manifest_replaces_is_said() -> None:
    """The manifest's own was held against the policy before anything was called."""
    world = _Guarded()
    world.has(ONE, role_arn=ADMIN)
    world.run(template=TWO, role_arn="arn:aws:iam::111111111111:role/Deployer")
    assert any(ADMIN in line and "Deployer" in line for line in world.report.said("line"))


# --- answers that are none ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"Stacks": []}, id="no stack"),
        pytest.param({"Stacks": [{"StackName": "my-app"}]}, id="no status"),
        pytest.param({"Stacks": [None]}, id="no structure"),
    ],
)
def test_an_odd_answer_is_no_defect(answer: Mapping[str, Any]) -> None:
    """Neither is it taken for a stack that does not exist."""
    api, _ = scripted(("DescribeStacks", answer))
    with pytest.raises(CloudError) as caught:
        api.find("my-app")
    assert caught.value.code == "UnexpectedAnswer"


def test_an_odd_event_is_no_defect() -> None:
    """An event without its time."""
    api, _ = scripted(("DescribeStackEvents", {"StackEvents": [{"EventId": "1"}]}))
    with pytest.raises(CloudError) as caught:
        list(api.event_pages(STACK_ID))
    assert caught.value.code == "UnexpectedAnswer"


def test_an_odd_change_set_is_no_defect() -> None:
    """Neither is one without a status waited for until the time is over."""
    api, _ = scripted(("DescribeChangeSet", {"ChangeSetId": "arn:aws:one"}))
    with pytest.raises(CloudError) as caught:
        api.change_set_state("arn:aws:one")
    assert caught.value.code == "UnexpectedAnswer"


# --- identities that do not come back -----------------------------------------------------------


@pytest.mark.parametrize("is_lasting", [False, True])
def test_an_identity_that_will_not_come_back_is_not_waited_for(is_lasting: bool) -> None:
    """A refused endpoint, another identity: no try cures it."""
    error = IdentityError("no", is_lasting=is_lasting)
    assert is_passing(error) is not is_lasting


def test_contact_ends_at_once_where_it_cannot_come_back() -> None:
    """While CloudFormation works it is left, and nobody waits for `patience`."""
    world = StackWorld()
    begun: list[float] = []
    original = world.aws.call

    def call(service: str, name: str, params: Mapping[str, Any], **more: Any) -> Any:
        if begun:
            raise IdentityError("somebody else", is_lasting=True)
        answer = original(service, name, params, **more)
        if name == "ExecuteChangeSet":
            begun.append(world.clock.monotonic())
        return answer

    world.aws.call = call  # type: ignore[method-assign,assignment]
    assert isinstance(world.fail(), Indeterminate)
    assert world.clock.monotonic() - begun[0] < 60


# --- parameters and addresses -------------------------------------------------------------------


def test_the_default_of_a_value_that_is_kept_is_a_secret(tmp_path: Path) -> None:
    """The stack may have it."""
    from calamari_py.steps.cloudformation.parsing.described import secrets_of

    text = (
        "Parameters: {P: {Type: String, NoEcho: 1, Default: default-secret}}\n"
        "Resources: {A: {Type: A::B::C}}\n"
    )
    (tmp_path / "t.yaml").write_text(text, "utf-8")
    section = CloudFormationSection(stack_name="a", template="t.yaml")
    spec = replace(
        parse_stack(section, context(tmp_path)), parameters=(Parameter(key="P", value=None),)
    )
    assert list(secrets_of(spec)) == [("parameter P", "default-secret")]


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("https://user:hunter2pw@b.s3.amazonaws.com/k", id="user"),
        pytest.param("https://b.s3.amazonaws.com:8443/k", id="port"),
        pytest.param("https://s3.evil.example/k", id="foreign host"),
        pytest.param("https://b.s3.amazonaws.com.evil.example/k", id="foreign end"),
        pytest.param("https://s3-1.us-east-1.elb.amazonaws.com/k", id="load balancer"),
        pytest.param("https://s3.169.254.169.254/k", id="address"),
        pytest.param("https://b.s3.amazonaws.com/a/%2e%2e/k", id="dots"),
        pytest.param("s3://bucket-one/../other/k", id="dots in S3"),
    ],
)
def test_an_address_that_is_not_plainly_one_in_s3(template: str) -> None:
    """Refused, and its password is not repeated."""
    section = CloudFormationSection(stack_name="a", template=template)
    (problem,) = problems_of(lambda: parse_stack(section, context()))
    assert problem.path == "cloudformation.template"
    assert "hunter2pw" not in str(problem)


def test_a_prefix_with_dots() -> None:
    """It may end up elsewhere."""
    section = CloudFormationSection(
        stack_name="a", template="s3://bucket/k", artifact_bucket="bucket", artifact_prefix="a/../b"
    )
    problems = said(problems_of(lambda: parse_stack(section, context())))
    assert list(problems) == ["cloudformation.artifact_prefix"]


def test_a_signed_address_is_shown_without_its_signature() -> None:
    """Whoever has it may read the object: its values are secrets."""
    url = (
        "https://b.s3.eu-west-1.amazonaws.com/k"
        "?X-Amz-Signature=deadbeefcafe1234&X-Amz-Security-Token=AB%2FCDEFGHIJKLMN"
    )
    section = CloudFormationSection(stack_name="a", template=url)
    spec = parse_stack(section, context())
    from calamari_py.steps.cloudformation.parsing.described import secrets_of

    assert spec.template is not None
    assert spec.template.url == url
    assert spec.template.shown == "https://b.s3.eu-west-1.amazonaws.com/k?…"
    assert {value for _, value in secrets_of(spec)} == {
        "deadbeefcafe1234", "AB%2FCDEFGHIJKLMN", "AB/CDEFGHIJKLMN",
    }  # fmt: skip
    assert shown("s3://b/k?versionId=abcdefabcdefabcdef") == "s3://b/k?versionId=abcdefabcdefabcdef"
