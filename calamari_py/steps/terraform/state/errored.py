"""A state that Terraform could not save: kept, told of, and never forgotten by a later run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from calamari_py.channel import ChildFileRefused, opened_child_file
from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepContext
from calamari_py.steps.terraform.reading.sensitive import hide_all, sensitive_values
from calamari_py.steps.terraform.reading.written import mapping, read_json
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.state.ends import tell_lock
from calamari_py.steps.terraform.state.lines import push_line, unlock_line
from calamari_py.steps.terraform.state.locks import when_locked
from calamari_py.steps.terraform.state.looking import look_at_lock
from calamari_py.steps.terraform.state.places import (
    ERRORED,
    is_local,
    leave_link,
    left_link,
    leftover,
)
from calamari_py.steps.terraform.state.whose import Overheard, Whose
from calamari_py.steps.terraform.work import Work


def check_leftover(spec: TerraformSpec, context: StepContext, *, refuses: bool = True) -> None:
    """ToolFailed where an earlier run, or an earlier attempt of this one, left a state that could
    not be saved: applying anything to the older one would make things a second time. Where it
    `refuses` nothing, for nothing is applied, it warns."""
    paths = _left_before(spec)
    if not paths:
        return
    state = paths[0]
    context.report.fact("errored_state", str(state))
    unsaved = f"'{state}' is a state that could not be saved"
    why = "" if os.path.lexists(state) else f", which '{paths[-1]}' names, and it is not there"
    push = push_line(context.rerun(), spec, *paths)
    way = "save it, or remove it if it is known to be of no use"
    if why:
        way = f"bring that file back from where artifacts are kept, or remove '{paths[-1]}'; then"
    hint = f"{way}:\n{push}"
    if not refuses:
        context.report.warn(f"{unsaved}{why}: what is looked at now is one that knows less", hint)
        return
    raise ToolFailed(
        f"{unsaved}{why}, and what is applied now would start from one that knows less", hint=hint
    )


def rescue(work: Work, overheard: Overheard) -> bool:
    """Keep the state that a bad end left in the root module, if it did: as an artifact, byte for
    byte, and only then removed. What is secret in it is masked before anything is said. One that
    another run has left there is not touched, and one that may be another's is copied. Whether
    there is one that may be of this run."""
    path = leftover(work.spec)
    if path is None:
        return False
    try:
        content = _made_private(path)
    except ChildFileRefused as refused:
        work.report.setback(
            f"the state was not saved, and '{path}' cannot be kept: it {refused}",
            "keep that file by hand before anything else is applied",
        )
        return True
    whose = overheard.whose(content)
    if whose == "another's":
        work.report.warn(
            f"'{path}' is a state that another run in that folder could not save: it stays there",
            "nothing else is applied there until it is saved",
        )
        if not overheard.is_calm:
            tell_lock(work, may_be_ours=True)
        return False
    try:
        hide_all(work.report, sensitive_values(_shown(content)))
    finally:
        # That nobody reads any more is no reason to lose it.
        kept = _keep(work, path, content, moves=whose == "ours")
    _tell(work, kept, whose)
    return True


def hide_leftover(work: Work) -> None:
    """Mask what is secret in the state that a bad end left, before anything is said of that end."""
    path = leftover(work.spec)
    if path is not None:
        with suppress(ChildFileRefused):
            hide_all(work.report, sensitive_values(_shown(_made_private(path))))


def _left_before(spec: TerraformSpec) -> tuple[Path, ...]:
    """The file, and then the link that leads to it; nothing where nothing is left."""
    path = leftover(spec)
    if path is not None:
        return (path,)
    link = left_link(spec)
    return () if link is None else (link.parent / link.readlink(), link)


def _made_private(path: Path) -> bytes:
    """What is in it; from now on nobody else may read it."""
    with opened_child_file(path) as file:
        os.fchmod(file.fileno(), 0o600)
        return file.read()


def _keep(work: Work, path: Path, content: bytes, *, moves: bool) -> tuple[Path, ...]:
    """Where it is now, and what else is of it: the artifact and a link to it, or the file where it
    was, or both. The result knows."""
    kept = work.report.artifact(path, ERRORED, as_it_is=True)
    if kept is None or not _is_whole(kept, content):
        found: tuple[Path, ...] = (path,)
    elif moves and leave_link(work.spec, kept):
        with suppress(OSError):
            path.unlink()
        found = _left_before(work.spec)
    else:
        found = (kept, path)
    work.report.fact("errored_state", str(found[0]))
    return found


def _is_whole(kept: Path, content: bytes) -> bool:
    try:
        return kept.read_bytes() == content
    except OSError:
        return False


def _tell(work: Work, found: tuple[Path, ...], whose: Whose) -> None:
    push = push_line(work.context.rerun(), work.spec, *found)
    if whose == "ours":
        text = f"the state could not be saved; what was done is known to '{found[0]}' alone"
        steps = [f"when the backend is there again, save it:\n{push}"]
    else:
        where = " and ".join(f"'{path}'" for path in found)
        text = f"a state could not be saved, by this run or by another in that folder: {where}"
        steps = [f"if it is the state of this step, save it:\n{push}"]
    if not is_local(work.files):
        seen = look_at_lock(work)
        if seen.lock is not None:
            free = unlock_line(work.context.rerun(), work.spec, seen.lock.id)
            steps.insert(0, f"the state is still locked; free it first:\n{free}")
        elif not seen.is_free:
            steps.append(when_locked(work))
    work.report.setback(f"{text}; it holds secrets", "\n".join(steps))


def _shown(content: bytes) -> dict[str, Any]:
    """What is sensitive in a state file, in the shape in which Terraform shows a state."""
    try:
        state = mapping(read_json(content))
    except (ValueError, RecursionError):
        return {}
    marked = []
    for resource in map(mapping, _list(state.get("resources"))):
        address = f"{resource.get('type')}.{resource.get('name')}"
        for instance in map(mapping, _list(resource.get("instances"))):
            for path in _list(instance.get("sensitive_attributes")):
                value = _at(instance.get("attributes"), _list(path))
                marked.append({"address": address, "values": value, "sensitive_values": True})
    return {"values": {"outputs": state.get("outputs"), "root_module": {"resources": marked}}}


def _at(value: Any, path: list[Any]) -> Any:
    """What is at a path of steps ``{"type": "get_attr", "value": "name"}``; None where nothing is.
    A step into a set names none of its elements: then it is the whole."""
    for step in path:
        key = mapping(step).get("value")
        if isinstance(key, dict):
            key = key.get("value")
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return value
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
