"""A page: what a command that only looks answers on stdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calamari_py.output._colour import renderer
from calamari_py.output._lines import Line
from calamari_py.output._words import encode


def page_bytes(
    lines: Sequence[Line], *, terminal: bool, environ: Mapping[str, str], encoding: str
) -> bytes:
    """`lines` as stdout gets them; `terminal` says whether it is one."""
    render = renderer(terminal=terminal, environ=environ)
    return encode("".join(f"{render(line)}\n" for line in lines), encoding)
