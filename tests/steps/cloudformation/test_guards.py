"""What is refused, and what is warned of, before any call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.cloudformation.parsing.parse import parse_stack, parse_stack_set
from calamari_py.steps.cloudformation.sections import (
    ChangeSetSection,
    CloudFormationSection,
    ImportSection,
    InstancesSection,
    OperationSection,
    OutputsSection,
    RollbackTriggersSection,
    StackSetSection,
)
from calamari_py.steps.cloudformation.spec import INLINE_LIMIT, TEMPLATE_LIMIT
from tests.steps.cloudformation.parsing import context, problems_of, said

TOPIC = "arn:aws:sns:eu-west-1:111111111111:stacks"
ALARM = "arn:aws:cloudwatch:eu-west-1:111111111111:alarm:errors"
TOPIC_ITEM = {"resource_type": "AWS::SNS::Topic", "logical_id": "Topic"}
URL = "https://b.s3.eu-west-1.amazonaws.com/t.yaml"


def stack(**fields: Any) -> CloudFormationSection:
    """A stack of a template that fits it, but for `fields`."""
    given: dict[str, Any] = {
        "stack_name": "my-app",
        "template": "every-function.yaml",
        "parameters": {"DbPassword": "hunter22", "Subnets": ("a", "b")},
    }
    return CloudFormationSection(**{**given, **fields})


def stack_set(*groups: InstancesSection, **fields: Any) -> StackSetSection:
    """A stack set whose template nobody reads here, but for `fields`."""
    return StackSetSection(name="roles", template=URL, instances=groups, **fields)


def group(**fields: Any) -> InstancesSection:
    """One account in one region, but for `fields`."""
    given: dict[str, Any] = {"accounts": ("111111111111",), "regions": ("us-east-1",)}
    return InstancesSection(**{**given, **fields})


def refused(section: CloudFormationSection, **given: Any) -> dict[str, str]:
    return said(problems_of(lambda: parse_stack(section, context(**given))))


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="plain"),
        pytest.param({"stack_name": "a" * 128}, id="long name"),
        pytest.param({"template": "s3://my.bucket/a/b.yaml?versionId=x"}, id="S3"),
        pytest.param({"template": URL}, id="https"),
        pytest.param({"template": "https://s3.cn-north-1.amazonaws.com.cn/b/k"}, id="China"),
        pytest.param({"template": "https://s3-eu-west-1.amazonaws.com/b/k"}, id="old host"),
        pytest.param({"template": "https://b.s3.dualstack.eu-west-1.amazonaws.com/k"}, id="dual"),
        pytest.param({"tags": {str(i): "x" for i in range(50)}}, id="50 tags"),
        pytest.param({"tags": {"k" * 128: "v" * 256}}, id="long tag"),
        pytest.param({"tags": {"Größe": "a b/c"}}, id="any characters"),
        pytest.param({"notification_arns": (TOPIC,) * 5}, id="5 topics"),
        pytest.param({"notification_arns": (TOPIC + ".fifo",)}, id="FIFO topic"),
        pytest.param({"rollback_triggers": RollbackTriggersSection(
            alarms=(ALARM,) * 5, monitoring_time=10_800.0)}, id="triggers"),
        pytest.param({"import_": (ImportSection(**TOPIC_ITEM, identifier={"TopicArn": "b"}),)},
                     id="import"),
        pytest.param({"artifact_bucket": "my.templates-1"}, id="bucket"),
        pytest.param({"poll_interval": 1.0, "patience": 0.0}, id="times"),
        pytest.param({"outputs": OutputsSection(sensitive=("OtherName",))}, id="output"),
        pytest.param({"change_set": ChangeSetSection(name="release-7")}, id="change set"),
        pytest.param({"parameters": {"DbPassword": "x", "Subnets": "", "Size": "4.0"}},
                     id="a number is a number"),
    ],
)  # fmt: skip
def test_legal(fields: dict[str, Any]) -> None:
    """What AWS takes is taken, without a warning."""
    assert parse_stack(stack(**fields), context()).warnings == ()


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        pytest.param({"stack_name": ""}, "stack_name", "'' is no name", id="no name"),
        pytest.param({"stack_name": "1a"}, "stack_name", "is no name", id="digit first"),
        pytest.param({"stack_name": "a" * 129}, "stack_name", "…' is no name", id="long name"),
        pytest.param({"change_set": ChangeSetSection(name="a_b")}, "change_set.name", "is no name",
                     id="change set"),
        pytest.param({"template": "none.yaml"}, "template", "does not exist", id="no file"),
        pytest.param({"template": "."}, "template", "is a folder", id="folder"),
        pytest.param({"template": "http://b.s3.amazonaws.com/k"}, "template", "over http",
                     id="http"),
        pytest.param({"template": "file:///t.yaml"}, "template", "is a file:// address", id="file"),
        pytest.param({"template": "git://x/y"}, "template", "'git://' is no address", id="scheme"),
        pytest.param({"template": "https://raw.githubusercontent.com/a/b"}, "template",
                     "is not in S3", id="not S3"),
        pytest.param({"template": "https://b.s3-website-eu-west-1.amazonaws.com/k"}, "template",
                     "is a static website", id="website"),
        pytest.param({"template": "https://[s3/k"}, "template", "is no valid", id="bad address"),
        pytest.param({"template": "https://b.s3.amazonaws.com/"}, "template", "names no object",
                     id="no key"),
        pytest.param({"template": "s3://bucket"}, "template", "names no object", id="no S3 key"),
        pytest.param({"template": "s3://Bucket_1/k"}, "template", "names no bucket", id="S3 name"),
        pytest.param({"template": "s3://bucket/k?version=1"}, "template", "has a query",
                     id="S3 query"),
        pytest.param({"template": URL + "x" * 5120}, "template", "longer than", id="long address"),
        pytest.param({"template": URL, "render": True}, "render", "only be used with a file",
                     id="render an address"),
        pytest.param({"tags": {str(i): "x" for i in range(51)}}, "tags", "has 51 tags",
                     id="51 tags"),
        pytest.param({"tags": {"k" * 129: "v"}}, f"tags.{'k' * 129}", "key of 129 characters",
                     id="long key"),
        pytest.param({"tags": {"": "v"}}, "tags.", "key of 0 characters", id="no key of a tag"),
        pytest.param({"tags": {"k": "v" * 257}}, "tags.k", "value of 257", id="long value"),
        pytest.param({"tags": {"k": ""}}, "tags.k", "value of 0 characters", id="no value"),
        pytest.param({"tags": {"AWS:k": "v"}}, "tags.AWS:k", "keeps for itself", id="reserved"),
        pytest.param({"notification_arns": (TOPIC,) * 6}, "notification_arns", "names 6 topics",
                     id="6 topics"),
        pytest.param({"notification_arns": (TOPIC, "me@example.com")}, "notification_arns[1]",
                     "is no ARN of an SNS topic", id="no topic"),
        pytest.param({"rollback_triggers": RollbackTriggersSection(alarms=(ALARM,) * 6)},
                     "rollback_triggers.alarms", "names 6 alarms", id="6 alarms"),
        pytest.param({"rollback_triggers": RollbackTriggersSection(
            alarms=(ALARM,) * 3, composite_alarms=(ALARM,) * 3)},
                     "rollback_triggers.alarms", "names 6 alarms", id="6 alarms of both kinds"),
        pytest.param({"rollback_triggers": RollbackTriggersSection(composite_alarms=(TOPIC,))},
                     "rollback_triggers.composite_alarms[0]", "is no ARN of a CloudWatch",
                     id="no composite alarm"),
        pytest.param({"rollback_triggers": RollbackTriggersSection(alarms=(TOPIC,))},
                     "rollback_triggers.alarms[0]", "is no ARN of a CloudWatch", id="no alarm"),
        pytest.param({"rollback_triggers": RollbackTriggersSection(monitoring_time=10_801.0)},
                     "rollback_triggers.monitoring_time", "from 0 to 180m", id="long monitoring"),
        pytest.param({"rollback_triggers": RollbackTriggersSection(monitoring_time=90.0)},
                     "rollback_triggers.monitoring_time", "whole minutes", id="half a minute"),
        pytest.param({"import_": (ImportSection(**TOPIC_ITEM, identifier={}),)},
                     "import[0].identifier", "does not say which one", id="import nothing"),
        pytest.param({"import_": (ImportSection(resource_type="Bucket", logical_id="B",
                                                identifier={"a": "b"}),)},
                     "import[0].resource_type", "is no type", id="import no type"),
        pytest.param({"import_": (ImportSection(resource_type="AWS::S3::Bucket", logical_id="a-b",
                                                identifier={"a": "b"}),)},
                     "import[0].logical_id", "is no logical id", id="import no id"),
        pytest.param({"import_": (ImportSection(**TOPIC_ITEM, identifier={"a": "b"}),) * 2},
                     "import[1].logical_id", "is there twice", id="import twice"),
        pytest.param({"artifact_bucket": "s3://templates"}, "artifact_bucket", "no name of a",
                     id="bucket address"),
        pytest.param({"artifact_bucket": "10.0.0.1"}, "artifact_bucket", "no name", id="IP"),
        pytest.param({"artifact_prefix": "a\nb"}, "artifact_prefix", "printable", id="prefix"),
        pytest.param({"poll_interval": 0.5}, "poll_interval", "at least 1s", id="polling"),
        pytest.param({"outputs": OutputsSection(sensitive=("TopicArm",))}, "outputs.sensitive[0]",
                     "did you mean 'TopicArn'?", id="misspelt output"),
        pytest.param({"parameters": {"DbPassword": "x", "Subnets": "a", "Stage": "test"}},
                     "parameters.Stage", "'test' is not one of", id="value"),
        pytest.param({"parameters": {"DbPassword": "x", "Subnets": "a", "Size": "3"}},
                     "parameters.Size", "'3' is not one of", id="number"),
        pytest.param({"parameters": {"Subnets": "a"}}, "parameters", "'DbPassword' has no value",
                     id="no value given"),
    ],
)  # fmt: skip
def test_refused(fields: dict[str, Any], place: str, message: str) -> None:
    """Each mistake is one problem, at its place."""
    problems = refused(stack(**fields))
    assert list(problems) == [f"cloudformation.{place}"]
    assert message in problems[f"cloudformation.{place}"]


@pytest.mark.parametrize(
    ("given", "resource", "line"),
    [
        pytest.param((), "{Type: AWS::SNS::Topic}", None, id="none"),
        pytest.param((), "{Type: AWS::IAM::Role}", "CAPABILITY_IAM", id="IAM"),
        pytest.param(("CAPABILITY_IAM",), "{Type: AWS::IAM::Role}", None, id="given"),
        pytest.param(("CAPABILITY_NAMED_IAM",), "{Type: AWS::IAM::Role}", None, id="more given"),
        pytest.param(("CAPABILITY_IAM",), "{Type: AWS::IAM::User, Properties: {UserName: a}}",
                     "CAPABILITY_NAMED_IAM", id="less given"),
        pytest.param(("CAPABILITY_AUTO_EXPAND",), "{Type: AWS::IAM::Role}",
                     "CAPABILITY_AUTO_EXPAND, CAPABILITY_IAM", id="another given"),
        pytest.param((), "{Fn::Transform: {Name: Mine}}", None, id="macro in a change set"),
    ],
)  # fmt: skip
def test_capabilities(
    given: tuple[Any, ...], resource: str, line: str | None, tmp_path: Path
) -> None:
    """What is missing is named with the line to write; NAMED_IAM covers IAM, and a change set
    needs nothing for macros."""
    (tmp_path / "t.yaml").write_text(f"Resources: {{A: {resource}}}\n", "utf-8")
    section = CloudFormationSection(stack_name="a", template="t.yaml", capabilities=given)
    if line is None:
        assert parse_stack(section, context(tmp_path)).capabilities == given
        return
    (problem,) = problems_of(lambda: parse_stack(section, context(tmp_path)))
    assert problem.path == "cloudformation.capabilities"
    assert str(problem.hint).endswith(f"capabilities: [{line}]")


def test_outputs_that_a_macro_makes_may_be_named() -> None:
    """Nobody knows them before."""
    outputs = OutputsSection(sensitive=("Made",))
    section = stack(
        template="macros.json", parameters={}, capabilities=("CAPABILITY_NAMED_IAM",),
        outputs=outputs,
    )  # fmt: skip
    assert parse_stack(section, context()).sensitive_outputs == {"Made"}


def test_imports_need_a_template() -> None:
    """It describes what becomes the stack's."""
    item = ImportSection(**TOPIC_ITEM, identifier={"TopicArn": "b"})
    assert set(refused(stack(template=None, import_=(item,)))) == {"cloudformation.import"}


