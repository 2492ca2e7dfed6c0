"""The octopus format, as Octopus Deploy reads it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output._commands import service_message
from calamari_py.output._service_messages import MarkerBreaker
from calamari_py.output._words import lines_of
from calamari_py.output.base import CiCommand, CommandTaker, Failure, ServiceMessageTaker
from calamari_py.output.octopus import OctopusReporter
from calamari_py.result import Outcome
from tests.output.octopus_server import FakeOctopus, ServiceMessage
from tests.output.output_samples import ROLE, TRACE, Screen, header, identity, refusal, result

SET = "##octopus[setVariable name='eA==' value='eQ==']"
HOSTILE = [
    pytest.param([SET], id="a message"),
    pytest.param([f"text {SET}"], id="within a line"),
    pytest.param(["##oct", f"{SET[5:]}\n"], id="cut"),
    pytest.param(["#", "#", "o", "c", "t", "o", "p", "u", "s[x]\n"], id="letter by letter"),
    pytest.param(["##octo\npus[setVariable name='eA==' value='eQ==']\n"], id="over a line end"),
    pytest.param(["##octo\n", "\r\n", "pus[x]\n"], id="over line ends, cut"),
    pytest.param(["#\u200b#octo\0pus[x]\n"], id="with characters without width"),
    pytest.param([f"#{SET}\n###{SET}\n"], id="behind hashes"),
    pytest.param(["##octopus[stdout-ignore]\n"], id="a level"),
    pytest.param(["##octopus[never ends"], id="without an end"),
    pytest.param(["ends in #"], id="one hash"),
    pytest.param(["ends in ####\n"], id="hashes and a line end"),
    pytest.param(["ends in ##octopu"], id="all but one letter"),
    pytest.param(["a hash and nothing #\u200b\n"], id="a hash and what has no width"),
]


def told(screen: Screen, **changes: Any) -> OctopusReporter:
    """A reporter that writes to `screen`."""
    return OctopusReporter(screen.options(**changes))


def server(screen: Screen) -> FakeOctopus:
    """Octopus's reading of all that was written; nothing is on stderr."""
    assert screen.err == ""
    return FakeOctopus.reads(screen.stdout.getvalue())


def test_a_run() -> None:
    """Header, the step's output, footer: lines of the log, all of one level, and no message."""
    screen = Screen()
    reporter = told(screen)
    reporter.started(header())
    reporter.identity(identity())
    reporter.output("stdout", MaskedBytes(b"Uploading with token ***\n"))
    reporter.output("stderr", MaskedBytes(b"oops\n"))
    reporter.finished(result())
    read = server(screen)
    assert read.messages == []
    assert {level for level, _ in read.log} == {"default"}
    lines = [line for _, line in read.log]
    assert lines[0].startswith("─ deploy-network ─")
    assert f"  role       {ROLE}" in lines
    assert lines[-3:-1] == ["Uploading with token ***", "oops"]
    assert lines[-1].startswith("─ succeeded in 12.4s ─")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("World!", id="plain"),
        pytest.param("two\nlines\r\n", id="lines"),
        pytest.param('it\'s "quoted" <&> ]', id="quotes and brackets"),
        pytest.param("部署 ─ é", id="unicode"),
        pytest.param("", id="empty"),
        pytest.param(f"{SET}\n", id="a message"),
    ],
)
def test_a_value_survives(text: str) -> None:
    """What Octopus makes of a message's value is what was meant, and nothing else happens."""
    screen = Screen()
    line = service_message("setVariable", name="N", value=text, sensitive="True")
    told(screen).service_message(CiCommand(line))
    assert server(screen).messages == [
        ServiceMessage("setVariable", {"name": "N", "value": text, "sensitive": "True"})
    ]


def test_the_line_of_a_variable() -> None:
    """A message is written as Octopus's own scripts write it."""
    assert service_message("setVariable", name="TestA", value="World!") == (
        b"##octopus[setVariable name='VGVzdEE=' value='V29ybGQh']"
    )


@pytest.mark.parametrize("chunks", HOSTILE)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_step_commands_nothing(chunks: list[str], stream: Any) -> None:
    """Whatever a child writes, and however it is cut: no message of its own counts, and the next
    one of ours does."""
    screen = Screen()
    reporter = told(screen)
    for chunk in chunks:
        reporter.output(stream, MaskedBytes(chunk.encode()))
    reporter.progress(50.0, Masked("half"))
    reporter.finished(result(Outcome.FAILED, 1))
    read = server(screen)
    assert [message.name for message in read.messages] == ["progress", "resultMessage"]
    assert read.level == "default"


