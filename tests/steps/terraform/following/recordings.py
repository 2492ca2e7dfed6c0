"""What Terraform 1.11.4 really wrote, and a follower that is shown it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from calamari_py.steps.terraform.following.blocks import diagnostics_of_text
from calamari_py.steps.terraform.following.diagnostics import read_diagnostic
from calamari_py.steps.terraform.following.stream import JsonFollower
from calamari_py.steps.terraform.values import Diagnostic, Followed
from tests.steps.terraform.fakes import ToolReport

RECORDED = Path(__file__).parent / "recorded"
ERRORS = {
    entry["case"]: entry["message"]["diagnostic"]
    for entry in map(json.loads, (RECORDED / "errors.jsonl").read_text("utf-8").splitlines())
}


class Ticking:
    """A StepClock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a follower has no use for {name}")


class Shown:
    """A follower with all around it."""

    def __init__(self, *, total: int | None = None, verb: str = "apply", **more: Any) -> None:
        self.report = ToolReport()
        self.clock = Ticking()
        self.follower = JsonFollower(self.report, self.clock, total=total, verb=verb, **more)

    def lines(self, *lines: bytes) -> None:
        """These lines come."""
        for line in lines:
            self.follower.line("stdout", line)

    def message(self, type_: str, **parts: Any) -> None:
        """A message comes."""
        head = {"@level": "info", "@message": f"says {type_}", "type": type_}
        self.lines(json.dumps({**head, **parts}).encode())

    def hook(self, type_: str, address: str = "a.b", action: str = "create", **more: Any) -> None:
        """A message about a resource comes."""
        self.message(type_, hook={"resource": {"addr": address}, "action": action, **more})

    def recorded(self, name: str) -> Followed:
        """A whole recorded stream comes, and the end."""
        self.lines(*recorded_lines(name))
        return self.follower.finish()

    @property
    def told(self) -> list[str]:
        """All lines; what has no text is for programs alone."""
        return [line for line in self.report.said("line") if line]

    @property
    def last_progress(self) -> str:
        """Where it was last."""
        return self.report.said("progress")[-1]


def recorded_lines(name: str) -> list[bytes]:
    """A whole recorded stream."""
    return (RECORDED / "streams" / f"{name}.jsonl").read_bytes().splitlines()


def error_of(case: str) -> Diagnostic:
    """The first diagnostic of a recorded stream."""
    return read_diagnostic(ERRORS[case])


def text_of(case: str) -> bytes:
    """What a command without -json wrote."""
    return (RECORDED / "texts" / f"{case}.txt").read_bytes()


def errors_of_text(case: str) -> tuple[Diagnostic, ...]:
    """The diagnostics in it."""
    return diagnostics_of_text(text_of(case))
