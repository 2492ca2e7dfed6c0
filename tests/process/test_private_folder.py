"""private_folder(): closed to others, gone afterwards, stale ones cleared away safely."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from calamari_py.errors import Cancelled, ToolMissing, exit_code_of
from calamari_py.process import private_folder

TraceFunction = Callable[[FrameType, str, Any], Any]


def later(seconds: float) -> Callable[[], float]:
    """A wall clock that is ahead."""
    return lambda: time.time() + seconds


def stale_folder(base: Path, name: str = "calamari-0123456789abcdef", mode: int = 0o700) -> Path:
    """What a run that was killed left behind."""
    folder = base / name
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "Password").write_text("left")
    folder.chmod(mode)
    return folder


def test_made_and_removed(tmp_path: Path) -> None:
    """The folder is ours alone, empty, and gone after the block."""
    with private_folder([tmp_path]) as folder:
        facts = folder.stat()
        assert (stat.S_IMODE(facts.st_mode), facts.st_uid) == (0o700, os.getuid())
        assert folder.parent == tmp_path
        assert list(folder.iterdir()) == []
        (folder / "file").write_text("x")
    assert not folder.exists()


def test_mode_whatever_the_umask(tmp_path: Path) -> None:
    """A umask that takes our own rights does not keep us out."""
    before = os.umask(0o777)
    try:
        with private_folder([tmp_path]) as folder:
            mode = stat.S_IMODE(folder.stat().st_mode)
    finally:
        os.umask(before)
    assert mode == 0o700


def test_removed_after_an_exception(tmp_path: Path) -> None:
    """An exception passes through and the folder is gone."""
    made = []

    def interrupted() -> None:
        with private_folder([tmp_path]) as folder:
            made.append(folder)
            (folder / "file").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [folder.exists() for folder in made] == [False]


def test_first_base_that_works(tmp_path: Path) -> None:
    """Missing, relative, foreign-writable bases and files are passed over."""
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    bases = [Path("relative"), *(tmp_path / name for name in ("no", "file", "open", "sticky"))]
    with private_folder(bases) as folder:
        assert folder.parent == tmp_path / "sticky"


def test_no_base(tmp_path: Path) -> None:
    """Without any usable base the error names those that were tried and the cure."""
    with (
        pytest.raises(ToolMissing, match="no folder for private files") as caught,
        private_folder([tmp_path / "no"]),
    ):
        raise AssertionError
    assert str(tmp_path / "no") in str(caught.value)
    assert "TMPDIR" in (caught.value.hint or "")
    assert exit_code_of(caught.value) == 69


class Interrupt:
    """Raises Cancelled at the `line`-th line that runs in the folder's code and what it calls."""

    MODULES = ("folder.py", "removal.py", "janitor.py", "contextlib.py", "pathlib.py")

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, arg: object) -> TraceFunction | None:
        if not frame.f_code.co_filename.endswith(self.MODULES):
            return None
        if event in {"call", "line"}:
            self.left -= 1
            if self.left == 0:
                sys.settrace(None)
                raise Cancelled(15)
        return self


@pytest.mark.slow(6)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_exception_at_any_line_leaves_nothing(tmp_path: Path) -> None:
    """Whatever a signal interrupts, making, handing over or removing: the folder goes, and our
    signals are as they were.
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    base = tmp_path / "base"
    base.mkdir()
    before = sys.gettrace()
    interrupted, line = True, 0
    while interrupted:
        line += 1
        try:
            sys.settrace(Interrupt(line))
            with private_folder([base]) as folder:
                (folder / "inner").mkdir()
                (folder / "file").touch()
            interrupted = False
        except Cancelled:
            pass
        finally:
            sys.settrace(before)
        assert os.listdir(base) == [], f"line {line}"
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask, f"line {line}"
    assert line > 100


def test_stubborn_content(tmp_path: Path) -> None:
    """Closed folders, read-only files, odd names and great depth do not keep it alive."""
    with private_folder([tmp_path]) as folder:
        closed = folder / "closed" / "inner"
        closed.mkdir(parents=True)
        (closed / "file").write_text("x")
        (closed / "file").chmod(0)
        closed.chmod(0)
        closed.parent.chmod(0o500)
        os.mkfifo(folder / "fifo")
        (folder / "new\nline").write_text("x")
        folder.chmod(0o500)
        deep = folder / "closed"
        deep.chmod(0o700)
        descriptor = os.open(deep, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=descriptor)
            inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        os.close(descriptor)
    assert not folder.exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    """What links in the folder point to stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    with private_folder([tmp_path]) as folder:
        (folder / "link").symlink_to(outside)
        (folder / "file").symlink_to(outside / "kept")
        (folder / "sub").mkdir()
        (folder / "sub" / "link").symlink_to(outside)
    assert not folder.exists()
    assert (outside / "kept").read_text() == "x"


