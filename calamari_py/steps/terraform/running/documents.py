"""The JSON documents that commands write."""

from __future__ import annotations

from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.reading.written import read_json
from calamari_py.steps.terraform.values import StateOutput

_KNOWN_FORMATS = ("0", "1")


def read_shown(stdout: bytes) -> dict[str, Any]:
    """What ``show -json`` wrote. ToolFailed when it is something else, or in a format of which
    nobody can say whether it is read rightly (``format_version``)."""
    document = _read_object(stdout, "show")
    version = str(document.get("format_version", ""))
    if version.partition(".")[0] not in _KNOWN_FORMATS:
        shown = f"has the format '{version}'" if version else "names no format"
        raise ToolFailed(
            f"what 'show -json' wrote {shown}, and only 0 and 1 are known",
            hint="use an older Terraform, or a newer calamari",
        )
    return document


def read_shown_plan(stdout: bytes) -> dict[str, Any]:
    """What ``show -json`` wrote of a plan. ToolFailed when it is something else: a state, in which
    no policy finds anything."""
    document = read_shown(stdout)
    if not isinstance(document.get("planned_values"), dict):
        raise ToolFailed(
            "what 'show -json' wrote is not a plan",
            hint="check that 'binary' is Terraform or OpenTofu itself, or a wrapper that hands on"
            " all that it is called with",
        )
    return document


def read_outputs(stdout: bytes) -> tuple[StateOutput, ...]:
    """What ``output -json`` wrote, in its order. ToolFailed when it is something else."""
    document = _read_object(stdout, "output")
    if not all(isinstance(each, dict) and "value" in each for each in document.values()):
        raise _no_document("output")
    return tuple(
        StateOutput(
            name=name,
            value=each["value"],
            type=each.get("type"),
            sensitive=each.get("sensitive") is not False,
        )
        for name, each in document.items()
    )


def _read_object(stdout: bytes, verb: str) -> dict[str, Any]:
    try:
        document = read_json(stdout)
    except (ValueError, RecursionError):
        # Not its cause: that would quote the state.
        raise _no_document(verb) from None
    if not isinstance(document, dict):
        raise _no_document(verb)
    return document


def _no_document(verb: str) -> ToolFailed:
    return ToolFailed(
        f"what '{verb} -json' wrote is not what Terraform writes there",
        hint="check that 'binary' is Terraform or OpenTofu itself, or a wrapper that adds nothing"
        " to its output",
    )
