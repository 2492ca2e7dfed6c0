"""Octopus Deploy's reading of a step's output, written after what is known of its parser.

A machine reads the lines of stdout a character at a time, without their ends. ``##octopus`` begins
a message wherever it stands, which ends at the first ``]``. A character that does not go on with
what has begun ends it and begins nothing itself; what has begun goes on over line ends, and
characters without width are passed over. A message that is no XML or no base64 is dropped.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

_MARKER = "##octopus"
_INVISIBLE = {"\0", "\u200b", "\u200d", "\ufeff", "\xad"}
_ATTRIBUTE = re.compile(r"""(\w+)=(?:'([^']*)'|"([^"]*)")""")


@dataclass(frozen=True, slots=True)
class ServiceMessage:
    """One that Octopus acted on."""

    name: str
    attributes: dict[str, str]


@dataclass(slots=True)
class FakeOctopus:
    """`messages` in order without those for levels; `log` are the lines that people see, each with
    its level."""

    messages: list[ServiceMessage] = field(default_factory=list)
    log: list[tuple[str, str]] = field(default_factory=list)
    level: str = "default"
    _begun: str = ""
    _body: str | None = None

    @classmethod
    def reads(cls, output: bytes) -> FakeOctopus:
        """The output of a whole step."""
        server = cls()
        for line in re.split(r"\r\n|\r|\n", output.decode("utf-8", "replace")):
            server._take(line)
        return server

    def named(self, name: str) -> list[dict[str, str]]:
        """The attributes of the messages of one name."""
        return [message.attributes for message in self.messages if message.name == name]

    def at(self, level: str) -> list[str]:
        """The lines of one level."""
        return [line for shown, line in self.log if shown == level]

    @property
    def variables(self) -> dict[str, str]:
        """What later steps see."""
        return {each["name"]: each["value"] for each in self.named("setVariable")}

    def _take(self, line: str) -> None:
        found = False
        for char in line:
            if self._body is not None:
                if char == "]":
                    self._act(self._body)
                    self._body, found = None, True
                else:
                    self._body += char
            elif self._begun or char == "#":
                self._go_on(char)
        if not found and self._body is None and line:
            self.log.append((self.level, line))

    def _go_on(self, char: str) -> None:
        if char in _INVISIBLE:
            return
        self._begun += char
        if self._begun == _MARKER:
            self._begun, self._body = "", ""
        elif not _MARKER.startswith(self._begun):
            self._begun = ""

    def _act(self, body: str) -> None:
        name, _, rest = body.removeprefix("[").partition(" ")
        if name.startswith("stdout-"):
            self.level = name.removeprefix("stdout-")
            return
        attributes = {
            key: base64.b64decode(single or double, validate=True).decode("utf-8", "replace")
            for key, single, double in _ATTRIBUTE.findall(rest)
        }
        self.messages.append(ServiceMessage(name, attributes))
