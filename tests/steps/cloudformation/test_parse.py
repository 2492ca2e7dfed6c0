"""A section becomes a spec: what is where, and what every action needs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import FileMissing, ManifestError
from calamari_py.steps.cloudformation.parsing.parse import (
    check_against,
    parse_stack,
    parse_stack_set,
    secrets_of,
)
from calamari_py.steps.cloudformation.parsing.template import read_facts
from calamari_py.steps.cloudformation.sections import (
    ChangeSetSection,
    CloudFormationSection,
    InstancesSection,
    OutputsSection,
    ParameterSection,
    StackSetSection,
)
from calamari_py.steps.cloudformation.spec import StackSetSpec, StackSpec, TemplateFacts
from tests.steps.cloudformation.parsing import TEMPLATES, context, problems_of, said

ROLE_VALUES = {
    "Environment": "Dev",
    "LauncherRoleArn": "arn:aws:iam::123456789012:role/OctoLauncherRole",
}
HIDING = """
Parameters:
  DbPassword: {Type: String, NoEcho: true, Default: changeme}
  Tokens: {Type: CommaDelimitedList, NoEcho: true, Default: ""}
  Stage: {Type: String, Default: dev}
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""
GROUP = InstancesSection(accounts=("111111111111",), regions=("us-east-1",))


def role_section(**fields: Any) -> CloudFormationSection:
    """The deployment role of the seed document as a stack."""
    given: dict[str, Any] = {
        "stack_name": "deploy-role",
        "template": "deploy-role.yaml",
        "parameters": ROLE_VALUES,
        "capabilities": ("CAPABILITY_NAMED_IAM",),
    }
    return CloudFormationSection(**{**given, **fields})


def role_set(**fields: Any) -> StackSetSection:
    """The stack set of the seed document."""
    given: dict[str, Any] = {
        "name": "deployment-roles",
        "template": "deploy-role.yaml",
        "parameters": ROLE_VALUES,
        "capabilities": ("CAPABILITY_NAMED_IAM",),
        "instances": (GROUP,),
    }
    return StackSetSection(**{**given, **fields})


def test_a_stack() -> None:
    """Everything the section says stands in the spec, with the template's facts."""
    section = role_section(
        tags={"Project": "payments"},
        on_failure="keep",
        on_failed_create="delete",
        on_cancel="cancel-update",
        change_set=ChangeSetSection(name="release-7"),
        artifact_prefix="/a/b/",
        stack_policy={"Statement": []},
    )
    spec = parse_stack(section, context())
    assert spec.action == "deploy"
    assert spec.template is not None
    assert spec.template.text == (TEMPLATES / "deploy-role.yaml").read_text("utf-8")
    assert spec.template.facts == read_facts(spec.template.text)
    assert {p.key: p.value for p in spec.parameters} == ROLE_VALUES
    assert (spec.keep_on_failure, spec.recreate_failed, spec.cancel_update) == (True, True, True)
    assert spec.artifact_prefix == "a/b"
    assert spec.stack_policy == '{"Statement":[]}'
    assert spec.token_prefix == "calamari-payments-dev-network"
    assert (spec.dry_run, spec.warnings) == (False, ())


def test_nothing_is_rolled_back_or_deleted_unless_it_is_said() -> None:
    """The defaults: CloudFormation rolls back, a failed stack stays, a cancel leaves it alone."""
    spec = parse_stack(role_section(), context())
    assert (spec.keep_on_failure, spec.recreate_failed, spec.cancel_update) == (
        False, False, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        pytest.param("a-b", "calamari-a-b", id="as it is"),
        pytest.param("a/b c..d", "calamari-a-b-c-d", id="other characters"),
        pytest.param("x" * 200, "calamari-" + "x" * 91, id="cut"),
        pytest.param("x" * 90 + "-y", "calamari-" + "x" * 90, id="no hyphen last"),
    ],
)
def test_the_token_says_who(title: str, expected: str) -> None:
    """With 13 more characters it is a legal client request token."""
    assert parse_stack(role_section(), context(title=title)).token_prefix == expected


