"""What is seen of a step that calamari carries out itself, while it works."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import termios
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import pytest

from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output.base import DetailTone, Reporter
from calamari_py.output.github import GithubReporter
from calamari_py.output.jsonl import JsonReporter
from calamari_py.output.octopus import OctopusReporter
from calamari_py.output.text import TextReporter
from tests.output.github_runner import FakeRunner
from tests.output.output_samples import COLOUR, START, Screen, refusal, result
from tests.output.terminal import shown

ERASE = "\r\x1b[2K"


class Ticks:
    """A clock that only `now` moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def on_a_terminal(screen: Screen, **changes: Any) -> TextReporter:
    return TextReporter(screen.options(terminal=True, **changes))


def test_a_terminal_has_one_live_line() -> None:
    """Each state replaces the one before, in its place."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    reporter.progress(10.0, Masked("3/34 resources, 20s"), passing=True)
    reporter.progress(35.0, Masked("12/34 resources, 2m10s"), passing=True)
    assert shown(screen.out) == ["calamari: 35% 12/34 resources, 2m10s"]
    assert "\n" not in screen.out


def test_the_same_state_is_not_drawn_again() -> None:
    """A terminal that shows it already is left alone."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    for _ in range(3):
        reporter.progress(None, Masked("waiting"), passing=True)
    assert screen.out.count("waiting") == 1


@pytest.mark.parametrize(
    ("say", "line"),
    [
        pytest.param(lambda r: r.detail(Masked("Bucket done"), "", {}), "Bucket done", id="detail"),
        pytest.param(lambda r: r.output("stdout", MaskedBytes(b"out\n")), "out", id="stdout"),
        pytest.param(lambda r: r.output("stderr", MaskedBytes(b"err\n")), "err", id="stderr"),
        pytest.param(lambda r: r.warning(Masked("w")), "calamari: warning: w", id="warning"),
        pytest.param(lambda r: r.highlight(Masked("h")), "calamari: h", id="highlight"),
        pytest.param(lambda r: r.progress(1.0, Masked("p")), "calamari: 1% p", id="progress"),
        pytest.param(lambda r: r.failed(replace(refusal(), trace=(), hint=None, evidence=(),
            message=Masked("no"))), "calamari: no", id="failure"),
    ],
)  # fmt: skip
def test_the_live_line_makes_way(say: Any, line: str) -> None:
    """Whatever is written next stands where it stood, and it comes back below."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    reporter.progress(None, Masked("a long line about what is done right now"), passing=True)
    say(reporter)
    assert shown(screen.out) == [line, ""]
    reporter.progress(None, Masked("working"), passing=True)
    assert shown(screen.out) == [line, "calamari: working"]


@pytest.mark.parametrize("quietly", [True, False])
def test_nothing_is_left_of_it(quietly: bool) -> None:
    """The end of a run finds an empty line, whatever it says there itself."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    reporter.progress(None, Masked("working"), passing=True)
    reporter.finished(result())
    (closing, last) = shown(screen.out)
    assert closing.startswith("─ succeeded")
    assert last == ""
    screen = Screen.shared()
    on_a_terminal(screen, quiet=True).progress(None, Masked("working"), passing=True)
    assert screen.out == ""


