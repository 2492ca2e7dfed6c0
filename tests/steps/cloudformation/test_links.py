"""Console pages and commands."""

from __future__ import annotations

import shlex

import pytest

from calamari_py.steps.base import Rerun
from calamari_py.steps.cloudformation.links import (
    console_url,
    continue_rollback_command,
    decode_command,
    resume_command,
)

ARN = (
    "arn:aws:cloudformation:eu-west-1:111111111111:stack/my-app/51af3dc0-da77-11e4-872e-1234567db1"
)
ENCODED = "arn%3Aaws%3Acloudformation%3Aeu-west-1%3A111111111111%3Astack%2Fmy-app%2F51af3dc0-da77"


@pytest.mark.parametrize(
    ("region", "partition", "begins"),
    [
        pytest.param(
            "eu-west-1",
            "aws",
            "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1#",
            id="aws",
        ),
        pytest.param(
            "cn-north-1",
            "aws-cn",
            "https://cn-north-1.console.amazonaws.cn/cloudformation/home?region=cn-north-1#",
            id="china",
        ),
        pytest.param(
            "us-gov-west-1",
            "aws-us-gov",
            "https://us-gov-west-1.console.amazonaws-us-gov.com/cloudformation/home"
            "?region=us-gov-west-1#",
            id="govcloud",
        ),
    ],
)
def test_console_page_is_that_of_the_partition(region: str, partition: str, begins: str) -> None:
    """Each partition has its own console, and the page is that of the stack's events."""
    assert console_url(region, partition, ARN).startswith(begins + "/stacks/events?stackId=")


def test_stack_is_percent_encoded() -> None:
    """The colons and slashes of an ARN do not end the link."""
    assert f"stackId={ENCODED}" in console_url("eu-west-1", "aws", ARN)


@pytest.mark.parametrize("partition", ["aws-iso", "aws-iso-b", "aws-eusc", ""])
def test_no_link_where_the_console_is_unknown(partition: str) -> None:
    """No link is better than one that leads nowhere."""
    assert not console_url("us-iso-east-1", partition, ARN)


@pytest.mark.parametrize(
    ("words", "command"),
    [
        pytest.param(("step.yaml",), "calamari run step.yaml --action watch", id="plain"),
        pytest.param(("my step.yaml",), "calamari run 'my step.yaml' --action watch", id="space"),
        pytest.param(("a;rm -rf b",), "calamari run 'a;rm -rf b' --action watch", id="shell"),
        pytest.param(
            ("it's.yaml", "--var", "A=$x y"),
            """calamari run 'it'"'"'s.yaml' --var 'A=$x y' --action watch""",
            id="quotes",
        ),
    ],
)
def test_command_to_watch_can_be_pasted(words: tuple[str, ...], command: str) -> None:
    """A shell reads each word as it was, quoted once."""
    assert resume_command(lambda: Rerun(words=("calamari", "run", *words)), "watch") == command


def test_command_goes_on_with_one_operation() -> None:
    """What a lost step prints names the operation."""
    said = resume_command(Rerun, "watch", f"{ARN}#calamari-1")
    assert said == f"calamari run step.yaml --action watch --resume '{ARN}#calamari-1'"


def test_what_else_it_takes_is_a_comment() -> None:
    """A remark does not keep the line from being pasted."""
    again = Rerun(words=("calamari", "run", "-"), remarks=("with the same manifest", "and more"))
    said = resume_command(lambda: again, "delete")
    assert said == "calamari run - --action delete  # with the same manifest; and more"
    assert shlex.split(said, comments=True)[-2:] == ["--action", "delete"]


def test_command_to_continue_a_rollback_is_complete() -> None:
    """It names the stack, the region, the service role and what to skip."""
    said = continue_rollback_command(
        "my-app", "eu-west-1", role_arn="arn:aws:iam::1:role/cfn", skip=["Database", "Data.Table"]
    )

    assert said == (
        "aws cloudformation continue-update-rollback --stack-name my-app --region eu-west-1"
        " --role-arn arn:aws:iam::1:role/cfn --resources-to-skip Database Data.Table"
    )


def test_command_to_continue_a_rollback_leaves_out_what_is_not_given() -> None:
    """Without a role and without anything to skip it is short."""
    assert continue_rollback_command("my-app", "eu-west-1") == (
        "aws cloudformation continue-update-rollback --stack-name my-app --region eu-west-1"
    )


def test_command_to_decode_can_be_pasted() -> None:
    """The message is one word to a shell."""
    assert shlex.split(decode_command("a b$c"))[-1] == "a b$c"
