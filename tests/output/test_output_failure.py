"""How a failure reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calamari_py.errors import TraceRow
from calamari_py.masking.secret import Masked
from calamari_py.output import FORMATS, describe_failure
from calamari_py.output.base import Failure, MaskedProblem
from tests.output.github_runner import FakeRunner
from tests.output.output_samples import LAUNCHER, Screen, manifest_failure, refusal

CONSOLE = "https://eu-west-1.console.aws.amazon.com/cloudformation/home#/stacks/stackinfo"
PROD = "arn:aws:iam::333333333333:role/ProdDeployRole"
UNQUOTED = '012345678901 is not quoted; write "012345678901"'
SOON = "'soon' is not a duration; write 90s, 15m or 1h30m"


def test_identity_failure() -> None:
    """An identity failure tells what, what to do, which sources were looked at, and evidence."""
    assert describe_failure(refusal()) == [
        f"calamari: cannot assume role '{PROD}' as '{LAUNCHER}' (AccessDenied)",
        "  hint: the role's trust policy may not name the launcher. Check it:",
        "        calamari whoami deploy-network.yaml --trace-credentials",
        "  launcher sources",
        "    environment    absent",
        "    web-identity   absent      AWS_WEB_IDENTITY_TOKEN_FILE is not set",
        "    container      found       169.254.170.23, 14 ms   ← used",
        "    imds           not tried   container was found",
        "  STS request id 6f1c2a9e, host sts.eu-west-1.amazonaws.com",
    ]


STACK = Failure(
    message=Masked(
        "Database (AWS::RDS::DBInstance) in nested stack my-app-stack-Data-1X: "
        "The parameter MasterUserPassword is not a valid password. (Service: Rds, 400)"
    ),
    hint=Masked("correct DbPassword in dev.yaml and run again"),
    evidence=(
        Masked("then\t2 resources cancelled"),
        Masked("state\tthe stack is back where it was; nothing to clean up"),
        Masked(f"console\t{CONSOLE}"),
        Masked("request id 6f1c2a9e"),
    ),
    exit_code=1,
)


def test_a_stack_that_failed() -> None:
    """The cause first, then what it led to in a column, what to do, and the rest."""
    assert describe_failure(STACK) == [
        f"calamari: {STACK.message}",
        "  then      2 resources cancelled",
        "  state     the stack is back where it was; nothing to clean up",
        f"  console   {CONSOLE}",
        "  hint: correct DbPassword in dev.yaml and run again",
        "  request id 6f1c2a9e",
    ]


def test_facts_are_wrapped_on_a_terminal() -> None:
    """What does not fit goes on in its column; an address is never cut."""
    screen = Screen()
    FORMATS["text"](screen.options(terminal=True, environ={}, width=40)).failed(STACK)
    assert screen.err.splitlines()[1:6] == [
        "  then      2 resources cancelled",
        "  state     the stack is back where it",
        "            was; nothing to clean up",
        f"  console   {CONSOLE}",
        "  hint: correct DbPassword in dev.yaml and run again",
    ]


@pytest.mark.parametrize(
    ("evidence", "lines"),
    [
        pytest.param(["a\tone\ntwo"], ["  a   one", "      two"], id="lines"),
        pytest.param(["a\tx\ty"], ["  a   x\ty"], id="another tab"),
        pytest.param(["a\t"], ["  a"], id="no value"),
        pytest.param(["\tx"], ["     x"], id="no label"),
        pytest.param(["部署\tx", "a\ty"], ["  部署   x", "  a      y"], id="wide"),
        pytest.param(["a\x1b\tb\x1b[2J"], ["  a\\x1b   b\\x1b[2J"], id="controls"),
    ],
)
def test_facts(evidence: list[str], lines: list[str]) -> None:
    """Whatever a label and its value are: a line of its own, in columns, and nothing is lost."""
    failure = Failure(message=Masked("no"), evidence=tuple(map(Masked, evidence)))
    assert describe_failure(failure)[1:] == lines


def test_the_annotation_has_the_facts() -> None:
    """GitHub's page of a job says where to look, too."""
    screen = Screen()
    FORMATS["github"](screen.options()).failed(STACK)
    read = FakeRunner.reads(screen.stdout.getvalue())
    (error,) = read.commands
    assert error.data.splitlines() == [
        str(STACK.message),
        "then      2 resources cancelled",
        "state     the stack is back where it was; nothing to clean up",
        f"console   {CONSOLE}",
        "hint: correct DbPassword in dev.yaml and run again",
    ]
    assert "  request id 6f1c2a9e" in read.log


