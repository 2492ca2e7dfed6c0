"""A folder with a configuration, a manifest, and what a run of it has left."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from moto.s3.models import s3_backends

from calamari_py.sandbox import Sandbox
from tests.integration.conftest import Calamari
from tests.real_terraform.aws import RecordingAws
from tests.tools import require_tool

ACCOUNT = "111111111111"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/DevDeployRole"
BUCKET, REGION = "dev-terraform-states", "us-east-1"
BACKEND = 'terraform {\n  backend "s3" {}\n}\n'


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and what it left for machines."""

    code: int
    out: str
    err: str
    result: Mapping[str, Any]
    outputs: Mapping[str, Any]

    @property
    def text(self) -> str:
        """All that people saw."""
        return self.out + self.err

    @property
    def details(self) -> Mapping[str, Any]:
        """The facts of the step."""
        details: Mapping[str, Any] = self.result.get("details") or {}
        return details

    def output(self, name: str) -> Any:
        """The value of an output variable; None where there is none."""
        return self.outputs.get(name, {}).get("value")


@dataclass(frozen=True, slots=True)
class Room:
    """`infra/` with a root module whose state is in S3, and a step that runs it as a role.

    Each has a key of its own for the state.
    """

    calamari: Calamari
    aws: RecordingAws
    key: str = field(default_factory=lambda: f"{uuid.uuid4().hex}/terraform.tfstate")

    @property
    def folder(self) -> Path:
        """Where the manifest is, and where runs leave what they leave."""
        return self.calamari.folder

    @property
    def infra(self) -> Path:
        """The root module."""
        return self.folder / "infra"

    @property
    def artifacts(self) -> Path:
        """Where artifacts are kept."""
        return self.folder / "artifacts"

    @property
    def backend(self) -> dict[str, Any]:
        """Where the state is."""
        return {
            "bucket": BUCKET, "key": self.key, "region": REGION,
            "use_lockfile": True, "use_path_style": True,
        }  # fmt: skip

    def main(self, text: str) -> None:
        """The configuration: `text` beside the backend."""
        self.infra.mkdir(exist_ok=True)
        (self.infra / "main.tf").write_text(BACKEND + text, "utf-8")

    def manifest(self, section: Mapping[str, Any] | None = None, **head: Any) -> None:
        """The step: `section` is merged into ``terraform``, `head` into the manifest."""
        step = {"name": "deploy-infra", "region": REGION, "assume_role": ROLE} | head
        step["terraform"] = {"directory": "infra", "backend": self.backend, **(section or {})}
        (self.folder / "step.yaml").write_text(json.dumps(step, indent=2), "utf-8")

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, timeout: float = 90
    ) -> Ended:
        """``calamari run step.yaml`` with `arguments`."""
        ran = self.calamari(*self.words(*arguments), env=self.env(env), timeout=timeout)
        return self.ended(ran.code, ran.out, ran.err)

    def words(self, *arguments: str) -> list[str]:
        """The command line of `run`; what an earlier run left for machines is gone."""
        for name in ("result.json", "outputs.json"):
            (self.folder / name).unlink(missing_ok=True)
        return [
            "run", "step.yaml", *arguments, "--result", "result.json",
            "--outputs", "outputs.json", "--artifacts", "artifacts",
        ]  # fmt: skip

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Where AWS is, and private folders, beside what `calamari` has."""
        self.memory.mkdir(mode=0o700, exist_ok=True)
        own = {"AWS_ENDPOINT_URL": self.aws.url, "XDG_RUNTIME_DIR": str(self.memory)}
        return {**own, **(more or {})}

    @property
    def memory(self) -> Path:
        """Where private folders are made: in /dev/shm those of other runs lie, too."""
        return self.folder.parent / "memory"

    def ended(self, code: int, out: str, err: str) -> Ended:
        """What a run that has ended left."""
        return Ended(code, out, err, self._read("result.json"), self._read("outputs.json"))

    def start(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """The same as `run`, running; the test ends it."""
        return self.calamari.start(self.words(*arguments), env=self.env(env))

    def state(self) -> dict[str, Any]:
        """The state in S3, as it is."""
        document: dict[str, Any] = json.loads(self.objects()[self.key])
        return document

    def objects(self) -> dict[str, bytes]:
        """What lies in the bucket beside this room's state: the state, its lock."""
        return {
            name: key.value
            for name, key in s3_backends[ACCOUNT]["aws"].buckets[BUCKET].keys.items()
            if name.startswith(self.key.partition("/")[0]) or f"/{self.key}" in name
        }

    def put_state(self, state: Mapping[str, Any]) -> None:
        """Change the state behind everybody's back."""
        s3_backends[ACCOUNT]["aws"].put_object(BUCKET, self.key, json.dumps(state).encode())

    def _read(self, name: str) -> Mapping[str, Any]:
        file = self.folder / name
        document: Mapping[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
        return document


@pytest.fixture(scope="module")
def aws(sandbox: Sandbox) -> Iterator[RecordingAws]:
    """The file's embedded AWS, with a bucket for states in the role's account."""
    require_tool("terraform")
    if BUCKET not in s3_backends[ACCOUNT]["aws"].buckets:
        s3_backends[ACCOUNT]["aws"].create_bucket(BUCKET, REGION)
    with RecordingAws(sandbox.endpoint) as recording:
        yield recording


@pytest.fixture
def room(launched: Calamari, aws: RecordingAws) -> Room:
    """An empty root module and a step, on a machine that has the launcher."""
    aws.forget()
    made = Room(launched, aws)
    made.main("")
    made.manifest()
    return made
