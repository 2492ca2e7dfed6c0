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


def push_line(rerun: Rerun, spec: TerraformSpec, state: Path, *more: Path) -> str:
    """The line that saves the state in the file `state` in its backend, and then removes the file,
    which holds secrets, and `more` of it: its link."""
    return exec_line(rerun, spec, ("state", "push", str(state)), remove=(state, *more))


def exec_line(
    rerun: Rerun, spec: TerraformSpec, command: Sequence[str], *, remove: Sequence[Path] = ()
) -> str:
    """``calamari exec step.yaml … -- sh -c '…'``: `command` is Terraform's, without the program.

    The step's backend and workspace are chosen first, in a data folder of its own, so that nothing
    is left in the root module. `remove` are deleted after a success. What of the backend is secret
    is left out, and the line says so in a remark at its end.
    """
    tool = shlex.quote(str(spec.binary) if "/" in spec.binary_name else spec.binary_name)
    script = [
        f"cd {shlex.quote(str(spec.directory))}",
        'export TF_DATA_DIR="$CALAMARI_TEMP/terraform"',
        *_init(spec, tool),
    ]
    if spec.workspace is not None:
        script.append(f"{tool} workspace select {shlex.quote(spec.workspace.name)}")
    script.append(f"{tool} {shlex.join(command)}")
    if remove:
        script.append(shlex.join(("rm", *map(str, remove))))
    line = shlex.join(rerun.exec_words("sh", "-c", " && ".join(script)))
    remarks = [
        *rerun.remarks,
        *(f"add -backend-config={key}=…, a secret" for key in _left_out(spec)),
    ]
    return f"{line}  # {'; '.join(remarks)}" if remarks else line


def _init(spec: TerraformSpec, tool: str) -> Iterator[str]:
    """A text of the backend is a flag as it is; what has parts is a file, where any block can be
    written."""
    left_out = set(_left_out(spec))
    words = [tool, "init", "-input=false"]
    parts = {}
    for key, value in spec.backend.items():
        if value is None or key in left_out:
            continue
        if isinstance(value, dict | list | tuple):
            parts[key] = value
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            words.append(shlex.quote(f"-backend-config={key}={text}"))
    if parts:
        file = '"$CALAMARI_TEMP/backend.json"'
        yield f"printf %s {shlex.quote(json.dumps(parts, ensure_ascii=False))} > {file}"
        words.append(f"-backend-config={file}")
    if spec.plugin_mirror is not None:
        words.append(shlex.quote(f"-plugin-dir={spec.plugin_mirror}"))
    if spec.lockfile_readonly:
        words.append("-lockfile=readonly")
    yield " ".join(words)


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
