"""A diagnostic is a few calm lines, and the first error is what a step fails with."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calamari_py.process.base import ProcessExit, StopReason
from calamari_py.steps.terraform.following.diagnostics import (
    read_diagnostic,
    report_diagnostic,
    tool_failed,
)
from calamari_py.steps.terraform.values import Diagnostic
from tests.steps.terraform.fakes import ToolReport
from tests.steps.terraform.following.recordings import ERRORS, error_of, errors_of_text

FAILED = ProcessExit(code=1)
BARE = Diagnostic(severity="error", summary="Bad")


def lines_of(diagnostic: Diagnostic) -> list[str]:
    """As people read it."""
    report = ToolReport()
    report_diagnostic(report, diagnostic)
    (text,) = report.said("line")
    return text.splitlines()


def body_with(code: str, begin: int, end: int) -> dict[str, Any]:
    """A diagnostic about some bytes of `code`, from line 9 on."""
    snippet = {
        "code": code,
        "start_line": 9,
        "highlight_start_offset": begin,
        "highlight_end_offset": end,
    }
    return {"severity": "error", "summary": "Bad", "snippet": snippet}


def test_a_diagnostic_is_read_whole() -> None:
    """Every field that Terraform gives for an error in the configuration."""
    assert error_of("invalid-value") == Diagnostic(
        severity="error",
        summary="Invalid value for variable",
        detail=(
            "The size must be smaller than 10.\n\n"
            "This was checked by the validation rule at main.tf:4,3-13."
        ),
        file="main.tf",
        line=1,
        snippet=('variable "size" {',),
        snippet_line=1,
        highlight=(0, 15),
        values=("var.size is 30",),
    )


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="empty"),
        pytest.param({"severity": 3, "summary": None, "detail": []}, id="wrong-types"),
        pytest.param({"range": [], "snippet": "x"}, id="parts-are-no-objects"),
        pytest.param({"range": {"start": {"line": True}}, "snippet": {"values": {}}}, id="inner"),
        pytest.param({"snippet": {"code": 7, "values": [1, None, {}]}}, id="values"),
    ],
)
def test_whatever_is_missing_is_empty(body: dict[str, Any]) -> None:
    """An error without anything is an error."""
    assert read_diagnostic(body) == Diagnostic(severity="error", summary="")


@pytest.mark.parametrize(
    ("code", "begin", "end", "lines"),
    [
        pytest.param("  a = b", 6, 7, ["  9:   a = b", "           ^"], id="one-character"),
        pytest.param("a = bcd", 4, 7, ["  9: a = bcd", "         ^^^"], id="a-word"),
        pytest.param("\ta = b", 5, 6, ["  9:     a = b", "             ^"], id="tab"),
        pytest.param("ö = b", 5, 6, ["  9: ö = b", "         ^"], id="bytes-are-no-characters"),
        pytest.param(
            "a = (\n  b\n)",
            4,
            11,
            ["   9: a = (", "          ^", "  10:   b", "  11: )"],
            id="several-lines",
        ),
        pytest.param(
            "a = (\n  b\n)",
            8,
            9,
            ["   9: a = (", "  10:   b", "        ^", "  11: )"],
            id="the-second-line",
        ),
        pytest.param("a = b", 5, 5, ["  9: a = b"], id="nothing"),
        pytest.param("a = b", 50, 60, ["  9: a = b"], id="beyond"),
        pytest.param("a = b", -3, 2, ["  9: a = b"], id="before"),
    ],
)
def test_the_marker_stands_under_what_it_is_about(
    code: str, begin: int, end: int, lines: list[str]
) -> None:
    """In every character set and with every kind of blank."""
    assert lines_of(read_diagnostic(body_with(code, begin, end)))[1:] == lines


def test_a_resource_is_named_with_its_place() -> None:
    """Which one of many, and where it is written."""
    body = {
        "address": 'aws_instance.web["a"]',
        "range": {"filename": "main.tf", "start": {"line": 3}},
        "snippet": {"context": 'resource "aws_instance" "web"'},
    }
    assert lines_of(read_diagnostic(body))[1] == (
        '  aws_instance.web["a"], main.tf:3, in resource "aws_instance" "web"'
    )


def test_programs_get_fields() -> None:
    """The event has whatever the lines have, and the hint."""
    report = ToolReport()
    report_diagnostic(report, error_of("missing-variable"))
    ((event, fields),) = report.events
    assert event == "terraform_diagnostic"
    assert (fields["severity"], fields["file"], fields["line"]) == ("error", "main.tf", 1)
    assert fields["summary"] == "No value for required variable"
    assert fields["hint"].startswith("write 'size' under 'terraform.variables'")


def test_a_failure_is_told_from_its_first_cause() -> None:
    """What, where, the source, why; and what else went wrong, whole where nobody has told it."""
    first, second = errors_of_text("unsupported-attribute-box")
    failure = tool_failed("init", [first, second], exit=FAILED)
    assert failure.message == "terraform init failed: Unsupported attribute (main.tf:3)"
    assert failure.evidence == (
        'where\tmain.tf:3, in output "x"',
        "source\t3:   value = terraform_data.a.nope",
        ('because\tThis object has no argument, nested block, or exported attribute named "nope".'),
        (
            "then\tReference to undeclared input variable (main.tf:6)\nAn input variable with the "
            'name "nope" has not been declared. This variable can be declared with a variable '
            '"nope" {} block.'
        ),
    )
    assert failure.exit_code == 1


def test_what_was_told_is_not_told_again() -> None:
    """Errors that the stream has shown are counted."""
    told = Diagnostic(severity="error", summary="Told", is_told=True)
    failure = tool_failed("plan", [BARE, told, told], exit=FAILED)
    assert failure.evidence == ("then\t2 more errors, told above",)


def test_many_errors_do_not_bury_the_first() -> None:
    """Five are named and the rest is a number."""
    errors = [Diagnostic(severity="error", summary=f"Bad {number}") for number in range(9)]
    evidence = tool_failed("init", errors, exit=FAILED).evidence
    assert evidence[-2:] == ("then\tBad 5", "then\t3 more errors")


def test_a_warning_is_no_cause() -> None:
    """Only an error is what a command fails with."""
    warning = Diagnostic(severity="warning", summary="Careful")
    assert tool_failed("init", [warning, BARE], exit=FAILED).message == (
        "terraform init failed: Bad"
    )


@pytest.mark.parametrize(
    ("ended", "message", "hint"),
    [
        pytest.param(
            FAILED, "failed with exit code 1 and gave no reason", "log_level", id="no-word"
        ),
        pytest.param(None, "failed and gave no reason", "log_level", id="no-exit"),
        pytest.param(
            ProcessExit(code=137), "was killed by SIGKILL (out of memory?)", "memory", id="oom"
        ),
        pytest.param(
            ProcessExit(code=-signal.SIGPIPE), "was ended by SIGPIPE", "written before", id="pipe"
        ),
        pytest.param(ProcessExit(code=139), "was ended by SIGSEGV", "written before", id="segv"),
        pytest.param(
            ProcessExit(code=255), "failed with exit code 255 and gave no", "", id="no-signal"
        ),
        pytest.param(
            ProcessExit(code=137, stopped=StopReason.TIMEOUT),
            "failed with exit code 137 and gave no reason",
            "",
            id="by-us",
        ),
    ],
)
def test_an_end_without_a_word(ended: ProcessExit | None, message: str, hint: str) -> None:
    """How it ended is said where nothing says why; a signal by its name."""
    failure = tool_failed("plan", [], exit=ended)
    assert failure.message.startswith(f"terraform plan {message}")
    assert hint in (failure.hint or "")


def test_an_error_before_a_signal_is_the_cause_and_the_signal_is_said() -> None:
    """Both are known, both are told."""
    failure = tool_failed("apply", [BARE], exit=ProcessExit(code=137))
    assert failure.message == "terraform apply failed: Bad"
    assert failure.evidence == ("ended\tit was killed by SIGKILL (out of memory?)",)


def test_a_summary_of_several_lines_is_one_sentence() -> None:
    """A message has one line."""
    broken = Diagnostic(severity="error", summary="creating X:\n\n  status 403.")
    assert tool_failed("apply", [broken], exit=FAILED).message == (
        "terraform apply failed: creating X: status 403"
    )


def test_whose_words_win() -> None:
    """A hint that is given is the hint; the product is named as it is called."""
    failure = tool_failed("init", [error_of("stale")], exit=FAILED, hint="do this", product="tofu")
    assert (failure.message, failure.hint) == ("tofu init failed: Saved plan is stale", "do this")


@pytest.mark.parametrize(
    ("is_saved", "hint"), [(False, None), (True, "what was done until then is in the state")]
)
def test_no_hint_where_the_error_says_all(is_saved: bool, hint: str | None) -> None:
    """That it is to be corrected is no advice; what an apply has done already is."""
    failure = tool_failed("apply", [BARE], exit=FAILED, is_saved=is_saved)
    assert (failure.hint or "").partition(":")[0] == (hint or "")


@pytest.mark.parametrize(
    ("diagnostic", "place"),
    [
        pytest.param(
            Diagnostic(severity="error", summary="Bad", file="../net/main.tf", line=3),
            ("/srv/net/main.tf", 3),
            id="line",
        ),
        pytest.param(
            Diagnostic(severity="error", summary="Bad", file="terraform.variables"),
            ("", None),
            id="no-file",
        ),
        pytest.param(BARE, ("", None), id="nowhere"),
    ],
)
def test_programs_get_the_place(diagnostic: Diagnostic, place: tuple[str, int | None]) -> None:
    """As it is on this machine, where it is a line of a file."""
    failure = tool_failed("plan", [diagnostic], exit=FAILED, directory=Path("/srv/infra"))
    assert (failure.file, failure.line) == place


@pytest.mark.parametrize("case", sorted(ERRORS))
def test_every_recorded_error_can_be_shown(case: str) -> None:
    """Whatever Terraform has said is a failure, and lines that can be written."""
    failure = tool_failed("plan", [replace(error_of(case), severity="error")], exit=FAILED)
    assert failure.message.startswith("terraform plan failed: ")
    assert all(line == line.rstrip() for line in lines_of(error_of(case)))
