"""The service role of a stack, which CloudFormation keeps: it works with it, whoever asks."""

from __future__ import annotations

from calamari_py.steps.cloudformation.values import Stack
from calamari_py.steps.cloudformation.work import Work


def check_service_role(work: Work, stack: Stack) -> None:
    """Say that CloudFormation works on the stack as a role that the manifest does not name.
    PolicyRefused where the operator does not allow it."""
    kept, named = stack.role_arn, work.spec.role_arn
    if kept is None or kept == named:
        return
    # A change set that is there already has its role; nothing else of ours is left without ours.
    if named is not None and work.spec.action != "execute":
        work.report.line(f"CloudFormation's service role is now '{named}', no longer '{kept}'")
        return
    work.report.line(f"CloudFormation works as the service role that the stack keeps, '{kept}'")
    work.context.check_role("cloudformation.role_arn", kept)
