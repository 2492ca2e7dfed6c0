"""The text format, as people see it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output import FORMATS
from calamari_py.output.base import Reporter
from calamari_py.result import Outcome, OutputVariable
from tests.output.output_samples import (
    ATTEMPT,
    COLOUR,
    HUB,
    LAUNCHER,
    ROLE,
    TRACE,
    Screen,
    header,
    identity,
    manifest_failure,
    refusal,
    result,
)

ANSI = re.compile(r"\x1b\[[0-9;]*m")
RULE = "─" * 84
VISIBLE = OutputVariable(value="x", sensitive=False)


def text(screen: Screen, **changes: Any) -> Reporter:
    return FORMATS["text"](screen.options(**changes))


def tell_everything(reporter: Reporter) -> None:
    """One call of everything a reporter can be told, for a whole run."""
    reporter.started(header())
    reporter.note(Masked("the variables lie on /dev/shm"))
    reporter.trace(TRACE)
    reporter.identity(identity())
    reporter.output("stdout", MaskedBytes(b"Uploading with token ***\n"))
    reporter.progress(50.0, Masked("half"))
    reporter.highlight(Masked("look at [b]this[/b]"))
    reporter.warning(Masked("the duration was clamped\nto 1h"))
    reporter.output("stderr", MaskedBytes(b"oops\n"))
    reporter.failed(manifest_failure())
    reporter.failed(refusal())
    reporter.finished(result(Outcome.FAILED, 1, outputs={"A": VISIBLE}))


def test_a_run() -> None:
    """A run reads as in the README: header, the child's output, footer."""
    screen = Screen.shared()
    reporter = text(screen)
    reporter.started(header())
    reporter.identity(identity())
    reporter.output("stdout", MaskedBytes(b"Uploading artefact with token ***\ndone\n"))
    reporter.finished(result(outputs={"ArtefactUrl": VISIBLE, "Version": VISIBLE}))
    assert screen.err.splitlines() == [
        f"─ deploy-network {'─' * 33} payments · dev · deployments-4711",
        f"  launcher   {LAUNCHER}   EKS Pod Identity",
        f"  role       {ROLE}",
        "  account    111111111111 (as expected)   region eu-west-1 (manifest)   valid for 59m",
        "  masking    3 secrets",
        RULE,
        "Uploading artefact with token ***",
        "done",
        f"─ succeeded in 12.4s ── outputs: ArtefactUrl, Version {'─' * 30}",
    ]


def test_our_text_is_on_stderr_only() -> None:
    """stdout gets the child's stdout and not one byte more."""
    screen = Screen()
    tell_everything(text(screen, verbose=True))
    assert screen.out == "Uploading with token ***\n"
    assert "oops\n" in screen.err


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"project": None, "environment": None, "deployment_id": None},
                     [f"─ deploy-network {'─' * 67}"], id="no metadata"),
        pytest.param({"step": "[b]部署[/b]", "project": None, "environment": None},
                     [f"─ [b]部署[/b] {'─' * 53} deployments-4711"], id="markup and wide"),
        pytest.param({"step": "x" * 80},
                     [f"─ {'x' * 80} ──", "  payments · dev · deployments-4711"], id="long name"),
        pytest.param({"step": "a\nb\x1b[1m", "project": None, "environment": None,
                      "deployment_id": None},
                     [f"─ a\\nb\\x1b[1m {'─' * 70}"], id="controls"),
    ],
)  # fmt: skip
def test_title(changes: dict[str, Any], expected: list[str]) -> None:
    """The title is one rule of 84 columns; what does not fit stays whole on a second line."""
    screen = Screen()
    text(screen).started(header(**changes))
    assert screen.err.splitlines() == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            {
                "launcher": "environment, access key AKIAIOSFODNN7EXAMPLE",
                "launcher_arn": None,
                "launcher_source": None,
                "hops": (HUB, ROLE),
                "expected": False,
                "seconds_left": 200.0,
                "secrets": 0,
            },
            [
                "  launcher   environment, access key AKIAIOSFODNN7EXAMPLE",
                f"  through    {HUB}",
                f"  role       {ROLE}",
                "  account    111111111111   region eu-west-1 (manifest)   valid for 3m",
                "  masking    no secrets",
            ],
            id="a chain from keys",
        ),
        pytest.param(
            {"role": None, "hops": (), "seconds_left": None, "region": None, "secrets": 1},
            [
                f"  launcher   {LAUNCHER}   EKS Pod Identity",
                "  role       none: the step runs as the launcher",
                "  account    111111111111 (as expected)",
                "  masking    1 secret",
            ],
            id="the launcher itself",
        ),
        pytest.param(
            {
                "launcher": None,
                "launcher_arn": None,
                "launcher_source": None,
                "role": None,
                "hops": (),
                "account": None,
                "region_source": None,
                "seconds_left": None,
            },
            [
                "  role       none: the step gets no credentials",
                "  region     eu-west-1",
                "  masking    3 secrets",
            ],
            id="account none",
        ),
    ],
)
def test_identity(changes: dict[str, Any], expected: list[str]) -> None:
    """The header says who runs, whatever way that was found, and leaves out what is not known."""
    screen = Screen()
    text(screen).identity(identity(**changes))
    assert screen.err.splitlines() == [*expected, RULE]


