"""What can be done about a cause: by the words of CloudFormation and of the services behind it."""

from __future__ import annotations

import re

from calamari_py.steps.cloudformation.failures.denials import Denial
from calamari_py.steps.cloudformation.values import StackEvent

# Reasons may be long, and somebody else writes them: no pattern may look back and forth for ever.
_KNOWN = tuple(
    (re.compile(pattern, re.IGNORECASE), hint)
    for pattern, hint in (
        (
            r"\bno export named (?P<name>\S+) found",
            (
                "deploy the stack that exports '{name}' in this account and region first, or "
                "correct the name: aws cloudformation list-exports shows those that are there"
            ),
        ),
        (
            (
                r"(?<!\S)(?P<name>\S{1,300}) cannot be (?:deleted|updated) as it is in use by "
                r"(?P<by>[^.]+)"
            ),
            "stacks that import '{name}' have to give it up first: {by}",
        ),
        (
            r"requires capabilities\s*:\s*\[(?P<names>[^\]]{0,300})\]",
            "write 'capabilities: [{names}]' in the manifest",
        ),
        (
            r"parameter value .{0,1000}? for parameter name (?P<name>\w+) does not exist",
            (
                "correct parameter '{name}': what it names is not in this account and region, or "
                "whoever works on the stack may not look it up"
            ),
        ),
        (
            r"the following hook\(s\) failed",
            "a hook of the account forbids it: change the resource so that it keeps the rule",
        ),
        (
            r"action denied by stack policy",
            "the stack policy protects it: change 'stack_policy', or leave the resource as it is",
        ),
        (
            r"rename (?P<name>.{1,300}?) and update the stack again",
            "give the resource another name, or none: one with a fixed name cannot be replaced",
        ),
        (
            r"already exists in stack (?P<stack>arn:\S+)",
            "it belongs to another stack, {stack}: choose another name, or take it out there first",
        ),
        (
            r"already exist|AlreadyExists|EntityAlreadyExists|is already in use",
            (
                "something of that name is there already: choose another name, delete it, or take "
                "it into the stack with 'import'"
            ),
        ),
        (
            r"ExpiredToken|security token included in the request is expired|token has expired",
            (
                "CloudFormation works with the step's own session, which has ended: give it a "
                "service role with 'role_arn'"
            ),
        ),
        (
            r"limit ?exceeded|quota|maximum number of|have reached (?:the|your)|TooMany",
            "raise the quota of the account in this region, or remove what is no longer needed",
        ),
        (
            r"bucket you tried to delete is not empty",
            "empty the bucket",
        ),
        (
            r"resource signal\(s\)|signal[s]? with UniqueId",
            (
                "the instance never said that it was ready: look at its log (cfn-init.log), "
                "'on_failure: keep' leaves it there"
            ),
        ),
        (
            r"CloudWatch Log(?:s)? (?:Log )?Stream: (?P<stream>\S+?)[.,;)\s]",
            "look at log stream '{stream}' of the function behind it",
        ),
        (
            r"custom resource",
            "look at the log of the function behind it",
        ),
        (
            r"password|secret",
            "correct the secret in the manifest's variables or in what they come from",
        ),
        (
            r"exceeded attempts to wait|timed? ?out|did not stabilize|specified timeout",
            "look at why it does not become ready; CloudFormation gave up waiting",
        ),
        (
            r"stack update cancell?ed",
            "somebody has cancelled it: run again when they are done",
        ),
        (
            r"access ?denied|AccessDenied|\b403\b|not authorized|UnauthorizedOperation",
            "{who} lacks a permission for it",
        ),
    )
)


def hint_for(event: StackEvent, denial: Denial | None, *, role_arn: str | None) -> str:
    """What to do about the cause `event`. `role_arn` is the service role, None where CloudFormation
    works with the step's own."""
    if denial is not None:
        return denial.hint
    if event.is_of_stack and event.reason.strip().casefold() == "user initiated":
        return "find out who has stopped it and why, and run again"
    if event.is_of_stack and "alarm" in event.reason.casefold():
        return (
            "an alarm of 'rollback_triggers' went off, or is not there: look at it before the next "
            "try"
        )
    who = f"CloudFormation's service role '{role_arn}'" if role_arn else "the step's role"
    return hint_of(event.reason, who=who)


def hint_of(reason: str, *, who: str) -> str:
    """What to do about `reason`. `who` is whose permissions count: a role in a sentence."""
    for pattern, hint in _KNOWN:
        found = pattern.search(reason)
        if found is not None:
            return hint.format(who=who, **{key: value or "" for key, value in _named(found)})
    return "correct the cause and run again"


def _named(found: re.Match[str]) -> list[tuple[str, str]]:
    return [(key, value.strip("'\"., ")) for key, value in found.groupdict("").items()]
