"""A GitHub Actions runner's reading of a job's output, and of the files that commands become.

Written after the runner's own parser: a line is a command when it begins with ``::`` after any
whitespace (and characters without width, which its comparison passes over), or has ``##[``
anywhere, and its name is a registered one; stopped, only the token is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_KNOWN = {
    "stop-commands", "add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error",
    "group", "notice", "remove-matcher", "save-state", "set-env", "set-output", "warning",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """One that the runner acted on."""

    name: str
    properties: dict[str, str]
    data: str


@dataclass(slots=True)
class FakeRunner:
    """`commands` in order; `log` is what people see; `stopped` whether commands count no more."""

    commands: list[Command] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    stopped: str | None = None
    masks: list[str] = field(default_factory=list)

    @classmethod
    def reads(cls, output: bytes) -> FakeRunner:
        """The output of a whole step."""
        runner = cls()
        for line in re.split(r"\r\n|\r|\n", output.decode("utf-8", "replace")):
            runner._take(line)
        return runner

    def named(self, name: str) -> list[Command]:
        """The commands of one name."""
        return [command for command in self.commands if command.name == name]

    def _take(self, line: str) -> None:
        command = self._parse(line)
        if command is None or (self.stopped and command.name != self.stopped):
            self.log.append(line)
        elif self.stopped:
            self.stopped = None
        elif command.name == "stop-commands":
            self.stopped = command.data.lower()
        else:
            self.commands.append(command)
            if command.name == "add-mask":
                self.masks += re.split(r"[\r\n]+", command.data)
            else:
                self.log.append(f"[{command.name}]{command.data}")

    def _parse(self, line: str) -> Command | None:
        newer = re.match(
            r"[\s\u200b-\u200d\ufeff]*::([^\s:]*)(?: ([^\n]*?))?::(.*)", line, re.DOTALL
        )
        if newer and self._registered(newer[1]):
            return Command(newer[1].lower(), self._properties(newer[2] or "", ","), _data(newer[3]))
        older = re.search(r"##\[(\S*?)(?: (.*?))?\](.*)", line, re.DOTALL)
        if older and self._registered(older[1]):
            return Command(older[1].lower(), self._properties(older[2] or "", ";"), _data(older[3]))
        return None

    def _registered(self, name: str) -> bool:
        return name.lower() in _KNOWN | {self.stopped}

    def _properties(self, text: str, separator: str) -> dict[str, str]:
        pairs = [pair.partition("=") for pair in text.split(separator) if "=" in pair]
        return {key.strip(): _property(value) for key, _, value in pairs}


def _data(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def _property(text: str) -> str:
    text = text.replace("%0D", "\r").replace("%0A", "\n")
    return text.replace("%3A", ":").replace("%2C", ",").replace("%25", "%")


def read_outputs(text: str) -> dict[str, str]:
    """What later steps see of a ``GITHUB_OUTPUT`` file; ValueError where the runner fails the
    step."""
    found: dict[str, str] = {}
    lines = iter(text.split("\n"))
    for line in lines:
        equals, heredoc = line.find("="), line.find("<<")
        if not line:
            continue
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, value = line.partition("=")
        elif heredoc >= 0:
            name, _, delimiter = line.partition("<<")
            taken = []
            for inner in lines:
                if inner == delimiter:
                    break
                taken.append(inner)
            else:
                raise ValueError(f"matching delimiter not found for {name}")
            value = "\n".join(taken)
        else:
            raise ValueError(f"invalid format {line!r}")
        found[name.lower()] = value
    return found
