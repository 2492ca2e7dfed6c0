"""What a child tells us: outputs and declarations, parsed from bytes to values.

Nothing here reads a file. A declaration is one file's name and content; its name is
``KIND-SEQUENCE-RANDOM`` so that several writers never collide and their order is kept. A command is
the same in a line of output: ``##calamari[name attribute='base64 of UTF-8']``, also with
``octopus`` for ``calamari``.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSet:
    """The output `name` has `value` from now on. That of a `sensitive` one is masked."""

    name: str
    value: str = field(repr=False)
    sensitive: bool


Declaration = (
    MaskDeclaration | SensitiveOutput | ArtifactDeclaration | Message | Progress | OutputSet
)


class CommandRefused(ValueError):
    """A command that is not taken; `str()` says why and quotes no value. When `secret` it may have
    held one to mask: what follows must not be shown."""

    def __init__(self, why: str, *, secret: bool = False) -> None:
        super().__init__(why)
        self.secret = secret


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
            return _artifact(rest, head)
        case "message" if head in {"warning", "verbose", "highlight", "fail"}:
            return Message(level=head, text=rest)
        case "progress":
            return Progress(percent=_percent(head), text=rest)
    raise ValueError(f"'{kind}' is no kind of declaration")


def _artifact(path: str, name: str) -> ArtifactDeclaration:
    # The child's current folder is not ours: a relative path would name another file.
    if not path.startswith("/"):
        raise ValueError("the path of an artifact is not absolute")
    return ArtifactDeclaration(path=path, name=name or path.rpartition("/")[2])


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


_PAIR = rb"""([A-Za-z][\w.-]*)\s*=\s*(?:'([^']*)'|"([^"]*)")"""
_ATTRIBUTE = re.compile(_PAIR)
_COMMAND = re.compile(rb"[A-Za-z][\w.-]*(?P<attributes>(?:\s+" + _PAIR + rb")*)")
_NAME = re.compile(rb"\s*([A-Za-z][\w.-]{0,99})(?![\w.-])")
_LEVELS = ("stdout-", "stderr-")


def command_name(body: bytes) -> str:
    """The name at the beginning of a command, in lower case; empty when it has none that could be
    anybody's. `body` is what follows the opening bracket, whole or not."""
    named = _NAME.match(body)
    return named[1].decode("ascii").lower() if named else ""


def may_hold_secret(name: str) -> bool:
    """Whether a command of that name, if it is read in part only, may be one with a secret."""
    return name in {"mask", "setvariable"}


def parse_command(body: bytes, *, ours: bool) -> Declaration | None:
    """The declaration in a command, `body` being what is between its brackets; None for one that
    is known and does nothing here. `ours` says that it may be one which Octopus does not know.

    Raises CommandRefused. Names of commands and attributes count in any case.
    """
    name = command_name(body)
    what = f"the service message '{name}'" if name else "a service message"
    declare = _COMMANDS.get(name) or (_OUR_COMMANDS.get(name) if ours else None)
    if declare is None and not name.startswith(_LEVELS):
        raise CommandRefused(f"{what} is not known and is passed over")
    try:
        attributes = _attributes(body)
        return declare(attributes) if declare is not None else None
    except ValueError as broken:
        secret = name == "mask" or (name == "setvariable" and b"sensitive" in body.lower())
        raise CommandRefused(f"{what} is not taken: {broken}", secret=secret) from None


def _attributes(body: bytes) -> dict[str, str]:
    """Lower-case name → decoded value."""
    whole = _COMMAND.fullmatch(body.strip())
    if whole is None:
        raise ValueError("it is not written as name attribute='value' …")
    found: dict[str, str] = {}
    for name, single, double in _ATTRIBUTE.findall(whole["attributes"]):
        key = name.decode("ascii").lower()
        if key in found:
            raise ValueError("an attribute stands there twice")
        try:
            value = base64.b64decode(b"".join((single or double).split()), validate=True)
        except binascii.Error:
            raise ValueError("an attribute is not base64") from None
        found[key] = value.decode("utf-8", "surrogateescape")
    return found


def _needed(attributes: Mapping[str, str], name: str) -> str:
    if name not in attributes:
        raise ValueError(f"'{name}' is missing")
    return attributes[name]


def _output(attributes: Mapping[str, str]) -> OutputSet:
    name = _needed(attributes, "name")
    if not name.strip() or any(char in name for char in "=\r\n"):
        raise ValueError("its name cannot be the name of an output")
    # Octopus's bash function leaves `value` out when it is empty; whatever is not plainly "no"
    # is sensitive.
    sensitive = attributes.get("sensitive", "").strip().lower() not in {"", "false"}
    return OutputSet(name=name, value=attributes.get("value", ""), sensitive=sensitive)


_COMMANDS: Mapping[str, Callable[[Mapping[str, str]], Declaration]] = {
    "mask": lambda given: MaskDeclaration(value=Secret(_needed(given, "value"))),
    "setvariable": _output,
    "createartifact": lambda given: _artifact(_needed(given, "path"), given.get("name", "")),
    "progress": lambda given: Progress(
        percent=_percent(_needed(given, "percentage")), text=given.get("message", "")
    ),
    # Octopus shows it as the result; whether the step failed, its exit code says.
    "resultmessage": lambda given: Message(level="highlight", text=_needed(given, "message")),
}
_OUR_COMMANDS: Mapping[str, Callable[[Mapping[str, str]], Declaration]] = {
    "fail": lambda given: Message(level="fail", text=given.get("message") or "the step failed"),
}
