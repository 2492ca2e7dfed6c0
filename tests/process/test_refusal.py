"""Commands that cannot be started: which error, which exit code, which cure."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calamari_py.errors import (
    CalamariError,
    CommandNotExecutable,
    CommandNotFound,
    FileMissing,
    InternalError,
)
from tests.process.support import RecordingSink, execute, open_descriptors, shell

pytestmark = pytest.mark.process


def program(folder: Path, content: bytes, mode: int = 0o755) -> Path:
    """A file that is meant to be a program."""
    path = folder / "program"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "mode", "said", "cure"),
    [
        pytest.param(b"#!/bin/sh\n", 0o644, "is not executable", "chmod +x", id="no x bit"),
        pytest.param(b"echo hello\n", 0o755, "exec format error", "'#!' line", id="no #! line"),
        pytest.param(b"", 0o755, "exec format error", "'#!' line", id="empty"),
        pytest.param(b"#!/bin/sh\r\nexit\r\n", 0o755, "carriage return", "LF", id="CRLF"),
        pytest.param(b"#!/tmp\n", 0o755, "'/tmp'", "first line", id="interpreter is a folder"),
        pytest.param(b"#!\n", 0o755, "names no interpreter", "#!/bin/sh", id="empty #! line"),
    ],
)
def test_not_executable(tmp_path: Path, content: bytes, mode: int, said: str, cure: str) -> None:
    """A file that is there and cannot run is error 126, and the hint says what to change."""
    path = program(tmp_path, content, mode)
    sink = RecordingSink()
    before = open_descriptors()
    with pytest.raises(CommandNotExecutable) as caught:
        execute((str(path),), sink)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert cure in (caught.value.hint or "")
    assert caught.value.exit_code == 126
    assert sink.calls == []
    assert open_descriptors() == before


def test_missing_interpreter(tmp_path: Path) -> None:
    """A script whose interpreter is not there is error 127, and both are named."""
    path = program(tmp_path, b"#!/no/such/interpreter -x\n")
    with pytest.raises(CommandNotFound, match="'/no/such/interpreter'") as caught:
        execute((str(path),), RecordingSink())
    assert str(path) in str(caught.value)
    assert "first line" in (caught.value.hint or "")


def test_missing_program(tmp_path: Path) -> None:
    """A program that is not there is error 127."""
    with pytest.raises(CommandNotFound, match="was not found") as caught:
        execute((str(tmp_path / "nothing"),), RecordingSink())
    assert caught.value.exit_code == 127
    assert caught.value.hint


def test_folder_as_program(tmp_path: Path) -> None:
    """A folder is named as such."""
    with pytest.raises(CommandNotExecutable, match="is a folder"):
        execute((str(tmp_path),), RecordingSink())


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_working_directory(tmp_path: Path, kind: str) -> None:
    """A working directory that is none is not mistaken for a missing program."""
    place = tmp_path / "place"
    if kind == "file":
        place.touch()
    with pytest.raises(FileMissing) as caught:
        execute(shell("exit 0"), RecordingSink(), directory=place)
    assert str(place) in caught.value.problems[0].message
    assert caught.value.exit_code == 66


HUGE = "s3cret" * 30_000


@pytest.mark.parametrize(
    ("argv", "environment", "said"),
    [
        pytest.param(("/bin/true",), {"BIG": HUGE}, "variable 'BIG' is too large", id="variable"),
        pytest.param(("/bin/true", HUGE), {}, "argument 1 of '/bin/true'", id="argument"),
        pytest.param(
            ("/bin/true",),
            {f"V{n}": HUGE[:100_000] for n in range(100)},
            "are too large",
            id="all together",
        ),
    ],
)
def test_too_large(argv: tuple[str, ...], environment: dict[str, str], said: str) -> None:
    """What does not fit is named with its size, never shown; the hint names files instead."""
    with pytest.raises(CommandNotExecutable) as caught:
        execute(argv, RecordingSink(), environment=environment)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "CALAMARI_VARIABLES" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("argv", "environment", "error", "said"),
    [
        pytest.param(
            ("/bin/true",), {"A": "x\0y"}, CommandNotExecutable, "'A' holds a NUL byte", id="NUL"
        ),
        pytest.param(
            ("/bin/true", "x\0y"), {}, CommandNotExecutable, "argument 1 holds a NUL", id="argv NUL"
        ),
        pytest.param(
            ("/bin/true",), {"A": "\ud800"}, CommandNotExecutable, "surrogate", id="surrogate"
        ),
        pytest.param(("/bin/true",), {"A=B": "x"}, CommandNotExecutable, "'A=B'", id="name with ="),
        pytest.param(("/bin/true",), {"": "x"}, CommandNotExecutable, "''", id="empty name"),
        pytest.param(("true",), {}, InternalError, "was not resolved", id="bare name"),
    ],
)
def test_what_no_process_can_take(
    argv: tuple[str, ...], environment: dict[str, str], error: type[CalamariError], said: str
) -> None:
    """Values that no process can be given are refused by name before anything starts."""
    with pytest.raises(error) as caught:
        execute(argv, RecordingSink(), environment=environment)
    assert said in str(caught.value)
    assert caught.value.hint


def test_dangling_link(tmp_path: Path) -> None:
    """A link that leads nowhere is a missing program, not one of the wrong build."""
    link = tmp_path / "link"
    os.symlink(tmp_path / "nowhere", link)
    with pytest.raises(CommandNotFound):
        execute((str(link),), RecordingSink())