def test_narrow_terminal() -> None:
    """On 40 columns the rules shrink, facts get their own lines, and ARNs stay whole."""
    screen = Screen()
    reporter = text(screen, terminal=True, width=40, environ={})
    reporter.started(header())
    reporter.identity(identity())
    reporter.failed(refusal())
    assert screen.err.splitlines()[:10] == [
        f"─ deploy-network {'─' * 23}",
        "  payments · dev · deployments-4711",
        f"  launcher   {LAUNCHER}",
        "  source     EKS Pod Identity",
        f"  role       {ROLE}",
        "  account    111111111111 (as expected)",
        "  region     eu-west-1 (manifest)",
        "  valid for  59m",
        "  masking    3 secrets",
        "─" * 40,
    ]
    assert f"'{LAUNCHER}' (AccessDenied)" in screen.err


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        pytest.param(result(), "─ succeeded in 12.4s ─", id="succeeded"),
        pytest.param(
            result(changed=False), "─ succeeded in 12.4s ── no changes ─", id="no changes"
        ),
        pytest.param(result(changed=True), "─ succeeded in 12.4s ─", id="changed"),
        pytest.param(
            result(artifacts=("a", "b"), attempts=(ATTEMPT, ATTEMPT)),
            "─ succeeded in 12.4s ── 2 attempts ── 2 artifacts ─",
            id="attempts and artifacts",
        ),
        pytest.param(
            result(outputs={f"Output{number}": VISIBLE for number in range(20)}),
            "─ succeeded in 12.4s ── 20 outputs ─",
            id="too many outputs to name",
        ),
        pytest.param(result(durations={"total": 221.0}), "─ succeeded in 3m41s ─", id="total"),
        pytest.param(result(Outcome.FAILED, 3), "─ failed in 12.4s ── exit code 3 ─", id="failed"),
        pytest.param(
            result(Outcome.SUCCEEDED, 2),
            "─ succeeded in 12.4s ── exit code 2 (changes) ─",
            id="--detailed-exitcode",
        ),
        pytest.param(
            result(Outcome.FAILED, 137),
            "─ failed in 12.4s ── exit code 137 (SIGKILL) ─",
            id="killed",
        ),
        pytest.param(
            result(Outcome.FAILED, 255), "─ failed in 12.4s ── exit code 255 ─", id="no signal"
        ),
        pytest.param(
            result(Outcome.TIMED_OUT, 124, seconds=1800),
            "─ timed out after 30m ── exit code 124 ─",
            id="timed out",
        ),
        pytest.param(
            result(Outcome.CANCELLED, 130, exit_origin="calamari"),
            "─ cancelled after 12.4s ── exit code 130 (SIGINT) ─",
            id="cancelled",
        ),
        pytest.param(
            result(Outcome.INDETERMINATE, 76),
            "─ outcome unknown after 12.4s ── exit code 76 ─",
            id="indeterminate",
        ),
        pytest.param(
            result(changed=False, ending=Masked("net: UPDATE_COMPLETE")),
            "─ succeeded in 12.4s ── net: UPDATE_COMPLETE ── no changes ─",
            id="in the step's own words",
        ),
        pytest.param(
            result(
                Outcome.FAILED,
                1,
                exit_origin="calamari",
                durations={"total": 221.0},
                ending=Masked("my-app-stack: UPDATE_ROLLBACK_COMPLETE"),
            ),
            "─ failed in 3m41s ── my-app-stack: UPDATE_ROLLBACK_COMPLETE ── exit code 1 ─",
            id="failed in the step's own words",
        ),
        pytest.param(
            result(Outcome.TIMED_OUT, 124, seconds=3600, ending=Masked("net: UPDATE_IN_PROGRESS")),
            "─ timed out after 1h ── net: UPDATE_IN_PROGRESS ── exit code 124 ─",
            id="timed out while AWS goes on",
        ),
        pytest.param(
            result(Outcome.INDETERMINATE, 76, ending=Masked("net\x1b[2J\n: UPDATE_IN_PROGRESS")),
            "─ outcome unknown after 12.4s ── net\\x1b[2J\\n: UPDATE_IN_PROGRESS ── exit code 76 ─",
            id="contact lost",
        ),
        pytest.param(
            result(Outcome.NOT_STARTED, 77),
            "─ not started in 12.4s ── exit code 77 ─",
            id="not started, and nobody said why",
        ),
    ],
)
def test_footer(ended: Any, line: str) -> None:
    """The footer says how it ended, how long it took, and what came of it, in 84 columns."""
    screen = Screen()
    text(screen).finished(ended)
    assert screen.err == line.ljust(84, "─") + "\n"