def test_it_does_not_hang_on_an_open_line() -> None:
    """Where a child has left its line open, the live line is on the next one."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    reporter.output("stdout", MaskedBytes(b"\x1b[31mopen"))
    reporter.progress(None, Masked("working"), passing=True)
    assert shown(screen.out) == ["open", "calamari: working"]
    assert "\x1b[31mopen\x1b[0m" in screen.out


@pytest.mark.parametrize(
    ("width", "text", "line"),
    [
        pytest.param(30, "x" * 100, "calamari: 5% xxxxxxxxxxxxxxxx", id="cut to 29 columns"),
        pytest.param(20, "部署部署部署", "calamari: 5% 部署部", id="wide characters"),
        pytest.param(19, "部署部署部署", "calamari: 5% 部署", id="no half of one"),
        pytest.param(5, "x", "cala", id="narrow"),
        pytest.param(80, "a\nb\tc\x1b[2J", "calamari: 5% a b c\\x1b[2J", id="on one line"),
    ],
)
def test_it_never_wraps(width: int, text: str, line: str) -> None:
    """A line of two rows could not be rewritten: it is cut to what the terminal has."""
    screen = Screen.shared()
    on_a_terminal(screen, width=width).progress(5.0, Masked(text), passing=True)
    assert shown(screen.out) == [line]


ROWS = [Masked("  deployment/web   2 of 3 updated"), Masked("  statefulset/db  3 ready")]


def test_a_table_is_rewritten_in_its_place() -> None:
    """As long as nothing else is written there is one, whatever its length."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    reporter.detail(Masked("before"), "", {})
    reporter.progress(None, Masked("1 of 2 ready"), passing=True, rows=ROWS)
    assert shown(screen.out) == [
        "before",
        "calamari: 1 of 2 ready",
        "  deployment/web   2 of 3 updated",
        "  statefulset/db  3 ready",
    ]
    reporter.progress(None, Masked("2 of 2 ready"), passing=True, rows=ROWS[1:])
    assert shown(screen.out) == ["before", "calamari: 2 of 2 ready", "  statefulset/db  3 ready"]
    reporter.progress(None, Masked("done"), passing=True)
    assert shown(screen.out) == ["before", "calamari: done"]


def test_a_table_makes_way() -> None:
    """What is written next stands where it stood, and nothing of it is left at the end."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    reporter.progress(None, Masked("working"), passing=True, rows=ROWS)
    reporter.detail(Masked("a line"), "", {})
    assert shown(screen.out) == ["a line", ""]
    reporter.progress(None, Masked("working"), passing=True, rows=ROWS)
    reporter.finished(result())
    assert len(shown(screen.out)) == 3


def test_a_table_is_no_higher_than_the_terminal() -> None:
    """What has left the screen cannot be rewritten: what comes first stays."""
    screen = Screen.shared()
    on_a_terminal(screen).progress(
        None, Masked("working"), passing=True, rows=[Masked(f"row {n}") for n in range(100)]
    )
    rows = shown(screen.out)
    assert (len(rows), rows[1]) == (23, "row 0")


def test_a_row_is_one_line() -> None:
    """Its text may hold anything."""
    screen = Screen.shared()
    on_a_terminal(screen, width=20).progress(
        None, Masked("working"), passing=True, rows=[Masked("a\nb\x1b[2J" + "x" * 40)]
    )
    assert shown(screen.out) == ["calamari: working", "a b\\x1b[2Jxxxxxxxxx"]


@pytest.mark.parametrize("format_", [TextReporter, GithubReporter, OctopusReporter, JsonReporter])
def test_a_table_is_for_terminals(format_: Callable[..., Reporter]) -> None:
    """A log has the lines of the step itself."""
    screen, ticks = Screen(), Ticks()
    clock = {} if format_ is JsonReporter else {"clock": ticks}
    reporter = format_(screen.options(), **clock)
    for _ in range(2):
        reporter.progress(None, Masked("working"), passing=True, rows=ROWS)
        ticks.now += 61
    written = screen.out + screen.err
    assert "working" in written or format_ is JsonReporter
    assert "deployment/web" not in written


def test_the_childs_bytes_are_untouched() -> None:
    """stdout that goes elsewhere gets nothing of it."""
    screen = Screen()
    reporter = on_a_terminal(screen)
    reporter.progress(None, Masked("working"), passing=True)
    reporter.output("stdout", MaskedBytes(b"data"))
    reporter.progress(None, Masked("still working"), passing=True)
    reporter.finished(result())
    assert screen.out == "data"


@pytest.mark.parametrize(
    ("terminal", "environ"),
    [
        pytest.param(False, COLOUR, id="no terminal"),
        pytest.param(False, {**COLOUR, "FORCE_COLOR": "1"}, id="a coloured log"),
        pytest.param(True, {"TERM": "dumb"}, id="dumb"),
        pytest.param(True, {}, id="unknown terminal"),
        pytest.param(True, {**COLOUR, "NO_COLOR": "1"}, id="NO_COLOR"),
    ],
)
@pytest.mark.parametrize("format_", [TextReporter, GithubReporter])
def test_a_log_hears_once_a_minute(
    terminal: bool, environ: dict[str, str], format_: type[TextReporter]
) -> None:
    """A step of twenty minutes does not look dead, nor does one of half a minute say anything; no
    cursor is moved."""
    screen, clock = Screen.shared(), Ticks()
    reporter = format_(screen.options(terminal=terminal, environ=environ), clock=clock)
    for second in range(0, 151, 5):
        clock.now = float(second)
        reporter.progress(float(second) / 2, Masked(f"{second}s"), passing=True)
    plain = screen.out.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")
    assert plain == "calamari: 30% 60s\ncalamari: 60% 120s\n"


def test_programs_hear_once_a_second() -> None:
    """The first state at once, then no more than one event a second; what a step says of itself is
    not counted."""
    screen, clock = Screen(), Ticks()
    reporter = JsonReporter(screen.options(), clock=lambda: START, monotonic=clock)
    for tick in range(9):
        clock.now = tick / 4
        reporter.progress(float(tick), Masked("state"), passing=True)
    reporter.progress(50.0, Masked("half"))
    reporter.progress(50.0, Masked("half"))
    told = [json.loads(line) for line in screen.out.splitlines()]
    assert [event["percent"] for event in told] == [0.0, 4.0, 8.0, 50.0, 50.0]
    assert {event["type"] for event in told} == {"progress"}


@pytest.fixture
def terminal() -> Iterator[tuple[BinaryIO, int]]:
    """A raw terminal of 30 columns: what we write to, and where it is read."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 30, 0, 0))
    tty.setraw(slave)
    with open(master, "rb"), open(slave, "wb", buffering=0) as stream:
        yield stream, master


