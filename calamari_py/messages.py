"""What a child tells us: outputs and declarations, parsed from bytes to values.

Nothing here reads a file. A declaration is one file's name and content; its name is
``KIND-SEQUENCE-RANDOM`` so that several writers never collide and their order is kept.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from calamari_py.masking.secret import Secret

_ASSIGNMENT = re.compile(r"(?P<name>[^=\r\n]*?)=(?P<value>.*)", re.DOTALL)
_HEREDOC = re.compile(r"(?P<name>[^=\r\n]*?)<<(?P<delimiter>\S+)\s*")
_DECLARATION = re.compile(r"(?P<kind>[a-z]+)-(?P<sequence>\d{1,19})-[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskDeclaration:
    """A value the step wants masked from now on."""

    value: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class SensitiveOutput:
    """The output `name` is sensitive; its value is masked from now on."""

    name: str
    value: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactDeclaration:
    """A file to collect; `path` as the child wrote it, `name` what it shall be called."""

    path: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A line for people. `level` is warning, verbose, highlight or fail."""

    level: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a step says it is, in percent."""

    percent: float | None
    text: str


Declaration = MaskDeclaration | SensitiveOutput | ArtifactDeclaration | Message | Progress


def declaration_order(file_name: str) -> int | None:
    """The place of a declaration among those of its writer; None when the name is no declaration's
    (a file still being written begins with a dot)."""
    match = _DECLARATION.fullmatch(file_name)
    return int(match["sequence"]) if match else None


def parse_declaration(file_name: str, content: bytes) -> Declaration:
    """The declaration in a file, or ValueError that says what is wrong with it.

    All but ``mask`` begin with lines of their own: ``sensitive`` with the output's name,
    ``artifact`` with the artifact's name (the rest is the path), ``message`` with the level,
    ``progress`` with the percentage.
    """
    kind = file_name.partition("-")[0]
    if kind == "mask":
        return MaskDeclaration(value=Secret(content))
    head, _, rest = content.decode("utf-8", "surrogateescape").partition("\n")
    match kind:
        case "sensitive":
            return SensitiveOutput(name=head.strip(), value=Secret(rest))
        case "artifact":
            return ArtifactDeclaration(name=head, path=rest)
        case "message" if head in {"warning", "verbose", "highlight", "fail"}:
            return Message(level=head, text=rest)
        case "progress":
            return Progress(percent=_percent(head), text=rest)
    raise ValueError(f"'{kind}' is no kind of declaration")


def _percent(text: str) -> float | None:
    try:
        percent = float(text)
    except ValueError:
        return None
    return min(100.0, max(0.0, percent)) if math.isfinite(percent) else None


def parse_outputs(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The outputs in a ``CALAMARI_OUTPUT`` file, in order, and what was wrong with the rest.

    ``name=value`` on one line, or ``name<<DELIMITER``, any lines, ``DELIMITER``. Each complaint is
    one sentence with a line number; it never quotes the file, which may hold secrets.
    """
    found: list[tuple[str, str]] = []
    complaints: list[str] = []
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.strip():
            continue
        heredoc = _HEREDOC.fullmatch(line)
        assignment = _ASSIGNMENT.fullmatch(line)
        if heredoc and heredoc["name"].strip():
            end = _heredoc_end(lines, number, heredoc["delimiter"])
            if end is None:
                complaints.append(f"the output that begins in line {number} never ends")
                break
            found.append((heredoc["name"].strip(), "\n".join(lines[number:end])))
            number = end + 1
        elif assignment and assignment["name"].strip():
            found.append((assignment["name"].strip(), assignment["value"].removesuffix("\r")))
        else:
            complaints.append(f"line {number} of the output file is no 'name=value'")
    return found, complaints


def _heredoc_end(lines: list[str], start: int, delimiter: str) -> int | None:
    for number in range(start, len(lines)):
        if lines[number].removesuffix("\r") == delimiter:
            return number
    return None
