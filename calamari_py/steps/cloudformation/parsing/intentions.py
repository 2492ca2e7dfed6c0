"""What a step would do to its stack, in sentences: what ``explain`` shows."""

from __future__ import annotations

from collections.abc import Iterator

from calamari_py.identity import count_text
from calamari_py.steps.cloudformation.spec import INLINE_LIMIT, StackSpec


def intentions(spec: StackSpec) -> tuple[str, ...]:
    """One sentence for each thing that is done, in order; "would stop" after a rehearsal's last."""
    return tuple(_sentences(spec))


def _sentences(spec: StackSpec) -> list[str]:
    name = f"stack '{spec.stack_name}'"
    match spec.action:
        case "delete":
            kept = f", leaving {', '.join(spec.retain)} behind if need be" if spec.retain else ""
            return _rehearsal(spec, [f"delete {name}{kept}{_as_role(spec)}"])
        case "rollback":
            skip = f", without {', '.join(spec.skip)}" if spec.skip else ""
            back = f"bring {name} back to its last steady state{skip}"
            return _rehearsal(spec, [f"{back}{_as_role(spec)}"])
        case "watch":
            if spec.resume is not None:
                return [f"follow the one operation of {name} that --resume names, to its outcome"]
            return [f"follow what runs on {name}, or ran last, to its outcome"]
        case "execute":
            named = f"the change set '{spec.change_set.name}' of {name}"
            only = f"the change set of {name} that waits for approval"
            said = [f"show {named if spec.change_set.name else only}", *_gate(spec)]
            return said if spec.dry_run else [*said, *_execution(spec)]
        case _:
            return _deployment(spec, name)


def _deployment(spec: StackSpec, name: str) -> list[str]:
    template = f"from {spec.template.shown}" if spec.template else "with the template it has"
    said = [*_upload(spec), f"make a change set for {name} {template}, and show it"]
    said += [*_described(spec), *_gate(spec)]
    if spec.recreate_failed:
        said.insert(0, f"delete {name} first if its creation failed and it never lived")
    if spec.action == "diff" or spec.dry_run:
        return [*said, "stop there: drop the change set, change nothing"]
    if spec.action == "change-set" or spec.change_set.approve == "manual":
        return [*said, "stop there: leave the change set for approval"]
    return [*said, *_execution(spec)]


def _upload(spec: StackSpec) -> Iterator[str]:
    size = spec.template.size if spec.template else None
    if size is not None and size > INLINE_LIMIT and spec.artifact_bucket is not None:
        yield f"put the template ({size:,} bytes) into the bucket '{spec.artifact_bucket}'"


def _described(spec: StackSpec) -> Iterator[str]:
    """What the change set says beside the template. Names of parameters only, never a value."""
    if spec.imports:
        names = ", ".join(f"{item.logical_id} ({item.resource_type})" for item in spec.imports)
        yield f"import {names} into it"
    given = [item.key for item in spec.parameters if item.value is not None]
    kept = [item.key for item in spec.parameters if item.value is None]
    if given:
        yield f"give it the parameters {', '.join(given)}"
    if kept:
        yield f"keep what the stack has for {', '.join(kept)}"
    if spec.capabilities:
        yield f"acknowledge {', '.join(spec.capabilities)}"
    if spec.role_arn is not None:
        yield f"have CloudFormation work as '{spec.role_arn}'"
    triggers = spec.rollback_triggers
    count = len((*triggers.alarms, *triggers.composite_alarms)) if triggers is not None else 0
    if count:
        yield f"have CloudFormation roll back when {count_text(count, 'alarm')} goes off"
    if spec.notification_arns:
        yield f"have CloudFormation notify {count_text(len(spec.notification_arns), 'topic')}"


def _execution(spec: StackSpec) -> Iterator[str]:
    kept = "keep what was done" if spec.keep_on_failure else "CloudFormation rolls back"
    yield f"execute it and follow its events; if it fails, {kept}"
    if spec.cancel_update:
        yield "call an update off if this step is cancelled"
    if spec.stack_policy is not None:
        yield "set the stack policy"
    if spec.termination_protection is not None:
        yield f"turn termination protection {'on' if spec.termination_protection else 'off'}"
    yield "publish the stack's outputs"


def _gate(spec: StackSpec) -> list[str]:
    words = {"replace": "replaces", "delete": "deletes"}
    refused = " or ".join(words[one] for one in spec.change_set.refuse)
    return [f"refuse it if it {refused} a resource"] if refused else []


def _as_role(spec: StackSpec) -> str:
    return f"; CloudFormation works as '{spec.role_arn}'" if spec.role_arn else ""


def _rehearsal(spec: StackSpec, said: list[str]) -> list[str]:
    return [f"only say what would be done: {said[0]}"] if spec.dry_run else said
