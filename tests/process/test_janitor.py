"""Janitor: private folders go although the runner was killed, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from calamari_py.process import Janitor, private_folder
from tests.process.support import comes_true, ends, processes_with, run_as_nobody, state_of

pytestmark = pytest.mark.process

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_KILLED = """
import os, signal, subprocess, sys
from pathlib import Path
from calamari_py.process import Janitor, private_folder
base = Path(sys.argv[1])
with Janitor(print) as janitor:
    with private_folder([base], janitor=janitor) as one, private_folder([base]) as two:
        for folder in (one, two):
            (folder / "closed" / "inner").mkdir(parents=True)
            (folder / "closed" / "inner" / "secret").write_text("secret")
            (folder / "link").symlink_to(base / "kept")
            (folder / "closed").chmod(0)
            folder.chmod(0)
        if len(sys.argv) > 2:
            subprocess.Popen(["/bin/sh", "-c", sys.argv[2], "sh", str(one)])
            sys.stdin.read(1)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(base: Path, *child: str) -> None:
    """A runner that makes two folders and is killed, at once or after a line of its child."""
    (base / "kept").mkdir(parents=True)
    (base / "kept" / "file").write_text("kept")
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, str(base), *child],
        input=b"",
        capture_output=True,
        timeout=60,
    )
    # All streams have ended: the janitor holds none of them.
    assert (ended.returncode, ended.stdout, ended.stderr) == (-9, b"", b"")


def started(folder: Path | None = None) -> tuple[Janitor, int]:
    """A janitor with a folder to watch, and its pid."""
    janitor = Janitor()
    janitor.start()
    if folder is not None:
        janitor.watch(folder)
    assert janitor._process is not None
    return janitor, janitor._process.pid


def let_go(janitor: Janitor) -> int:
    """What the end of the runner is for the janitor; its exit code."""
    assert janitor._pipe is not None
    assert janitor._process is not None
    janitor._pipe.close()
    return janitor._process.wait(30)


def test_killed_runner(tmp_path: Path) -> None:
    """Both folders go, whatever is in them; what their links lead to stays."""
    base = tmp_path / "base"
    killed(base)
    assert comes_true(lambda: os.listdir(base) == ["kept"])
    assert (base / "kept" / "file").read_text() == "kept"


def test_a_child_that_writes_on(tmp_path: Path) -> None:
    """A child that outlives the runner for a moment, and makes the folder again, does not win."""
    base = tmp_path / "base"
    go_on = (
        "exec >/dev/null 2>&1 </dev/null; n=0; while [ $n -lt 60 ]; do "
        'mkdir -p "$1/again$n"; echo secret > "$1/again$n/secret"; n=$((n+1)); sleep 0.01; done'
    )
    killed(base, f"{go_on}; touch '{base}/kept/over'")
    assert comes_true((base / "kept" / "over").exists)
    assert comes_true(lambda: os.listdir(base) == ["kept"])


@linux
def test_it_holds_nothing(tmp_path: Path) -> None:
    """No descriptor, environment, folder, argument or session of ours."""
    (tmp_path / "secret").touch()
    with (tmp_path / "secret").open() as file:
        os.set_inheritable(file.fileno(), True)
        janitor, pid = started(tmp_path / "calamari-x")
    process = Path(f"/proc/{pid}")
    # An interpreter that starts reads files of its own.
    assert comes_true(lambda: sorted(_links(pid)) == ["0", "1", "2"])
    assert [_links(pid)[number] for number in "12"] == ["/dev/null"] * 2
    assert _links(pid)["0"].startswith("pipe:")
    assert (process / "environ").read_bytes() == b""
    assert os.readlink(process / "cwd") == "/"
    assert str(tmp_path).encode() not in (process / "cmdline").read_bytes()
    assert os.getsid(pid) == pid
    janitor.end()