def test_a_real_terminal(terminal: tuple[BinaryIO, int]) -> None:
    """The line is cut to the width that the terminal has now, and raw mode loses no column."""
    stream, master = terminal
    options = replace(Screen().options(terminal=True, width=200), stdout=stream, stderr=stream)
    reporter = TextReporter(options)
    reporter.output("stdout", MaskedBytes(b"open"))
    reporter.progress(None, Masked("x" * 100), passing=True)
    reporter.warning(Masked("careful"))
    reporter.progress(None, Masked("it goes on"), passing=True)
    written = b""
    while not written.endswith(b" on"):
        written += os.read(master, 4096)
    assert shown(written.decode(), raw=True) == [
        "open", "calamari: warning: careful", "calamari: it goes on",
    ]  # fmt: skip


def every_format(screen: Screen) -> list[Reporter]:
    options = screen.options()
    return [TextReporter(options), GithubReporter(options), OctopusReporter(options)]


@pytest.mark.parametrize("number", range(3))
def test_a_detail_is_output(number: int) -> None:
    """A line of the step is where a child's would be, whole and on stdout."""
    screen = Screen()
    reporter = every_format(screen)[number]
    reporter.detail(Masked("+ Bucket  AWS::S3::Bucket"), "stack_change", {"action": "Add"})
    assert screen.out.endswith("+ Bucket  AWS::S3::Bucket\n")
    assert screen.err == ""


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize(("event", "ends"), [("stack_change", ""), ("", "\n")])
def test_an_event_without_a_line_is_for_programs(number: int, event: str, ends: str) -> None:
    """It is not so much as an empty line; one that is no event is."""
    screen = Screen()
    reporter = every_format(screen)[number]
    reporter.detail(Masked("x"), "", {})
    before = screen.out
    reporter.detail(Masked(""), event, {"action": "Add"})
    assert screen.out.removeprefix(before) == ends


@pytest.mark.parametrize("number", range(3))
def test_a_detail_moves_no_cursor(number: int) -> None:
    """What a custom resource has put into its reason is text, and so is half a character."""
    screen = Screen()
    every_format(screen)[number].detail(Masked("a\x1b[2Jb\rc\ud800"), "", {})
    assert screen.out.endswith("a\\x1b[2Jb\nc\\ud800\n")