IMPORTING = """
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Uploads: {Type: AWS::S3::Bucket, DeletionPolicy: Delete}
"""


@pytest.mark.parametrize(
    ("type_", "name", "expected"),
    [
        pytest.param("AWS::S3::Bucket", "Uploads", {}, id="as it should be"),
        pytest.param("AWS::S3::Bucket", "Upload", {
            "logical_id": "the template has no resource 'Upload'; did you mean 'Uploads'?",
        }, id="unknown"),
        pytest.param("AWS::SNS::Topic", "Topic", {
            "logical_id": "'Topic' has no DeletionPolicy in the template: AWS imports none",
        }, id="no policy"),
        pytest.param("AWS::SQS::Queue", "Uploads", {
            "resource_type": "the template has 'Uploads' as AWS::S3::Bucket",
        }, id="another type"),
    ],
)  # fmt: skip
def test_imports_fit_the_template(
    type_: str, name: str, expected: dict[str, str], tmp_path: Path
) -> None:
    """What is imported is in the template, as what it is, with a DeletionPolicy."""
    (tmp_path / "t.yaml").write_text(IMPORTING, "utf-8")
    item = ImportSection(resource_type=type_, logical_id=name, identifier={"Name": "x"})
    section = CloudFormationSection(stack_name="a", template="t.yaml", import_=(item,))
    if not expected:
        assert parse_stack(section, context(tmp_path)).imports == (item,)
        return
    assert refused(section, folder=tmp_path) == {
        f"cloudformation.import[0].{field}": message for field, message in expected.items()
    }


