"""A root module with a fake terraform in front of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from calamari_py.steps.terraform.commands.files import PrivateFiles, write_private_files
from calamari_py.steps.terraform.running.tool import Terraform
from tests.fake_cloudformation import JumpingClock
from tests.steps.terraform.fakes import FakeTool, ToolReport, tool_context, tool_spec


class Room:
    """What one step has; `changes` are those of its spec."""

    def __init__(
        self, folder: Path, *, timeout: float | None = None, jitter: float = 0.5, **changes: Any
    ) -> None:
        self.fake = FakeTool()
        self.report = ToolReport()
        self.clock = JumpingClock(jitter=jitter)
        self.directory = folder / "infra"
        self.directory.mkdir()
        self.spec = tool_spec(self.directory, **changes)
        self.context = tool_context(
            folder, self.fake, report=self.report, clock=self.clock, timeout=timeout
        )
        self.files: PrivateFiles = write_private_files(
            self.spec, private=self.context.private, temp=self.context.temp
        )
        self.tool = Terraform(self.spec, self.context, self.files)

    def has_backend(self, text: str = '{"backend": {"type": "s3", "config": {}}}') -> None:
        """What ``init`` leaves of the configuration's backend."""
        self.files.data.mkdir(exist_ok=True)
        (self.files.data / "terraform.tfstate").write_text(text)
