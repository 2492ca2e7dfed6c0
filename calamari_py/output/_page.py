"""A page: what a command that only looks answers on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calamari_py.output._colour import renderer
from calamari_py.output._lines import Line
from calamari_py.output._words import encode
from calamari_py.output.base import StepHeader


def header_document(header: StepHeader) -> dict[str, Any]:
    """What a page's document says of the step."""
    return {
        "step": header.step,
        "project": header.project,
        "environment": header.environment,
        "deployment_id": header.deployment_id,
    }


def page_bytes(
    lines: Sequence[Line], *, terminal: bool, environ: Mapping[str, str], encoding: str
) -> bytes:
    """`lines` as stdout gets them; `terminal` says whether it is one."""
    render = renderer(terminal=terminal, environ=environ)
    return encode("".join(f"{render(line)}\n" for line in lines), encoding)