def test_imports_into_what_a_macro_makes_are_not_judged(tmp_path: Path) -> None:
    """Nobody knows what it makes."""
    (tmp_path / "t.yaml").write_text(f"Transform: Mine\n{IMPORTING}", "utf-8")
    item = ImportSection(resource_type="A::B::C", logical_id="Other", identifier={"Name": "x"})
    section = CloudFormationSection(stack_name="a", template="t.yaml", import_=(item,))
    assert parse_stack(section, context(tmp_path)).imports == (item,)


ARN = "arn:aws:cloudformation:eu-west-1:111111111111:stack/my-app/1b2c"


@pytest.mark.parametrize("name", ["my-app", ARN])
def test_an_operation_to_watch(name: str) -> None:
    """By the stack's ARN and the operation's token; the manifest may name the stack either way."""
    handle = f"{ARN}#calamari-1-ab"
    section = stack(stack_name=name)
    assert parse_stack(section, context(action="watch", resume=handle)).resume == handle
    assert parse_stack(section, context(action="watch")).resume is None


@pytest.mark.parametrize(
    ("handle", "action", "message"),
    [
        pytest.param(f"{ARN}#t", "deploy", "is for action 'watch', not 'deploy'", id="action"),
        pytest.param(ARN, "watch", "is no operation", id="no token"),
        pytest.param(f"{ARN}#a_b", "watch", "is no operation", id="odd token"),
        pytest.param("my-app#t", "watch", "is no operation", id="no ARN"),
        pytest.param(f"{ARN.replace('my-app', 'other')}#t", "watch", "names stack 'other', and the "
                     "manifest stack 'my-app'", id="another stack"),
    ],
)  # fmt: skip
def test_what_is_no_operation_to_watch(handle: str, action: str, message: str) -> None:
    """It stands on the command line, and is refused there."""
    (problem,) = problems_of(lambda: parse_stack(stack(), context(action=action, resume=handle)))
    assert problem.path == "--resume"
    assert message in problem.message


