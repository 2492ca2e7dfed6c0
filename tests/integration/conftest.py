"""The whole program as a user has it, against an embedded AWS that every test shares."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from calamari_py.sandbox import Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """One embedded AWS a worker."""
    with Sandbox() as running:
        yield running


@dataclass(frozen=True, slots=True)
class Ran:
    """How one `calamari` process ended."""

    code: int
    out: str
    err: str

    def events(self) -> list[dict[str, Any]]:
        """The events of `--format json`."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Calamari:
    """Runs `calamari` in `folder` with a small, explicit environment."""

    folder: Path
    environment: Mapping[str, str]

    def write(self, text: str, name: str = "step.yaml") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "calamari_py", *arguments]

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**self.environment, **(extra or {})}

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002  named as in subprocess
        timeout: float = 60,
    ) -> Ran:
        done = subprocess.run(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env(env),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(
        self, arguments: Sequence[str], env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """The same, running; the test ends it."""
        return subprocess.Popen(
            self.argv(*arguments),
            cwd=self.folder,
            env=self.env(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


@pytest.fixture
def calamari(tmp_path: Path) -> Calamari:
    """`calamari` without any AWS in its environment."""
    folder = tmp_path / "work"
    folder.mkdir()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "PYENV_ROOT") if name in os.environ
    }
    return Calamari(folder, {**environment, "LANG": "C.UTF-8", "TMPDIR": str(temporary)})


@pytest.fixture
def launched(calamari: Calamari, sandbox: Sandbox) -> Calamari:
    """`calamari` on a machine whose environment holds the launcher's keys."""
    return Calamari(calamari.folder, {**calamari.environment, **sandbox.environment})
