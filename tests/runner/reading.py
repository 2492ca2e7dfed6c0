"""A step kind that reads what its processes write, as small as can be: a test says what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from calamari_py.errors import ToolMissing
from calamari_py.process import Command, Stream
from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepKind,
    StepOutcome,
)

Act = Callable[[StepContext], StepOutcome | None]
"""What it does; None is a success of which nobody knows whether it changed anything."""


class ProbeSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``probe``: nothing in particular. `tool` is not there where it is ``none``; where it is
    `shown`, its output is, and nobody reads it."""

    tool: str = "probe"
    shown: bool = False


class Probe(StepKind):
    """See `calamari_py.steps.base.StepKind`. `acts` are what its executions do, one after the
    other; the last one is repeated. `equips` is its `equip`."""

    name = "probe"
    section: Any = ProbeSection
    default_delivery = "env"
    default_timeout: float | None = 600.0
    reads_output = True
    knows_changes = True

    def __init__(self) -> None:
        self.acts: tuple[Act, ...] = (lambda _context: None,)
        self.contexts: list[StepContext] = []
        self.equips: Callable[[StepContext], Mapping[str, str]] = lambda _context: {}

    def parse(self, section: ProbeSection, context: ParseContext) -> ProbeSection:
        if section.tool == "none":
            raise ToolMissing("'none' is not installed", hint="install it")
        return section

    def reads(self, spec: ProbeSection | None) -> bool:
        return spec is not None and not spec.shown

    def equip(self, spec: ProbeSection, context: StepContext) -> Mapping[str, str]:
        return {"PROBE_HAS": spec.tool, **self.equips(context)}

    def environment(self, spec: ProbeSection) -> KindEnvironment:
        return KindEnvironment(
            names={"PROBE_TOOL": spec.tool},
            scrub=("PROBE_*", "!PROBE_TOKEN*"),
            owned={"PROBE_ARGS*": "write what it would say into the section"},
        )

    def octopus_name(self, name: str) -> str | None:
        return f"Probed[{name}]"

    def preview(self, spec: ProbeSection) -> tuple[PlannedCommand, ...]:
        return (PlannedCommand(argv=(f"/bin/{spec.tool}",), directory=Path("/")),)

    def execute(self, spec: ProbeSection, context: StepContext) -> StepOutcome:
        act = self.acts[min(len(self.contexts), len(self.acts) - 1)]
        self.contexts.append(context)
        return act(context) or StepOutcome(code=0)


@dataclass
class Heard:
    """A LineReader that remembers, and does `act` with each line of stdout."""

    lines: list[tuple[Stream, bytes]] = field(default_factory=list)
    silences: int = 0
    act: Callable[[bytes], object] = lambda _line: None

    def line(self, stream: Stream, line: bytes) -> None:
        self.lines.append((stream, line))
        if stream == "stdout":
            self.act(line)

    def idle(self) -> None:
        self.silences += 1


def command(context: StepContext, *words: str, **more: Any) -> Command:
    """A command of the probe's."""
    argv = ("/bin/probe", *(words or ("look",)))
    return Command(argv=argv, environment=context.environment, directory=Path("/"), **more)
