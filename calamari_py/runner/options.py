"""What a run is asked for, and the doors it may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from calamari_py.aws import AwsPort, BotoAws
from calamari_py.identity import LauncherCredentials
from calamari_py.manifest import Overrides
from calamari_py.masking import ShortSecrets
from calamari_py.process import ProcessExit, Pulse, run
from calamari_py.runner.adhoc import AdHocCommand
from calamari_py.runner.step_clock import Pacing
from calamari_py.steps.base import Wishes


class SandboxPort(Protocol):
    """What the corridor needs of the embedded AWS."""

    @property
    def endpoint(self) -> str: ...

    @property
    def launcher(self) -> LauncherCredentials: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """One run as the edge asks for it.

    `environ` is the caller's environment, read once. `result`, `outputs` and `artifacts` are where
    to write, None for nowhere. `policy` is the operator's policy file, `audit_log` where identity
    events are noted. `command` runs in the place of the step; `by_hand` says that somebody uses
    its credentials, for whom its time limits mean nothing. `no_mask` shows the child's output as it
    is, where the manifest allows it; `ansi_aware` finds secrets with colour codes inside.
    `terminal` gives the child a pty to write to, `terminal_asked` says that somebody asked for it.
    `wishes` are what the step's kind is asked for; `fail_on_no_change` makes a success that changed
    nothing a failure, `detailed_exitcode` gives one with changes an exit code of its own.
    """

    manifest: str
    cwd: Path
    environ: Mapping[str, str] = field(repr=False)
    stdin: BinaryIO
    overrides: Overrides = field(default_factory=Overrides)
    result: Path | None = None
    outputs: Path | None = None
    artifacts: Path | None = None
    policy: Path | None = None
    audit_log: Path | None = None
    command: AdHocCommand | None = None
    by_hand: bool = False
    interactive: bool = False
    isolate: bool = False
    trace_credentials: bool = False
    allow_http_endpoint: bool = False
    short_secrets: ShortSecrets = "warn"
    ansi_aware: bool = True
    no_mask: bool = False
    terminal: bool = False
    terminal_asked: bool = False
    wishes: Wishes = field(default_factory=Wishes)
    fail_on_no_change: bool = False
    detailed_exitcode: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The two doors to the world, the clock, how time passes for a kind that works itself, and the
    embedded AWS when it is on. `pulse` is what
    the reporter calls while a write of its waits for a reader. With `exits` the caller exits with
    the code of a step that ran: no signal shall change it after that."""

    make_aws: Callable[..., AwsPort] = BotoAws
    run: Callable[..., ProcessExit] = run
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pacing: Pacing = field(default_factory=Pacing)
    install_signals: bool = True
    exits: bool = False
    open_sandbox: Callable[[], AbstractContextManager[SandboxPort]] | None = None
    pulse: Pulse = field(default_factory=Pulse)


def with_sandbox(environ: Mapping[str, str], sandbox: SandboxPort) -> Mapping[str, str]:
    """The caller's environment with every AWS endpoint replaced by the sandbox's."""
    kept = {k: v for k, v in environ.items() if not k.startswith("AWS_ENDPOINT_URL")}
    kept.pop("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", None)
    return {**kept, "AWS_ENDPOINT_URL": sandbox.endpoint}