@pytest.mark.parametrize("action", ["deploy", "change-set", "diff"])
def test_without_a_template_a_stack_keeps_its_own(action: str) -> None:
    """What only AWS knows of it is checked when it is known."""
    spec = parse_stack(role_section(template=None), context(action=action))
    assert (spec.template, len(spec.parameters)) == (None, 2)


def test_a_failed_creation_goes_only_where_a_template_is() -> None:
    """Nothing is deleted that could not be made anew."""
    section = role_section(template=None, on_failed_create="delete")
    assert said(problems_of(lambda: parse_stack(section, context()))) == {
        "cloudformation.on_failed_create": "needs a template to make the stack anew of"
    }
    assert parse_stack(section, context(action="execute")).recreate_failed


def test_a_stack_set_needs_a_template() -> None:
    """There is none to keep that all instances have."""
    section = role_set(template=None)
    problems = problems_of(lambda: parse_stack_set(section, context(section="stack_set")))
    assert said(problems) == {"stack_set.template": "is missing"}


@pytest.mark.parametrize("action", ["execute", "delete", "rollback", "watch"])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"template": None, "parameters": {}}, id="no template"),
        pytest.param({"template": "none.yaml", "parameters": "none.json"}, id="no files"),
        pytest.param({"parameters": {"Misspelt": "x"}, "capabilities": ()}, id="misfits"),
    ],
)
def test_other_actions_need_a_stack_only(action: str, fields: dict[str, Any]) -> None:
    """A broken template keeps nobody from deleting the stack or from watching it."""
    section = role_section(**fields, action="deploy")
    assert parse_stack(section, context(action=action)).action == action


def test_a_broken_policy_keeps_nobody_from_deleting() -> None:
    """The policy is for what is deployed."""
    section = role_section(stack_policy="none.json")
    assert parse_stack(section, context(action="delete")).stack_policy is None
    for action in ("deploy", "execute"):
        problems = problems_of(lambda: parse_stack(section, context(action=action)))  # noqa: B023
        assert [problem.path for problem in problems] == ["cloudformation.stack_policy"]


def test_the_callers_action_wins() -> None:
    """`--action` replaces the section's; `--dry-run` is handed on."""
    spec = parse_stack(role_section(action="deploy"), context(action="delete", dry_run=True))
    assert (spec.action, spec.dry_run) == ("delete", True)
    assert parse_stack(role_section(action="watch"), context()).action == "watch"


def test_a_stack_by_its_arn() -> None:
    """Where no stack is made, its ARN names it, too: that of a deleted one for example."""
    arn = "arn:aws:cloudformation:eu-west-1:111111111111:stack/my-app/1b2c"
    section = role_section(stack_name=arn)
    assert parse_stack(section, context(action="watch")).stack_name == arn
    (problem,) = problems_of(lambda: parse_stack(section, context()))
    assert problem.path == "cloudformation.stack_name"
    assert "not its ARN" in str(problem.hint)


def test_every_problem_at_once() -> None:
    """The name, the template, the parameters and the policy: each at its place."""
    section = role_section(
        stack_name="my_app",
        parameters={"Environment": "dev", "LauncherRole": "x"},
        capabilities=("CAPABILITY_IAM",),
        outputs=OutputsSection(sensitive=("Url",)),
        stack_policy="none.json",
        tags={"aws:x": "y"},
    )
    assert said(problems_of(lambda: parse_stack(section, context()))) == {
        "cloudformation.stack_name": "'my_app' is no name that AWS takes",
        "cloudformation.capabilities": "the template needs CAPABILITY_NAMED_IAM for DeployRole "
        "(AWS::IAM::Role) with a RoleName",
        "cloudformation.parameters.Environment": "'dev' is not one of the values that the "
        "template allows",
        "cloudformation.parameters.LauncherRole": "the template has no parameter 'LauncherRole'; "
        "did you mean 'LauncherRoleArn'?",
        "cloudformation.parameters": "the template's parameter 'LauncherRoleArn' has no value and "
        "no default",
        "cloudformation.outputs.sensitive[0]": "the template has no output 'Url'",
        "cloudformation.stack_policy": "the file 'none.json' does not exist",
        "cloudformation.tags.aws:x": "begins with 'aws:', which AWS keeps for itself",
    }


