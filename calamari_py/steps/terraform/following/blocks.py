"""Errors and warnings out of the text of commands that have no ``-json``.

A block is ``Error: summary``, a place, source lines, values and a text, wrapped at 78 columns; it
stands between ``╷`` and ``╵`` where Terraform uses colours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from calamari_py.steps.terraform.values import Diagnostic

_COLOUR = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_HEAD = re.compile(r"(Error|Warning): ?(.*)")
_WITH = re.compile(r"  with (.+),$")
_ON = re.compile(r"  on (.+?) line (\d+)(?:, in (.+))?:$")
_SOURCE = re.compile(r" *(\d+): (.*)$")
_VALUE = re.compile(r" +│ (.*)$")
_CRASH = re.compile(r"!{3,} (?:TERRAFORM|OPENTOFU) CRASH !{3,}")
_PANIC = re.compile(r"(?:panic|fatal error): .*")
_PREFACE = "Terraform encountered problems during initiali"
_WRAPPED = 76
"""Terraform wraps two columns later, and two earlier in a box."""


def uncoloured(text: str) -> str:
    """`text` without what a terminal takes for a colour or a link."""
    return _COLOUR.sub("", text)


def diagnostics_of_text(text: bytes) -> tuple[Diagnostic, ...]:
    """The errors and warnings in `text`, each once, in order; what a crash of Terraform says comes
    first, as an error."""
    lines = uncoloured(text.decode("utf-8", "replace")).splitlines()
    found = dict.fromkeys(_read(block) for block in _blocks(lines))
    causes = [each for each in found if not each.summary.startswith(_PREFACE)]
    has_errors = any(each.severity == "error" for each in found)
    return (*_crash(lines, has_errors=has_errors), *(causes or found))


def _crash(lines: Sequence[str], *, has_errors: bool) -> Iterator[Diagnostic]:
    panics = [line.strip() for line in lines if _PANIC.match(line)]
    # A provider that panics is told of in an error of its own.
    if any(_CRASH.search(line) for line in lines) or (panics and not has_errors):
        detail = panics[0] if panics else ""
        yield Diagnostic(severity="error", summary="Terraform crashed", detail=detail)


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """The lines of each block, without its frame."""
    block: list[str] = []
    boxed = False
    before = ""
    for line in lines:
        if line.startswith("╷"):
            yield from _whole(block)
            block, boxed = [], True
        elif line.startswith("╵"):
            yield from _whole(block)
            block, boxed = [], False
        elif boxed:
            block.append(line.removeprefix("│").removeprefix(" ").rstrip())
        elif not before.strip() and _begins(line, block):
            yield from _whole(block)
            block = [line.rstrip()]
        elif block:
            block.append(line.rstrip())
        before = line
    yield from _whole(block)


def _begins(line: str, block: list[str]) -> bool:
    """Whether a block begins here. An error that is quoted in the text of another one begins with
    a lower-case letter."""
    head = _HEAD.match(line)
    return head is not None and not (block and head[2][:1].islower())


def _whole(block: list[str]) -> Iterator[list[str]]:
    if block and _HEAD.match(block[0]):
        yield block


def _read(block: list[str]) -> Diagnostic:
    severity, summary, rest = _head(block)
    address, file, context = "", "", ""
    number: int | None = None
    if rest and (found := _WITH.match(rest[0])):
        address = found[1]
        rest = rest[1:]
    if rest and (found := _ON.match(rest[0])):
        file, number, context = found[1], int(found[2]), found[3] or ""
        rest = rest[1:]
    source, rest = _leading(rest, _SOURCE) if number is not None else ([], rest)
    rest = rest[1:] if rest and rest[0].lstrip().startswith("├─") else rest
    values, rest = _leading(rest, _VALUE)
    return Diagnostic(
        severity="error" if severity == "Error" else "warning",
        summary=summary,
        detail="\n".join(_unwrapped(rest)).strip("\n"),
        address=address,
        file=file,
        line=number,
        context=context,
        snippet=tuple(found[2] for found in source),
        snippet_line=int(source[0][1]) if source else None,
        values=tuple(found[1] for found in values),
    )


def _head(block: list[str]) -> tuple[str, str, list[str]]:
    """Severity, summary, and what comes after the blank line behind it."""
    head = _HEAD.match(block[0])
    assert head is not None
    summary, at = [head[2]], 1
    while at < len(block) and block[at].strip():
        summary.append(block[at].strip())
        at += 1
    return head[1], " ".join(summary).strip(), block[at + 1 :]


def _leading(lines: list[str], form: re.Pattern[str]) -> tuple[list[re.Match[str]], list[str]]:
    """The matches at the beginning, and the lines after them."""
    found: list[re.Match[str]] = []
    for line in lines:
        match = form.match(line)
        if match is None:
            break
        found.append(match)
    return found, lines[len(found) :]


def _unwrapped(lines: Sequence[str]) -> Iterator[str]:
    """Lines as they were before they were wrapped: what was torn is no longer what the masker
    knows. Only a line whose next word had no room was wrapped, and none that is indented."""
    whole = ""
    last = ""
    for line in lines:
        word = line.split(" ", 1)[0]
        if word and last and not last.startswith(" ") and len(last) + 1 + len(word) > _WRAPPED:
            whole = f"{whole} {line}"
        else:
            yield whole
            whole = line
        last = line
    yield whole
