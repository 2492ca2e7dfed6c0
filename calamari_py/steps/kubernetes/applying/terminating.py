"""Namespaces that are being deleted take nothing in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.values import ref_of


def refuse_terminating(bodies: Iterable[Mapping[str, Any]]) -> None:
    """Raises ToolFailed for a namespace among `bodies` that is being deleted."""
    for body in bodies:
        if body.get("kind") != "Namespace" or not body["metadata"].get("deletionTimestamp"):
            continue
        what_blocks = blocked_by(body)
        raise ToolFailed(
            f"namespace '{ref_of(body).name}' is being deleted, and takes nothing in",
            hint="wait until it is gone and run again"
            + (f"; it waits for: {what_blocks}" if what_blocks else ""),
        )


def blocked_by(body: Mapping[str, Any]) -> str:
    """What an object that is being deleted waits for: its finalizers, and what a namespace says of
    its contents. "" where it says nothing."""
    finalizers = body.get("metadata", {}).get("finalizers") or []
    if body.get("kind") != "Namespace":
        return ", ".join(f"finalizer '{name}'" for name in finalizers)
    conditions = body.get("status", {}).get("conditions") or []
    said = [
        str(condition.get("message", ""))
        for condition in conditions
        if condition.get("status") == "True" and condition.get("message")
    ]
    return "; ".join([*said, *(f"finalizer '{name}'" for name in finalizers)])
