"""Terraform: the program, bound to one root module and one step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import Captured, LineReader, StepContext
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.commands.files import PrivateFiles
from calamari_py.steps.terraform.running.calls import Calls
from calamari_py.steps.terraform.running.documents import read_outputs, read_shown, read_shown_plan
from calamari_py.steps.terraform.running.init import initialise
from calamari_py.steps.terraform.running.version import ask_version
from calamari_py.steps.terraform.running.workspace import select_workspace
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.values import StateOutput, ToolVersion

_LOOK_SECONDS = 20.0
_LOCK_SECONDS = 60.0
"""A look that takes a lock is not to be ended before it has given it back."""


class Terraform:
    """Its commands, one at a time. Make it when the step begins: the step's time limit counts from
    then for what waits without a command. Every method raises Stopped when calamari had to end the
    command, and those that give no exit raise ToolFailed when it failed."""

    def __init__(self, spec: TerraformSpec, context: StepContext, files: PrivateFiles) -> None:
        self._spec = spec
        self._files = files
        self._calls = Calls(spec, context, files)

    def version(self) -> ToolVersion:
        """Which program it is. ToolMissing when it is none of ours, or too old."""
        return ask_version(self._calls)

    def init(self) -> None:
        """Set up the backend, fetch modules and providers. Before everything but `version`."""
        initialise(self._calls)

    def select_workspace(self) -> None:
        """Go to the manifest's workspace, if it names one."""
        select_workspace(self._calls)

    def plan(
        self,
        reader: LineReader,
        *,
        out: Path,
        destroy: bool = False,
        refresh_only: bool = False,
    ) -> ProcessExit:
        """Make a plan: code 0 when there is nothing to do, 2 when there is."""
        line = argv.plan(
            self._spec, self._files, out=out, destroy=destroy, refresh_only=refresh_only
        )
        return self._calls.read("plan", line, reader)

    def apply(
        self, reader: LineReader, plan: Path, *, variable_files: Sequence[Path] = ()
    ) -> ProcessExit:
        """Apply the plan file; `variable_files` give the variables that no plan holds."""
        line = argv.apply(self._spec, plan, variable_files=variable_files)
        return self._calls.read("apply", line, reader)

    def show_plan(self, plan: Path) -> dict[str, Any]:
        """The plan file as JSON: it holds secrets."""
        return read_shown_plan(self._calls.succeed("show", argv.show_plan(self._spec, plan)).stdout)

    def show_state(self) -> dict[str, Any]:
        """The state as JSON: it holds secrets."""
        return read_shown(self._calls.succeed("show", argv.show_state(self._spec)).stdout)

    def outputs(self) -> tuple[StateOutput, ...]:
        """The outputs of the state, sensitive ones with their values."""
        return read_outputs(self._calls.succeed("output", argv.outputs(self._spec)).stdout)

    def last_shown(self, plan: Path | None = None) -> dict[str, Any]:
        """The plan file, or the state, as JSON, looked at after a bad end, however that came; empty
        where it cannot be shown. It raises nothing."""
        line = argv.show_state(self._spec) if plan is None else argv.show_plan(self._spec, plan)
        looked = self._calls.look(line, last_words=_LOOK_SECONDS)
        try:
            return read_shown(looked.stdout) if looked.exit.code == 0 else {}
        except ToolFailed:
            return {}

    def probe_lock(self) -> Captured:
        """What Terraform says while it takes the state's lock and gives it back. It is a look after
        the end, however that came."""
        return self._calls.look(argv.probe_lock(self._spec), last_words=_LOCK_SECONDS)
