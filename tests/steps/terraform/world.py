"""A Terraform step in a world of its own: a scripted terraform, a clock that jumps, a report that
remembers. Nothing of the kind itself is replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from calamari_py.errors import CalamariError, Cancelled
from calamari_py.process.base import Command, ProcessExit
from calamari_py.steps.base import Captured, LineReader, StepOutcome
from calamari_py.steps.terraform.commands.argv import show_plan
from calamari_py.steps.terraform.kind import TerraformKind
from tests.fakes import FakeRun, Running, prints
from tests.steps.terraform.fakes import (
    VERSION_JSON,
    Answer,
    FakeTool,
    ToolReport,
    tool_context,
    tool_spec,
)
from tests.steps.terraform.plan_files import plan_bytes

SECRET = "hunter2-hunter2"
STATE_SECRET = "prior-state-passw0rd"
PLAN_BYTES = plan_bytes(more=SECRET.encode())


def change(address: str, *actions: str, **more: Any) -> dict[str, Any]:
    """One of a plan's ``resource_changes``; `more` of its ``change``."""
    type_, _, name = address.rpartition("]")[2].rpartition(".")
    body: dict[str, Any] = {
        "actions": list(actions),
        "before": None,
        "after": None,
        "after_unknown": {},
    }
    return {
        "address": address,
        "mode": "managed",
        "type": type_.rpartition(".")[2],
        "name": name,
        "provider_name": "terraform.io/builtin/terraform",
        "change": {**body, "before_sensitive": False, "after_sensitive": False, **more},
    }


CREATED = change("terraform_data.a", "create", after={"input": "x"})
SECRET_CREATED = change(
    "terraform_data.a",
    "create",
    after={"input": SECRET},
    after_sensitive={"input": True},
)
UPDATED = change("terraform_data.b", "update", before={"input": "x"}, after={"input": "y"})
DESTROYED = change("aws_db_instance.main", "delete", before={"id": "db"})