@given(st.lists(st.text(st.sampled_from("##octopus[]\n\0 x")), max_size=6))
def test_no_text_is_a_message(chunks: list[str]) -> None:
    """Text of any kind in any pieces has no message in it and spoils none behind it."""
    breaker = MarkerBreaker()
    written = b"".join(breaker.text(chunk.encode()) for chunk in chunks)
    before = b"\n" + breaker.before_message()
    read = FakeOctopus.reads(written + before + service_message("progress", percentage="1"))
    assert [message.name for message in read.messages] == ["progress"]


@given(st.lists(st.text(st.sampled_from("##octopu-sx\n ")), max_size=6))
def test_text_is_broken_up_and_nothing_else_happens_to_it(chunks: list[str]) -> None:
    """Without the backslashes it is what was written, byte by byte, and nothing is held back."""
    breaker = MarkerBreaker()
    for chunk in chunks:
        assert breaker.text(chunk.encode()).replace(b"\\", b"") == chunk.encode()


def test_what_is_broken_up_is_said_once() -> None:
    """Two messages of a step are one warning, on lines of its own, with what can be done."""
    screen = Screen()
    reporter = told(screen)
    reporter.output("stdout", MaskedBytes(f"a {SET}".encode()))
    assert "warning" not in screen.out
    reporter.output("stdout", MaskedBytes(f"\n{SET}\n".encode()))
    reporter.output("stdout", MaskedBytes(f"{SET}\n".encode()))
    reporter.finished(result())
    warning, hint = server(screen).at("warning")
    assert "service messages" in warning
    assert "service_messages: true" in hint
    assert screen.out.count("##octopu\\s[setVariable") == 3


def test_an_unfinished_last_line_is_warned_of_in_the_end() -> None:
    """Also where the step's output never ends its line."""
    screen = Screen()
    reporter = told(screen)
    reporter.output("stdout", MaskedBytes(SET.encode()))
    reporter.finished(result())
    assert len(server(screen).at("warning")) == 2


@pytest.mark.parametrize("chunks", HOSTILE)
def test_no_text_of_ours_smuggles_a_message(chunks: list[str]) -> None:
    """Names of a manifest and answers of AWS are text, whatever they hold."""
    screen = Screen()
    masked = Masked("".join(chunks))
    reporter = told(screen, verbose=True)
    reporter.started(header(step=masked, project=masked, environment=masked))
    reporter.trace([replace(TRACE[2], why=str(masked))])
    reporter.identity(identity(launcher=masked, role=masked, region=masked, hops=(masked,)))
    for say in (reporter.note, reporter.highlight, reporter.warning, reporter.setback):
        say(masked)
    reporter.progress(None, masked)
    reporter.detail(masked, "stack_event", {})
    reporter.progress(50.0, masked, passing=True)
    reporter.failed(Failure(message=masked, hint=masked, evidence=(masked, Masked(f"a\t{masked}"))))
    reporter.finished(result(Outcome.FAILED, 3, ending=masked, artifacts=(masked,)))
    read = server(screen)
    assert [message.name for message in read.messages] == ["progress", "resultMessage"]
    shown = " ".join(lines_of(masked))
    assert read.named("progress") == [{"percentage": "50", "message": shown}]
    assert read.named("resultMessage") == [{"message": "\n".join(lines_of(masked))}]
    assert read.level == "default"


@pytest.mark.parametrize(
    ("method", "level"),
    [
        pytest.param("note", "verbose", id="note"),
        pytest.param("highlight", "highlight", id="highlight"),
        pytest.param("warning", "warning", id="warning"),
        pytest.param("setback", "error", id="setback"),
    ],
)
def test_levels(method: str, level: str) -> None:
    """Each thing we say has Octopus's level for it, and the step's next line has none."""
    screen = Screen()
    reporter = told(screen, verbose=True)
    reporter.output("stdout", MaskedBytes(b"open"))
    getattr(reporter, method)(Masked("one\ntwo"))
    reporter.output("stdout", MaskedBytes(b"next\n"))
    read = server(screen)
    assert read.at("default") == ["open", "next"]
    assert [line.split()[-1] for line in read.at(level)] == ["one", "two"]


