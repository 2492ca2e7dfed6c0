"""Plans for tests: recorded ones, and small ones made up."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from calamari_py.steps.terraform.reading.plan import read_plan
from calamari_py.steps.terraform.values import Change, Plan

PLANS = Path(__file__).with_name("plans")


@cache
def _text(name: str) -> str:
    return (PLANS / f"{name}.json").read_text()


def recorded(name: str) -> dict[str, Any]:
    """The recorded document ``name.json``."""
    document: dict[str, Any] = json.loads(_text(name))
    return document


def resource(address: str, *actions: str, **more: Any) -> dict[str, Any]:
    """One of ``resource_changes``; `more` are fields of its own, or of its ``change``."""
    module, _, local = address.rpartition("module.")
    own = {"previous_address", "module_address", "mode", "type", "deposed", "action_reason"}
    change = {key: value for key, value in more.items() if key not in own}
    return {
        "address": address,
        "mode": "managed",
        "type": "aws_sqs_queue",
        "name": local or module,
        "change": {"actions": list(actions), **change},
        **{key: value for key, value in more.items() if key in own},
    }


def document(*resources: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A plan that does this."""
    return {"format_version": "1.2", "resource_changes": list(resources), **more}


def plan(*resources: dict[str, Any], **more: Any) -> Plan:
    """The same, read."""
    return read_plan(document(*resources, **more))


def only(*resources: dict[str, Any], **more: Any) -> Change:
    """The one change of such a plan."""
    (change,) = plan(*resources, **more).changes
    return change
