"""One run of the corridor with both doors faked."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from calamari_py.identity import AwsCredentials, LauncherCredentials
from calamari_py.manifest import Overrides
from calamari_py.masking import Secret
from calamari_py.process import Pulse
from calamari_py.result import StepResult
from calamari_py.runner import Doors, RunOptions, run_step
from calamari_py.runner.step_clock import Pacing
from tests.fakes import (
    LAUNCHER_KEY_ID,
    LAUNCHER_SECRET,
    START,
    Child,
    FakeAws,
    FakeRun,
    FrozenClock,
    RecordingReporter,
)

DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
HUB = "arn:aws:iam::222222222222:role/HubRole"
HEAD = f"name: deploy\nregion: eu-west-1\nassume_role: {DEV}\n"
SCRIPT = "script: echo hi\n"


def sandbox(endpoint: str = "http://127.0.0.1:4566") -> Any:
    """An embedded AWS that is not there: its endpoint and its launcher."""
    launcher = LauncherCredentials(
        credentials=AwsCredentials(
            access_key_id="AKIASANDBOX", secret_access_key=Secret("sandbox-launcher-secret")
        ),
        source="sandbox",
        description="embedded AWS",
        arn="arn:aws:iam::123456789012:user/sandbox",
    )
    return SimpleNamespace(endpoint=endpoint, launcher=launcher)


@dataclass
class World:
    """A folder with a manifest in it, the launcher's environment, and the fakes. Whoever waits
    moves `clock` and nothing else."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    clock: FrozenClock = field(default_factory=FrozenClock)
    journal: list[str] = field(default_factory=list)
    aws: FakeAws = field(init=False)
    child: FakeRun = field(init=False)
    reporter: RecordingReporter = field(init=False)

    def __post_init__(self) -> None:
        tools, private = self.folder / "bin", self.folder / "private"
        for made in (tools, private):
            made.mkdir(mode=0o700)
        for name in ("bash", "sh"):
            (tools / name).write_text("never run\n")
            (tools / name).chmod(0o755)
        self.environ = {
            "PATH": str(tools),
            "HOME": str(self.folder),
            "TMPDIR": str(private),
            "XDG_RUNTIME_DIR": str(private),
            "AWS_ACCESS_KEY_ID": LAUNCHER_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": LAUNCHER_SECRET,
            **self.environ,
        }
        self.aws = FakeAws(clock=self.clock, journal=self.journal)
        self.child = FakeRun(journal=self.journal)
        self.reporter = RecordingReporter(journal=self.journal)

    @property
    def private(self) -> Path:
        """Where private folders are made; empty after every run."""
        return self.folder / "private"

    def write(self, text: str, name: str = "step.yaml") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def run(
        self,
        manifest: str | None = None,
        *children: Child,
        sandbox: Any = None,
        install_signals: bool = False,
        sensitive: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        variable_files: tuple[str, ...] = (),
        named: str = "step.yaml",
        pulse: Pulse | None = None,
        **options: Any,
    ) -> StepResult:
        """Run `manifest` (a text; None: the file that is there) with these children. `named` is
        the file, ``-`` standard input."""
        if manifest is not None and named != "-":
            self.write(manifest, named)
        self.child.children = children
        return run_step(
            RunOptions(
                manifest=named,
                cwd=self.folder,
                environ=self.environ,
                stdin=io.BytesIO((manifest or "").encode() if named == "-" else b""),
                overrides=Overrides(
                    variables=variables or {},
                    sensitive=sensitive or {},
                    variable_files=variable_files,
                ),
                **options,
            ),
            self.reporter,
            Doors(
                make_aws=self.aws.door,
                run=self.child,
                now=self.clock,
                pacing=Pacing(
                    monotonic=self._seconds,
                    sleep=self.clock.advance,
                    jitter=lambda: 0.5,
                ),
                install_signals=install_signals,
                pulse=pulse or Pulse(),
                open_sandbox=(lambda: nullcontext(sandbox)) if sandbox else None,
            ),
        )

    def _seconds(self) -> float:
        return (self.clock.now - START).total_seconds()

    def document(self, name: str = "result.json") -> Any:
        """A JSON document that the run wrote."""
        return json.loads((self.folder / name).read_text("utf-8"))

    def everything(self) -> str:
        """All that was told and all files below the folder but the manifest's own."""
        own = {"step.yaml", "common.yaml"}
        files = [
            path.read_text("utf-8", "replace")
            for path in self.folder.rglob("*")
            if path.is_file() and path.name not in own
        ]
        return "\n".join([self.reporter.text, *files])
