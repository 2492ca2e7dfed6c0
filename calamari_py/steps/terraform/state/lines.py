"""Lines that work when they are pasted: one Terraform command on the step's state, as its role."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from calamari_py.masking.forms import LONGEST_UNMASKED, to_bytes
from calamari_py.steps.base import Rerun
from calamari_py.steps.terraform.spec import TerraformSpec


def unlock_line(rerun: Rerun, spec: TerraformSpec, lock_id: str) -> str:
    """The line that frees the state's lock `lock_id`, whoever holds it."""
    return exec_line(rerun, spec, ("force-unlock", "-force", lock_id))


def push_line(rerun: Rerun, spec: TerraformSpec, state: Path) -> str:
    """The line that saves the state in the file `state` in its backend, and then removes the file:
    it holds secrets."""
    return exec_line(rerun, spec, ("state", "push", str(state)), remove=state)


def exec_line(
    rerun: Rerun, spec: TerraformSpec, command: Sequence[str], *, remove: Path | None = None
) -> str:
    """``calamari exec step.yaml … -- sh -c '…'``: `command` is Terraform's, without the program.

    The step's backend and workspace are chosen first, in a data folder of its own, so that nothing
    is left in the root module. `remove` is deleted after a success. What of the backend is secret
    is left out, and the line says so in a remark at its end.
    """
    tool = shlex.quote(str(spec.binary) if "/" in spec.binary_name else spec.binary_name)
    script = [
        f"cd {shlex.quote(str(spec.directory))}",
        # The shell that it is pasted into may choose another workspace.
        'unset TF_WORKSPACE && export TF_DATA_DIR="$CALAMARI_TEMP/terraform"',
        f"{tool} init -input=false{''.join(f' {flag}' for flag in _init_flags(spec))}",
    ]
    if spec.workspace is not None:
        script.append(f"{tool} workspace select {shlex.quote(spec.workspace.name)}")
    script.append(f"{tool} {shlex.join(command)}")
    if remove is not None:
        script.append(f"rm {shlex.quote(str(remove))}")
    line = shlex.join(rerun.exec_words("sh", "-c", " && ".join(script)))
    remarks = [
        *rerun.remarks,
        *(f"add -backend-config={key}=…, a secret" for key in _left_out(spec)),
    ]
    return f"{line}  # {'; '.join(remarks)}" if remarks else line


def _init_flags(spec: TerraformSpec) -> Iterator[str]:
    left_out = set(_left_out(spec))
    for key, value in spec.backend.items():
        if value is not None and key not in left_out:
            yield shlex.quote(f"-backend-config={key}={_flag_value(value)}")
    if spec.plugin_mirror is not None:
        yield shlex.quote(f"-plugin-dir={spec.plugin_mirror}")
    if spec.lockfile_readonly:
        yield "-lockfile=readonly"


def _flag_value(value: Any) -> str:
    """As ``-backend-config`` reads it: a text as it is, and what has parts as an HCL expression,
    in which JSON is at home but for its templates."""
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "$${").replace("%{", "%%{")


def _left_out(spec: TerraformSpec) -> Iterator[str]:
    """The keys of the backend whose values are secrets, or hold one of another place."""
    places = [re.split(r"[.\[]", name) for name, _value in spec.secrets]
    named = {key for head, key, *_rest in places if head == "backend"}
    masked = [value for _name, value in spec.secrets if len(to_bytes(value)) > LONGEST_UNMASKED]
    for key, value in spec.backend.items():
        if key in named or any(secret in text for secret in masked for text in _texts(value)):
            yield key


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif value is not None:
        yield str(value)
