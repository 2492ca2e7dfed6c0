"""Terraform: the program, bound to one root module and one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import LineReader, StepContext
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.commands.files import PrivateFiles
from calamari_py.steps.terraform.running.calls import Calls
from calamari_py.steps.terraform.running.deadline import Deadline
from calamari_py.steps.terraform.running.documents import read_outputs, read_shown
from calamari_py.steps.terraform.running.init import initialise
from calamari_py.steps.terraform.running.version import ask_version
from calamari_py.steps.terraform.running.workspace import select_workspace
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.values import StateOutput, ToolVersion

_LOOK_SECONDS = 20.0
_HELD = b"Lock Info:"


class Terraform:
    """Its commands, one at a time. Make it when the step begins: the step's time limit counts from
    then for what waits without a command. Every method raises Stopped when calamari had to end the
    command, and those that give no exit raise ToolFailed when it failed."""

    def __init__(self, spec: TerraformSpec, context: StepContext, files: PrivateFiles) -> None:
        self._spec = spec
        self._context = context
        self._files = files
        self._calls = Calls(spec, context, files)
        self._deadline = Deadline(context)

    def version(self) -> ToolVersion:
        """Which program it is. ToolMissing when it is none of ours, or too old."""
        return ask_version(self._calls, self._spec)

    def init(self) -> None:
        """Set up the backend, fetch modules and providers. Before everything but `version`."""
        initialise(self._calls, self._spec, self._context, self._files, self._deadline)

    def select_workspace(self) -> None:
        """Go to the manifest's workspace, if it names one."""
        select_workspace(self._calls, self._spec, self._context.report)

    def plan(
        self,
        reader: LineReader,
        *,
        out: Path | None,
        destroy: bool = False,
        refresh_only: bool = False,
    ) -> ProcessExit:
        """Make a plan: code 0 when there is nothing to do, 2 when there is."""
        line = argv.plan(
            self._spec, self._files, out=out, destroy=destroy, refresh_only=refresh_only
        )
        return self._calls.read("plan", line, reader)

    def apply(self, reader: LineReader, plan: Path, *, with_variables: bool) -> ProcessExit:
        """Apply the plan file; `with_variables` gives it the variables once more."""
        line = argv.apply(self._spec, self._files, plan, with_variables=with_variables)
        return self._calls.read("apply", line, reader)

    def show_plan(self, plan: Path) -> dict[str, Any]:
        """The plan file as JSON: it holds secrets."""
        return read_shown(self._calls.succeed("show", argv.show_plan(self._spec, plan)).stdout)

    def show_state(self) -> dict[str, Any]:
        """The state as JSON: it holds secrets."""
        return read_shown(self._calls.succeed("show", argv.show_state(self._spec)).stdout)

    def outputs(self) -> tuple[StateOutput, ...]:
        """The outputs of the state, sensitive ones with their values."""
        return read_outputs(self._calls.succeed("output", argv.outputs(self._spec)).stdout)

    def probe_lock(self) -> bytes | None:
        """What Terraform says of the state's lock when somebody holds it; None when it is free, or
        nobody knows. It is a look after the end: it raises nothing."""
        looked = self._calls.look(argv.probe_lock(self._spec), last_words=_LOOK_SECONDS)
        text = looked.stdout + b"\n" + looked.stderr
        return text if looked.exit.code != 0 and _HELD in text else None