def large(folder: Path, size: int) -> CloudFormationSection:
    """A stack whose template has `size` bytes."""
    start = "Resources:\n  A: {Type: AWS::SNS::Topic}\n#"
    (folder / "t.yaml").write_text(start + "x" * (size - len(start)), "utf-8")
    return CloudFormationSection(stack_name="a", template="t.yaml")


def test_large_templates(tmp_path: Path) -> None:
    """More than a request takes needs a bucket, more than CloudFormation reads never works."""
    import msgspec

    where = {"folder": tmp_path}
    bucket = {"artifact_bucket": "templates"}
    assert parse_stack(large(tmp_path, INLINE_LIMIT), context(tmp_path)).template is not None
    (problem,) = problems_of(
        lambda: parse_stack(large(tmp_path, INLINE_LIMIT + 1), context(tmp_path))
    )
    assert problem.path == "cloudformation.template"
    assert problem.message == "has 51,201 bytes, and a request takes 51,200"
    assert "artifact_bucket" in str(problem.hint)
    section = msgspec.structs.replace(large(tmp_path, INLINE_LIMIT + 1), **bucket)
    assert parse_stack(section, context(tmp_path)).artifact_bucket == "templates"
    section = msgspec.structs.replace(large(tmp_path, TEMPLATE_LIMIT + 1), **bucket)
    assert "1,048,576 at most" in refused(section, **where)["cloudformation.template"]


