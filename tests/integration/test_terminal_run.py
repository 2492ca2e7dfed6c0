"""`calamari` on a terminal: what a step shows there, and what becomes of the terminal itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari
from tests.process.seat import Seat, seat
from tests.process.support import PATIENCE, ends
from tests.tools import require_tool

__all__ = ["seat"]

pytestmark = pytest.mark.process

TOKEN = "e: hunter2-correct-horse"
"""A secret that a prompt ends in the beginning of."""

STEP = f"""name: deploy
account: none
variables:
  Token: {{value: "{TOKEN}", sensitive: true}}
env: {{TOKEN: "{{{{ Token }}}}"}}
"""

BAR = r"""
import sys, time
out = sys.stdout
out.write("\x1b[0m\x1b[1mnull_resource.a: Creating...\x1b[0m\x1b[0m\n\x1b[?25l")
for share in range(0, 101, 4):
    out.write(f"\r\x1b[K\x1b[32m[{'=' * (share // 5):20}]\x1b[0m {share:3}%")
    out.flush()
    time.sleep(0.002)
out.write("\n\x1b[1A\x1b[2Kdone\t100%\r\n\x1b[?25h\x07")
sys.stderr.write("\x1b[33mWarning:\x1b[0m one\r\ntwo \xfc\n")
"""

QUESTION = """
read -p 'really (y/n)? ' answer; echo "got <$answer>"
read -s -p 'Password: ' answer; echo; echo "it has ${#answer}"
exec "$1" -c 'print("got", input("  Enter a value: "))'
"""

LINE_FEED_ALONE = re.compile(rb"(?<!\r)\n")


def step(calamari: Calamari, script: str, **more: str) -> None:
    """Write a step of that script."""
    keys = "".join(f"{key}: {value}\n" for key, value in more.items())
    indented = "".join(f"  {line}\n" for line in script.splitlines())
    calamari.write(f"{STEP}{keys}script: |\n{indented}")


def terminal_environment(calamari: Calamari) -> Mapping[str, str]:
    return calamari.env({"TERM": "xterm-256color"})


def run(seat: Seat, calamari: Calamari, *options: str, errors_apart: bool = False) -> None:
    """`calamari run` in front of the seat."""
    seat.launch(
        calamari.argv("run", "step.yaml", *options),
        env=terminal_environment(calamari), cwd=calamari.folder, errors_apart=errors_apart,
    )  # fmt: skip


def another_seat(folder: Path) -> Seat:
    return Seat(folder / "native.json")


# --- it looks the same ----------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--interactive",)], ids=["output", "keys"])
def test_a_progress_bar_looks_the_same(
    seat: Seat, calamari: Calamari, options: tuple[str, ...]
) -> None:
    """Byte by byte what our terminal gets without calamari, between our own lines."""
    (calamari.folder / "bar.py").write_text(BAR)
    words = [sys.executable, "bar.py"]
    step(calamari, " ".join(words))
    native = another_seat(calamari.folder)
    try:
        native.launch(words, env=terminal_environment(calamari), cwd=calamari.folder)
        assert native.end() == 0
    finally:
        native.close()
    run(seat, calamari, *options)
    assert seat.end() == 0
    before, between, after = seat.seen.partition(native.seen)
    assert between, (native.seen, seat.seen)
    assert len(native.seen) > 1000
    assert before.count(b"\n") == 4
    assert after.count(b"\n") == 1
    assert not LINE_FEED_ALONE.search(seat.seen)
    assert not seat.raw


def answer_everything(seat: Seat) -> None:
    """Answer the three questions of QUESTION, each when it is asked."""
    seat.until(lambda: seat.seen.endswith(b"(y/n)? "), "first")
    seat.type(b"y\r")
    seat.until(lambda: seat.seen.endswith(b"Password: "), "second")
    seat.type(b"1234567\r")
    seat.until(lambda: seat.seen.endswith(b"Enter a value: "), "third")
    seat.type(b"yws\x7f\x7fes\r")


def test_a_question_looks_the_same(seat: Seat, calamari: Calamari) -> None:
    """Prompts, the echo of the answer, and none for a password: nothing else is on the screen."""
    bash = require_tool("bash")
    (calamari.folder / "ask.sh").write_text(QUESTION)
    words = [bash, "ask.sh", sys.executable]
    step(calamari, " ".join(words))
    native = another_seat(calamari.folder)
    try:
        native.launch(words, env=terminal_environment(calamari), cwd=calamari.folder)
        answer_everything(native)
        assert native.end() == 0
    finally:
        native.close()
    run(seat, calamari, "--interactive", "--quiet")
    answer_everything(seat)
    assert seat.end() == 0
    assert seat.seen == native.seen
    assert b"it has 7\r\n" in seat.seen
    assert b"got yes\r\n" in seat.seen


def test_terraform_looks_the_same(seat: Seat, calamari: Calamari) -> None:
    """Its colours, its question and what becomes of the answer."""
    words = [require_tool("terraform"), "apply"]
    (calamari.folder / "main.tf").write_text('output "greeting" { value = "hello" }\n')
    (calamari.folder / "terraform.rc").touch()
    quiet = {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": str(calamari.folder / "terraform.rc")}
    calamari = Calamari(calamari.folder, {**calamari.environment, **quiet})
    subprocess.run([words[0], "init"], cwd=calamari.folder, env=calamari.env(), check=True,
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=60)  # fmt: skip
    step(calamari, " ".join(words))
    native = another_seat(calamari.folder)
    try:
        native.launch(words, env=terminal_environment(calamari), cwd=calamari.folder)
        native.until(lambda: b"Enter a value:" in native.seen, "question")
        native.type(b"yes\r")
        assert native.end() == 0
    finally:
        native.close()
    (calamari.folder / "terraform.tfstate").unlink()
    run(seat, calamari, "--interactive", "--quiet")
    seat.until(lambda: b"Enter a value:" in seat.seen, "question")
    seat.type(b"yes\r")
    assert seat.end() == 0
    assert b"\x1b[" in seat.seen
    assert b"Apply complete!" in seat.seen
    assert seat.seen == native.seen


def test_a_prompt_is_there_at_once(seat: Seat, calamari: Calamari) -> None:
    """25 ms and a little, although it ends in the beginning of a secret."""
    script = (
        "import time\n"
        "for round in range(8):\n"
        "    print(f'at {time.monotonic()} Enter a value: ', end='', flush=True)\n"
        "    input()\n"
    )
    (calamari.folder / "ask.py").write_text(script)
    step(calamari, f"{sys.executable} ask.py")
    run(seat, calamari, "--interactive", "--quiet")
    waited = []
    for _ in range(8):
        seat.until(lambda: seat.seen.endswith(b"Enter a value: "), "prompt")
        waited.append(time.monotonic() - float(seat.seen.split(b"at ")[-1].split()[0]))
        seat.type(b"\r")
        seat.expect(b"\r\n")
    assert seat.end() == 0
    # The machine may be busy; it was not all the time.
    assert 0.02 < min(waited) < 0.06


# --- our own lines --------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--interactive",)], ids=["output", "keys"])
def test_our_lines_in_the_middle_of_a_bar(
    seat: Seat, calamari: Calamari, options: tuple[str, ...]
) -> None:
    """They begin on a line of their own, in their own colours, and end in the first column."""
    step(
        calamari,
        "printf '\\033[31m 42%%'; write_warning careful; printf '\\r 43%%'; sleep 60",
        timeout="2s",
    )
    run(seat, calamari, *options)
    assert seat.end() == 124
    shown = re.sub(rb"\x1b\[[\d;]*m", b"", seat.seen)
    assert b" 42%\r\ncalamari: warning: careful\r\n\r 43%" in shown
    assert b" 43%\r\ncalamari: " in shown
    assert b" 42%\r\n\x1b[0m" in seat.seen
    assert not LINE_FEED_ALONE.search(seat.seen)
    assert not seat.raw


# --- who gets a terminal --------------------------------------------------------------------------


ASK = "for n in 0 1 2; do test -t $n && echo $n; done; echo end >&2"


@pytest.mark.parametrize(
    ("options", "apart", "out", "err"),
    [
        pytest.param([], False, b"1\r\n2\r\nend\r\n", b"", id="auto"),
        pytest.param([], True, b"1\r\n", b"end\n", id="errors elsewhere"),
        pytest.param(["--pty", "off"], False, b"end\r\n", b"", id="off"),
        pytest.param(["--pty", "on"], True, b"1\r\n", b"end\n", id="on, errors elsewhere"),
        pytest.param(["--interactive"], False, b"0\r\n1\r\n2\r\nend\r\n", b"", id="keys"),
        pytest.param(["--interactive"], True, b"0\r\n1\r\n", b"end\n", id="keys, apart"),
    ],
)
def test_what_is_a_terminal(
    seat: Seat, calamari: Calamari, options: list[str], apart: bool, out: bytes, err: bytes
) -> None:
    """Each standard stream of the step is a terminal where ours is one, unless told otherwise."""
    step(calamari, ASK)
    run(seat, calamari, "--quiet", *options, errors_apart=apart)
    assert seat.end() == 0
    assert seat.seen == out
    assert seat.runner is not None
    if seat.runner.stderr is not None:
        assert seat.runner.stderr.read() == err


@pytest.mark.parametrize(
    ("options", "out"),
    [
        pytest.param([], "", id="auto"),
        pytest.param(["--pty", "on"], "1\n2\nend\n", id="on"),
    ],
)
def test_without_our_terminal(calamari: Calamari, options: list[str], out: str) -> None:
    """In a job only `--pty on` makes one; both streams are then one."""
    step(calamari, ASK)
    ran = calamari("run", "step.yaml", "--quiet", *options)
    assert (ran.code, ran.out, ran.err) == (0, out, "" if out else "end\n")


def test_events_come_without_a_terminal(seat: Seat, calamari: Calamari) -> None:
    """Who reads events gets no colours unless asked for: then they are in one stream."""
    step(calamari, ASK)
    run(seat, calamari, "--format", "json")
    assert seat.end() == 0
    assert {event["stream"]: event["text"] for event in outputs(bytes(seat.seen))} == {
        "stderr": "end\n"
    }
    ran = calamari("run", "step.yaml", "--format", "json", "--pty", "on")
    shown = outputs(ran.out.encode())
    assert {event["stream"] for event in shown} == {"stdout"}
    assert "".join(event["text"] for event in shown) == "1\n2\nend\n"


def outputs(text: bytes) -> list[dict[str, str]]:
    """The events of that type."""
    events = [json.loads(line) for line in text.splitlines()]
    return [event for event in events if event["type"] == "output"]


def test_a_command_of_ones_own_has_it_too(seat: Seat, calamari: Calamari) -> None:
    """`exec` with something piped to it still has a terminal to write to."""
    step(calamari, "exit 1")
    reader, writer = os.pipe()
    os.write(writer, b"piped\n")
    os.close(writer)
    try:
        seat.launch(
            calamari.argv("exec", "step.yaml", "--", "sh", "-c", f"cat; {ASK}"),
            env=terminal_environment(calamari), cwd=calamari.folder, input_from=reader,
        )  # fmt: skip
    finally:
        os.close(reader)
    assert seat.end() == 0
    assert seat.seen == b"piped\r\n1\r\n2\r\nend\r\n"


# --- keys and signals -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["run", "step.yaml", "--interactive", "--quiet"], id="run"),
        pytest.param(["exec", "step.yaml", "--", "sh", "check.sh"], id="exec"),
    ],
)
def test_a_typed_secret_is_masked(seat: Seat, calamari: Calamari, words: list[str]) -> None:
    """What the terminal echoes of it goes the same way as the output; the step gets it whole."""
    (calamari.folder / "check.sh").write_text(
        'echo begin; read -r line; [ "$line" = "$TOKEN" ] && echo same; echo "$line"'
    )
    step(calamari, "sh check.sh")
    seat.launch(calamari.argv(*words), env=terminal_environment(calamari), cwd=calamari.folder)
    seat.until(lambda: seat.seen == b"begin\r\n", "begin")
    seat.type(TOKEN.encode() + b"\r")
    assert seat.end() == 0
    assert seat.seen == b"begin\r\n***\r\nsame\r\n***\r\n"


@pytest.mark.parametrize(
    ("options", "outcome"),
    [
        # The step's own end: nobody told calamari to stop.
        pytest.param(["--interactive"], "failed", id="keys are the step's"),
        pytest.param([], "cancelled", id="keys are ours"),
    ],
)
def test_interrupt_key(seat: Seat, calamari: Calamari, options: list[str], outcome: str) -> None:
    """^C ends the step once, whoever's keys they are, and the terminal has its modes."""
    step(calamari, "trap 'echo once; exit 130' INT; echo up; while :; do sleep 0.05; done")
    run(seat, calamari, "--result", "result.json", *options)
    seat.until(lambda: b"up\r\n" in seat.seen, "up")
    seat.type(b"\x03")
    assert seat.end() == 130
    assert seat.seen.count(b"once") == 1
    assert json.loads((calamari.folder / "result.json").read_text())["outcome"] == outcome
    assert not seat.raw


