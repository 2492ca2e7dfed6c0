"""Files and folders that a section names, relative to its manifest."""

from __future__ import annotations

import json
import os
from pathlib import Path

from calamari_py.manifest.launcher_files import launchers_file
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.terraform.sections import Action
from calamari_py.variables import SourceUnreadable, from_file

_FILE_LIMIT = 16_000_000
"""Bytes of one file of variables."""
_CONFIGURATION = (".tf", ".tf.json")
_OF_OPENTOFU = (".tofu", ".tofu.json")
_NO_PLANS = (
    *_CONFIGURATION, *_OF_OPENTOFU, ".tfvars", ".tfvars.json", ".tfstate", ".hcl", ".yaml", ".yml",
)  # fmt: skip
"""What the name of a file that holds something else ends with."""


def read_directory(written: str, binary: str, checks: Checks, context: ParseContext) -> Path:
    """The root module's folder. One without a configuration is refused: as far as Terraform is
    concerned, all that it once described is to be destroyed."""
    folder = Path(os.path.realpath(context.folder / written))
    shown = checks.shown("directory", written)
    relative = f"correct the path; it is relative to {context.folder}"
    try:
        names = os.listdir(folder)
    except NotADirectoryError:
        checks.missing("directory", f"{shown} is a file, not a folder", "name the folder it is in")
    except FileNotFoundError:
        checks.missing("directory", f"{shown} does not exist", relative)
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        checks.missing("directory", f"{shown} cannot be read: {why}")
    else:
        if not _is_root_module(names, binary):
            checks.missing("directory", f"{shown} holds no configuration (*.tf)", relative)
    return folder


def _is_root_module(names: list[str], binary: str) -> bool:
    """Terraform passes over hidden files. OpenTofu reads names of its own, too."""
    reads_its_own = not Path(binary).name.startswith("terraform")
    endings = (*_CONFIGURATION, *(_OF_OPENTOFU if reads_its_own else ()))
    return any(name.endswith(endings) and not name.startswith(".") for name in names)


def read_variable_files(
    written: tuple[str, ...], checks: Checks, context: ParseContext
) -> tuple[Path, ...]:
    """The files of variables, each of which was read once: what is wrong with one is told before
    ``init``, and not by it."""
    return tuple(
        _variable_file(f"variable_files[{index}]", name, checks, context)
        for index, name in enumerate(written)
    )


def _variable_file(field: str, written: str, checks: Checks, context: ParseContext) -> Path:
    path = _absolute(written, context)
    if not written.strip():
        checks.refuse(field, "is blank", "remove it, or name a .tfvars file")
    elif context.launchers(path):
        checks.refuse(field, *launchers_file(written))
    elif not written.endswith((".tfvars", ".tfvars.json")):
        shown = checks.shown(field, written)
        message = f"{shown} ends neither in .tfvars nor in .tfvars.json"
        checks.refuse(field, message, "rename it: Terraform tells HCL from JSON by the name")
    else:
        _check_content(field, written, path, checks, context)
    return path


def _check_content(
    field: str, written: str, path: Path, checks: Checks, context: ParseContext
) -> None:
    try:
        text = from_file(path, shown=written, limit=_FILE_LIMIT)
    except SourceUnreadable as error:
        hint = error.hint
        if error.message.endswith("does not exist"):
            hint = f"correct the path; it is relative to {context.folder}"
        (checks.missing if error.missing else checks.refuse)(field, error.message, hint)
        return
    text = text.removeprefix("\ufeff")
    if not text.strip():
        hint = "write variables into it, a comment if there are none, or remove it from the list"
        checks.refuse(field, f"'{written}' is blank", hint)
    elif written.endswith(".json"):
        _check_json(field, written, text, checks)


def _check_json(field: str, written: str, text: str, checks: Checks) -> None:
    try:
        content = json.loads(text)
    except ValueError as error:
        place = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "somewhere"
        checks.refuse(field, f"'{written}' is no valid JSON ({place})", "correct the file")
    except RecursionError:
        checks.refuse(field, f"'{written}' is nested too deeply", "write it flatter")
    else:
        if not isinstance(content, dict):
            message = f"'{written}' holds no JSON object"
            checks.refuse(field, message, 'write names and values: {"stage": "dev"}')


def read_plan_file(
    written: str | None, action: Action, checks: Checks, context: ParseContext
) -> Path | None:
    """Where ``plan`` and ``plan-destroy`` leave a plan, and ``apply`` finds it; None for the
    others: one manifest serves all of them."""
    field = "plan_file"
    if action not in ("plan", "plan-destroy", "apply"):
        return None
    if written is None or not written.strip():
        does = "find" if action == "apply" else "leave"
        message = f"is missing: action '{action}' has to {does} a plan there"
        checks.refuse(field, message, "write plan_file: plan.tfplan")
        return None
    path = _absolute(written, context)
    shown = checks.shown(field, written)
    if context.launchers(path):
        checks.refuse(field, *launchers_file(written))
    elif os.path.isdir(path):
        checks.refuse(field, f"{shown} is a folder", "name a file in it, such as plan.tfplan")
    elif action == "apply":
        _check_plan_is_there(path, shown, checks, context)
    else:
        _check_plan_can_be_left(path, shown, checks)
    return path


def _check_plan_is_there(path: Path, shown: str, checks: Checks, context: ParseContext) -> None:
    if not os.path.exists(path):
        hint = f"run action 'plan' first; the path is relative to {context.folder}"
        checks.missing("plan_file", f"{shown} does not exist", hint)
    elif not os.path.isfile(path):
        checks.refuse("plan_file", f"{shown} is no regular file", "name the plan itself")


def _check_plan_can_be_left(path: Path, shown: str, checks: Checks) -> None:
    if os.path.islink(path):
        message = f"{shown} is a link: a plan holds secrets and is left at no other place"
        checks.refuse("plan_file", message, "remove the link, or name another file")
    elif path.name.endswith(_NO_PLANS):
        message = f"{shown} is named like a file that is no plan, and would be replaced by one"
        checks.refuse("plan_file", message, "name another file, such as plan.tfplan")
    elif not os.path.isdir(path.parent):
        checks.missing(
            "plan_file", f"the folder of {shown} does not exist", "make it before the step runs"
        )


def read_plugin_folder(
    field: str, written: str | None, checks: Checks, context: ParseContext, *, made: bool
) -> Path | None:
    """The folder that providers come from, or, when it is `made` where there is none, are kept
    in."""
    if written is None:
        return None
    path = _absolute(written, context)
    shown = checks.shown(field, written)
    if not written.strip():
        checks.refuse(field, "is blank", "remove it, or name a folder")
    elif os.path.isdir(path):
        return path
    elif os.path.exists(path) or os.path.islink(path):
        checks.missing(field, f"{shown} is no folder", "name a folder")
    elif not made:
        hint = "fill it with: terraform providers mirror FOLDER"
        checks.missing(field, f"{shown} does not exist", hint)
    elif not os.path.isdir(path.parent):
        hint = "make that folder: the cache itself is made when it is needed"
        checks.missing(field, f"the folder of {shown} does not exist", hint)
    return path


def _absolute(written: str, context: ParseContext) -> Path:
    """With a link at its end as it is."""
    return Path(os.path.abspath(context.folder / written))
