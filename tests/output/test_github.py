"""The github format, as a GitHub runner reads it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.errors import Problem
from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._commands import escape_data, harmless
from calamari_py.output.base import CiCommand, CommandTaker, Failure, MaskedProblem
from calamari_py.output.github import GithubReporter, file_properties, is_runner
from calamari_py.result import Outcome
from tests.output.github_runner import Command, FakeRunner
from tests.output.output_samples import (
    ROLE,
    TRACE,
    Screen,
    header,
    identity,
    manifest_failure,
    refusal,
    result,
)

HOSTILE = [
    pytest.param("::error::x", id="a command"),
    pytest.param("a\n::add-mask::x", id="a command on a line of its own"),
    pytest.param("a\r::warning file=x::y", id="after a carriage return"),
    pytest.param("  \t::group::x", id="after whitespace"),
    pytest.param("text ##[error]x", id="the older form, anywhere"),
    pytest.param("##[add-mask]x", id="the older form"),
    pytest.param("x,title=y::z", id="properties"),
    pytest.param("%0A::error::x%25", id="escapes"),
    pytest.param("::stop-commands::x", id="a stop"),
    pytest.param("\u200b::error::x", id="behind a character without width"),
    pytest.param("\u2028::error::x\x85::error::y", id="other line ends"),
]


def runner(screen: Screen) -> FakeRunner:
    """The runner's reading of all that was written; nothing is on stderr."""
    assert screen.err == ""
    return FakeRunner.reads(screen.stdout.getvalue())


def told(screen: Screen, **changes: Any) -> GithubReporter:
    """A reporter that writes to `screen`."""
    return GithubReporter(screen.options(**changes))


def test_a_run_in_order() -> None:
    """The title, the folded identity under its ARN, the child's output, the result."""
    screen = Screen()
    reporter = told(screen)
    reporter.started(header())
    reporter.identity(identity())
    reporter.output("stdout", MaskedBytes(b"hello\n"))
    reporter.output("stderr", MaskedBytes(b"oops\n"))
    reporter.finished(result())
    read = runner(screen)
    assert [command.name for command in read.commands] == ["group", "endgroup"]
    assert read.commands[0].data == f"as {ROLE} · account 111111111111 · eu-west-1"
    start, end = read.log.index("[endgroup]"), len(read.log) - 2
    assert read.log[0].startswith("─ deploy-network")
    assert read.log[start + 1 : end] == ["hello", "oops"]
    assert read.log[end].startswith("─ succeeded in 12.4s")


def test_a_childs_commands_do_not_count() -> None:
    """What a child writes is shown and never acted on; commands count again at the end."""
    screen = Screen()
    reporter = told(screen)
    for data in (
        b"::error::x\n##[add-mask]y\n::stop-commands::z\n",
        b"::z::\n::set-output name=a::b\n",
    ):
        reporter.output("stdout", MaskedBytes(data))
    reporter.finished(result())
    read = runner(screen)
    assert read.commands == []
    assert read.stopped is None
    assert "::set-output name=a::b" in read.log


@pytest.mark.parametrize(
    "unfinished",
    [b"no newline", b"\x1b[0m", b"line\n\x1b[31m", b"\xe2\x82", b"x\r", b"::", b"##["],
)
def test_ours_begins_on_a_line_of_its_own(unfinished: bytes) -> None:
    """Whatever a child leaves of its last line, our next command is one."""
    screen = Screen()
    reporter = told(screen)
    reporter.output("stdout", MaskedBytes(unfinished))
    reporter.warning(Masked("careful"))
    reporter.output("stderr", MaskedBytes(b"::error::child\n"))
    reporter.finished(result())
    assert [(c.name, c.data) for c in runner(screen).commands] == [("warning", "careful")]


def test_each_stop_has_a_token_of_its_own() -> None:
    """A token that the log has shown ends nothing that comes later."""
    screen = Screen()
    reporter = told(screen)
    for _ in range(3):
        reporter.output("stdout", MaskedBytes(b"x\n"))
        reporter.warning(Masked("w"))
    tokens = re.findall(r"::stop-commands::(\w+)\n", screen.out)
    assert len(set(tokens)) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)