@pytest.mark.parametrize("options", [[], ["--interactive"]], ids=["output", "keys"])
def test_the_window_is_closed(seat: Seat, calamari: Calamari, options: list[str]) -> None:
    """The step is told, `finally` runs, the result says so."""
    step(
        calamari,
        "echo pid $$; exec sleep 60",
        **{"finally": "echo ran > ran.txt"},
    )
    run(seat, calamari, "--result", "result.json", *options)
    seat.until(lambda: re.search(rb"pid \d+\r\n", seat.seen) is not None, "pid")
    found = re.search(rb"pid (\d+)", seat.seen)
    assert found
    child = os.pidfd_open(int(found[1]))
    os.close(seat.glass)
    os.close(seat.tty)
    assert ends(child)
    assert seat.runner is not None
    assert seat.runner.wait(PATIENCE) == 129
    assert json.loads((calamari.folder / "result.json").read_text())["outcome"] == "cancelled"
    assert (calamari.folder / "ran.txt").read_text() == "ran\n"


def test_no_password_is_asked_for_where_nobody_can_type(seat: Seat, calamari: Calamari) -> None:
    """Without `--interactive` there is no /dev/tty: who asks for a password fails at once."""
    script = "import getpass; getpass.getpass()"
    (calamari.folder / "ask.py").write_text(script)
    step(calamari, f"{sys.executable} ask.py 2>/dev/null || echo none")
    run(seat, calamari, "--quiet")
    assert seat.end() == 0
    assert seat.seen.endswith(b"none\r\n")
    assert termios.tcgetattr(seat.tty) == seat.modes