def test_rendering(tmp_path: Path) -> None:
    """Only with `render: true`; the facts are those of the rendered text."""
    (tmp_path / "t.yaml").write_text("Resources: {A: {}, {{ more }}}\n", "utf-8")
    plain = CloudFormationSection(stack_name="a", template="t.yaml")
    where = context(tmp_path, render=lambda text, _: text.replace("{{ more }}", "B: {}"))
    first, *_ = problems_of(lambda: parse_stack(plain, where))
    assert first.file == "t.yaml"
    assert "render: true" in str(first.hint)
    section = CloudFormationSection(stack_name="a", template="t.yaml", render=True)
    template = parse_stack(section, where).template
    assert template is not None
    assert template.text == "Resources: {A: {}, B: {}}\n"
    assert template.facts is not None
    assert template.facts.resources == 2


def test_what_nobody_could_render_is_not_judged(tmp_path: Path) -> None:
    """While other problems are looked for there are no values: a template is no template yet."""
    (tmp_path / "t.yaml").write_text("Resources: {A: {}, {{ more }}}\n", "utf-8")
    section = CloudFormationSection(stack_name="a_b", template="t.yaml", render=True)
    assert set(refused(section, folder=tmp_path)) == {"cloudformation.stack_name"}


@pytest.mark.parametrize(
    ("fields", "secret", "expected"),
    [
        pytest.param({"parameters": {"DbPassword": "hunter22", "Subnets": ("a", "b")}},
                     ("parameters.DbPassword",), "", id="hidden by the template"),
        pytest.param({"parameters": {"DbPassword": "x", "Subnets": "a", "Stage": "dev"}},
                     ("parameters.Stage",), "cloudformation.parameters.Stage is made from",
                     id="shown in the console"),
        pytest.param({}, ("parameters.Subnets[1]",), "cloudformation.parameters.Subnets is made",
                     id="an item"),
        pytest.param({"retain": ("Topic",)}, (), "cloudformation.retain counts for action 'delete'",
                     id="retain is no DeletionPolicy"),
        pytest.param({"skip": ("Topic",)}, (), "cloudformation.skip counts", id="skip"),
    ],
)  # fmt: skip
def test_warned(fields: dict[str, Any], secret: tuple[str, ...], expected: str) -> None:
    """What is legal and may not be meant is said."""
    paths = tuple(f"cloudformation.{path}" for path in secret)
    warnings = parse_stack(stack(**fields), context(secret=paths)).warnings
    assert [text.startswith(expected) for text in warnings] == ([True] if expected else [])


