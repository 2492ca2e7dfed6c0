"""A step that runs for simulated hours in one process with a fake AWS, and SDKs that ask in it."""

from __future__ import annotations

import io
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.credentials import ContainerProvider, CredentialResolver
from botocore.loaders import Loader
from botocore.session import Session
from botocore.utils import ContainerMetadataFetcher

from calamari_py.result import StepResult
from calamari_py.runner import Doors, RunOptions, run_step
from tests.fake_sts import FakeSts
from tests.fake_sts_tables import Keys
from tests.fakes import FakeRun, RecordingReporter, Running

ROLE = "arn:aws:iam::111111111111:role/DevDeployRole"
SESSION_NAME = "ninety-minutes"
STEP_ARN = f"arn:aws:sts::111111111111:assumed-role/DevDeployRole/{SESSION_NAME}"
MANIFEST = f"""
name: deploy
region: eu-west-1
assume_role: {{role_arn: '{ROLE}', duration: 15m, session_name: {SESSION_NAME}}}
credentials: {{delivery: endpoint}}
script: never run
"""
BACKEND = """
terraform {
  backend "s3" {
    bucket                 = "b"
    key                    = "k"
    region                 = "eu-west-1"
    use_path_style         = true
    skip_region_validation = true
  }
}
"""
PATIENCE = 60.0
"""Real seconds after which something hangs."""

Call = Callable[[], None]


class SimulatedClock:
    """UTC that begins now, in whole seconds, and goes on when it is told to, from any thread."""

    def __init__(self) -> None:
        self.start = datetime.now(UTC).replace(microsecond=0)
        self._now = self.start
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)

    @property
    def elapsed(self) -> float:
        return (self._now - self.start).total_seconds()


@dataclass(frozen=True, kw_only=True)
class Client:
    """One thread of the step: it makes its call in every `every`-th round."""

    call: Call
    every: int = 1


@dataclass
class Step:
    """A run whose child is the test, and what its clients were served."""

    folder: Path
    clock: SimulatedClock
    sts: FakeSts
    launcher: Keys
    reporter: RecordingReporter = field(default_factory=RecordingReporter)
    served: list[tuple[datetime, Mapping[str, str]]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    errors: list[BaseException] = field(default_factory=list)

    def run(self, child: Callable[[Mapping[str, str]], None]) -> StepResult:
        """Run the step; `child` gets its environment. Raises what ended one of its threads."""

        def started(running: Running) -> int:
            child(running.environment)
            return 0

        (self.folder / "step.yaml").write_text(MANIFEST, "utf-8")
        result = run_step(
            RunOptions(
                manifest="step.yaml",
                cwd=self.folder,
                environ={
                    "PATH": f"{Path(shutil.which('bash') or '').parent}:/usr/bin:/bin",
                    "HOME": str(self.folder),
                    "TMPDIR": str(self.folder),
                    "XDG_RUNTIME_DIR": str(self.folder),
                    "AWS_ACCESS_KEY_ID": self.launcher.access_key_id,
                    "AWS_SECRET_ACCESS_KEY": self.launcher.secret_access_key,
                    "AWS_ENDPOINT_URL": self.sts.url,
                },
                stdin=io.BytesIO(),
            ),
            self.reporter,
            Doors(run=FakeRun(children=[started]), now=self.clock, install_signals=False),
        )
        for error in self.errors:
            raise error
        return result

    def play(self, clients: Sequence[Client], tick: Callable[[int], bool]) -> None:
        """Each client in a thread of its own, in rounds that all begin together.

        `tick` moves the clock before each round and says whether there is one.
        """
        rounds, goes_on = 0, True

        def begin() -> None:
            nonlocal rounds, goes_on
            rounds += 1
            goes_on = tick(rounds)

        barrier = threading.Barrier(len(clients), action=begin, timeout=PATIENCE)

        def live(client: Client) -> None:
            try:
                while barrier.wait() >= 0 and goes_on:
                    if rounds % client.every == 0:
                        client.call()
            except BaseException:
                barrier.abort()
                raise

        with ThreadPoolExecutor(len(clients)) as pool:
            ended = [pool.submit(live, client).exception for client in clients]
        self.errors = [error for exception in ended if (error := exception()) is not None]
        # The one whose error broke the barrier for all the others comes first.
        self.errors.sort(key=lambda error: isinstance(error, threading.BrokenBarrierError))

    def sessions(self) -> list[Keys]:
        """What STS gave for the role, in order."""
        return [keys for keys in self.sts.keys.values() if keys.role_arn == ROLE]

    def seconds_left(self) -> float:
        """How long the newest of them still lives."""
        return left(self.sessions()[-1], self.clock())


class Fetcher(ContainerMetadataFetcher):
    """botocore's own client of the endpoint; it keeps what it was served."""

    def __init__(self, step: Step) -> None:
        super().__init__(sleep=lambda seconds: None)
        self._step = step

    def retrieve_full_uri(self, full_url: str, headers: dict[str, str] | None = None) -> Any:
        document = super().retrieve_full_uri(full_url, headers)
        self._step.served.append((self._step.clock(), document))
        return document


def boto3_call(
    step: Step, environment: Mapping[str, str], loader: Loader, *, keeps: bool = False
) -> Call:
    """A boto3 client for the whole step. With 15 minutes left it asks anew, at every call thus;
    one that `keeps` goes on until five are left, as other SDKs do."""
    import boto3

    session = Session()
    session.register_component("data_loader", loader)
    # botocore's stubs name another fetcher.
    fetcher: Any = Fetcher(step)
    provider = ContainerProvider(environ=dict(environment), fetcher=fetcher)
    session.register_component("credential_provider", CredentialResolver([provider]))
    credentials: Any = session.get_credentials()
    credentials._time_fetcher = step.clock
    if keeps:
        credentials._advisory_refresh_timeout, credentials._mandatory_refresh_timeout = 300, 180
    sts: Any = boto3.Session(botocore_session=session).client(
        "sts",
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        config=Config(retries={"total_max_attempts": 1}),
    )

    def call() -> None:
        assert sts.get_caller_identity()["Arn"] == STEP_ARN

    return call


def cli_call(aws: str, environment: Mapping[str, str]) -> Call:
    """The ``aws`` command: a new process a call, which has to ask the endpoint first."""

    def call() -> None:
        argv = [aws, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
        assert output_of(argv, environment).strip() == STEP_ARN

    return call


def terraform_call(terraform: str, environment: Mapping[str, str], folder: Path) -> Call:
    """``terraform init``: the Go SDK asks who it is and looks into a bucket for a state."""
    folder.mkdir()
    (folder / "main.tf").write_text(BACKEND, "utf-8")
    extra = {"TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1"}

    def call() -> None:
        argv = [terraform, f"-chdir={folder}", "init", "-input=false", "-no-color", "-reconfigure"]
        assert "successfully initialized" in output_of(argv, {**environment, **extra})

    return call


def output_of(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    ended = subprocess.run(
        argv, env=dict(environment), capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def left(keys: Keys, at: datetime) -> float:
    """Seconds that `keys` live after `at`."""
    assert keys.expires_at is not None
    return (keys.expires_at - at).total_seconds()