def test_manifest_problems() -> None:
    """Place, path and message of all problems stand in columns; a hint is under its message."""
    assert describe_failure(manifest_failure()) == [
        "calamari: 3 problems in deploy-network.yaml",
        "  deploy-network.yaml:4:1    asume_role       unknown key; did you mean 'assume_role'?",
        f"  deploy-network.yaml:9:12   expect.account   {UNQUOTED}",
        "                                              hint: YAML reads it as a number",
        f"  deploy-network.yaml:14:3   timeout          {SOON}",
        "  hint: calamari schema prints the format",
    ]


@pytest.mark.parametrize(
    ("failure", "lines"),
    [
        pytest.param(
            Failure(message=Masked("disk full")), ["calamari: disk full"], id="a sentence alone"
        ),
        pytest.param(
            Failure(message=Masked("one\ntwo"), hint=Masked("three")),
            ["calamari: one", "          two", "  hint: three"],
            id="two lines",
        ),
        pytest.param(
            Failure(message=Masked("no [b]such[/b] file '[/tmp/x]'\x1b[31m")),
            ["calamari: no [b]such[/b] file '[/tmp/x]'\\x1b[31m"],
            id="markup is text, escapes are shown",
        ),
    ],
)
def test_sentences(failure: Failure, lines: list[str]) -> None:
    """A failure is as long as what is known of it."""
    assert describe_failure(failure) == lines


def problem(path: str, place: str) -> MaskedProblem:
    return MaskedProblem(
        message=Masked("is wrong"), path=Masked(path), place=Masked(place), hint=None
    )


@pytest.mark.parametrize(
    ("problems", "lines"),
    [
        pytest.param(
            (problem("", "a.yaml:1:1"), problem("", "a.yaml:10:1")),
            ["  a.yaml:1:1    is wrong", "  a.yaml:10:1   is wrong"],
            id="no path",
        ),
        pytest.param((problem("", ""),), ["  is wrong"], id="neither place nor path"),
        pytest.param(
            (problem("x" * 60, "a"), problem("y", "a")),
            [f"  a   {'x' * 60}   is wrong", "  a   y   is wrong"],
            id="one long path does not widen the others",
        ),
    ],
)
def test_columns(problems: tuple[MaskedProblem, ...], lines: list[str]) -> None:
    """A column that nobody fills is not there, and an over-long cell stays whole."""
    assert describe_failure(replace(Failure(message=Masked("m")), problems=problems))[1:] == lines


@pytest.mark.parametrize(
    ("row", "line"),
    [
        pytest.param(
            TraceRow(source="imds", present=True, tried=True, result="broken", milliseconds=90),
            "    imds   broken   90 ms",
            id="time alone",
        ),
        pytest.param(
            TraceRow(
                source="imds",
                present=True,
                tried=True,
                result="found",
                why="host, 9 ms",
                milliseconds=9,
            ),
            "    imds   found   host, 9 ms",
            id="time said once",
        ),
        pytest.param(
            TraceRow(source="imds", present=False, tried=True, result="absent"),
            "    imds   absent",
            id="nothing to say",
        ),
    ],
)
def test_trace_row(row: TraceRow, line: str) -> None:
    """A row tells what is known, once, with no blanks at its end."""
    assert describe_failure(Failure(message=Masked("m"), trace=(row,)))[2:] == [line]
