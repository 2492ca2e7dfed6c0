"""The messages of Terraform's machine-readable output, read one line at a time.

https://developer.hashicorp.com/terraform/internals/machine-readable-ui
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calamari_py.steps.terraform.reading.written import mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message: `text` is Terraform's own sentence, `body` the whole object (it may hold values
    of outputs)."""

    type: str
    level: str
    text: str
    body: Mapping[str, Any] = field(repr=False)

    def part(self, name: str) -> Mapping[str, Any]:
        """The object ``name`` of the message; empty where it is something else."""
        return mapping(self.body.get(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """What a message says of one resource. `elapsed` is in whole seconds, as Terraform counts."""

    address: str
    action: str = ""
    id: str = ""
    elapsed: float | None = None
    provisioner: str = ""
    output: str = ""


class BrokenMessage(ValueError):
    """A line that began as a message and is none: what is left of it may hold values."""


def read_message(line: bytes) -> Message | None:
    """The message that `line` is; None for text of somebody else. BrokenMessage for half a one."""
    stripped = line.strip()
    if not stripped.startswith(b"{"):
        return None
    try:
        body = json.loads(stripped.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        if b'"@' in stripped[:40]:
            raise BrokenMessage from None
        return None
    if not isinstance(body, dict) or not {"@message", "@level", "@module"} & body.keys():
        return None
    return Message(
        type=text_of(body, "type"),
        level=text_of(body, "@level") or "info",
        text=text_of(body, "@message"),
        body=body,
    )


def read_hook(body: Mapping[str, Any]) -> Hook:
    """The ``hook`` of a message. An address is there in any case."""
    resource = mapping(body.get("resource"))
    return Hook(
        address=text_of(resource, "addr") or "(unknown resource)",
        action=text_of(body, "action"),
        id=text_of(body, "id_value"),
        elapsed=_number(body.get("elapsed_seconds")),
        provisioner=text_of(body, "provisioner"),
        output=text_of(body, "output"),
    )


def text_of(body: Mapping[str, Any], name: str) -> str:
    """The text ``name``, "" where there is none. Halves of a character cannot be shown."""
    value = body.get(name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) and abs(value) < 1e15 else None