def test_stale_folder_is_removed(tmp_path: Path) -> None:
    """A folder that a killed run left is removed by the next run, from every base."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    stale = [stale_folder(tmp_path / "a"), stale_folder(tmp_path / "b")]
    with private_folder([tmp_path / "a", tmp_path / "b"], now=later(61)) as folder:
        assert [path.exists() for path in stale] == [False, False]
        assert folder.exists()


@pytest.mark.parametrize(
    ("name", "mode", "age"),
    [
        pytest.param("calamari-0123456789abcdef", 0o700, 59, id="too young"),
        pytest.param("calamari-0123456789abcdef", 0o755, 61, id="another mode"),
        pytest.param("calamari-mine", 0o700, 61, id="another name"),
        pytest.param("calamari-0123456789abcdef0", 0o700, 61, id="a longer name"),
    ],
)
def test_what_is_not_stale(tmp_path: Path, name: str, mode: int, age: float) -> None:
    """What is not surely ours and abandoned stays."""
    folder = stale_folder(tmp_path, name, mode)
    with private_folder([tmp_path], now=later(age - 2)):
        assert (folder / "variables" / "Password").exists()


def test_folder_in_use_stays(tmp_path: Path) -> None:
    """A run's folder is safe from other runs however long it takes."""
    with private_folder([tmp_path]) as first, private_folder([tmp_path], now=later(9999)) as other:
        assert first.exists()
        assert other != first


def test_link_to_a_folder_is_not_stale(tmp_path: Path) -> None:
    """A link with the right name leads nowhere."""
    (tmp_path / "elsewhere").mkdir()
    target = stale_folder(tmp_path / "elsewhere")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / target.name).symlink_to(target)
    with private_folder([tmp_path / "base"], now=later(9999)):
        assert (target / "variables" / "Password").exists()


def test_replaced_folder_is_left_alone(tmp_path: Path) -> None:
    """When the path has become another folder only the one that was made is emptied."""
    with private_folder([tmp_path]) as folder:
        (folder / "file").write_text("x")
        moved = tmp_path / "moved"
        folder.rename(moved)
        folder.mkdir()
    assert folder.exists()
    assert list(moved.iterdir()) == []


@pytest.mark.skipif(os.getuid() == 0, reason="nothing resists root")
def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    """A folder that resists is told in one sentence and does not hide how the run ended."""
    said: list[str] = []
    with private_folder([tmp_path], warn=said.append) as folder:
        tmp_path.chmod(0o500)
    tmp_path.chmod(0o700)
    assert said == [f"the private folder '{folder}' could not be removed: permission denied"]


@pytest.mark.process
def test_killed_run_is_cleared_away(tmp_path: Path) -> None:
    """The lock of a run that was killed is free, so that the next run removes its folder."""
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from calamari_py.process import private_folder\n"
        "with private_folder([Path(sys.argv[1])]) as folder:\n"
        "    print(folder, flush=True)\n"
        "    os.read(0, 1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        left = Path(run.stdout.readline().strip())
        with private_folder([tmp_path], now=later(9999)):
            assert left.exists()
        run.kill()
    with private_folder([tmp_path], now=later(9999)):
        assert not left.exists()
