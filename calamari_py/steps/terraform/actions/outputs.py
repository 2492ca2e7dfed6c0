"""What a configuration hands on: its outputs as output variables ``Outputs.<name>``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from calamari_py.errors import CalamariError, ToolFailed
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.terraform.actions.log_file import keep_log
from calamari_py.steps.terraform.reading.sensitive import hide_all, sensitive_values
from calamari_py.steps.terraform.values import StateOutput
from calamari_py.steps.terraform.work import Work


def publish(work: Work) -> int:
    """Publish the outputs that ``outputs.expose`` asks for, and say how many those are. ToolFailed
    when they cannot be read, or when one that is asked for is not there."""
    found = work.tool.outputs()
    listed = set(work.spec.sensitive_outputs)
    hidden = [one for one in found if one.sensitive or one.name in listed]
    # A text that holds a secret may stand in another output, too: all of them are known first.
    hide_all(work.report, sensitive_values(_as_state(hidden)))
    chosen = _chosen(found, work.spec.expose)
    for one in chosen:
        text = text_of(one.value)
        work.report.output(f"Outputs.{one.name}", text, sensitive=one in hidden)
    if missing := sorted(listed - {one.name for one in found}):
        work.report.warn(
            f"'outputs.sensitive' lists {_names(missing)}, which the configuration does not have",
            hint="correct the name: an output that is not listed is shown as it is",
        )
    return len(chosen)


def publish_after(work: Work, *, applied: bool, unknown: CalamariError | None = None) -> None:
    """Publish them after what the step is for was done: a failure does not undo it, and says so.
    `unknown` is why nobody knows what is secret in them."""
    try:
        if unknown is not None:
            raise unknown
        publish(work)
    except Stopped:
        raise
    except CalamariError as error:
        keep_log(work.files, work.report)
        what = "the plan was applied, but" if applied else "nothing had to be changed, but"
        work.report.setback(
            f"{what} its outputs were not published: {error}",
            hint=error.hint or "run the step once more with --action output",
        )


def text_of(value: Any) -> str:
    """A string as it is, everything else as compact JSON: ``true``, ``3``, ``["a"]``, ``null``."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _chosen(found: Sequence[StateOutput], expose: Sequence[str] | None) -> list[StateOutput]:
    if expose is None:
        return list(found)
    by_name = {one.name: one for one in found}
    if missing := [name for name in expose if name not in by_name]:
        there = _names(sorted(by_name)) if by_name else "none at all"
        raise ToolFailed(
            f"'outputs.expose' names {_names(missing)}, which the state does not have",
            hint=f"its outputs are {there}; one without a value is in no state",
        )
    return [by_name[name] for name in expose]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _as_state(outputs: Sequence[StateOutput]) -> dict[str, Any]:
    """A state document with these outputs, all of them sensitive."""
    named = {one.name: {"sensitive": True, "value": one.value} for one in outputs}
    return {"values": {"outputs": named}}
