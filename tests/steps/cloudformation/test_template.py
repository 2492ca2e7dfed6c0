"""What a template says of itself, without a call."""

from __future__ import annotations

import pytest

from calamari_py.steps.cloudformation.parsing.template import TemplateFault, read_facts
from calamari_py.steps.cloudformation.spec import TemplateFacts
from tests.steps.cloudformation.parsing import TEMPLATES

ROLE = "Resources:\n  R:\n    Type: AWS::IAM::{type}\n    Properties: {properties}\n"


def facts_of(name: str) -> TemplateFacts:
    return read_facts((TEMPLATES / name).read_text("utf-8"), file=name)


def test_the_deployment_role() -> None:
    """The role of the seed document: two parameters, one named role."""
    facts = facts_of("deploy-role.yaml")
    environment = facts.parameters["Environment"]
    assert list(facts.parameters) == ["Environment", "LauncherRoleArn"]
    assert environment.allowed_values == ("Dev", "Staging", "Prod")
    assert environment.default is None
    assert facts.capabilities == {"CAPABILITY_NAMED_IAM"}
    assert facts.reasons == ("DeployRole (AWS::IAM::Role) with a RoleName",)
    assert (facts.resources, facts.transforms, facts.outputs) == (1, (), ())


def test_short_forms_aliases_and_unknown_tags() -> None:
    """Whatever CloudFormation reads is read; values keep their text."""
    facts = facts_of("every-function.yaml")
    assert facts.outputs == ("TopicArn", "OtherName")
    assert (facts.resources, facts.capabilities) == (2, frozenset())
    assert facts.parameters["DbPassword"].no_echo
    assert facts.parameters["Size"].default == "2"
    assert facts.parameters["Size"].allowed_values == ("1", "2", "4")
    assert not facts.parameters["Stage"].no_echo


def test_macros_and_loops() -> None:
    """JSON with tabs; a loop's resources count for capabilities, and nobody counts them."""
    facts = facts_of("macros.json")
    assert facts.transforms == (
        "AWS::LanguageExtensions", "AWS::Serverless-2016-10-31", "AWS::Include",
    )  # fmt: skip
    assert facts.capabilities == {"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"}
    assert facts.reasons[0] == "${Name}Role (AWS::IAM::Role) with a RoleName"
    assert facts.reasons[1] == "transform AWS::LanguageExtensions"
    assert facts.resources is None


@pytest.mark.parametrize(
    ("type_", "properties", "expected"),
    [
        pytest.param("Role", "{}", "CAPABILITY_IAM", id="role"),
        pytest.param("Role", "{RoleName: x}", "CAPABILITY_NAMED_IAM", id="named role"),
        pytest.param("User", "{UserName: x}", "CAPABILITY_NAMED_IAM", id="named user"),
        pytest.param("Group", "{GroupName: x}", "CAPABILITY_NAMED_IAM", id="named group"),
        pytest.param(
            "ManagedPolicy", "{ManagedPolicyName: x}", "CAPABILITY_NAMED_IAM", id="named policy"
        ),
        pytest.param(
            "InstanceProfile", "{InstanceProfileName: x}", "CAPABILITY_NAMED_IAM", id="profile"
        ),
        pytest.param("Policy", "{PolicyName: x}", "CAPABILITY_IAM", id="inline policy"),
        pytest.param("AccessKey", "{UserName: x}", "CAPABILITY_IAM", id="key"),
        pytest.param("UserToGroupAddition", "{GroupName: x}", "CAPABILITY_IAM", id="addition"),
        pytest.param("Role", "{RoleName: !Ref AWS::NoValue}", "CAPABILITY_IAM", id="no value"),
        pytest.param(
            "Role", "{RoleName: !If [A, x, !Ref AWS::NoValue]}", "CAPABILITY_IAM", id="perhaps none"
        ),
        pytest.param(
            "Role", "{RoleName: !If [A, x, !Ref B]}", "CAPABILITY_NAMED_IAM", id="one of two"
        ),
        pytest.param("OIDCProvider", "{Url: x}", None, id="needs none"),
    ],
)
def test_capabilities(type_: str, properties: str, expected: str | None) -> None:
    """Each IAM type needs what AWS documents; a name of one's own needs more."""
    facts = read_facts(ROLE.format(type=type_, properties=properties))
    assert facts.capabilities == ({expected} if expected else frozenset())


