"""A piece of work on one root module, whose tool answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from calamari_py.steps.base import Rerun
from calamari_py.steps.terraform.commands.files import private_files
from calamari_py.steps.terraform.running.tool import Terraform
from calamari_py.steps.terraform.work import Work
from tests.fake_cloudformation import JumpingClock
from tests.steps.terraform.fakes import Answer, FakeTool, ToolReport, tool_context, tool_spec

LOCK_ID = "f74c754b-79af-8ac0-27db-0fc4392f228d"
CREATED = datetime(2026, 11, 22, 18, 13, 29, tzinfo=UTC)
_TOLD = f"""
Lock Info:
  ID:        {LOCK_ID}
  Path:      tfstate-bkt/net/a.tfstate
  Operation: OperationTypeApply
  Who:       ci@runner-7
  Version:   1.11.4
  Created:   2026-11-22 18:13:29.815075414 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state from being written
by multiple users at the same time."""
DETAIL = f"""Error message: operation error S3: PutObject, https response error StatusCode: 412, \
RequestID: 7p1oi639uOTS, HostID: 9Gjjt1m+cjU4, api error PreconditionFailed: At least one of the \
pre-conditions you specified did not hold{_TOLD}"""
WRITTEN = f"""
Error: Error acquiring the state lock

Error message: operation error S3: PutObject, https response error
StatusCode: 412, RequestID:
pvCm7bjVu8qbH4ddfXaY9sc1Tk3IfYrclNxDKDhO0ta9PZWgpdJe, HostID:
9Gjjt1m+cjU4OPvX9O9/8RuvnG41MRb/18Oux2o5H5MY7ISNTlXN+Dz9IG62/ILVxhAGI0qyPfg=,
api error PreconditionFailed: At least one of the pre-conditions you
specified did not hold{_TOLD}
""".encode()
"""What ``untaint`` of Terraform 1.11.4 writes where somebody else holds the lock."""

FREE = f"calamari exec dev.yaml -- sh -c 'cd {{folder}} && \
export TF_DATA_DIR=\"$CALAMARI_TEMP/terraform\" && terraform init -input=false && \
terraform force-unlock -force {LOCK_ID}'"
"""The line that frees it."""


@dataclass
class Room:
    """`work()` is a deployment with an S3 backend, or a local one."""

    folder: Path
    answers: FakeTool = field(default_factory=FakeTool)
    report: ToolReport = field(default_factory=ToolReport)
    clock: JumpingClock = field(default_factory=JumpingClock)
    is_local: bool = False

    @property
    def module(self) -> Path:
        """The root module's folder."""
        return self.folder / "infra"

    @property
    def errored(self) -> Path:
        """Where Terraform leaves a state that it could not save."""
        return self.module / "errored.tfstate"

    @property
    def link(self) -> Path:
        """What leads to one that was kept elsewhere."""
        return self.module / "errored.tfstate.kept"

    def work(self, **changes: Any) -> Work:
        """The work; `changes` of the spec's fields."""
        self.module.mkdir(exist_ok=True)
        spec = tool_spec(self.module, **changes)
        context = tool_context(
            self.folder / "step", self.answers, report=self.report, clock=self.clock
        )
        context = replace(context, rerun=lambda: Rerun(words=("calamari", "run", "dev.yaml")))
        files = private_files(spec, private=context.private, temp=context.temp)
        files.data.mkdir(exist_ok=True)
        kind = "local" if self.is_local else "s3"
        initialised = {"version": 3, "backend": {"type": kind, "config": {}}}
        (files.data / "terraform.tfstate").write_text(json.dumps(initialised))
        return Work(
            spec=spec,
            context=context,
            tool=Terraform(spec, context, files),
            files=files,
        )

    def is_locked(self, host: str = "runner-7") -> None:
        """From now on somebody on `host` holds the lock."""
        self.answers.on(
            "untaint", Answer(code=1, stderr=WRITTEN.replace(b"runner-7", host.encode()))
        )

    def leaves(self, state: Mapping[str, Any] | bytes) -> bytes:
        """Terraform could not save `state`; what it wrote."""
        content = state if isinstance(state, bytes) else json.dumps(state).encode()
        self.errored.write_bytes(content)
        self.errored.chmod(0o644)
        return content
