"""People at work as a step's identity: `exec` for one command, `shell` on a terminal."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calamari_py.process.isolate import isolation_problem
from tests.integration.conftest import Calamari
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]

DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
STEP = f"""name: deploy
region: eu-west-1
assume_role: {DEV}
variables:
  Name: a value
  Token: {{value: t0ken-4f9c2a7be1, sensitive: true}}
env: {{TOKEN: "{{{{ Token }}}}"}}
timeout: 5s
script: echo the step itself ran
finally: echo finally ran
"""
SHOW = """
printf 'name=%s\\n' "$(. "$CALAMARI_FUNCTIONS"; get_variable Name)"
printf 'token=%s key=%s\\n' "$TOKEN" "$AWS_SECRET_ACCESS_KEY"
"""


@pytest.fixture
def step(launched: Calamari) -> Calamari:
    require_tool("bash")
    launched.write(STEP, "step.yaml")
    return launched


def test_a_command_has_all_that_the_step_has(step: Calamari) -> None:
    """Identity, environment, variables and masking are the step's; the step itself does not run."""
    require_tool("aws")
    words = ["aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
    ran = step("exec", "step.yaml", "--", *words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip() == "arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy"
    shown = step("exec", "step.yaml", "--", "bash", "-c", SHOW)
    assert shown.out == "name=a value\ntoken=*** key=***\n"


@pytest.mark.parametrize("code", [0, 7, 255])
def test_the_exit_code_is_the_commands(code: int, step: Calamari) -> None:
    """Nothing is added to what the command says, not even on failure."""
    assert step("exec", "step.yaml", "--", "bash", "-c", f"exit {code}").code == code


def test_a_commands_words_are_its_own(step: Calamari) -> None:
    """Nothing in them is taken for a placeholder."""
    assert step("exec", "step.yaml", "--", "echo", "{private} {role}").out == "{private} {role}\n"


def test_a_command_reads_what_is_piped_to_it(step: Calamari) -> None:
    """Standard input is the caller's."""
    ran = step("exec", "step.yaml", "--", "cat", input="through\n")
    assert (ran.code, ran.out) == (0, "through\n")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["exec", "step.yaml"], 2, "missing argument", id="no command"),
        pytest.param(["exec", "step.yaml", "--", "no-such-tool"], 127, "was not found", id="none"),
        pytest.param(["exec", "none.yaml", "--", "true"], 66, "none.yaml", id="no manifest"),
        pytest.param(["shell", "step.yaml"], 2, "needs a terminal", id="no terminal"),
        pytest.param(["shell", "step.yaml", "--shell", "/bin/cat"], 2, "terminal", id="no shell"),
    ],
)
def test_what_cannot_be_done(arguments: list[str], code: int, said: str, step: Calamari) -> None:
    """One line and what to do."""
    ran = step(*arguments)
    assert ran.code == code
    assert said in ran.err
    assert "Traceback" not in ran.err


@contextmanager
def shell_on_a_terminal(step: Calamari, *options: str) -> Iterator[Terminal]:
    """`calamari shell` with a terminal of its own; whatever is left of it is ended."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (40, 200))
    process = subprocess.Popen(
        step.argv("shell", "step.yaml", *options),
        cwd=step.folder, env=step.env({"TERM": "xterm", "SHELL": "/bin/bash"}),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)


class Terminal:
    """The keyboard and the screen of a process."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.master = master
        self.process = process
        self.screen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def wait_for(self, pattern: str, seconds: float = 30) -> str:
        """The screen once `pattern` is on it; then it begins anew."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.master], [], [], left)[0]:
                break
            try:
                self.screen += os.read(self.master, 65536).decode("utf-8", "replace")
            except OSError:
                break
            if re.search(pattern, self.screen):
                seen, self.screen = self.screen, ""
                return seen
        raise AssertionError(f"{pattern!r} never came; the screen says {self.screen!r}")


PROMPT = r"\[DevDeployRole@111111111111\]"


def test_a_shell_says_who_it_is_and_masks(step: Calamari) -> None:
    """The prompt names role and account, a start-up file cannot change the identity, secrets are
    masked, ^C ends a command and not the shell, and its exit code is calamari's."""
    home = step.folder / "home"
    home.mkdir()
    (home / ".bashrc").write_text("export AWS_PROFILE=launcher AWS_ACCESS_KEY_ID=AKIAOTHER\n")
    step = Calamari(step.folder, {**step.environment, "HOME": str(home)})
    with shell_on_a_terminal(step) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type('echo "<$AWS_PROFILE> ${AWS_ACCESS_KEY_ID%%[A-Z0-9]*}" key=$TOKEN\n')
        seen = terminal.wait_for(r"key=\*\*\*[\s\S]*" + PROMPT)
        assert "<>" in seen
        assert "AKIAOTHER" not in seen
        terminal.type("echo ${AWS_ACCESS_KEY_ID:0:4}\n")
        terminal.wait_for(r"ASIA[\s\S]*" + PROMPT)
        # One process that says so itself: before, ^C might find the shell and not the command.
        terminal.type("sh -c 'echo now; exec sleep 60'\n")
        terminal.wait_for(r"now\r\n")
        terminal.type("\x03")
        terminal.wait_for(PROMPT)
        terminal.type("get_variable Name; exit 3\n")
        terminal.wait_for("a value")
        assert terminal.process.wait(timeout=20) == 3


def test_a_shell_may_be_isolated(step: Calamari) -> None:
    """As `run` and `exec` may: then its processes are in a namespace of their own."""
    if problem := isolation_problem():
        pytest.skip(problem)
    ours = re.escape(os.readlink("/proc/self/ns/pid"))
    for options, is_ours in (((), True), (("--isolate",), False)):
        with shell_on_a_terminal(step, *options) as terminal:
            terminal.wait_for(PROMPT)
            terminal.type("readlink /proc/self/ns/pid; exit\n")
            seen = terminal.wait_for(r"pid:\[\d+\]")
            assert (re.search(ours, seen) is not None) == is_ours
            assert terminal.process.wait(timeout=20) == 0


def test_a_shell_that_would_be_somebody_else_does_not_open(step: Calamari) -> None:
    """A start-up file whose AWS variables cannot be replaced ends it, and says why."""
    home = step.folder / "home"
    home.mkdir()
    (home / ".bashrc").write_text("readonly AWS_ACCESS_KEY_ID=AKIAOTHER\n")
    step = Calamari(step.folder, {**step.environment, "HOME": str(home)})
    with shell_on_a_terminal(step) as terminal:
        terminal.wait_for("would not be the step")
        assert terminal.process.wait(timeout=20) == 77


def test_a_shell_ends_when_it_is_told_to(step: Calamari) -> None:
    """SIGTERM to calamari ends the shell at once, and the code says so."""
    with shell_on_a_terminal(step, "--shell", "sh") as terminal:
        terminal.wait_for(PROMPT)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(timeout=20) == 143


def test_nothing_of_a_shell_stays(step: Calamari) -> None:
    """Its start-up file and folders are gone with it."""
    with shell_on_a_terminal(step) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("echo at=$CALAMARI_TEMP=\n")
        seen = re.search(r"at=(/[^=]+)=", terminal.wait_for(r"at=/[^=]+="))
        assert seen
        terminal.type("exit\n")
        assert terminal.process.wait(timeout=20) == 0
        assert not Path(seen[1]).exists()