def test_a_refused_step_ends_in_its_failure() -> None:
    """Nothing stands between the last line of a refusal and the prompt."""
    screen = Screen()
    reporter = text(screen)
    reporter.failed(refusal())
    told = screen.err
    reporter.finished(result(Outcome.NOT_STARTED, 77))
    assert screen.err == told


def test_a_trace_is_shown_once() -> None:
    """A failure does not repeat the table that --trace-credentials has just shown."""
    screen = Screen()
    reporter = text(screen)
    reporter.trace(TRACE)
    reporter.failed(refusal())
    assert screen.err.count("launcher sources") == 1


CALLS: list[tuple[str, Callable[[Reporter], None], bool, bool, bool]] = [
    ("started", lambda r: r.started(header()), True, False, True),
    ("identity", lambda r: r.identity(identity()), True, False, True),
    ("trace", lambda r: r.trace(TRACE), True, True, True),
    ("progress", lambda r: r.progress(50.0, Masked("half")), True, False, True),
    ("note", lambda r: r.note(Masked("note")), False, False, True),
    ("highlight", lambda r: r.highlight(Masked("look")), True, True, True),
    ("warning", lambda r: r.warning(Masked("careful")), True, True, True),
    ("failed", lambda r: r.failed(refusal()), True, True, True),
    ("succeeded", lambda r: r.finished(result()), True, False, True),
    ("finished failed", lambda r: r.finished(result(Outcome.FAILED, 1)), True, True, True),
    ("output", lambda r: r.output("stderr", MaskedBytes(b"x")), True, True, True),
]