@pytest.mark.parametrize(
    ("tone", "code"), [("good", "32"), ("bad", "1;31"), ("warn", "33"), ("", "")]
)
def test_a_detail_has_its_tone_on_a_terminal(tone: DetailTone, code: str) -> None:
    """An emphasis around the whole line, which ends before the next one begins."""
    screen = Screen.shared()
    reporter = on_a_terminal(screen)
    reporter.detail(Masked("- Queue"), "", {}, tone=tone)
    reporter.note(Masked("unseen"))
    reporter.highlight(Masked("next"))
    line, after = screen.out.splitlines()
    assert line == (f"\x1b[{code}m- Queue\x1b[0m" if code else "- Queue")
    assert not after.startswith("\x1b[0m")
    assert shown(screen.out) == ["- Queue", "calamari: next", ""]


@pytest.mark.parametrize(
    ("screen", "changes"),
    [
        pytest.param(Screen.shared(), {"terminal": False}, id="no-terminal"),
        pytest.param(Screen(), {"terminal": True}, id="stdout-goes-elsewhere"),
        pytest.param(
            Screen.shared(),
            {"terminal": True, "environ": {**COLOUR, "NO_COLOR": "1"}},
            id="unwanted",
        ),
    ],
)
def test_a_tone_is_for_terminals(screen: Screen, changes: dict[str, Any]) -> None:
    """A file or a log has the text alone."""
    TextReporter(screen.options(**changes)).detail(Masked("- Queue"), "", {}, tone="bad")
    assert screen.out == "- Queue\n"


@pytest.mark.parametrize("make", [GithubReporter, OctopusReporter, JsonReporter])
def test_other_formats_have_no_tone(make: Callable[[Any], Reporter]) -> None:
    """A CI system has colours of its own, a program none."""
    screen = Screen()
    make(screen.options()).detail(Masked("- Queue"), "stack_change", {}, tone="bad")
    assert "- Queue" in screen.out
    assert "\x1b" not in screen.out
    assert "bad" not in screen.out


def test_a_detail_commands_no_runner() -> None:
    """AWS's words are no command of a GitHub runner."""
    screen = Screen()
    reporter = GithubReporter(screen.options())
    reporter.detail(Masked("::error::x"), "stack_event", {})
    reporter.finished(result())
    assert FakeRunner.reads(screen.stdout.getvalue()).commands == []


def test_a_detail_is_an_event() -> None:
    """Programs get its fields at the top, and the line as text."""
    screen = Screen()
    reporter = JsonReporter(screen.options(), clock=lambda: START)
    fields = {"stack": "net", "path": ["Data"], "reason": None}
    reporter.detail(Masked("Data/Db failed"), "stack_event", fields)
    assert json.loads(screen.out) == {
        "time": "2026-03-01T09:30:00.000Z",
        "type": "stack_event",
        "step": None,
        "stack": "net",
        "path": ["Data"],
        "reason": None,
        "text": "Data/Db failed",
    }


def test_fields_replace_nothing_of_ours() -> None:
    """Neither the time nor the type of an event, nor the step, nor the line is a kind's to say."""
    screen = Screen()
    reporter = JsonReporter(screen.options(), clock=lambda: START)
    wrong = dict.fromkeys(("time", "type", "step", "text"), "wrong")
    reporter.detail(Masked("line"), "stack_event", {**wrong, "fields": 1})
    event = json.loads(screen.out)
    assert "wrong" not in event.values()
    assert (event["type"], event["text"], event["fields"]) == ("stack_event", "line", 1)


def test_a_detail_without_an_event_is_output() -> None:
    """A line that means nothing to programs is output like any other."""
    screen = Screen()
    JsonReporter(screen.options(), clock=lambda: START).detail(Masked("hello"), "", {"a": 1})
    event = json.loads(screen.out)
    assert (event["type"], event["stream"], event["text"]) == ("output", "stdout", "hello\n")
    assert "a" not in event
