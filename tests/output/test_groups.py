"""Folding in the logs of GitLab and Buildkite, and colour where it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from calamari_py.masking.secret import MaskedBytes
from calamari_py.output._groups import groups_of
from calamari_py.output._lines import Span, plain
from calamari_py.output.text import TextReporter
from calamari_py.result import Outcome
from tests.output.output_samples import (
    ROLE,
    TRACE,
    Screen,
    header,
    identity,
    refusal,
    result,
)

GITLAB = {"GITLAB_CI": "true", "CI": "true"}
BUILDKITE = {"BUILDKITE": "true", "CI": "true"}
JENKINS = {"JENKINS_URL": "https://jenkins.test/", "BUILD_ID": "7"}
HEADING = f"as {ROLE} · account 111111111111 · eu-west-1"


def a_run(environ: Mapping[str, str], outcome: Outcome = Outcome.SUCCEEDED, code: int = 0) -> str:
    """The log of a run: both streams, as these systems keep them."""
    screen = Screen.shared()
    reporter = TextReporter(screen.options(environ=environ))
    reporter.started(header())
    reporter.identity(identity())
    reporter.output("stdout", MaskedBytes(b"hello\n"))
    reporter.finished(result(outcome, code))
    return screen.out


def test_gitlab() -> None:
    """The identity is a section that is closed before the child's first byte."""
    log = a_run(GITLAB)
    before, _, after = log.partition("hello\n")
    start = re.search(
        r"^section_start:(\d+):(calamari_\w+)\[collapsed=true\]\r\x1b\[0K(.*)$",
        before,
        re.MULTILINE,
    )
    assert start
    assert start[3] == HEADING
    assert before.endswith(f"section_end:{start[1]}:{start[2]}\r\x1b[0K\n")
    assert "section_" not in after


def test_gitlab_sections_have_names_of_their_own() -> None:
    """Two runs of one job do not share a section."""
    names = {re.findall(r"section_start:\d+:(\w+)", a_run(GITLAB))[0] for _ in range(2)}
    assert len(names) == 2


def test_gitlab_times_are_seconds() -> None:
    """A section says when it was, in whole seconds."""
    lines = groups_of(GITLAB, now=lambda: 1_700_000_000.9).fold("title", [(Span("x"),)])
    assert plain(lines[0]).startswith("section_start:1700000000:")


def test_buildkite() -> None:
    """The identity is a closed group, and the child's output an open one."""
    lines = a_run(BUILDKITE).splitlines()
    start = lines.index(f"--- {HEADING}")
    assert lines[lines.index("hello") - 1] == "+++ output"
    assert start < lines.index("hello")
    assert "^^^ +++" not in lines


@pytest.mark.parametrize("environ", [GITLAB, BUILDKITE, JENKINS])
def test_unmasked_output_is_announced(environ: Mapping[str, str]) -> None:
    """`--no-mask` stands where it is read: in the heading, and in place of the count."""
    screen = Screen.shared()
    reporter = TextReporter(screen.options(environ=environ))
    reporter.identity(identity(masking_off=True))
    assert "  masking    off (--no-mask)\n" in screen.out
    folded = environ is not JENKINS
    assert (f"{HEADING} · masking off (--no-mask)\n" in screen.out) is folded


def test_buildkite_opens_what_failed() -> None:
    """A group that a child opened does not hide the end of a step that failed."""
    assert a_run(BUILDKITE, Outcome.FAILED, 7).splitlines()[-1] == "^^^ +++"


def test_buildkite_failure_before_the_child() -> None:
    """What calamari itself says is open, too."""
    screen = Screen()
    TextReporter(screen.options(environ=BUILDKITE)).failed(refusal())
    assert screen.err.splitlines()[-1] == "^^^ +++"


@pytest.mark.parametrize("environ", [JENKINS, {"CI": "true"}, {}, {"GITLAB_CI": "false"}])
def test_elsewhere_nothing_is_folded(environ: Mapping[str, str]) -> None:
    """Jenkins and unknown systems get plain lines."""
    assert a_run(environ) == a_run({"TERM": "xterm"})
    assert "\x1b" not in a_run(environ)
    assert "---" not in a_run(environ).replace("─", "")


@pytest.mark.parametrize("environ", [GITLAB, BUILDKITE])
def test_markers_are_ours_alone(environ: Mapping[str, str]) -> None:
    """A name from a manifest opens and closes no section."""
    screen = Screen()
    reporter = TextReporter(screen.options(environ=environ))
    told = "x\n--- y\n^^^ +++\nsection_end:1:z\r\x1b[0K"
    reporter.started(header(step=told))
    reporter.identity(identity(role=told, launcher=told, hops=()))
    found = re.findall(
        r"^(?:---|\+\+\+|\^\^\^) .*$|section_\w+:\d+:\w+(?=\S*\r)", screen.err, re.MULTILINE
    )
    assert len(found) == 2


@pytest.mark.parametrize("environ", [GITLAB, BUILDKITE])
def test_the_trace_is_shown_open(environ: Mapping[str, str]) -> None:
    """Who asked for it sees it."""
    screen = Screen()
    TextReporter(screen.options(environ=environ)).trace(TRACE)
    assert screen.err.startswith("  launcher sources\n")


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        pytest.param({"FORCE_COLOR": "1"}, True, id="FORCE_COLOR"),
        pytest.param({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True, id="CLICOLOR_FORCE"),
        pytest.param({"FORCE_COLOR": "0"}, False, id="FORCE_COLOR=0"),
        pytest.param({"FORCE_COLOR": ""}, False, id="FORCE_COLOR blank"),
        pytest.param({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, id="NO_COLOR wins"),
        pytest.param({"TERM": "xterm"}, False, id="not asked for"),
    ],
)
def test_colour_without_a_terminal(environ: Mapping[str, str], coloured: bool) -> None:
    """A log gets colour when it is asked for, and only then."""
    assert ("\x1b[" in a_run(environ)) is coloured


def test_markers_keep_their_place_in_colour() -> None:
    """No colour code stands before a marker."""
    assert f"\n--- {HEADING}\n" in a_run({**BUILDKITE, "FORCE_COLOR": "1"})