def test_a_malformed_parameter_hides_no_other_problem(tmp_path: Path) -> None:
    """What could be read is held against the template all the same; in the manifest and in files,
    whose paths are those of the file."""
    (tmp_path / "t.yaml").symlink_to(TEMPLATES / "deploy-role.yaml")
    own = {"Environment": ("a,b",), "Launcher": "x"}
    for parameters, expected in (
        (own, {"cloudformation.parameters.Environment[0]", "cloudformation.parameters.Launcher",
               "cloudformation.parameters"}),
        ("flat.yaml", {"flat.yaml:1:14", "flat.yaml:2:12", "cloudformation.parameters"}),
        ("list.yaml", {"list.yaml:1:3", "list.yaml:2:3", "cloudformation.parameters"}),
    ):  # fmt: skip
        (tmp_path / "flat.yaml").write_text("Environment: {a: b}\nLauncher:  x\n", "utf-8")
        (tmp_path / "list.yaml").write_text(
            "- {ParameterKey: Environment}\n- Launcher=x\n", "utf-8"
        )
        section = role_section(template="t.yaml", parameters=parameters)
        problems = problems_of(lambda: parse_stack(section, context(tmp_path)))  # noqa: B023
        assert said(problems).keys() == expected
        assert "Parameters." not in str([problem.path for problem in problems])


def test_a_nameless_parameter_may_be_the_one_that_is_missing(tmp_path: Path) -> None:
    """So nothing is said to be missing."""
    (tmp_path / "t.yaml").symlink_to(TEMPLATES / "deploy-role.yaml")
    (tmp_path / "p.yaml").write_text("- {ParameterValue: x}\n", "utf-8")
    section = role_section(template="t.yaml", parameters="p.yaml")
    problems = problems_of(lambda: parse_stack(section, context(tmp_path)))
    assert said(problems) == {"p.yaml:1:3": "has no 'ParameterKey'"}


def test_missing_files_alone() -> None:
    """When nothing else is wrong the error says so: exit code 66."""
    with pytest.raises(FileMissing) as caught:
        parse_stack(role_section(template="none.yaml", parameters="none.json"), context())
    assert len(caught.value.problems) == 2


def test_problems_of_a_template_have_its_lines(tmp_path: Path) -> None:
    """They stand in the template's file; those of all of it stand in the manifest."""
    (tmp_path / "t.yaml").write_text("Resources:\n  A: {}\n  A: {}\n", "utf-8")
    (tmp_path / "empty.yaml").write_text("", "utf-8")
    section = CloudFormationSection(stack_name="a", template="t.yaml")
    (problem,) = problems_of(lambda: parse_stack(section, context(tmp_path)))
    assert (problem.place, problem.path) == ("t.yaml:3:3", "Resources.A")
    section = CloudFormationSection(stack_name="a", template="empty.yaml")
    (problem,) = problems_of(lambda: parse_stack(section, context(tmp_path)))
    assert problem.path == "cloudformation.template"
    assert problem.message == "'empty.yaml' is empty"


