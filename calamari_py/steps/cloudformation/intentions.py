"""What a step would do to its stack, in sentences: what ``explain`` shows."""

from __future__ import annotations

from calamari_py.steps.cloudformation.spec import StackSpec


def intentions(spec: StackSpec) -> tuple[str, ...]:
    """One sentence for each thing that is done, in order; "would stop" after a rehearsal's last."""
    return tuple(_sentences(spec))


def _sentences(spec: StackSpec) -> list[str]:
    name = f"stack '{spec.stack_name}'"
    match spec.action:
        case "delete":
            kept = f", leaving {', '.join(spec.retain)} behind if need be" if spec.retain else ""
            return _rehearsal(spec, [f"delete {name}{kept}"])
        case "rollback":
            skip = f", without {', '.join(spec.skip)}" if spec.skip else ""
            return _rehearsal(spec, [f"bring {name} back to its last steady state{skip}"])
        case "watch":
            return [f"follow what runs on {name}, or ran last, to its outcome"]
        case "execute":
            named = f"'{spec.change_set.name}'" if spec.change_set.name else "that is pending"
            said = [f"show the change set {named} of {name}", *_gate(spec)]
            return said if spec.dry_run else [*said, *_execution(spec)]
        case _:
            return _deployment(spec, name)


def _deployment(spec: StackSpec, name: str) -> list[str]:
    template = f"from {spec.template.shown}" if spec.template else "with the template it has"
    said = [f"make a change set for {name} {template}, and show it", *_gate(spec)]
    if spec.recreate_failed:
        said.insert(0, f"delete {name} first if its creation failed and it never lived")
    if spec.action == "diff" or spec.dry_run:
        return [*said, "stop there: drop the change set, change nothing"]
    if spec.action == "change-set" or spec.change_set.approve == "manual":
        return [*said, "stop there: leave the change set for approval"]
    return [*said, *_execution(spec)]


def _execution(spec: StackSpec) -> list[str]:
    kept = "keep what was done" if spec.keep_on_failure else "CloudFormation rolls back"
    said = [f"execute it and follow its events; if it fails, {kept}"]
    if spec.stack_policy is not None:
        said.append("set the stack policy")
    if spec.termination_protection is not None:
        said.append(f"turn termination protection {'on' if spec.termination_protection else 'off'}")
    said.append("publish the stack's outputs")
    return said


def _gate(spec: StackSpec) -> list[str]:
    words = {"replace": "replaces", "delete": "deletes"}
    refused = " or ".join(words[one] for one in spec.change_set.refuse)
    return [f"refuse it if it {refused} a resource"] if refused else []


def _rehearsal(spec: StackSpec, said: list[str]) -> list[str]:
    return [f"only say what would be done: {said[0]}"] if spec.dry_run else said
