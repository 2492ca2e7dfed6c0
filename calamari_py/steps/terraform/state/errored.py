"""A state that Terraform could not save: kept, told of, and never forgotten by a later run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from calamari_py.channel import ChildFileRefused, opened_child_file
from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepContext
from calamari_py.steps.terraform.reading.sensitive import hide_all, sensitive_values
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.state.lines import push_line, unlock_line
from calamari_py.steps.terraform.state.locks import left_lock, when_locked
from calamari_py.steps.terraform.state.places import ERRORED, is_local, leftover
from calamari_py.steps.terraform.work import Work


def check_leftover(spec: TerraformSpec, context: StepContext) -> None:
    """ToolFailed where an earlier run, or an earlier attempt of this one, left a state that could
    not be saved: applying anything to the older one would make things a second time."""
    path = leftover(spec)
    who = "an earlier run"
    if path is None:
        path = _rescued(context)
        who = "the attempt before"
    if path is not None:
        context.report.fact("errored_state", str(path))
        push = push_line(context.rerun(), spec, path)
        raise ToolFailed(
            f"'{path}' is a state that {who} could not save, and what is applied now would start "
            "from one that knows less",
            hint=f"save it, or remove it if it is known to be of no use:\n{push}",
        )


def rescue(work: Work) -> None:
    """Keep the state that a bad end left in the root module, if it did: as an artifact, byte for
    byte, and only then removed. What is secret in it is masked before anything is said."""
    path = leftover(work.spec)
    if path is None:
        return
    try:
        content = _made_private(path)
    except ChildFileRefused as refused:
        work.report.setback(
            f"the state was not saved, and '{path}' cannot be kept: it {refused}",
            "keep that file by hand before anything else is applied",
        )
        return
    try:
        hide_all(work.report, sensitive_values(_shown(content)))
    finally:
        # That nobody reads any more is no reason to lose it.
        kept = _keep(work, path, content)
    _tell(work, kept)


def _mark(context: StepContext) -> Path:
    """The file that names it to a later attempt, beside the folders of all of them."""
    return context.temp.parent / "state-not-saved"


def _rescued(context: StepContext) -> Path | None:
    try:
        return Path(_mark(context).read_text("utf-8", "surrogateescape"))
    except OSError:
        return None


def _made_private(path: Path) -> bytes:
    """What is in it; from now on nobody else may read it."""
    with opened_child_file(path) as file:
        os.fchmod(file.fileno(), 0o600)
        return file.read()


def _keep(work: Work, path: Path, content: bytes) -> Path:
    """Where it is now: the artifact, or where it was. The result knows."""
    kept = work.report.artifact(path, ERRORED, as_it_is=True)
    if kept is None or not _is_whole(kept, content):
        kept = path
    else:
        with suppress(OSError):
            path.unlink()
    with suppress(OSError):
        _mark(work.context).write_text(str(kept), "utf-8", "surrogateescape")
    work.report.fact("errored_state", str(kept))
    return kept


def _is_whole(kept: Path, content: bytes) -> bool:
    try:
        return kept.read_bytes() == content
    except OSError:
        return False


def _tell(work: Work, kept: Path) -> None:
    rerun = work.context.rerun()
    steps = [f"when the backend is there again, save it:\n{push_line(rerun, work.spec, kept)}"]
    if not is_local(work.files):
        lock = left_lock(work)
        if lock is not None:
            free = unlock_line(rerun, work.spec, lock.id)
            steps.insert(0, f"the state is still locked; free it first:\n{free}")
        else:
            steps.append(when_locked(work))
    work.report.setback(
        f"the state could not be saved; what was done is known to '{kept}' alone, which holds "
        "secrets",
        "\n".join(steps),
    )


def _shown(content: bytes) -> dict[str, Any]:
    """What is sensitive in a state file, in the shape in which Terraform shows a state."""
    try:
        state = _mapping(json.loads(content))
    except (ValueError, RecursionError):
        return {}
    marked = []
    for resource in map(_mapping, _list(state.get("resources"))):
        address = f"{resource.get('type')}.{resource.get('name')}"
        for instance in map(_mapping, _list(resource.get("instances"))):
            for path in _list(instance.get("sensitive_attributes")):
                value = _at(instance.get("attributes"), _list(path))
                marked.append({"address": address, "values": value, "sensitive_values": True})
    return {"values": {"outputs": state.get("outputs"), "root_module": {"resources": marked}}}


def _at(value: Any, path: list[Any]) -> Any:
    """What is at a path of steps ``{"type": "get_attr", "value": "name"}``; None where nothing is.
    A step into a set names none of its elements: then it is the whole."""
    for step in path:
        key = _mapping(step).get("value")
        if isinstance(key, dict):
            key = key.get("value")
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return value
    return value


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