def test_a_default_that_is_a_secret_is_warned_of(tmp_path: Path) -> None:
    """Whoever reads the template knows it."""
    text = "Parameters: {P: {Type: String, NoEcho: true, Default: x}}\nResources: {A: {}}"
    (tmp_path / "t.yaml").write_text(text, "utf-8")
    section = CloudFormationSection(stack_name="a", template="t.yaml")
    (warning,) = parse_stack(section, context(tmp_path)).warnings
    assert "parameter 'P', which is NoEcho" in warning


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"stack_name": "hunter22"}, "stack_name", id="name"),
        pytest.param({"tags": {"Owner": "hunter22"}}, "tags.Owner", id="tag"),
        pytest.param({"change_set": ChangeSetSection(name="hunter22")}, "change_set.name",
                     id="change set"),
        pytest.param({"artifact_bucket": "hunter22"}, "artifact_bucket", id="bucket"),
    ],
)  # fmt: skip
def test_a_secret_is_no_name(fields: dict[str, Any], place: str) -> None:
    """What everybody may see must not be made from a secret."""
    path = f"cloudformation.{place}"
    problems = refused(stack(**fields), secret=(path,))
    assert "is made from a sensitive variable" in problems[path]


def test_no_problem_quotes_a_secret() -> None:
    """Neither the value of a NoEcho parameter nor one that was made from a secret."""
    section = stack(
        stack_name="hunter_22",
        parameters={"DbPassword": "hunter22", "Subnets": "a", "Stage": "hunter33"},
        notification_arns=("hunter44",),
    )
    paths = ("stack_name", "parameters.Stage", "notification_arns[0]")
    where = context(secret=tuple(f"cloudformation.{path}" for path in paths))
    problems = problems_of(lambda: parse_stack(section, where))
    assert len(problems) == 5
    assert "hunter" not in str(problems)


def test_a_hidden_parameters_values_are_not_shown(tmp_path: Path) -> None:
    """Nor are the values that it may have."""
    text = "Parameters: {P: {Type: String, NoEcho: true, AllowedValues: [aaaa, bbbb]}}\n"
    (tmp_path / "t.yaml").write_text(text + "Resources: {A: {}}", "utf-8")
    section = CloudFormationSection(stack_name="a", template="t.yaml", parameters={"P": "hunter"})
    (problem,) = problems_of(lambda: parse_stack(section, context(tmp_path)))
    assert problem.message == "its value is not one of the values that the template allows"
    assert "aaaa" not in str(problem)