def test_what_is_no_command_leaves_the_childs_output_stopped() -> None:
    """Progress among the child's lines is a line and costs no stop and go."""
    screen = Screen()
    reporter = told(screen, verbose=True)
    reporter.output("stdout", MaskedBytes(b"x"))
    reporter.progress(50.0, Masked("half"))
    reporter.progress(50.0, Masked("half"))
    reporter.note(Masked("note"))
    reporter.output("stdout", MaskedBytes(b"y\n"))
    assert screen.out.count("stop-commands") == 1
    assert screen.out.endswith("\nx\ncalamari: 50% half\ncalamari: note\ny\n")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_smuggles_a_command(text: str) -> None:
    """Whatever is told: the commands are ours, and the text is only ever their data."""
    screen = Screen()
    reporter = told(screen, verbose=True)
    masked = Masked(text)
    problem = MaskedProblem(message=masked, path=masked, place=masked, hint=masked)
    reporter.started(header(step=masked, project=masked, environment=masked))
    reporter.trace([replace(TRACE[2], why=text)])
    reporter.identity(identity(launcher=masked, role=masked, region=masked, hops=(masked,)))
    reporter.progress(None, masked)
    for say in (reporter.note, reporter.highlight, reporter.warning):
        say(masked)
    reporter.failed(Failure(message=masked, problems=(problem,), hint=masked, evidence=(masked,)))
    reporter.failed(Failure(message=masked, hint=masked, evidence=(masked,)))
    reporter.finished(
        result(Outcome.FAILED, 3, artifacts=(masked,), problems=(Problem(message=text),))
    )
    read = runner(screen)
    assert [command.name for command in read.commands] == [
        "group", "endgroup", "group", "endgroup", "notice", "warning", "error", "error",
    ]  # fmt: skip
    assert all(set(command.properties) <= {"title"} for command in read.commands)
    assert read.stopped is None


@given(st.text(st.sampled_from("#[]:* \terowarning=,%\u200b\u3000─a")))
def test_a_harmless_line_is_no_command(text: str) -> None:
    """Nothing that goes through it is taken for a command by the runner."""
    assert FakeRunner.reads(harmless(text).encode()).commands == []


def test_a_harmless_line_keeps_what_is_harmless() -> None:
    """An ARN is whole."""
    assert harmless(f"  role {ROLE} ::x") == f"  role {ROLE} ::x"


def test_data_survives() -> None:
    """What the runner makes of the data is what was said."""
    screen = Screen()
    told(screen).warning(Masked("100% sure: a, b\nsecond line"))
    (command,) = runner(screen).commands
    assert command == Command("warning", {"title": "calamari"}, "100% sure: a, b\nsecond line")