def test_signals_do_not_end_it(tmp_path: Path) -> None:
    """From its first moment on, what tells us to stop does not stop it."""
    folder = tmp_path / "calamari-0123456789abcdef"
    janitor, pid = started(folder)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        os.kill(pid, signum)
    folder.mkdir()
    assert let_go(janitor) == 0
    assert not folder.exists()
    janitor.end()


@linux
def test_our_signals_are_not_lost() -> None:
    """Starting it leaves our own signal mask as it was."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    janitor, _ = started()
    janitor.end()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before


@linux
def test_closed_to_others() -> None:
    """A step of the same user cannot read its memory."""
    said = run_as_nobody(
        "import time\n"
        "from calamari_py.process import Janitor\n"
        "with Janitor(print) as janitor:\n"
        "    until = time.monotonic() + 20\n"
        "    script = f'head -c 1 /proc/{janitor._process.pid}/environ && echo open'\n"
        "    import subprocess\n"
        "    while subprocess.run(['sh', '-c', script], capture_output=True).returncode == 0:\n"
        "        assert time.monotonic() < until\n"
        "    print('closed')\n"
    )
    assert said == "closed\n"


@linux
def test_a_normal_end(tmp_path: Path) -> None:
    """After the block the process is gone and collected."""
    with private_folder([tmp_path]):
        assert comes_true(lambda: len(_janitors()) == 1)
        children = _janitors()
    assert [state_of(pid) for pid in children] == [""]


@linux
def test_a_shared_one_is_not_ended(tmp_path: Path) -> None:
    """A janitor that was handed over watches on, and there is no second one."""
    janitor, pid = started()
    with private_folder([tmp_path], janitor=janitor):
        assert comes_true(lambda: _janitors() == [pid])
    assert state_of(pid) in {"S", "R", "D"}
    janitor.end()
    janitor.end()
    assert state_of(pid) == ""


def test_it_removes_only_what_is_ours(tmp_path: Path) -> None:
    """A link in place of the folder, and a file, stay; so does the folder of another user."""
    names = ["calamari-000000000000000a", "calamari-000000000000000b", "calamari-000000000000000c"]
    link, file, strange = (tmp_path / name for name in names)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "kept").touch()
    link.symlink_to(tmp_path / "target")
    file.touch()
    strange.mkdir()
    (strange / "kept").touch()
    if os.getuid() == 0:
        os.chown(strange, 65534, 65534)
    janitor, pid = started(link)
    janitor.watch(file)
    if os.getuid() == 0:
        janitor.watch(strange)
    assert janitor._pipe is not None
    janitor._pipe.close()
    pidfd = os.pidfd_open(pid)
    assert ends(pidfd)
    janitor.end()
    assert (tmp_path / "target" / "kept").exists()
    assert file.exists()
    assert (strange / "kept").exists()


@linux
def test_no_process_is_allowed() -> None:
    """The run goes on without one, and the reason is said."""
    said = run_as_nobody(
        "import resource, tempfile\n"
        "from calamari_py.process import private_folder\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n"
        "with private_folder([Path('/tmp')], warn=print) as folder: print(folder.is_dir())\n"
        "print(folder.exists())\n"
    )
    assert said == (
        "nothing will remove the private folders at once if calamari is killed: "
        "resource temporarily unavailable\nTrue\nFalse\n"
    )


def test_a_janitor_that_was_killed(tmp_path: Path) -> None:
    """A folder that nobody watches is made all the same, and that is said."""
    told: list[str] = []
    janitor = Janitor(told.append)
    janitor.start()
    assert janitor._process is not None
    janitor._process.kill()
    janitor._process.wait()
    with private_folder([tmp_path], janitor=janitor) as folder:
        assert folder.is_dir()
    assert told == [
        "nothing will remove the private folders at once if calamari is killed: broken pipe"
    ]


def _links(pid: int) -> dict[str, str]:
    links = {}
    for number in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            links[number.name] = os.readlink(number)
    return links


def _janitors() -> list[int]:
    """Those of this process: other tests have theirs."""
    return [pid for pid in processes_with("removal.py") if _parent(pid) == os.getpid()]


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0
