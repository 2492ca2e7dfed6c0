"""The command line in this process, and as a process of its own."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from calamari_py.cli import main
from tests.preloaded import calamari_command


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Calls a command in this process, in a folder of its own. Not for `run`: that one hardens
    its process."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def invoke(*arguments: str, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert isinstance(ended.value.code, int)
        captured = capsys.readouterr()
        return Ended(ended.value.code, captured.out, captured.err)

    return invoke


def start(
    command: list[str], folder: Path, environ: Mapping[str, str] | None = None, stdin: str = ""
) -> Ended:
    """Run `command` with a small environment and the bytes of `stdin` to read."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=_environment(folder, environ),
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def calamari(
    *arguments: str, folder: Path, environ: Mapping[str, str] | None = None, stdin: str = ""
) -> Ended:
    """`calamari` as a process that has done its imports (tests/preloaded)."""
    command = calamari_command(_environment(folder, environ))
    return start([*command, *arguments], folder, environ, stdin)


def _environment(folder: Path, environ: Mapping[str, str] | None) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", "TMPDIR": str(folder), **(environ or {})}