@pytest.mark.parametrize(
    ("call", "normal", "quiet", "verbose"), [pytest.param(*c[1:], id=c[0]) for c in CALLS]
)
def test_quiet_and_verbose(
    call: Callable[[Reporter], None], normal: bool, quiet: bool, verbose: bool
) -> None:
    """Quiet leaves failures, warnings and what the step itself says; verbose adds notes."""
    shown = []
    for changes in ({}, {"quiet": True}, {"verbose": True}):
        screen = Screen()
        call(text(screen, **changes))
        shown.append(bool(screen.err))
    assert shown == [normal, quiet, verbose]


def test_verbose_names_the_kind() -> None:
    """With --verbose the header also says what carries the step out."""
    screen = Screen()
    text(screen, verbose=True).started(header())
    assert screen.err.splitlines()[1] == "  kind       script   calamari 0.1.0"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        pytest.param(
            lambda r: r.warning(Masked("one\ntwo")),
            "calamari: warning: one\n                   two\n",
            id="warning",
        ),
        pytest.param(lambda r: r.note(Masked("[b]x[/b]")), "calamari: [b]x[/b]\n", id="note"),
        pytest.param(lambda r: r.highlight(Masked("look")), "calamari: look\n", id="highlight"),
        pytest.param(
            lambda r: r.progress(49.6, Masked("half")), "calamari: 50% half\n", id="progress"
        ),
        pytest.param(
            lambda r: r.progress(None, Masked("soon")), "calamari: soon\n", id="progress unknown"
        ),
    ],
)
def test_single_lines(call: Callable[[Reporter], None], expected: str) -> None:
    """Every line of ours among the child's begins with our name."""
    screen = Screen()
    call(text(screen, verbose=True))
    assert screen.err == expected


def test_progress_is_not_repeated() -> None:
    """A step that says the same progress again is shown once."""
    screen = Screen()
    reporter = text(screen)
    for percent in (10.0, 10.0, 20.0, 10.0):
        reporter.progress(percent, Masked("copying"))
    assert [line.split()[1] for line in screen.err.splitlines()] == ["10%", "20%", "10%"]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"[bold]x[/bold] [/tmp/x] :smile:", id="markup"),
        pytest.param(b"\xff\xfe\x00\x80", id="no UTF-8"),
        pytest.param(b"half \xe2\x82", id="half a character"),
        pytest.param(b"a\r\nb\rc\x1b[31m\x1b]0;t\x07", id="terminal codes"),
        pytest.param(b"x" * 300_000, id="long line"),
    ],
)
@pytest.mark.parametrize("terminal", [True, False])
def test_child_output_passes_unchanged(data: bytes, terminal: bool) -> None:
    """The child's bytes are never interpreted, re-encoded, wrapped or cut."""
    screen = Screen()
    reporter = text(screen, terminal=terminal, width=40)
    reporter.output("stdout", MaskedBytes(data))
    reporter.output("stderr", MaskedBytes(data))
    assert screen.stdout.getvalue() == data
    assert screen.stderr.getvalue() == data


@pytest.mark.parametrize(
    ("chunks", "fresh"),
    [
        pytest.param([b"done\n"], "", id="ended its line"),
        pytest.param([b"done"], "\n", id="left its line open"),
        pytest.param([b"50%\r"], "\n", id="carriage return alone"),
        pytest.param([b"done\r\n"], "", id="a terminal's line end"),
        pytest.param([b"done\n\x1b[0m"], "", id="colour off after the line"),
        pytest.param([b"done\n", b"\x1b[0m\x1b[?25h"], "", id="codes in a chunk of their own"),
        pytest.param([b"done\x1b[0m"], "\n", id="colour off within the line"),
        pytest.param([], "", id="no output"),
    ],
)
def test_footer_begins_on_a_fresh_line(chunks: list[bytes], fresh: str) -> None:
    """On a shared terminal our line never hangs on the end of the child's."""
    screen = Screen.shared()
    reporter = text(screen)
    for chunk in chunks:
        reporter.output("stdout", MaskedBytes(chunk))
    reporter.finished(result())
    assert screen.err.startswith(b"".join(chunks).decode() + fresh + "─ succeeded")