def test_codepipelines_file(tmp_path: Path) -> None:
    """Its tags and its policy lie under the manifest's own; its mistakes have its lines."""
    file: dict[str, dict[str, Any]] = {
        "Parameters": {"Environment": "dev", "LauncherRoleArn": "x"},
        "Tags": {"Team": "network", "Stage": "prod"},
        "StackPolicy": {"Statement": []},
    }
    (tmp_path / "p.json").write_text(json.dumps(file, indent=1), "utf-8")
    (tmp_path / "t.yaml").symlink_to(TEMPLATES / "deploy-role.yaml")
    section = role_section(template="t.yaml", parameters="p.json", tags={"Stage": "dev"})
    (problem,) = problems_of(lambda: parse_stack(section, context(tmp_path)))
    assert (problem.place, problem.path) == ("p.json:3:18", "Parameters.Environment")
    file["Parameters"]["Environment"] = "Dev"
    (tmp_path / "p.json").write_text(json.dumps(file), "utf-8")
    spec = parse_stack(section, context(tmp_path))
    assert spec.tags == {"Team": "network", "Stage": "dev"}
    assert spec.stack_policy == '{"Statement":[]}'
    own = role_section(template="t.yaml", parameters="p.json", stack_policy={"Statement": [1]})
    assert parse_stack(own, context(tmp_path)).stack_policy == '{"Statement":[1]}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param('{"Statement": [', {"policy.json:1:16": "is no valid JSON"}, id="no JSON"),
        pytest.param("[]", {"policy.json": "must be a JSON object"}, id="a list"),
        pytest.param(json.dumps({"Statement": "x" * 17_000}), {
            "cloudformation.stack_policy": "has 17,016 bytes, and AWS takes 16,384",
        }, id="too large"),
    ],
)  # fmt: skip
def test_policy_files(text: str, expected: dict[str, str], tmp_path: Path) -> None:
    """A stack policy is a JSON object of 16 KB."""
    (tmp_path / "policy.json").write_text(text, "utf-8")
    (tmp_path / "deploy-role.yaml").symlink_to(TEMPLATES / "deploy-role.yaml")
    section = role_section(stack_policy="policy.json")
    assert said(problems_of(lambda: parse_stack(section, context(tmp_path)))) == expected


def hiding(folder: Path, **values: Any) -> StackSpec:
    (folder / "t.yaml").write_text(HIDING, "utf-8")
    section = CloudFormationSection(stack_name="a", template="t.yaml", parameters=values)
    return parse_stack(section, context(folder))


def test_hidden_parameters_are_secrets(tmp_path: Path) -> None:
    """The value, each item of a list, and the default where it counts; nothing else."""
    given = hiding(tmp_path, DbPassword="hunter22", Tokens=("t0ken-a", "t0ken-b"), Stage="prod")
    assert list(secrets_of(given)) == [
        ("parameter DbPassword", "hunter22"),
        ("parameter Tokens", "t0ken-a,t0ken-b"),
        ("parameter Tokens", "t0ken-a"),
        ("parameter Tokens", "t0ken-b"),
    ]
    assert list(secrets_of(hiding(tmp_path))) == [("parameter DbPassword", "changeme")]
    kept = hiding(tmp_path, DbPassword=ParameterSection(use_previous=True))
    assert list(secrets_of(kept)) == [("parameter DbPassword", "changeme")]
    waiting = hiding(tmp_path, DbPassword="(not fetched yet)")
    assert list(secrets_of(waiting)) == []


def test_hidden_values_are_in_no_repr(tmp_path: Path) -> None:
    """Neither the value nor the default, of a stack or a set with overrides."""
    spec = hiding(tmp_path, DbPassword="hunter22")
    assert "hunter22" not in repr(spec)
    assert "changeme" not in repr(spec)
    group = InstancesSection(
        accounts=("111111111111",), regions=("us-east-1",), parameters={"DbPassword": "hunter33"}
    )
    section = StackSetSection(name="a", template="t.yaml", instances=(group,))
    found = parse_stack_set(section, context(tmp_path, section="stack_set"))
    assert "hunter33" not in repr(found) + repr(section)
    assert ("parameter DbPassword", "hunter33") in list(secrets_of(found))


def test_a_template_that_only_aws_reads() -> None:
    """It has no facts; with those that AWS tells, the same is checked and hidden."""
    section = role_section(template="s3://templates/role.yaml", capabilities=())
    spec = parse_stack(section, context())
    assert spec.template is not None
    assert (spec.template.url, spec.template.text, spec.template.facts) == (
        "s3://templates/role.yaml", None, None,
    )  # fmt: skip
    facts = read_facts((TEMPLATES / "deploy-role.yaml").read_text("utf-8"))
    assert said(problems_of(lambda: check_against(spec, facts))).keys() == {
        "cloudformation.capabilities"
    }
    assert list(secrets_of(spec)) == []
    told = read_facts(HIDING.replace("DbPassword", "Environment"))
    assert list(secrets_of(spec, told)) == [("parameter Environment", "Dev")]


