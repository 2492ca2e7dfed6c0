"""Commands in a child's output: taken out of one stream before anything of it is masked or shown.

Only with ``service_messages: true``. A command stands at the beginning of a line, after nothing but
blanks and colours, and ends at the first ``]``; a line ends at CR, LF or CRLF. The command is not
shown, nor is the line end that follows it.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable

from calamari_py.channel import RefusedDeclaration
from calamari_py.masking import Secret
from calamari_py.messages import (
    CommandRefused,
    Declaration,
    MaskDeclaration,
    OutputSet,
    command_name,
    may_hold_secret,
    parse_command,
)
from calamari_py.process import Stream

COMMAND_LIMIT = 1024 * 1024
"""Bytes between a command's brackets."""
_BLANK_LIMIT = 256
_NAMES_TOLD = 100
_HIDDEN = b"***"

_MARKERS = (b"##calamari[", b"##octopus[")
_MARKER = re.compile(rb"##(?:(calamari)|octopus)\[")
_PARTS = tuple({marker[:size] for marker in _MARKERS for size in range(1, len(marker))})
_LONGEST_PART = max(map(len, _PARTS))
_BODY_END = re.compile(rb"[\]\r\n]")
_LINE_END = re.compile(rb"[\r\n]")
_AFTER = re.compile(rb"\r*(\n?)")
_COLOUR = rb"\x1b\[[0-?]*[ -/]*[@-~]"
_BLANK = re.compile(rb"(?:[ \t]|" + _COLOUR + rb")*")
_BLANK_SO_FAR = re.compile(_BLANK.pattern + rb"(?:\x1b(?:\[[0-?]*[ -/]*)?)?")


class _Mode(enum.Enum):
    TEXT = enum.auto()
    BODY = enum.auto()
    """Between the brackets."""
    REST = enum.auto()
    """What is left of a line is dropped."""
    END = enum.auto()
    """The line end after a command is dropped."""