@pytest.mark.parametrize(
    ("ended", "level", "message"),
    [
        pytest.param(result(), "default", None, id="succeeded"),
        pytest.param(
            result(Outcome.FAILED, 7), "error", "failed in 12.4s, exit code 7", id="failed"
        ),
        pytest.param(
            result(Outcome.FAILED, 1, ending=Masked("net: ROLLBACK_COMPLETE")), "error",
            "failed in 12.4s, net: ROLLBACK_COMPLETE, exit code 1", id="with its own words",
        ),
        pytest.param(
            result(Outcome.CANCELLED, 143), "warning",
            "cancelled after 12.4s, exit code 143 (SIGTERM)", id="cancelled",
        ),
    ],
)  # fmt: skip
def test_the_end(ended: Any, level: str, message: str | None) -> None:
    """The closing rule has the level of how it ended; Octopus is told the result of what failed."""
    screen = Screen()
    told(screen).finished(ended)
    read = server(screen)
    (line,) = read.at(level)
    assert line.startswith("─ ")
    assert [each["message"] for each in read.named("resultMessage")] == ([message] * bool(message))


def test_a_refusal_is_the_result() -> None:
    """The sentence of a failure is what Octopus shows; all of it is in the log as an error."""
    screen = Screen()
    reporter = told(screen)
    reporter.trace(TRACE)
    reporter.failed(refusal())
    reporter.finished(result(Outcome.NOT_STARTED, 77))
    read = server(screen)
    assert [each["message"] for each in read.named("resultMessage")] == [str(refusal().message)]
    assert read.at("error")[0] == f"calamari: {refusal().message}"
    assert screen.out.count("launcher sources") == 1
    assert "not started in" not in screen.out


def test_a_setback_is_the_result() -> None:
    """A step that failed after its success says why."""
    screen = Screen()
    reporter = told(screen)
    reporter.setback(Masked("the outputs are lost"), Masked("look"))
    reporter.setback(Masked("and more"))
    reporter.finished(result(Outcome.FAILED, 1))
    assert server(screen).named("resultMessage") == [{"message": "the outputs are lost"}]


def test_progress() -> None:
    """A percentage is Octopus's own progress, once, within its bounds; without one it is a line."""
    screen = Screen()
    reporter = told(screen)
    for percent in (50.4, 50.4, 1e9, -1.0, None):
        reporter.progress(percent, Masked("copying"))
    read = server(screen)
    assert [each["percentage"] for each in read.named("progress")] == ["50", "100", "0"]
    assert read.at("default") == ["calamari: copying"]


def test_passing_progress_is_rare() -> None:
    """A message a second where there is a percentage, a line a minute where there is none."""
    now = [0.0]
    screen = Screen()
    reporter = OctopusReporter(screen.options(), clock=lambda: now[0])
    for tick in range(250):
        now[0] = tick / 2
        reporter.progress(tick / 10, Masked(f"{tick}"), passing=True)
        reporter.progress(None, Masked(f"{tick}"), passing=True)
    read = server(screen)
    assert len(read.named("progress")) == 125
    assert read.at("default") == ["calamari: 120", "calamari: 240"]


def test_quiet() -> None:
    """Of our own only warnings and what failed."""
    screen = Screen()
    reporter = told(screen, quiet=True)
    reporter.started(header())
    reporter.identity(identity())
    reporter.progress(50.0, Masked("half"))
    reporter.progress(50.0, Masked("half"), passing=True)
    reporter.note(Masked("note"))
    reporter.finished(result())
    assert screen.out == ""
    reporter.warning(Masked("careful"))
    assert server(screen).at("warning") == ["calamari: warning: careful"]


@pytest.fixture
def pipe() -> Iterator[BinaryIO]:
    """The writing end of a pipe."""
    read, write = os.pipe()
    with open(read, "rb"), open(write, "wb") as stream:
        yield stream


@pytest.mark.parametrize(
    ("environ", "piped", "sure"),
    [
        pytest.param({"TentacleHome": "/etc/octopus"}, True, True, id="below a Tentacle"),
        pytest.param({"TentacleHome": "/etc/octopus"}, False, False, id="into a file"),
        pytest.param({"TentacleHome": ""}, True, False, id="blank"),
        pytest.param({}, True, False, id="somewhere else"),
    ],
)
def test_who_reads(
    environ: dict[str, str], piped: bool, sure: bool, pipe: BinaryIO, tmp_path: Path
) -> None:
    """Messages with a secret are for Octopus alone, which does not show them."""
    with (tmp_path / "log").open("wb") as file:
        options = Screen().options(environ=environ)
        reporter = OctopusReporter(replace(options, stdout=pipe if piped else file))
        assert isinstance(reporter, ServiceMessageTaker)
        assert not isinstance(reporter, CommandTaker)
        assert reporter.hides_messages is sure