def plan_document(*changes: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """``show -json`` of a plan that does these changes."""
    return {
        "format_version": "1.2",
        "terraform_version": "1.11.4",
        "applyable": bool(changes) or "output_changes" in more,
        "complete": True,
        "errored": False,
        "planned_values": {},
        "resource_changes": list(changes),
        **more,
    }


def state_document(**outputs: Any) -> dict[str, Any]:
    """``show -json`` of a state that has a secret in a resource."""
    resource = {
        "address": "terraform_data.a",
        "mode": "managed",
        "type": "terraform_data",
        "name": "a",
        "values": {"input": STATE_SECRET, "id": "1"},
        "sensitive_values": {"input": True},
    }
    return {
        "format_version": "1.0",
        "terraform_version": "1.11.4",
        "values": {"outputs": outputs, "root_module": {"resources": [resource]}},
    }


def outputs_document(*, sensitive: Sequence[str] = (), **values: Any) -> dict[str, Any]:
    """``output -json``."""
    return {
        name: {"sensitive": name in sensitive, "type": "string", "value": value}
        for name, value in values.items()
    }


def message(type_: str, text: str = "", *, level: str = "info", **fields: Any) -> str:
    """One line of a ``-json`` stream."""
    head = {"@level": level, "@message": text, "@module": "terraform.ui"}
    return json.dumps(
        {**head, "@timestamp": "2026-03-01T09:30:00.000000Z", "type": type_, **fields}
    )


def begun(address: str = "terraform_data.a", action: str = "create") -> str:
    """A resource is begun on."""
    return message("apply_start", f"{address}: Creating...", hook=_hook(address, action))


def completed(address: str = "terraform_data.a", action: str = "create") -> str:
    """A resource is done."""
    hook = {**_hook(address, action), "elapsed_seconds": 0}
    return message("apply_complete", f"{address}: Creation complete after 0s", hook=hook)


def provisioned(text: str, address: str = "terraform_data.a") -> str:
    """A provisioner of a resource prints a line."""
    hook = {**_hook(address, "create"), "provisioner": "local-exec", "output": text}
    return message("provision_progress", f"{address}: (local-exec): {text}", hook=hook)


def failed(summary: str, detail: str = "", **more: Any) -> str:
    """An error."""
    diagnostic = {"severity": "error", "summary": summary, "detail": detail, **more}
    return message("diagnostic", f"Error: {summary}", level="error", diagnostic=diagnostic)


def _hook(address: str, action: str) -> dict[str, Any]:
    type_, _, name = address.rpartition(".")
    resource = {
        "addr": address,
        "module": "",
        "resource": address,
        "resource_type": type_,
        "resource_name": name,
        "resource_key": None,
    }
    return {"resource": resource, "action": action}


def summed_up(operation: str = "apply") -> str:
    """The end of a command that has done all."""
    counted = {"add": 1, "change": 0, "import": 0, "remove": 0, "operation": operation}
    return message("change_summary", "Apply complete!", changes=counted)


def stream(*lines: str) -> bytes:
    """These lines, each with its end."""
    return "".join(f"{line}\n" for line in lines).encode()


LOCK_ID = "11111111-2222-3333-4444-555555555555"
LOCK_INFO = f"""\
Error message: operation error S3: PutObject, https response error StatusCode: 412
Lock Info:
  ID:        {LOCK_ID}
  Path:      states/dev.tfstate
  Operation: OperationTypeApply
  Who:       ci@runner-7
  Version:   1.11.4
  Created:   2026-03-01 08:30:00.000000 +0000 UTC
  Info:
"""


class WorldReport(ToolReport):
    """A `ToolReport` that can be searched."""

    @property
    def everything(self) -> str:
        """All that anybody could read."""
        told = [text for kind, text in self.told if kind not in ("hide", "command")]
        return "\n".join([*told, *self.hints, self.last_words, repr(self.facts), repr(self.events)])


class ToldTool(FakeTool):
    """A `FakeTool` that writes its commands where the report writes what it is told."""

    def __init__(self, told: Callable[[str], None]) -> None:
        super().__init__()
        self._told = told

    def read(self, command: Command, reader: LineReader) -> ProcessExit:
        self._told(command.argv[1])
        return super().read(command, reader)

    def capture(self, command: Command, *, last_words: float | None = None) -> Captured:
        self._told(command.argv[1])
        return super().capture(command, last_words=last_words)


class TerraformWorld:
    """One root module's world. A terraform that finds nothing to do until it is told otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.directory = folder / "infra"
        self.directory.mkdir()
        self.report = WorldReport()
        self.tool = ToldTool(lambda verb: self.report.told.append(("command", verb)))
        self.private = folder / "private"
        self.private.mkdir(mode=0o700)
        self.plan_path = self.private / "plan.tfplan"
        self.plan_file = folder / "left.tfplan"
        self.environment = {"PATH": "/usr/bin:/bin"}
        self.on("show", stdout=to_bytes(state_document()))
        self.on("output", stdout=b"{}")
        self.on("init", act=self.initialise)
        self.applies()
        self.plans()

    def plans(
        self,
        *changes: Mapping[str, Any],
        code: int | None = None,
        said: Sequence[str] = (),
        **more: Any,
    ) -> None:
        """Planning makes a plan of these changes. `code` is what it ends with, `said` what it says
        beside."""
        if code is None:
            code = 2 if changes else 0
        self.on("plan", code, stdout=stream(message("version"), *said), act=self.leave_a_plan)
        if code == 2 and "resource_drift" in more:
            more.setdefault("applyable", True)
        self.shown = to_bytes(plan_document(*changes, **more))
        self.on(" ".join(self.shown_by), stdout=self.shown)

    def leaves_plan(self, *changes: Mapping[str, Any], content: bytes = PLAN_BYTES) -> None:
        """An earlier step has left a plan of these changes."""
        self.plans(*changes)
        self.plan_file.write_bytes(content)

    def configures(self, text: str) -> None:
        """The root module says so."""
        (self.directory / "main.tf").write_text(text)

    def on(self, words: str, code: int = 0, **more: Any) -> None:
        """Answer so whatever begins with `words`; `more` of an `Answer`. An apply that is well says
        that it has finished, unless it is told what to say."""
        if words == "apply" and code == 0:
            more.setdefault("stdout", stream(summed_up()))
        self.tool.on(words, Answer(code=code, **more))

    def outputs(self, *, sensitive: Sequence[str] = (), **values: Any) -> None:
        """The state's outputs."""
        self.on("output", stdout=to_bytes(outputs_document(sensitive=sensitive, **values)))

    def applies(self, *lines: str, code: int = 0, breaks_off: bool = False, **more: Any) -> None:
        """Applying says `lines`, and where it is well that it has finished, unless it
        `breaks_off`."""
        end = () if code or breaks_off else (summed_up(),)
        self.on("apply", code, stdout=stream(*lines, *end), **more)

    def writes_log(self, words: str, answer: Answer) -> None:
        """A command that answers so, and writes into Terraform's own log."""
        log = self.folder / "temp" / "terraform.log"
        self.tool.on(words, replace(answer, act=lambda: log.write_text("[TRACE] said\n")))

    def run(self, **changes: Any) -> StepOutcome:
        """Carry the step out; `changes` of its spec."""
        changes.setdefault("plan_file", self.plan_file)
        context = tool_context(
            self.folder, self.tool, report=self.report, environment=self.environment
        )
        return TerraformKind().execute(tool_spec(self.directory, **changes), context)

    def fail(self, **changes: Any) -> CalamariError | Cancelled:
        """The error that `run` ends with."""
        try:
            outcome = self.run(**changes)
        except (CalamariError, Cancelled) as error:
            return error
        raise AssertionError(f"no error but {outcome}")

    @property
    def shown_by(self) -> tuple[str, ...]:
        """The arguments by which the plan is shown."""
        return show_plan(tool_spec(self.directory), self.plan_path)[1:]

    @property
    def verbs(self) -> list[str]:
        """The first word of each command that was run, in order."""
        return [call.argv[0] for call in self.tool.calls]

    def place_of(self, kind: str, text: str = "") -> int:
        """Where in the order of all that was told and run the first such thing stands."""
        for place, (one, said) in enumerate(self.report.told):
            if one == kind and text in said:
                return place
        raise AssertionError(f"no {kind} {text!r} in {self.report.told}")

    def initialise(self) -> None:
        """What ``init`` leaves: the state lies in S3."""
        _leave_backend(self.folder / "temp" / "data")

    def leave_a_plan(self) -> None:
        """What planning leaves."""
        self.plan_path.write_bytes(PLAN_BYTES)


def acts_as_terraform(run: FakeRun, *changes: Mapping[str, Any]) -> None:
    """Let a process door answer like Terraform that plans these changes (without any: one)."""
    shown = {
        True: to_bytes(state_document()),
        False: to_bytes(plan_document(*changes or (CREATED,))),
    }

    def init(running: Running) -> int:
        _leave_backend(Path(running.environment["TF_DATA_DIR"]))
        return 0

    def plan(running: Running) -> int:
        (out,) = (word for word in running.command.argv if word.startswith("-out="))
        Path(out.removeprefix("-out=")).write_bytes(PLAN_BYTES)
        running.write(stream(message("version")))
        return 2

    def show(running: Running) -> int:
        running.write(shown[running.command.argv[-1].startswith("-")])
        return 0

    run.answers |= {
        "version -json": prints(VERSION_JSON),
        "init": init,
        "show": show,
        "plan": plan,
        "apply": prints(stream(begun(), completed(), summed_up())),
        "output": prints(b"{}"),
    }


def _leave_backend(data: Path) -> None:
    data.mkdir(exist_ok=True)
    backend = {"type": "s3", "config": {"bucket": "states", "key": "dev.tfstate"}}
    (data / "terraform.tfstate").write_bytes(to_bytes({"version": 3, "backend": backend}))


def to_bytes(document: Any) -> bytes:
    """As a command writes it."""
    return json.dumps(document).encode()