@pytest.mark.parametrize(
    ("section", "place", "message"),
    [
        pytest.param(stack_set(description=""), "description", "1 to 1024", id="description"),
        pytest.param(stack_set(execution_role_name="a/b"), "execution_role_name", "is no name",
                     id="role"),
        pytest.param(stack_set(call_as="delegated-admin"), "call_as",
                     "belongs to permission model 'service-managed'", id="caller"),
        pytest.param(stack_set(permission_model="service-managed", execution_role_name="a"),
                     "execution_role_name", "belongs to permission model 'self-managed'",
                     id="role of the other model"),
        pytest.param(stack_set(group(regions=())), "instances[0].regions", "names no region",
                     id="no region"),
        pytest.param(stack_set(group(accounts=None)), "instances[0]", "names no accounts",
                     id="nowhere"),
        pytest.param(stack_set(group(accounts=None, organizational_units=("r-ab12",))),
                     "instances[0].organizational_units", "'service-managed'", id="units"),
        pytest.param(stack_set(group(), permission_model="service-managed"),
                     "instances[0].accounts", "need organizational_units", id="accounts alone"),
        pytest.param(stack_set(group(organizational_units=("r-ab12",)),
                               permission_model="service-managed"),
                     "instances[0]", "names accounts and organizational_units", id="both"),
        pytest.param(stack_set(group(accounts=None, organizational_units=("unit",)),
                               permission_model="service-managed"),
                     "instances[0].organizational_units[0]", "is no organisational", id="unit"),
        pytest.param(stack_set(group(account_filter="intersection")),
                     "instances[0].account_filter", "needs accounts and", id="filter of nothing"),
        pytest.param(stack_set(group(organizational_units=("r-ab12",), account_filter="union"),
                               permission_model="service-managed"),
                     "instances[0].account_filter", "AWS makes no instances", id="union"),
        pytest.param(stack_set(group(account_parameters={"222222222222": {}})),
                     "instances[0].account_parameters.222222222222", "is not among", id="stranger"),
        pytest.param(stack_set(group(account_parameters={"22": {}})),
                     "instances[0].account_parameters.22", "is no account id", id="account id"),
        pytest.param(stack_set(group(), group(regions=("eu-west-1", "us-east-1"))),
                     "instances[1]", "names 111111111111 in us-east-1, which instances[0] has",
                     id="twice"),
        pytest.param(stack_set(operation=OperationSection(failure_tolerance="some")),
                     "operation.failure_tolerance", "'some' is no number", id="tolerance"),
        pytest.param(stack_set(operation=OperationSection(max_concurrent="0")),
                     "operation.max_concurrent", "'0' is no number", id="none at a time"),
        pytest.param(stack_set(operation=OperationSection(max_concurrent="101%")),
                     "operation.max_concurrent", "'101%' is no number", id="more than all"),
        pytest.param(stack_set(group(), operation=OperationSection(region_order=("eu-west-1",))),
                     "operation.region_order[0]", "is a region of no instances", id="order"),
    ],
)  # fmt: skip
def test_refused_of_a_stack_set(section: StackSetSection, place: str, message: str) -> None:
    """Each mistake is one problem, at its place."""
    problems = said(problems_of(lambda: parse_stack_set(section, context(section="stack_set"))))
    assert list(problems) == [f"stack_set.{place}"]
    assert message in problems[f"stack_set.{place}"]


@pytest.mark.parametrize(
    "section",
    [
        pytest.param(stack_set(), id="no instances"),
        pytest.param(stack_set(group(account_parameters={"111111111111": {"A": "x"}})), id="own"),
        pytest.param(stack_set(group(), group(accounts=("222222222222",))), id="two groups"),
        pytest.param(
            stack_set(
                group(organizational_units=("r-ab12",), account_filter="intersection"),
                group(
                    accounts=("222222222222",),
                    organizational_units=("r-ab12",),
                    account_filter="intersection",
                ),
                permission_model="service-managed",
                call_as="delegated-admin",
            ),
            id="two accounts of one unit",
        ),
        pytest.param(
            stack_set(
                group(),
                operation=OperationSection(
                    failure_tolerance="0", max_concurrent="25%", region_order=("us-east-1",)
                ),
            ),
            id="operation",
        ),
    ],
)
def test_legal_stack_sets(section: StackSetSection) -> None:
    """What AWS takes is taken, without a warning."""
    assert parse_stack_set(section, context(section="stack_set")).warnings == ()


def test_a_secret_is_no_description() -> None:
    """It is shown in the console."""
    section = stack_set(description="hunter22")
    where = context(section="stack_set", secret=("stack_set.description",))
    (problem,) = problems_of(lambda: parse_stack_set(section, where))
    assert problem.path == "stack_set.description"