def test_properties_survive() -> None:
    """A title is one property, whatever it looks like."""
    screen = Screen()
    reporter = told(screen)
    reporter.started(header(step=Masked("a: b, file=c::d 100%")))
    reporter.warning(Masked("careful"))
    (command,) = runner(screen).commands
    assert command == Command("warning", {"title": "a: b, file=c::d 100%"}, "careful")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checked-out repository, with us in a folder of it."""
    folder = tmp_path / "repository" / "deploy"
    folder.mkdir(parents=True)
    (folder / "deploy-network.yaml").write_text("")
    monkeypatch.chdir(folder)
    return folder.parent


def test_problems_of_a_manifest(workspace: Path) -> None:
    """Each is an annotation on its line of its file, and the log says all of it, too."""
    screen = Screen()
    told(screen, environ={"GITHUB_WORKSPACE": str(workspace)}).failed(manifest_failure())
    read = runner(screen)
    first, second, _ = read.named("error")
    assert first.properties == {
        "file": "deploy/deploy-network.yaml", "line": "4", "col": "1", "title": "calamari",
    }  # fmt: skip
    assert first.data == (
        "deploy-network.yaml:4:1 asume_role: unknown key; did you mean 'assume_role'?"
    )
    assert second.data.endswith("\nhint: YAML reads it as a number")
    assert read.log[0] == "calamari: 3 problems in deploy-network.yaml"
    assert "  hint: calamari schema prints the format" in read.log


def test_a_failure_with_a_place(workspace: Path) -> None:
    """What a tool has named is annotated there, and what it points at stays under its column."""
    screen = Screen()
    rows = tuple(map(Masked, ("in\tresource a", "\tcount = x\n        ^")))
    place = Masked(f"{workspace}/deploy/deploy-network.yaml:3")
    told(screen, environ={"GITHUB_WORKSPACE": str(workspace)}).failed(
        Failure(message=Masked("the plan failed"), place=place, evidence=rows)
    )
    (error,) = runner(screen).named("error")
    assert error.properties["file"] == "deploy/deploy-network.yaml"
    assert error.properties["line"] == "3"
    assert error.data.splitlines() == [
        "the plan failed", "in   resource a", "     count = x", "             ^",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "found"),
    [
        pytest.param(
            "deploy-network.yaml:4:1",
            {"file": "deploy/deploy-network.yaml", "line": "4", "col": "1"},
            id="all",
        ),
        pytest.param(
            "../deploy/deploy-network.yaml:4",
            {"file": "deploy/deploy-network.yaml", "line": "4"},
            id="by another way",
        ),
        pytest.param("deploy-network.yaml", {"file": "deploy/deploy-network.yaml"}, id="file"),
        pytest.param("(standard input):4:1", {}, id="standard input"),
        pytest.param("/etc/passwd:1:1", {}, id="outside of the workspace"),
        pytest.param("", {}, id="none"),
    ],
)
def test_places(place: str, found: dict[str, str], workspace: Path) -> None:
    """A place is one in the repository, or none."""
    assert file_properties(place, {"GITHUB_WORKSPACE": str(workspace)}) == found
    assert file_properties(place, {}) == {}


def test_an_identity_failure() -> None:
    """One annotation with the hint; the sources and the request id are open below it."""
    screen = Screen()
    reporter = told(screen)
    reporter.failed(refusal())
    reporter.finished(result(Outcome.NOT_STARTED, 77))
    read = runner(screen)
    (error,) = read.commands
    assert error.data.startswith(
        "cannot assume role 'arn:aws:iam::333333333333:role/ProdDeployRole'"
    )
    assert "\nhint: the role's trust policy may not name the launcher" in error.data
    assert any("container" in line and "used" in line for line in read.log)
    assert not any("not started in" in line for line in read.log)


def test_a_trace_is_folded_and_told_once() -> None:
    """Asked for and failed: the table is there once."""
    screen = Screen()
    reporter = told(screen)
    reporter.trace(TRACE)
    reporter.failed(refusal())
    assert [command.name for command in runner(screen).commands] == ["group", "endgroup", "error"]
    assert screen.out.count("169.254.170.23") == 1


@pytest.mark.parametrize(
    ("outcome", "code", "level", "said"),
    [
        pytest.param(Outcome.FAILED, 7, "error", "failed in 12.4s, exit code 7", id="failed"),
        pytest.param(
            Outcome.FAILED, 137, "error", "failed in 12.4s, exit code 137 (SIGKILL)", id="killed"
        ),
        pytest.param(
            Outcome.TIMED_OUT, 124, "error", "timed out after 12.4s, exit code 124", id="time"
        ),
        pytest.param(
            Outcome.CANCELLED, 143, "warning", "cancelled after 12.4s, exit code 143 (SIGTERM)",
            id="cancelled",
        ),
    ],
)  # fmt: skip
def test_an_end_that_is_no_success(outcome: Outcome, code: int, level: str, said: str) -> None:
    """It is an annotation with the step's name and with what went wrong."""
    screen = Screen()
    reporter = told(screen)
    reporter.started(header())
    reporter.finished(result(outcome, code, problems=(Problem(message="still running"),)))
    (command,) = runner(screen).commands
    assert (command.name, command.properties) == (level, {"title": "deploy-network"})
    assert command.data == f"{said}\nstill running"


def test_a_setback_is_told_once_with_its_hint() -> None:
    """The closing error has the sentence and what to do; nothing says it before."""
    screen = Screen()
    reporter = told(screen)
    reporter.setback(Masked("too late"), Masked("allow it more time"))
    problem = Problem(message="too late", hint="allow it more time")
    reporter.finished(result(Outcome.TIMED_OUT, 124, problems=(problem,)))
    (command,) = runner(screen).commands
    assert command.name == "error"
    assert command.data.endswith("\ntoo late\nhint: allow it more time")