class CommandStream:
    """One stream of a child: bytes in, bytes out that are no command; any cuts, the same result.

    What commands say is in `taken`, in order; the caller empties it. It holds a marker's beginning
    back until `idle`, and a command whose end has not come yet for good.

    A marker within a line is no command but, mostly, a shell's trace of one: the rest of that line
    is replaced by ``***``. A value that is to be masked is masked even so. On stderr the same holds
    for every command but ``mask``.
    """

    def __init__(self, stream: Stream) -> None:
        self.taken: list[Declaration | RefusedDeclaration] = []
        self._stream = stream
        self._mode = _Mode.TEXT
        self._out: list[bytes] = []
        # The end of what was fed that may begin a marker, and how much of it was shown.
        self._tail = b""
        self._shown = 0
        # What the current line begins with, as long as it may be blank.
        self._line: bytes | None = b""
        self._body = bytearray()
        self._ours = False
        self._at_start = False
        # Whether the line end goes with the rest of the line.
        self._drop_end = False
        self._told: set[str] = set()

    @property
    def held(self) -> int:
        """How many bytes `idle` would show."""
        return len(self._tail) - self._shown

    def feed(self, data: bytes) -> bytes:
        """What of `data`, and of what was held, is no command and cannot become one."""
        steps: dict[_Mode, Callable[[bytes, int], int]] = {
            _Mode.TEXT: self._text,
            _Mode.BODY: self._collect,
            _Mode.REST: self._drop,
            _Mode.END: self._skip_line_end,
        }
        buffer, self._tail = self._tail + data, b""
        at = 0
        while at < len(buffer):
            at = steps[self._mode](buffer, at)
        return self._flush()

    def idle(self) -> bytes:
        """What may yet become a marker; it is one all the same when the rest of it comes."""
        data = self._tail[self._shown :]
        self._shown = len(self._tail)
        return data

    def close(self) -> bytes:
        """The rest. A command that has not ended is refused."""
        held = self.idle()
        self._tail, self._shown = b"", 0
        if self._mode is _Mode.BODY:
            self._finish("the output ends before its ']'")
        return held + self._flush()

    def _flush(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _text(self, buffer: bytes, at: int) -> int:
        marker = _MARKER.search(buffer, at)
        end = marker.start() if marker else len(buffer) - _part_at_end(buffer, at)
        text = buffer[at:end]
        self._out.append(text[self._shown :])
        self._see(text)
        if marker is None:
            self._tail, self._shown = buffer[end:], max(0, self._shown - end)
            return len(buffer)
        self._shown = 0
        self._ours = marker[1] is not None
        self._at_start = self._line is not None and bool(_BLANK.fullmatch(self._line))
        if not self._at_start:
            self._out.append(_HIDDEN)
        self._body.clear()
        self._mode = _Mode.BODY
        return marker.end()

    def _see(self, text: bytes) -> None:
        """Remember how the current line began."""
        newest = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if newest:
            line = text[newest : newest + _BLANK_LIMIT + 1]
        elif self._line is not None:
            line = self._line + text[: _BLANK_LIMIT + 1]
        else:
            return
        blank = len(line) <= _BLANK_LIMIT and _BLANK_SO_FAR.fullmatch(line)
        self._line = line if blank else None

    def _collect(self, buffer: bytes, at: int) -> int:
        found = _BODY_END.search(buffer, at)
        end = found.start() if found else len(buffer)
        self._body += buffer[at:end]
        if len(self._body) > COMMAND_LIMIT:
            self._finish("it is longer than 1 MiB")
        elif found and found[0] == b"]":
            self._finish(None)
            return end + 1
        elif found:
            self._finish("its line ends before its ']' (has base64 wrapped its output?)")
        return end

    def _finish(self, broken: str | None) -> None:
        """Take the command whose body has come; `broken` says why it has no end."""
        body = bytes(self._body)
        self._body.clear()
        name = command_name(body)
        if self._at_start and (self._stream == "stdout" or name == "mask"):
            self._take(body, name, broken)
        else:
            if self._at_start:
                self._out.append(_HIDDEN)
            self._mode, self._drop_end = _Mode.REST, False
            if broken is None:
                self._mask_only(body)
            elif may_hold_secret(name):
                self._refuse(_not_taken(name, broken), secret=True)

    def _take(self, body: bytes, name: str, broken: str | None) -> None:
        self._mode, self._drop_end = _Mode.REST, True
        if broken is not None:
            self._refuse(_not_taken(name, broken), secret=may_hold_secret(name))
            return
        try:
            declaration = parse_command(body, ours=self._ours)
        except CommandRefused as refused:
            self._refuse(str(refused), secret=refused.secret)
            return
        self._mode = _Mode.END
        if declaration is not None:
            self.taken.append(declaration)

    def _mask_only(self, body: bytes) -> None:
        """A command that does not count: what it would have masked is masked."""
        where = "on stderr" if self._at_start else "within a line"
        try:
            declaration = parse_command(body, ours=self._ours)
        except CommandRefused:
            return
        match declaration:
            case MaskDeclaration():
                self.taken.append(declaration)
            case OutputSet(sensitive=True, value=value):
                self.taken.append(MaskDeclaration(value=Secret(value)))
        self._refuse(f"a service message {where} is not taken, and the line is masked")

    def _refuse(self, why: str, *, secret: bool = False) -> None:
        """Say `why`, once; a secret that is not known counts each time."""
        if not secret and (why in self._told or len(self._told) >= _NAMES_TOLD):
            return
        self._told.add(why)
        self.taken.append(RefusedDeclaration(why=why, secret=secret))

    def _drop(self, buffer: bytes, at: int) -> int:
        end = _LINE_END.search(buffer, at)
        if end is None:
            return len(buffer)
        self._mode = _Mode.END if self._drop_end else _Mode.TEXT
        return end.start()

    def _skip_line_end(self, buffer: bytes, at: int) -> int:
        line_end = _AFTER.match(buffer, at)
        assert line_end is not None
        if line_end[1] or line_end.end() < len(buffer):
            self._mode, self._line = _Mode.TEXT, b""
        return line_end.end()


def _not_taken(name: str, broken: str) -> str:
    what = f"the service message '{name}'" if name else "a service message"
    return f"{what} is not taken: {broken}"


def _part_at_end(buffer: bytes, start: int) -> int:
    """How many bytes at the end of `buffer`, after `start`, may begin a marker."""
    end = buffer[max(start, len(buffer) - _LONGEST_PART) :]
    at = end.find(b"#")
    while at >= 0:
        if end[at:] in _PARTS:
            return len(end) - at
        at = end.find(b"#", at + 1)
    return 0