@pytest.mark.parametrize(
    ("written", "hidden"),
    [
        pytest.param("true", True, id="true"),
        pytest.param('"true"', True, id="text"),
        pytest.param("True", True, id="capital"),
        pytest.param("yes", True, id="YAML 1.1"),
        pytest.param("!If [A, true, false]", True, id="nobody knows"),
        pytest.param("false", False, id="false"),
        pytest.param('"false"', False, id="false text"),
    ],
)
def test_no_echo(written: str, hidden: bool) -> None:
    """NoEcho in all its spellings; in doubt the value is a secret."""
    text = f"Parameters: {{P: {{Type: String, NoEcho: {written}}}}}\nResources: {{A: {{}}}}\n"
    assert read_facts(text).parameters["P"].no_echo is hidden


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("[a, b]", ("a", "b"), id="texts"),
        pytest.param("[1, 20, -3]", ("1", "20", "-3"), id="numbers"),
        pytest.param("['yes', '012', '1.10']", ("yes", "012", "1.10"), id="quoted"),
        pytest.param("[True, false]", ("true", "false"), id="booleans"),
        pytest.param("[t3.micro, eu-west-1, 10.0.0.0/16]", ("t3.micro", "eu-west-1",
                     "10.0.0.0/16"), id="not numbers"),
        pytest.param("[yes, no]", (), id="YAML 1.1 booleans"),
        pytest.param("[012]", (), id="octal"),
        pytest.param("[1.10]", (), id="float"),
        pytest.param("['1:30', 1:30]", (), id="sexagesimal"),
        pytest.param("[2012-10-17]", (), id="date"),
        pytest.param("[!Ref A]", (), id="function"),
    ],
)  # fmt: skip
def test_allowed_values(written: str, expected: tuple[str, ...]) -> None:
    """What CloudFormation may read otherwise than it is written is not judged at all."""
    text = f"Parameters: {{P: {{Type: String, AllowedValues: {written}}}}}\nResources: {{A: {{}}}}"
    assert read_facts(text).parameters["P"].allowed_values == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("# nothing\n", "line 1: has no 'Resources'", id="comment"),
        pytest.param("\ufeff \n", "is empty", id="blank"),
        pytest.param("<!DOCTYPE html>", "line 1: is an HTML or XML page, and a template is YAML or "
                     "JSON", id="page"),
        pytest.param("a\0b", "line 1: holds a NUL character", id="binary"),
        pytest.param("- a\n", "line 1: is a list, and a template is a mapping with 'Resources'",
                     id="list"),
        pytest.param("just words", "line 1: is a text, and a template is a mapping with "
                     "'Resources'", id="text"),
        pytest.param("name: step\n", "line 1: has no 'Resources'", id="no resources"),
        pytest.param("\nResource: {}\n",
                     "line 2: 'Resource' unknown key; did you mean 'Resources'?", id="misspelt"),
        pytest.param("Resources: {}\n",
                     "line 1: 'Resources' must be a mapping of at least one resource", id="none"),
        pytest.param("Resources:\n  A: {}\n  A: {}\n",
                     "line 3: 'Resources.A' is there twice, first on line 2", id="twice"),
        pytest.param('{"Resources": {"A": {},\n"A": {}}}',
                     "line 2: 'Resources.A' is there twice, first on line 1", id="twice in JSON"),
        pytest.param("Resources:\n\tA: {}\n", "line 2: is indented with a tab", id="tab"),
        pytest.param("Resources: {A: {}}\nParameters: [a]\n",
                     "line 2: 'Parameters' must be a mapping, is a list", id="wrong section"),
        pytest.param("Resources: {A: {}}\nParameters:\n  P: String\n",
                     "line 3: 'Parameters.P' must be a mapping, is a text", id="wrong parameter"),
        pytest.param("Resources: {A: {}}\n---\nResources: {}\n",
                     "line 2: a second document begins here", id="two documents"),
        pytest.param("Resources: {A: !!python/name:os.system x}",
                     "line 1: the tag '!!python/name:os.system' has no meaning here", id="python"),
    ],
)  # fmt: skip
def test_no_template(text: str, expected: str) -> None:
    """What is no template is told in one clause, with its line."""
    with pytest.raises(TemplateFault) as caught:
        read_facts(text, file="t.yaml")
    assert str(caught.value) == expected
    assert isinstance(caught.value, ValueError)
    assert all(problem.file == "t.yaml" for problem in caught.value.problems)


@pytest.mark.parametrize("function", ["", "!Join "], ids=["plain", "in functions"])
def test_a_bomb_is_refused(function: str) -> None:
    """Aliases of aliases do not fill the memory; a function around each hides nothing."""
    lines = [f"a0: &a0 {function}[x, x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"a{level}: &a{level} {function}[{', '.join([f'*a{level - 1}'] * 10)}]"
        for level in range(1, 12)
    ]
    with pytest.raises(TemplateFault, match="too large"):
        read_facts("\n".join([*lines, "Resources: {A: {}}"]))


def test_depth_is_limited() -> None:
    """A template a thousand levels deep ends in a sentence, not in a crash."""
    with pytest.raises(TemplateFault, match="levels deep"):
        read_facts("Resources: " + "[" * 1000 + "]" * 1000)


def test_a_transform_may_bring_the_resources() -> None:
    """`Fn::Transform` at the top puts whole sections in."""
    facts = read_facts("Fn::Transform: {Name: AWS::Include, Parameters: {Location: s3://b/k}}")
    assert facts.transforms == ("AWS::Include",)
    assert facts.resources is None


def test_all_defects_are_told() -> None:
    """Two keys that are there twice are two problems."""
    with pytest.raises(TemplateFault) as caught:
        read_facts("Resources: {A: {}, A: {}, B: {}, B: {}}")
    assert len(caught.value.problems) == 2
