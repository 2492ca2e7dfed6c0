"""Where to look and what to type: console pages and commands, ready to paste."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from urllib.parse import quote

from calamari_py.steps.base import Rerun

_CONSOLES = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def console_url(region: str, partition: str, stack_id: str) -> str:
    """The page of a stack's events; "" in a partition whose console nobody can link to."""
    domain = _CONSOLES.get(partition)
    if domain is None:
        return ""
    return (
        f"https://{region}.{domain}/cloudformation/home?region={quote(region, safe='')}"
        f"#/stacks/events?stackId={quote(stack_id, safe='')}"
    )


def stack_set_url(region: str, partition: str, stack_set_id: str) -> str:
    """The page of a stack set's operations; "" as above. `stack_set_id` is ``name:1b2c…``."""
    domain = _CONSOLES.get(partition)
    if domain is None:
        return ""
    return (
        f"https://{region}.{domain}/cloudformation/home?region={quote(region, safe='')}"
        f"#/stacksets/{quote(stack_set_id, safe='')}/operations"
    )


def resume_command(again: Callable[[], Rerun], action: str, resume: str = "") -> str:
    """Runs the step again, for something else: ``calamari run step.yaml --action watch``.

    `again` is `StepContext.rerun`, `resume` the operation to go on with, ``<stack ARN>#<token>``.
    """
    rerun = again()
    wanted = ["--action", action, *(["--resume", resume] if resume else [])]
    command = shlex.join([*rerun.words, *wanted])
    return f"{command}  # {'; '.join(rerun.remarks)}" if rerun.remarks else command


def continue_rollback_command(
    stack: str, region: str, *, role_arn: str | None = None, skip: Sequence[str] = ()
) -> str:
    """The AWS CLI's way on for a stack whose rollback failed. `skip` are the resources that are
    left as they are."""
    words = ["aws", "cloudformation", "continue-update-rollback", "--stack-name", stack]
    words += ["--region", region]
    if role_arn:
        words += ["--role-arn", role_arn]
    if skip:
        words += ["--resources-to-skip", *skip]
    return shlex.join(words)


def decode_command(message: str) -> str:
    """The AWS CLI's way to read an encoded authorization message."""
    words = ["aws", "sts", "decode-authorization-message", "--encoded-message", message]
    return shlex.join(words)
