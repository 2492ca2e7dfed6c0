"""The whole program as a user has it, against an embedded AWS that every test shares."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from calamari_py.sandbox import Sandbox
from tests.integration.promises import Cloud, a_cloud
from tests.netns import ROOT
from tests.preloaded import calamari_command
from tests.process.support import as_nobody


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One embedded AWS for the tests of a file: other files want one of their own."""
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
    interpreter: tuple[str, ...] = (sys.executable,)
    preloaded: bool = False

    def write(self, text: str, name: str = "step.yaml") -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def argv(self, *arguments: str) -> list[str]:
        return [*self.interpreter, "-m", "calamari_py", *arguments]

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**self.environment, **(extra or {})}

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        input: str | None = None,  # noqa: A002  named as in subprocess
        timeout: float = 60,
    ) -> Ran:
        environment = self.env(env)
        argv = self.argv(*arguments)
        if self.preloaded:
            argv = [*calamari_command(environment), *arguments]
        done = subprocess.run(
            argv,
            cwd=self.folder,
            env=environment,
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
def calamari(tmp_path: Path, request: pytest.FixtureRequest) -> Calamari:
    """`calamari` without any AWS in its environment."""
    folder = tmp_path / "work"
    folder.mkdir()
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {
        name: os.environ[name] for name in ("PATH", "HOME", "PYENV_ROOT") if name in os.environ
    }
    environment |= {"LANG": "C.UTF-8", "TMPDIR": str(temporary)}
    preloaded = request.node.get_closest_marker("preloaded") is not None
    return Calamari(folder, environment, preloaded=preloaded)


@pytest.fixture
def launched(calamari: Calamari, sandbox: Sandbox) -> Calamari:
    """`calamari` on a machine whose environment holds the launcher's keys."""
    return replace(calamari, environment={**calamari.environment, **sandbox.environment})


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A strict AWS of the test's own."""
    with a_cloud() as running:
        yield running


@pytest.fixture
def trusted(calamari: Calamari, cloud: Cloud) -> Calamari:
    """`calamari` on a machine that has the launcher of `cloud`."""
    return replace(calamari, environment={**calamari.environment, **cloud.environment()})


@pytest.fixture
def as_another(cloud: Cloud) -> Iterator[Calamari]:
    """The same without root's rights: who is root sees everything. For us, who are not, as we are.

    Skips where no interpreter that another user may run has what calamari needs.
    """
    interpreter = tuple(as_nobody())
    packages = [folder for folder in sys.path if folder.endswith("site-packages")]
    with tempfile.TemporaryDirectory(prefix="promises-", dir="/tmp") as name:
        base = Path(name)
        folders = [base, *(base / part for part in ("work", "home", "tmp"))]
        for folder in folders:
            folder.mkdir(exist_ok=True)
            if os.getuid() == 0:
                os.chown(folder, 65534, 65534)
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(base / "home"),
            "TMPDIR": str(base / "tmp"), "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *packages]),
        }  # fmt: skip
        if problem := _problem_of(interpreter, environment["PYTHONPATH"]):
            pytest.skip(f"another user cannot run calamari: {problem}")
        yield Calamari(base / "work", {**environment, **cloud.environment()}, interpreter)


@functools.cache
def _problem_of(interpreter: tuple[str, ...], path: str) -> str:
    """Why it cannot import what calamari needs; empty where it can."""
    check = subprocess.run(
        [*interpreter, "-c", "import boto3, calamari_py.runner, yaml"],
        env={"PYTHONPATH": path}, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    return check.stderr.splitlines()[-1] if check.returncode else ""
