"""Isolation: the step sees its own processes only, nothing hidden, and ends as without it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import calamari_py
from calamari_py.errors import CommandNotExecutable, CommandNotFound, FileMissing, ToolMissing
from calamari_py.process import Isolation, Limits, SignalInbox, StopReason
from calamari_py.process.isolate import isolation_problem
from tests.process.support import (
    PATH,
    RUNNER,
    Once,
    RecordingSink,
    as_nobody,
    comes_true,
    execute,
    processes_with,
    python,
    run_as_nobody,
    shell,
)

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux isolates"),
]

HERE = str(Path(calamari_py.__file__).parents[1])


@pytest.fixture(autouse=True)
def possible() -> None:
    """Without namespaces only the refusal can be seen, which has tests of its own."""
    problem = isolation_problem()
    if problem is not None:
        pytest.skip(problem)


def isolated(script: str, *hidden: Path) -> str:
    """What a shell script says, isolated."""
    sink = RecordingSink()
    execute(shell(script), sink, isolation=Isolation(hidden=hidden))
    return (sink.stdout + sink.stderr).decode()


def isolated_as_nobody(script: str, *hidden: Path) -> str:
    """The same as a user without rights, from a hardened runner."""
    paths = "".join(f"Path({str(path)!r}), " for path in hidden)
    return run_as_nobody(f"harden()\ngo({script!r}, isolation=Isolation(hidden=({paths})))\n")


BOTH = pytest.mark.parametrize(
    "say",
    [pytest.param(isolated, id="us"), pytest.param(isolated_as_nobody, id="nobody")],
)
Say = Callable[..., str]


@BOTH
def test_only_its_own_processes(say: Say) -> None:
    """/proc holds pid 1, which is ours and has no environment, and what the step started."""
    said = say(
        "for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline; echo; done; "
        "echo environ $(cat /proc/1/environ 2>/dev/null | wc -c) ppid $PPID"
    )
    commands = [line for line in said.splitlines() if line]
    assert "isolate_init.py" in commands[0]
    assert "environ 0 ppid 1" in commands
    assert not [line for line in commands[1:] if "python" in line or "pytest" in line]


@pytest.mark.parametrize(
    ("isolation", "seen"),
    [pytest.param("None", True, id="without"), pytest.param("Isolation()", False, id="with")],
)
def test_no_ancestor_can_be_read(isolation: str, seen: bool) -> None:
    """The environment of an agent above the runner is open to the step, and to an isolated one
    not: environ, cmdline and memory of every process there is.
    """
    search = (
        "for file in /proc/[0-9]*/environ /proc/[0-9]*/cmdline; do cat $file; done 2>/dev/null "
        "| tr '\\0' '\\n' | grep -a -q '^AGENT_TOKEN=canar[y]' && echo found; "
        "head -c 1 /proc/$PPID/mem 2>&1 | grep -c -i 'denied'"
    )
    script = f"harden()\ngo({search!r}, isolation={isolation})\n"
    agent = (
        "import os, subprocess, sys\n"
        "child = {k: v for k, v in os.environ.items() if k != 'AGENT_TOKEN'}\n"
        f"script = {RUNNER + script!r}\n"
        "subprocess.run([sys.executable, '-c', script], env=child, check=True)\n"
    )
    said = run_as_nobody(agent, environment={"AGENT_TOKEN": "canary"})
    assert ("found" in said) is seen
    assert said.split()[-1] == "1"


@BOTH
def test_what_is_hidden(say: Say, hiding: Path) -> None:
    """Files read empty, folders list nothing, neither can be written; the rest is as it was."""
    said = say(
        # What the shell says of it on stderr might come in the midst of a line.
        "exec 2>/dev/null; "
        f"cd {hiding}; wc -c < token; wc -c < link; ls -A aws | wc -l; cat other; "
        "echo x > token || echo no; echo x > aws/new || echo no; [ -f token ] && echo file",
        hiding / "token",
        hiding / "link",
        hiding / "aws",
        hiding / "aws" / "config",
        hiding / "missing",
        Path("relative/missing"),
    )
    assert said.splitlines() == ["0", "0", "0", "open", "no", "no", "file"]
    assert (hiding / "token").read_text() == "secret"


@BOTH
def test_a_cover_stays_on(say: Say, hiding: Path) -> None:
    """No way of mounting brings back what is hidden, and no other /proc what is above."""
    token = hiding / "token"
    said = say(
        f"umount {token}; umount -l {token}; umount -l {hiding}/aws; umount -l /proc; umount -R /; "
        f"unshare -Urm sh -c 'umount -l {token}; mount --bind {hiding} /mnt; cat /mnt/token; "
        f"mount --make-rprivate /; mount --move {token} /mnt; umount -l /proc; cat {token}'; "
        f"nsenter -t 1 -m -U cat {token}; nsenter -t 1 -m cat {token}; "
        f"cat {token} {hiding}/aws/config; echo seen $(ls /proc | grep -c '^[0-9]') seen",
        token,
        hiding / "aws",
    )
    assert "secret" not in said
    assert int(said.split("seen")[1]) < 8


@BOTH
def test_no_rights_to_take_covers_off(say: Say) -> None:
    """Neither the step nor pid 1 may mount, now or after another exec; who is not root has no
    rights at all, and no program gives it any.
    """
    said = say("grep -h -E '^(Cap|NoNew)' /proc/1/status /proc/self/status")
    fields = [line.split() for line in said.splitlines()]
    rights = [(name, int(value, 16)) for name, value in fields if name.startswith("Cap")]
    assert len(rights) == 10
    assert not [name for name, value in rights if value & 1 << 21]
    if say is isolated_as_nobody:
        assert {value for name, value in rights if name != "CapBnd:"} == {0}
        assert ["NoNewPrivs:", "1"] in fields


def test_a_working_folder_that_is_hidden(hiding: Path) -> None:
    """Who works in a hidden folder works in the empty one."""
    sink = RecordingSink()
    execute(
        shell("ls -A; ls -A ."),
        sink,
        directory=hiding / "aws",
        isolation=Isolation(hidden=(hiding / "aws",)),
    )
    assert sink.stdout + sink.stderr == b""


@pytest.fixture
def hiding(tmp_path: Path) -> Path:
    """A token, a link to one, a folder with a file, and a file for everybody."""
    folder = tmp_path / "hiding"
    folder.mkdir()
    (folder / "token").write_text("secret")
    (folder / "real").write_text("secret")
    (folder / "link").symlink_to("real")
    (folder / "aws").mkdir()
    (folder / "aws" / "config").write_text("secret")
    (folder / "other").write_text("open\n")
    for path in (folder, folder / "aws"):
        path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    tmp_path.chmod(0o711)
    return folder


@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("exit 0", 0, id="0"),
        pytest.param("exit 7", 7, id="7"),
        pytest.param("exit 255", 255, id="255"),
        pytest.param("kill -TERM $$", 143, id="TERM"),
        pytest.param("kill -KILL $$", 137, id="KILL"),
        pytest.param("ulimit -c 0; kill -ABRT $$", 134, id="ABRT"),
        pytest.param("kill -PIPE $$", 141, id="PIPE"),
        pytest.param("kill -INT $$", 130, id="INT"),
        pytest.param("kill -TERM 0", 143, id="its group"),
        pytest.param("kill -TERM -$$", 143, id="its group by number"),
        pytest.param("for s in INT TERM HUP USR1 CHLD; do kill -$s 1; done; exit 3", 3, id="init"),
    ],
)
def test_exit_code(script: str, code: int) -> None:
    """The code is the one of the same step without isolation, where that has a pid 1 to spare."""
    ended = execute(shell(script), RecordingSink(), isolation=Isolation())
    assert ended.code == code
    if "kill -$s 1" not in script:
        assert execute(shell(script), RecordingSink()).code == code


@pytest.mark.parametrize(
    ("argv", "directory", "error"),
    [
        pytest.param(("/no/such",), "/", CommandNotFound, id="no program"),
        pytest.param(("/etc/passwd",), "/", CommandNotExecutable, id="no executable"),
        pytest.param(("/bin/sh",), "/no/such", FileMissing, id="no folder"),
        pytest.param(("/bin/echo", "x" * 140_000), "/", CommandNotExecutable, id="too long"),
    ],
)
def test_what_cannot_start(argv: tuple[str, ...], directory: str, error: type[Exception]) -> None:
    """The error is the one of the same command without isolation."""
    said = []
    for isolation in (None, Isolation()):
        with pytest.raises(error) as caught:
            execute(argv, RecordingSink(), directory=Path(directory), isolation=isolation)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("pwd; umask; ulimit -Hc; ulimit -Sc; env", id="surroundings"),
        pytest.param("exec cat", id="stdin"),
        pytest.param("ls /proc/self/fd | wc -l", id="descriptors"),
        pytest.param("grep -E 'Sig(Ign|Blk|Cgt)' /proc/self/status", id="signals"),
        pytest.param(
            "read _ _ _ _ g s _ < /proc/$$/stat; [ $g = $$ ] && [ $s = $$ ] && echo leader",
            id="session",
        ),
    ],
)
def test_the_same_as_without(script: str) -> None:
    """What a process inherits is what it inherits without isolation."""
    said = []
    before = os.umask(0o027)
    try:
        for isolation in (None, Isolation()):
            sink = RecordingSink()
            execute(shell(script), sink, directory=Path("/usr"), isolation=isolation)
            said.append((sink.stdout, sink.stderr))
    finally:
        os.umask(before)
    assert said[0] == said[1]


def test_both_streams() -> None:
    """Megabytes on both streams arrive, apart, and the ends of both are seen at once."""
    sink = RecordingSink()
    script = (
        "import sys\nfor n in range(200):\n for s in (1, 2): __import__('os').write(s, b'x' * 9999)"
    )
    began = time.monotonic()
    ended = execute(python(script), sink, isolation=Isolation(), kill_delay=30)
    assert time.monotonic() - began < 30
    assert (ended.code, len(sink.stdout), len(sink.stderr)) == (0, 1_999_800, 1_999_800)
    assert ended.left_running == ()


def test_orphans_are_collected() -> None:
    """What the step leaves behind does not stay as zombies while it runs."""
    said = isolated(
        "for n in 1 2 3 4 5; do (sh -c 'exit 1' &); done; n=0; "
        "while grep -q ') Z' /proc/[0-9]*/stat 2>/dev/null; do "
        "n=$((n+1)); [ $n = 500 ] && echo zombies && break; sleep 0.01; done; echo done"
    )
    assert said == "done\n"


def test_signals_reach_the_step() -> None:
    """A signal to us goes to the step itself, once."""
    inbox = SignalInbox(install=False)
    sink = RecordingSink(on_feed=Once(b"ready", lambda: inbox.deliver(signal.SIGINT)))
    script = "trap 'echo got; n=1' INT; echo ready; while [ -z $n ]; do sleep 0.02; done; exit 5"
    ended = execute(shell(script), sink, inbox=inbox, isolation=Isolation())
    inbox.close()
    assert sink.stdout == b"ready\ngot\n"
    assert (ended.code, ended.stopped) == (5, StopReason.SIGNAL)


def test_a_timeout_ends_everything() -> None:
    """Also what left the session and ignores signals."""
    word = f"87{os.getpid()}.75"
    script = (
        f"trap '' TERM; setsid sh -c 'trap \"\" TERM HUP; sleep {word}; :' & "
        f"sleep {word}; sleep {word}"
    )
    # Time enough for both to have said that they ignore signals, also on a busy machine.
    limits = Limits(timeout=3.0, grace=0.1)
    ended = execute(
        shell(script), RecordingSink(), limits=limits, kill_delay=0.2, isolation=Isolation()
    )
    assert (ended.code, ended.stopped) == (137, StopReason.TIMEOUT)
    assert comes_true(lambda: not processes_with(word))


def test_what_is_left_running_is_named() -> None:
    """What is left in the namespace is ended and named, in the leader's session or not."""
    word = f"88{os.getpid()}.75"
    script = f"sleep {word} & setsid sleep {word} & exit 4"
    sink = RecordingSink()
    ended = execute(shell(script), sink, kill_delay=0.3, isolation=Isolation())
    assert ended.code == 4
    assert [name.split()[0] for name in ended.left_running] == ["sleep", "sleep"]
    assert comes_true(lambda: not processes_with(word))


