"""The page and the document of ``calamari explain --masking``: names and forms, never a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from calamari_py.masking.secret import Masked
from calamari_py.output._frame import caption, title_lines
from calamari_py.output._lines import Line, Span, Tone, columns, hang, rule
from calamari_py.output._page import header_document
from calamari_py.output._words import format_count, printable
from calamari_py.output.base import StepHeader
from calamari_py.result import format_time

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedSecret:
    """A secret that is masked: the kinds of form it is known in, what is odd about it, and how
    often it stood in the output of the run that was given (None without one)."""

    name: Masked
    forms: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    hits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmaskedSecret:
    """A secret that is shown as it is, and why."""

    name: Masked
    why: Masked


@dataclass(frozen=True, slots=True, kw_only=True)
class LaterSecret:
    """A secret that is only known while the step is run, and when that is. `hits` as above; None
    also where `name` is no name but stands for several."""

    name: Masked
    when: Masked
    hits: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedRun:
    """The run of which a result was given. `off` says that its output was shown unmasked."""

    step: Masked
    ended_at: datetime
    off: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingPage:
    """Everything that a run would mask, and everything that it would not. `values` counts what is
    masked as the header of a run does: a value of two names once."""

    header: StepHeader
    short_secrets: str
    ansi_aware: bool
    allow_no_mask: bool
    values: int
    masked: tuple[MaskedSecret, ...]
    unmasked: tuple[UnmaskedSecret, ...]
    later: tuple[LaterSecret, ...]
    run: MaskedRun | None = None


def page_lines(page: MaskingPage, width: int) -> list[Line]:
    """The page, wrapped at `width` columns."""
    return [
        *title_lines(page.header, width),
        *_section("masked", [[s.name, _hits(s.hits), _about(s)] for s in page.masked], width),
        *_section("not masked", [[s.name, "", s.why] for s in page.unmasked], width, "warn"),
        *_section("later", [[s.name, _hits(s.hits), s.when] for s in page.later], width),
        *hang((caption("besides"),), _besides(page), width, "faint"),
        *_run_lines(page, width),
        _verdict(page, width),
    ]


def _section(
    name: str, rows: Sequence[Sequence[str]], width: int, tone: Tone = "plain"
) -> Iterator[Line]:
    """One row for each secret: its name, its hits where a run was given, and what is said of it."""
    if not rows:
        return
    printed = [[*(printable(cell) for cell in row[:-1]), row[-1]] for row in rows]
    for index, (*cells_of_row, text) in enumerate(columns(printed)):
        head = [caption("" if index else name)]
        head += [Span(f"{cell}   ", tone if at == 0 else "faint")
                 for at, cell in enumerate(cells_of_row)]  # fmt: skip
        yield from hang(head, text, width)


def _about(secret: MaskedSecret) -> str:
    return "; ".join([*([", ".join(secret.forms)] if secret.forms else []), *secret.warnings])


def _hits(hits: int | None) -> str:
    return "" if hits is None else format_count(hits, "hit") if hits else "no hits"


def _besides(page: MaskingPage) -> str:
    facts = ["what the step masks itself", "outputs that it calls sensitive"]
    if not page.ansi_aware:
        facts.append("not looked for: secrets with colour codes inside")
    return ", ".join(facts)


def _run_lines(page: MaskingPage, width: int) -> list[Line]:
    run = page.run
    if run is None:
        return []
    text = f"of '{run.step}', ended {format_time(run.ended_at)}"
    if run.off:
        return hang((caption("result"),), f"{text}: not masked (--no-mask)", width, "warn")
    if run.step != page.header.step:
        return hang((caption("result"),), f"{text}: another step's", width, "warn")
    return hang((caption("result"),), text, width)


def _verdict(page: MaskingPage, width: int) -> Line:
    masked = format_count(page.values, "secret") if page.values else "no secrets"
    said = [f"{masked} masked", f"{len(page.unmasked) or 'none'} not masked"]
    if page.later:
        said.append(f"{len(page.later)} known later")
    tone: Tone = "warn" if page.unmasked else "good"
    return rule([Span(", ".join(said), tone), Span("nothing was asked or run")], width)


def page_document(page: MaskingPage) -> dict[str, Any]:
    """The page for programs; described in docs/commands.md. Fields are added, never changed."""
    run = page.run
    return {
        "schema_version": SCHEMA_VERSION,
        **header_document(page.header),
        "short_secrets": page.short_secrets,
        "ansi_aware": page.ansi_aware,
        "allow_no_mask": page.allow_no_mask,
        "values": page.values,
        "masked": [asdict(secret) for secret in page.masked],
        "unmasked": [asdict(secret) for secret in page.unmasked],
        "later": [asdict(secret) for secret in page.later],
        "run": run and {"step": run.step, "ended_at": format_time(run.ended_at), "off": run.off},
    }
