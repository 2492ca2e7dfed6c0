"""What a step would do to its stack set, in sentences: what ``explain`` shows."""

from __future__ import annotations

from calamari_py.steps.cloudformation.sections import InstancesSection
from calamari_py.steps.cloudformation.spec import StackSetSpec


def intentions(spec: StackSetSpec) -> tuple[str, ...]:
    """One sentence for each thing that is done, in order."""
    name = f"stack set '{spec.name}'"
    if spec.action == "watch":
        return (f"follow what runs on {name}, or ran last, to its outcome",)
    said = _deletion(spec, name) if spec.action == "delete" else _deployment(spec, name)
    return (f"only say what would be done: {said[0]}",) if spec.dry_run else tuple(said)


def _deletion(spec: StackSetSpec, name: str) -> list[str]:
    groups = [_shown(group) for group in spec.instances]
    if not groups:
        return [f"delete {name} if it is empty: the manifest names no instances to take out"]
    which = f"those in {'; '.join(groups)}"
    fate = "leaving their stacks where they are" if spec.section.retain_stacks else "and the stacks"
    return [f"take the instances of {name} out, {which}, {fate}", f"delete {name} if it is empty"]


def _deployment(spec: StackSetSpec, name: str) -> list[str]:
    template = f" from {spec.template.shown}" if spec.template else ""
    return [
        f"create {name}{template}, or update it and all of its instances where it differs",
        *(f"have instances in {_shown(group)}" for group in spec.instances),
        "follow every operation, account by account, and leave other instances where they are",
    ]


def _shown(group: InstancesSection) -> str:
    """``2 accounts in us-east-1, eu-west-1``."""
    regions = ", ".join(group.regions)
    accounts, units = group.accounts or (), group.organizational_units or ()
    shown_accounts = f"{len(accounts)} account{'' if len(accounts) == 1 else 's'}"
    shown_units = ", ".join(units)
    if not units:
        return f"{shown_accounts} in {regions}"
    words = {"intersection": "of", "difference": "less than all of"}
    if not accounts:
        return f"{shown_units} in {regions}"
    how = words[group.account_filter or "intersection"]
    return f"{shown_accounts} {how} {shown_units} in {regions}"