@pytest.mark.parametrize("stubborn", [False, True], ids=["obedient", "stubborn"])
def test_a_killed_runner_leaves_nothing(stubborn: bool) -> None:
    """Everything in the namespace ends when the runner is killed, whatever it ignores."""
    word = f"89{os.getpid()}.75"
    deaf = "trap '' TERM HUP INT; " if stubborn else ""
    script = f"{deaf}setsid sleep {word} & echo ready; sleep {word}; sleep {word}"
    argv = [
        *as_nobody(),
        "-c",
        RUNNER + f"harden()\ngo({script!r}, isolation=Isolation(kill_delay=0.5))\n",
    ]
    environment = {"PATH": PATH, "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, cwd="/") as runner:
        try:
            assert runner.stdout is not None
            assert runner.stdout.readline() == b"ready\n"
            assert comes_true(lambda: len(processes_with(word)) >= 3)
        finally:
            runner.kill()
        runner.wait()
    assert comes_true(lambda: not processes_with(word))


def test_on_a_terminal() -> None:
    """A step whose output is a terminal has one in isolation too."""
    said = run_as_nobody(
        "go('[ -t 1 ] && [ -t 2 ] && echo terminal', terminal=True, isolation=Isolation())\n"
    )
    assert said.strip() == "terminal"


def test_keys_reach_the_step() -> None:
    """With keys the step has the pty as its controlling terminal in isolation too."""
    script = (
        "import fcntl, termios\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "go('read word; read other < /dev/tty; echo got $word $other', stdin='inherit', "
        "terminal=True, isolation=Isolation())\n"
    )
    glass, tty = os.openpty()
    os.write(glass, b"hello\nworld\n")
    environment = {"PATH": PATH, "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER + script],
        env=environment,
        stdin=tty,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as runner:
        said, _ = runner.communicate(timeout=60)
    os.close(glass)
    os.close(tty)
    assert b"got hello world" in said


def test_where_it_is_forbidden() -> None:
    """A system that refuses says so, by name and before anything has run, with a way out."""
    script = (
        "from calamari_py.process.isolate import isolation_problem\n"
        "print(isolation_problem())\n"
        "try: go('echo ran', isolation=Isolation())\n"
        "except Exception as error: print(type(error).__name__, error, error.hint, sep='|')\n"
    )
    # Inside a user namespace its limits are ours to set.
    forbid = (
        "echo 0 > /proc/sys/user/max_user_namespaces; "
        'exec setpriv --bounding-set -all --inh-caps -all "$@"'
    )
    ended = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", forbid, "sh", sys.executable, "-c", RUNNER + script],
        env={"PATH": PATH, "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    reason, error = ended.stdout.splitlines()
    assert "user.max_user_namespaces is 0" in reason
    kind, message, hint = error.split("|")
    assert message == f"the step cannot be isolated: {reason}"
    assert "user namespaces" in hint
    assert issubclass(calamari_py.process.isolate.Unavailable, ToolMissing)
    assert kind == "Unavailable"
