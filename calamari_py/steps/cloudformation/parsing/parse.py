"""A section becomes a spec, or every problem that can be told without a call."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import msgspec

from calamari_py.errors import ManifestError, Problem
from calamari_py.steps.base import ParseContext
from calamari_py.steps.cloudformation.parsing.described import (
    check_against,
    check_set_template,
    check_stack_template,
    read_described,
    secrets_of,
)
from calamari_py.steps.cloudformation.parsing.files import read_text
from calamari_py.steps.cloudformation.parsing.guards import (
    Checks,
    check_bucket,
    check_imports,
    check_name,
    check_resume,
    check_tags,
    check_times,
    check_topics,
    check_triggers,
)
from calamari_py.steps.cloudformation.parsing.parameters import Given
from calamari_py.steps.cloudformation.parsing.public import check_public
from calamari_py.steps.cloudformation.parsing.set_guards import check_stack_set
from calamari_py.steps.cloudformation.sections import (
    Action,
    CloudFormationSection,
    SetAction,
    StackSetSection,
)
from calamari_py.steps.cloudformation.spec import DESCRIBING, StackSetSpec, StackSpec

__all__ = ["check_against", "parse_stack", "parse_stack_set", "secrets_of"]

_POLICY_LIMIT = 16_384
"""Bytes. Source: API reference, SetStackPolicy."""
_TOKEN_LENGTH = 100


def parse_stack(section: CloudFormationSection, context: ParseContext) -> StackSpec:
    """The stack of a section. Raises ManifestError with all problems, FileMissing when nothing
    else is wrong than that files are missing."""
    action = cast("Action", context.wishes.action or section.action)
    checks = Checks(context.path, context.sensitive)
    describes = action in DESCRIBING
    parts = read_described(section, checks, context, needed=describes)
    check_public(checks, section)
    check_name(checks, "stack_name", section.stack_name, arn=not describes)
    check_resume(checks, context.wishes.resume, section.stack_name, action)
    _check_stack(section, checks, action)
    if describes:
        check_stack_template(checks, section, parts)
        check_imports(checks, section.import_, template=section.template is not None)
    target = checks if describes or action == "execute" else Checks(context.path)
    policy = _stack_policy(section.stack_policy, parts.given, target, context)
    check_tags(checks, parts.tags, parts.given.places)
    checks.found.raise_if_any()
    return StackSpec(
        stack_name=section.stack_name,
        action=action,
        dry_run=context.wishes.dry_run,
        token_prefix=token_prefix(context.title),
        template=parts.template,
        parameters=parts.given.parameters,
        capabilities=tuple(dict.fromkeys(section.capabilities)),
        tags=parts.tags,
        role_arn=section.role_arn,
        change_set=section.change_set,
        keep_on_failure=section.on_failure == "keep",
        recreate_failed=section.on_failed_create == "delete",
        cancel_update=section.on_cancel == "cancel-update",
        notification_arns=section.notification_arns,
        rollback_triggers=section.rollback_triggers,
        imports=section.import_,
        stack_policy=policy,
        termination_protection=section.termination_protection,
        artifact_bucket=section.artifact_bucket,
        artifact_prefix=section.artifact_prefix.strip("/"),
        retain=section.retain,
        skip=section.skip,
        resume=context.wishes.resume,
        sensitive_outputs=frozenset(section.outputs.sensitive),
        poll_interval=section.poll_interval,
        patience=section.patience,
        warnings=tuple(checks.warnings),
    )


def parse_stack_set(section: StackSetSection, context: ParseContext) -> StackSetSpec:
    """The stack set of a section. Raises as `parse_stack` does."""
    action = cast("SetAction", context.wishes.action or section.action)
    checks = Checks(context.path, context.sensitive)
    describes = action == "deploy"
    parts = read_described(section, checks, context, needed=describes, required=describes)
    check_public(checks, section)
    check_name(checks, "name", section.name)
    check_times(checks, section.poll_interval)
    check_bucket(checks, section.artifact_bucket, section.artifact_prefix)
    check_stack_set(checks, section)
    check_tags(checks, parts.tags, parts.given.places)
    if describes:
        check_set_template(checks, section, parts)
    checks.found.raise_if_any()
    return StackSetSpec(
        name=section.name,
        action=action,
        dry_run=context.wishes.dry_run,
        token_prefix=token_prefix(context.title),
        template=parts.template,
        parameters=parts.given.parameters,
        instances=section.instances,
        operation=section.operation,
        section=msgspec.structs.replace(section, tags=dict(parts.tags)),
        warnings=tuple(checks.warnings),
    )


def token_prefix(title: str) -> str:
    """How client request tokens begin: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", f"calamari-{title}")[:_TOKEN_LENGTH].rstrip("-")


def _check_stack(section: CloudFormationSection, checks: Checks, action: Action) -> None:
    """What stands in the section alone."""
    if section.change_set.name is not None:
        check_name(checks, "change_set.name", section.change_set.name)
    check_topics(checks, section.notification_arns)
    if section.rollback_triggers:
        check_triggers(checks, section.rollback_triggers)
    check_bucket(checks, section.artifact_bucket, section.artifact_prefix)
    check_times(checks, section.poll_interval)
    if action in DESCRIBING and section.template is None and section.on_failed_create == "delete":
        message = "needs a template to make the stack anew of"
        checks.refuse("on_failed_create", message, "name the template, or remove it")
    if section.retain and action != "delete":
        # Whoever takes it for a DeletionPolicy loses what a deployment removes.
        checks.warn(
            "retain",
            f"counts for action 'delete' only: action '{action}' deletes what its template no "
            "longer has, unless a DeletionPolicy there keeps it",
        )
    if section.skip and action != "rollback":
        checks.warn("skip", f"counts for action 'rollback' only, not for '{action}'")


def _stack_policy(
    written: dict[str, Any] | str | None, given: Given, checks: Checks, context: ParseContext
) -> str | None:
    """The policy as compact JSON: the manifest's own, or that of the parameter file."""
    policy = given.stack_policy if written is None else written
    if isinstance(policy, str):
        named, policy = policy, None
        with checks.found:
            policy = _policy_file(named, context)
    if policy is None:
        return None
    text = json.dumps(policy, separators=(",", ":"))
    if len(text.encode()) > _POLICY_LIMIT:
        message = f"has {len(text.encode()):,} bytes, and AWS takes {_POLICY_LIMIT:,}"
        at = given.places.get("StackPolicy") if written is None else None
        checks.refuse("stack_policy", message, "join statements that say the same", at)
    return text


def _policy_file(written: str, context: ParseContext) -> dict[str, Any]:
    text = read_text(written, context, "stack_policy")
    try:
        policy = json.loads(text)
    except ValueError as error:
        message = "is no valid JSON"
        line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
        problem = Problem(message=message, file=written, line=line, column=column)
        raise ManifestError([problem]) from None
    if not isinstance(policy, dict):
        problem = Problem(
            message="must be a JSON object", file=written, hint='write {"Statement": […]}'
        )
        raise ManifestError([problem])
    return policy
