"""A report that remembers, for tests of whatever kind tells what it does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calamari_py.steps.base import Tone


@dataclass
class Report:
    """A StepReport that remembers what it was told, in order in `told`. It is for a kind that
    starts nothing: there is no output of anything else, and no file to keep."""

    told: list[tuple[str, str]] = field(default_factory=list)
    tones: list[str] = field(default_factory=list)
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    sensitive: set[str] = field(default_factory=set)
    facts: dict[str, Any] = field(default_factory=dict)
    last_words: str = ""
    has_changed: bool | None = False
    table: list[str] = field(default_factory=list)
    """What was last shown below the progress."""

    def line(
        self,
        text: str,
        *,
        event: str = "",
        fields: Mapping[str, Any] | None = None,
        tone: Tone = "",
    ) -> None:
        self.told.append(("line", text))
        self.tones.append(tone)
        if event:
            json.dumps(fields)
            self.events.append((event, fields or {}))

    def progress(self, percent: float | None, text: str, *, rows: Sequence[str] = ()) -> None:
        self.told.append(("progress", text))
        self.table = list(rows)

    def warn(self, text: str, hint: str | None = None) -> None:
        self.told.append(("warning", text))
        self.hints.append(hint or "")

    def note(self, text: str) -> None:
        self.told.append(("note", text))

    def hide(self, value: str, name: str) -> None:
        self.hidden[value] = name

    def output(self, name: str, value: str, *, sensitive: bool = False) -> None:
        self.outputs[name] = value
        if sensitive:
            self.sensitive.add(name)

    def text(self, data: bytes, *, of: str = "") -> None:
        raise AssertionError(f"nothing else writes anything: {data!r} {of}")

    def settle(self) -> None:
        """Nothing is held back."""

    def artifact(self, path: Path, name: str, *, as_it_is: bool = False) -> Path | None:
        raise AssertionError(f"there is no file to keep: {path} {name} {as_it_is}")

    def fact(self, name: str, value: Any) -> None:
        json.dumps(value)
        self.facts[name] = value

    def changed(self, done: bool | None = True) -> None:
        self.has_changed = self.has_changed or done

    def ending(self, text: str) -> None:
        self.last_words = text

    def setback(self, text: str, hint: str | None = None) -> None:
        self.told.append(("setback", text))
        self.hints.append(hint or "")

    def said(self, kind: str) -> list[str]:
        """All that was told so: ``line``, ``warning``, ``setback`` …"""
        return [text for one, text in self.told if one == kind]

    @property
    def everything(self) -> str:
        """All that was told, and all hints."""
        return "\n".join([*(text for _, text in self.told), *self.hints])
