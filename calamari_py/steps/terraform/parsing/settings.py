"""What a section says beside files, variables and backend, and what of it fits the action."""

from __future__ import annotations

import re

from calamari_py.steps._checks import Checks
from calamari_py.steps.terraform.parsing.patterns import what_is_wrong
from calamari_py.steps.terraform.parsing.variables import is_name
from calamari_py.steps.terraform.sections import (
    Action,
    OutputsSection,
    TerraformSection,
    WorkspaceSection,
)
from calamari_py.steps.terraform.spec import Workspace

_SHA256 = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_WORKSPACE = re.compile(r"[A-Za-z0-9_.~$&+=:@][A-Za-z0-9_.~$&+=:@-]*", re.ASCII)
"""What Terraform takes (it is safe in a URL's path) but for a first ``-``, which is a flag's."""


def read_sha256(written: str | None, action: Action, checks: Checks) -> str | None:
    """The hash that the plan to apply must have, in lower case; None for the other actions."""
    field = "plan_sha256"
    if written is None:
        return None
    text = written.strip()
    if action == "apply":
        if not _SHA256.fullmatch(text):
            what = f"{checks.shown(field, written)} is no SHA-256" if text else "is blank"
            hint = "write the 64 hex digits of output variable PlanSha256"
            checks.refuse(field, what, hint)
        return text.lower()
    if text and action in ("deploy", "destroy"):
        message = f"cannot be kept: action '{action}' makes a plan of its own and applies that"
        checks.refuse(field, message, "write action: apply and the plan_file, or remove it")
    return None


def read_workspace(written: str | WorkspaceSection | None, checks: Checks) -> Workspace | None:
    """The workspace, None for the default one."""
    if written is None:
        return None
    if isinstance(written, str):
        field, found = "workspace", Workspace(name=written)
    else:
        field, found = "workspace.name", Workspace(name=written.name, create=written.create)
    if checks.is_secret("workspace.name"):
        message = "is made from a sensitive variable and would stand on a command line"
        checks.refuse(field, message, "use a name that may be seen")
    elif not _WORKSPACE.fullmatch(found.name):
        hint = "use letters, digits, '_', '.' and '-', and no '-' first"
        checks.refuse(field, f"{checks.shown(field, found.name)} is no name of a workspace", hint)
    return found


def check_addresses(section: TerraformSection, checks: Checks) -> None:
    """Addresses, and patterns of addresses, that name anything at all."""
    policy = section.policy
    for field, items in (
        ("targets", section.targets),
        ("replace", section.replace),
        ("policy.protect", policy.protect),
        ("policy.refuse_replace", policy.refuse_replace),
    ):
        for index, text in enumerate(items):
            place = f"{field}[{index}]"
            if not text.strip():
                checks.refuse(place, "is blank", "remove it, or write one like aws_instance.web")
            elif text != text.strip() or not text.isprintable():
                message = (
                    f"{checks.shown(place, text)} has blanks around it or is no printable text"
                )
                checks.refuse(place, message, "write the address as Terraform shows it")
            elif field.startswith("policy.") and (wrong := what_is_wrong(text)):
                checks.refuse(place, f"{checks.shown(place, text)} {wrong[0]}", wrong[1])


def check_numbers(section: TerraformSection, checks: Checks) -> None:
    """Numbers that mean something."""
    if section.parallelism is not None and section.parallelism < 1:
        checks.refuse("parallelism", "must be at least 1", "remove it: Terraform's own is 10")
    most = section.policy.max_destroy
    if most is not None and most < 0:
        checks.refuse("policy.max_destroy", "must not be negative", "write 0 to allow none")


def check_outputs(outputs: OutputsSection, checks: Checks) -> None:
    """Names that an output can have."""
    for field, names in (("expose", outputs.expose or ()), ("sensitive", outputs.sensitive)):
        for index, name in enumerate(names):
            place = f"outputs.{field}[{index}]"
            if not is_name(name):
                shown = checks.shown(place, name)
                hint = "write the name of an output block"
                checks.refuse(place, f"{shown} is no name of an output", hint)


def check_fitting(section: TerraformSection, action: Action, checks: Checks) -> None:
    """What contradicts itself is refused; what the action has no use for is said. One manifest
    serves several actions (``--action``), so that alone is no mistake."""
    if section.upgrade and section.lockfile == "readonly":
        message = "is true, and 'lockfile: readonly' lets nothing new in"
        checks.refuse("upgrade", message, "remove one of the two")
    given = {
        "targets": bool(section.targets),
        "replace": bool(section.replace),
        "refresh": not section.refresh,
    }
    for field, why in _unused(action).items():
        if given[field]:
            checks.warn(field, f"does nothing with action '{action}': {why}")


def _unused(action: Action) -> dict[str, str]:
    """Fields that say how a plan is made, and why the action pays no heed to them."""
    if action == "apply":
        why = "the plan is made already"
        return {"targets": why, "replace": why, "refresh": why}
    if action in ("destroy", "plan-destroy"):
        return {"replace": "nothing is left to be replaced"}
    if action == "drift":
        return {"replace": "it changes nothing", "refresh": "it looks at what is there"}
    return {}