def test_fresh_line_follows_stderr_alone_when_stdout_goes_elsewhere() -> None:
    """A redirected stdout gets no byte of ours, and its open line opens no gap on the terminal."""
    screen = Screen()
    reporter = text(screen)
    reporter.output("stdout", MaskedBytes(b"no newline"))
    reporter.warning(Masked("one"))
    reporter.output("stderr", MaskedBytes(b"open"))
    reporter.warning(Masked("two"))
    reporter.warning(Masked("three"))
    assert screen.out == "no newline"
    assert screen.err == (
        "calamari: warning: one\nopen\ncalamari: warning: two\ncalamari: warning: three\n"
    )


def test_colour_only_emphasises() -> None:
    """Without its colour codes, a terminal's text is the plain text, character by character."""
    plain, colour = Screen(), Screen()
    tell_everything(text(plain, terminal=True, environ={**COLOUR, "NO_COLOR": "1"}, verbose=True))
    tell_everything(text(colour, terminal=True, verbose=True))
    assert "\x1b[" in colour.err
    assert ANSI.sub("", colour.err) == plain.err
    assert colour.out == plain.out


@pytest.mark.parametrize(
    ("terminal", "environ", "coloured"),
    [
        pytest.param(True, COLOUR, True, id="terminal"),
        pytest.param(False, COLOUR, False, id="no terminal"),
        pytest.param(True, {**COLOUR, "NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param(True, {**COLOUR, "NO_COLOR": ""}, True, id="NO_COLOR is empty"),
        pytest.param(True, {"TERM": "dumb"}, False, id="dumb terminal"),
        pytest.param(True, {}, False, id="unknown terminal"),
    ],
)
def test_when_there_is_colour(terminal: bool, environ: dict[str, str], coloured: bool) -> None:
    """Colour is for terminals that can and want to show it."""
    screen = Screen()
    text(screen, terminal=terminal, environ=environ).warning(Masked("careful"))
    assert ("\x1b[" in screen.err) is coloured


def test_colour_left_on_by_the_child_ends_before_our_line() -> None:
    """A child that was stopped in the middle of a red line does not paint our footer."""
    screen = Screen.shared()
    reporter = text(screen, terminal=True)
    reporter.output("stdout", MaskedBytes(b"\x1b[31mred\n"))
    reporter.finished(result())
    assert screen.err.startswith("\x1b[31mred\n\x1b[0m")


def test_ascii_terminal() -> None:
    """A terminal that has no ─ gets plain characters, in the same columns."""
    screen = Screen()
    reporter = text(screen, encoding="ascii")
    reporter.started(header())
    reporter.trace(TRACE)
    assert screen.err.splitlines()[0] == (
        f"- deploy-network {'-' * 33} payments | dev | deployments-4711"
    )
    assert screen.err.count("<- used") == 1


@pytest.mark.process
def test_plain_text_imports_no_rich() -> None:
    """A run that is not on a terminal does not pay for rich."""
    program = (
        "import sys\n"
        "from calamari_py.output import FORMATS\n"
        "from calamari_py.output.base import ReporterOptions\n"
        "options = ReporterOptions(stdout=sys.stdout.buffer, stderr=sys.stderr.buffer,"
        " terminal=False, width=80, environ={'TERM': 'xterm'})\n"
        "FORMATS['text'](options).warning('x'); FORMATS['json'](options).warning('x')\n"
        "assert not any(name.split('.')[0] == 'rich' for name in sys.modules)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "calamari: warning: x\n")


@pytest.mark.parametrize("method", ["warning", "setback"])
def test_a_hint_stands_under_its_warning(method: str) -> None:
    """What to do is on a line of its own."""
    screen = Screen.shared()
    getattr(text(screen, environ={}), method)(Masked("too late"), Masked("allow it more time"))
    assert screen.out == "calamari: warning: too late\n  hint: allow it more time\n"