def test_a_setback_beside_a_failure_is_not_lost() -> None:
    """A failure is the closing error of its own run: what went wrong besides follows it."""
    screen = Screen()
    reporter = told(screen)
    reporter.setback(Masked("'finally' ended with code 3"), Masked("see what it wrote"))
    reporter.failed(refusal())
    reporter.finished(result(Outcome.FAILED, 77))
    errors = [command.data for command in runner(screen).commands if command.name == "error"]
    assert len(errors) == 2
    assert errors[1] == "'finally' ended with code 3\nhint: see what it wrote"


def test_quiet() -> None:
    """Of a quiet success, nothing of ours is seen; commands count again all the same."""
    screen = Screen()
    reporter = told(screen, quiet=True)
    reporter.started(header())
    reporter.identity(identity())
    reporter.progress(1.0, Masked("x"))
    reporter.output("stdout", MaskedBytes(b"hello\n"))
    reporter.finished(result())
    read = runner(screen)
    assert (read.commands, read.stopped) == ([], None)
    assert read.log == ["hello", ""]


def test_a_command_of_the_runners_own() -> None:
    """It counts although the child's output came before."""
    screen = Screen()
    reporter: CommandTaker = told(screen)
    assert isinstance(reporter, CommandTaker)
    told_reporter = GithubReporter(screen.options())
    told_reporter.output("stdout", MaskedBytes(b"x"))
    told_reporter.command(CiCommand(b"::add-mask::" + escape_data("a%\nb").encode()))
    assert runner(screen).masks == ["a%", "b"]


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    """The variables and files of a job."""
    folder = tmp_path / "_temp" / "_runner_file_commands"
    folder.mkdir(parents=True)
    (folder / "set_output_1").write_text("")
    return {
        "GITHUB_ACTIONS": "true",
        "RUNNER_TEMP": str(folder.parent),
        "GITHUB_OUTPUT": str(folder / "set_output_1"),
    }


@pytest.fixture
def pipe() -> Iterator[BinaryIO]:
    """What a runner reads from."""
    reading, writing = os.pipe()
    with open(writing, "wb", buffering=0) as stream:
        yield stream
    os.close(reading)


def test_a_real_runner(job: dict[str, str], pipe: BinaryIO) -> None:
    """Variables, folder, file and pipe: a runner reads it."""
    assert is_runner(job, pipe)


def test_after_a_write_that_was_given_up(job: dict[str, str], pipe: BinaryIO) -> None:
    """Who knows what the runner has read: nothing secret is said to it any more."""

    class GivenUpError(Exception):
        """What ends the wait for a reader."""

    def give_up() -> None:
        raise GivenUpError

    told_options = replace(Screen().options(environ=job), stdout=pipe, pulse=give_up)
    reporter = GithubReporter(told_options)
    reporter.output("stdout", MaskedBytes(b"short\n"))
    assert reporter.hides_commands
    with pytest.raises(GivenUpError):
        reporter.output("stdout", MaskedBytes(b"x" * 1_000_000))
    assert not reporter.hides_commands


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"GITHUB_ACTIONS": ""}, id="not said"),
        pytest.param({"RUNNER_TEMP": ""}, id="no folder named"),
        pytest.param({"RUNNER_TEMP": "/nowhere/at/all"}, id="no folder"),
        pytest.param({"GITHUB_OUTPUT": ""}, id="no file named"),
        pytest.param({"GITHUB_OUTPUT": "/etc/passwd"}, id="a file of another folder"),
        pytest.param({"GITHUB_OUTPUT": "/nowhere/set_output"}, id="no file"),
    ],
)
def test_what_is_no_runner(changed: dict[str, str], job: dict[str, str], pipe: BinaryIO) -> None:
    """Where one sign is missing, nobody is sure to hide a command."""
    assert not is_runner({**job, **changed}, pipe)


def test_a_file_or_a_terminal_is_no_runner(job: dict[str, str], tmp_path: Path) -> None:
    """Somebody would read the value there."""
    with (tmp_path / "log").open("wb") as file:
        assert not is_runner(job, file)
    master, slave = os.openpty()
    with open(slave, "wb", buffering=0) as terminal:
        assert not is_runner(job, terminal)
    os.close(master)
    assert not is_runner(job, Screen().stdout)