def test_aws_facts_of_a_good_template() -> None:
    """Nothing is refused; what AWS says of macros does not matter to a change set."""
    spec = parse_stack(role_section(template="https://b.s3.amazonaws.com/k"), context())
    facts = read_facts((TEMPLATES / "deploy-role.yaml").read_text("utf-8"))
    check_against(spec, facts)
    check_against(
        spec,
        TemplateFacts(
            parameters=facts.parameters, capabilities=frozenset({"CAPABILITY_AUTO_EXPAND"})
        ),
    )


def test_a_stack_set() -> None:
    """The stack set of the seed document; its tags are all tags."""
    section = role_set(tags={"Team": "platform"})
    spec = parse_stack_set(section, context(section="stack_set", dry_run=True))
    assert isinstance(spec, StackSetSpec)
    assert (spec.name, spec.action, spec.dry_run) == ("deployment-roles", "deploy", True)
    assert spec.instances == (GROUP,)
    assert spec.section.tags == {"Team": "platform"}
    assert spec.token_prefix == "calamari-payments-dev-network"


def test_a_stack_set_wants_every_parameter() -> None:
    """As the seed document writes it AWS refuses it: overrides are no values of the set."""
    group = InstancesSection(
        accounts=("111111111111",), regions=("us-east-1",), parameters={"Environment": "Dev"}
    )
    section = role_set(parameters={"LauncherRoleArn": "arn"}, instances=(group,))
    (problem,) = problems_of(lambda: parse_stack_set(section, context(section="stack_set")))
    assert problem.path == "stack_set.parameters"
    assert "'Environment' has no value" in problem.message
    assert "every instance" in str(problem.hint)


def test_overrides_are_checked() -> None:
    """Those of a group and those of single accounts, each at its place."""
    group = InstancesSection(
        accounts=("111111111111",),
        regions=("us-east-1",),
        parameters={"Enviroment": "Dev"},
        account_parameters={"111111111111": {"Environment": "Test"}},
    )
    section = role_set(instances=(group,))
    assert said(problems_of(lambda: parse_stack_set(section, context(section="stack_set")))) == {
        "stack_set.instances[0].parameters.Enviroment": "the template has no parameter "
        "'Enviroment'; did you mean 'Environment'?",
        "stack_set.instances[0].account_parameters.111111111111.Environment": "'Test' is not one "
        "of the values that the template allows",
    }


def test_a_stack_set_acknowledges_macros(tmp_path: Path) -> None:
    """It is processed without a change set; service-managed ones take none at all."""
    (tmp_path / "macros.json").symlink_to(TEMPLATES / "macros.json")
    section = role_set(template="macros.json", parameters={})
    where = context(tmp_path, section="stack_set")
    (problem,) = problems_of(lambda: parse_stack_set(section, where))
    assert problem.message == (
        "the template needs CAPABILITY_AUTO_EXPAND for transform AWS::LanguageExtensions and 2 more"
    )
    assert str(problem.hint).endswith("[CAPABILITY_AUTO_EXPAND, CAPABILITY_NAMED_IAM]")
    units = InstancesSection(organizational_units=("r-ab12",), regions=("us-east-1",))
    managed = role_set(
        template="macros.json",
        parameters={},
        capabilities=("CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"),
        permission_model="service-managed",
        instances=(units,),
    )
    (warning,) = parse_stack_set(managed, where).warnings
    assert "take no transforms" in warning


def test_no_stack_set_template_is_needed_to_delete() -> None:
    """Nor are its parameters."""
    section = role_set(template=None, parameters="none.json")
    spec = parse_stack_set(section, context(section="stack_set", action="delete"))
    assert (spec.action, spec.parameters) == ("delete", ())
    with pytest.raises(ManifestError):
        parse_stack_set(section, context(section="stack_set"))
