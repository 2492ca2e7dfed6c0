"""The json format: events that a program can rely on."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output.base import Reporter
from calamari_py.output.jsonl import OUTPUT_EVENT_SIZE, JsonReporter
from calamari_py.result import Outcome, OutputVariable
from tests.output.output_samples import (
    HUB,
    LAUNCHER,
    ROLE,
    START,
    TRACE,
    Screen,
    header,
    identity,
    manifest_failure,
    refusal,
    result,
)


def events_of(*calls: Callable[[Reporter], None], **changes: Any) -> list[dict[str, Any]]:
    """What a reporter writes on stdout when it is told `calls`."""
    screen = Screen()
    reporter = JsonReporter(screen.options(**changes), clock=lambda: START)
    for call in calls:
        call(reporter)
    assert screen.err == ""
    assert not screen.out or screen.out.endswith("\n")
    return [json.loads(line) for line in screen.out.splitlines()]


def joined(events: list[dict[str, Any]], stream: str) -> bytes:
    """The bytes of one stream, as docs/events.md tells to put them together."""
    return b"".join(
        event["text"].encode() if "text" in event else b64decode(event["base64"])
        for event in events
        if event["type"] == "output" and event["stream"] == stream
    )


COMMON = {"time": "2026-03-01T09:30:00.000Z", "step": None}


@pytest.mark.parametrize(
    ("call", "event"),
    [
        pytest.param(
            lambda r: r.identity(identity(hops=(HUB, ROLE))),
            {
                "type": "identity",
                "launcher": LAUNCHER,
                "launcher_arn": LAUNCHER,
                "launcher_source": "EKS Pod Identity",
                "hops": [HUB, ROLE],
                "arn": ROLE,
                "account": "111111111111",
                "as_expected": True,
                "region": "eu-west-1",
                "region_source": "manifest",
                "expires_at": "2026-03-01T10:30:00.000Z",
                "secrets": 3,
                "masking_off": False,
            },
            id="identity",
        ),
        pytest.param(
            lambda r: r.trace(TRACE[2:3]),
            {
                "type": "trace",
                "rows": [
                    {
                        "source": "container",
                        "present": True,
                        "tried": True,
                        "result": "found",
                        "why": "169.254.170.23",
                        "milliseconds": 14,
                        "used": True,
                    }
                ],
            },
            id="trace",
        ),
        pytest.param(
            lambda r: r.output("stderr", MaskedBytes("[b] ─ \0 ***\n".encode())),
            {"type": "output", "stream": "stderr", "text": "[b] ─ \0 ***\n"},
            id="text",
        ),
        pytest.param(
            lambda r: r.output("stdout", MaskedBytes(b"\xff\xfe\n")),
            {"type": "output", "stream": "stdout", "base64": "//4K"},
            id="base64",
        ),
        pytest.param(
            lambda r: r.progress(50.0, Masked("half")),
            {"type": "progress", "percent": 50.0, "message": "half"},
            id="progress",
        ),
        pytest.param(
            lambda r: r.highlight(Masked("look")),
            {"type": "message", "level": "highlight", "message": "look"},
            id="highlight",
        ),
        pytest.param(
            lambda r: r.warning(Masked("careful")),
            {"type": "warning", "message": "careful", "hint": None},
            id="warning",
        ),
        pytest.param(
            lambda r: r.setback(Masked("too late"), Masked("allow it more time")),
            {"type": "warning", "message": "too late", "hint": "allow it more time"},
            id="setback",
        ),
        pytest.param(
            lambda r: r.failed(manifest_failure()),
            {
                "type": "problem",
                "message": "3 problems in deploy-network.yaml",
                "hint": "calamari schema prints the format",
                "place": None,
                "exit_code": 65,
                "problems": [
                    {
                        "message": "unknown key; did you mean 'assume_role'?",
                        "path": "asume_role",
                        "place": "deploy-network.yaml:4:1",
                        "hint": None,
                    },
                    {
                        "message": '012345678901 is not quoted; write "012345678901"',
                        "path": "expect.account",
                        "place": "deploy-network.yaml:9:12",
                        "hint": "YAML reads it as a number",
                    },
                    {
                        "message": "'soon' is not a duration; write 90s, 15m or 1h30m",
                        "path": "timeout",
                        "place": "deploy-network.yaml:14:3",
                        "hint": None,
                    },
                ],
                "trace": [],
                "evidence": [],
            },
            id="problem",
        ),
    ],
)
def test_event(call: Callable[[Reporter], None], event: dict[str, Any]) -> None:
    """Each thing a reporter is told is one event with these fields and no others."""
    assert events_of(call) == [{**COMMON, **event}]


def test_a_refusal_carries_its_evidence() -> None:
    """The trace and the request ids of an identity failure are in its event."""
    (event,) = events_of(lambda r: r.failed(refusal()))
    assert [row["source"] for row in event["trace"]] == [row.source for row in TRACE]
    assert event["evidence"] == ["STS request id 6f1c2a9e, host sts.eu-west-1.amazonaws.com"]


def test_every_event_names_the_step_once_it_is_known() -> None:
    """`step` is null before the manifest is valid, and the result's name in the last event."""
    events = events_of(
        lambda r: r.warning(Masked("early")),
        lambda r: r.started(header()),
        lambda r: r.warning(Masked("late")),
        lambda r: r.finished(result()),
    )
    assert [event["step"] for event in events] == [None, *["deploy-network"] * 3]
    (refused,) = events_of(lambda r: r.finished(result(Outcome.NOT_STARTED, 65, step="a.yaml")))
    assert refused["step"] == "a.yaml"


def test_started() -> None:
    """The first event carries the version of the format."""
    (event,) = events_of(lambda r: r.started(header(project=None)))
    assert event == {
        "time": "2026-03-01T09:30:00.000Z",
        "type": "started",
        "step": "deploy-network",
        "events_version": 1,
        "calamari_version": "0.1.0",
        "kind": "script",
        "project": None,
        "environment": "dev",
        "deployment_id": "deployments-4711",
    }


def test_finished_holds_the_result_document() -> None:
    """The last event is the result document, without the value of a sensitive output."""
    ended = result(outputs={"Password": OutputVariable(value="hunter22", sensitive=True)})
    (event,) = events_of(lambda r: r.finished(ended))
    assert event["type"] == "finished"
    assert event["result"] == ended.to_document()
    assert "hunter22" not in json.dumps(event)


@pytest.mark.parametrize(
    ("chunks", "texts"),
    [
        pytest.param([b"\xe2\x82", b"\xac!"], ["€!"], id="two of three bytes"),
        pytest.param([b"a\xe2", b"\x82", b"\xac"], ["a", "€"], id="byte by byte"),
        pytest.param([b"x\xf0\x9f\x98", b"\x80"], ["x", "😀"], id="three of four bytes"),
        pytest.param([b"a", b"b"], ["a", "b"], id="nothing to carry"),
        pytest.param([b"\xe2\x82\xac"], ["€"], id="whole at the end"),
    ],
)
def test_split_characters_are_carried_over(chunks: list[bytes], texts: list[str]) -> None:
    """A character that is split over reads is whole in the later event of its stream."""
    events = events_of(*(lambda r, c=c: r.output("stdout", MaskedBytes(c)) for c in chunks))
    assert [event["text"] for event in events] == texts


def test_streams_are_carried_apart() -> None:
    """Half a character of stdout does not meet the bytes of stderr."""
    events = events_of(
        lambda r: r.output("stdout", MaskedBytes(b"\xe2\x82")),
        lambda r: r.output("stderr", MaskedBytes(b"err")),
        lambda r: r.output("stdout", MaskedBytes(b"\xac")),
    )
    assert [(e["stream"], e["text"]) for e in events] == [("stderr", "err"), ("stdout", "€")]


def test_half_a_character_at_the_end_is_flushed() -> None:
    """What never became a character is in the last output event, before `finished`."""
    events = events_of(
        lambda r: r.output("stdout", MaskedBytes(b"a\xe2\x82")), lambda r: r.finished(result())
    )
    assert [event["type"] for event in events] == ["output", "output", "finished"]
    assert joined(events, "stdout") == b"a\xe2\x82"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stdout", "stderr"]),
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.text(min_size=1, max_size=4).map(lambda text: text.encode("utf-8", "replace")),
                st.sampled_from([b"\xe2", b"\x82", b"\xac", b"\xf0\x9f", b"\xed\xa0\x80"]),
            ),
        ),
        max_size=12,
    )
)
def test_nothing_is_lost(writes: list[tuple[Any, bytes]]) -> None:
    """The events of a stream, put together, are exactly the bytes of that stream."""
    events = events_of(
        *(lambda r, s=s, d=d: r.output(s, MaskedBytes(d)) for s, d in writes),
        lambda r: r.finished(result()),
    )
    for stream in ("stdout", "stderr"):
        assert joined(events, stream) == b"".join(d for s, d in writes if s == stream)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"x" * OUTPUT_EVENT_SIZE, id="just one"),
        pytest.param("€".encode() * OUTPUT_EVENT_SIZE, id="characters at the seams"),
        pytest.param(b"\xff\xfe\x80" * OUTPUT_EVENT_SIZE, id="no text"),
        pytest.param(b"\x1b" * 3 * OUTPUT_EVENT_SIZE, id="all escaped"),
    ],
)
def test_an_output_event_is_never_longer_than_a_reader_can_take(data: bytes) -> None:
    """However much there is at once, a line has a bound, and no character is cut in two."""
    screen = Screen()
    reporter = JsonReporter(screen.options(), clock=lambda: START)
    reporter.output("stdout", MaskedBytes(b"\xe2"))
    reporter.output("stdout", MaskedBytes(b"\x82\xac" + data))
    reporter.finished(result())
    assert max(map(len, screen.out.splitlines())) < 1_600_000
    events = [json.loads(line) for line in screen.out.splitlines()]
    assert joined(events, "stdout") == "€".encode() + data
    texts = ["text" in event for event in events[:-1]]
    assert all(texts) or data.startswith(b"\xff")


class Unread(io.RawIOBase):
    """A stream that takes `room` bytes, and whose reader is given up then."""

    def __init__(self) -> None:
        self.taken = bytearray()
        self.room = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if not self.room:
            raise BrokenPipeError
        part = bytes(data[: self.room])
        self.taken += part
        self.room -= len(part)
        return len(part)


@pytest.mark.parametrize(
    ("rooms", "messages"),
    [
        pytest.param([0, 0, 9999], ["c"], id="nothing of it was written"),
        pytest.param([10, 0, 9999], ["a", "c"], id="half a line"),
        pytest.param([10, 10, 9999], ["a", "c"], id="half a line, in two parts"),
        pytest.param([9999, 9999, 9999], ["a", "b", "c"], id="all of it"),
    ],
)
def test_half_a_line_is_made_whole_before_the_next(rooms: list[int], messages: list[str]) -> None:
    """A write that was given up in leaves no broken line in front of a later event."""
    stream = Unread()
    reporter = JsonReporter(Screen(stdout=stream).options(), clock=lambda: START)  # type: ignore[arg-type]
    for room, message in zip(rooms, ["a", "b", "c"], strict=True):
        stream.room = room
        with suppress(BrokenPipeError):
            reporter.warning(Masked(message))
    events = [json.loads(line) for line in stream.taken.splitlines()]
    assert [event["message"] for event in events] == messages


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\nb\r\nc", id="line ends"),
        pytest.param("a\u2028b\u2029c\x85d\x0bd\x0ce\x1cf", id="what others take for line ends"),
        pytest.param("\x9b31m \x1b[31m \x7f", id="terminal controls"),
        pytest.param('"\\ ***', id="JSON's own characters"),
    ],
)
def test_one_event_is_one_line_for_everybody(text: str) -> None:
    """No text can start a line or a terminal sequence, and none is changed by that."""
    screen = Screen()
    JsonReporter(screen.options(), clock=lambda: START).warning(Masked(text))
    assert len(screen.out.splitlines()) == 1
    assert screen.out.rstrip("\n").isprintable()
    assert json.loads(screen.out)["message"] == text


def test_half_characters_of_a_name_stay_valid_json() -> None:
    """Bytes of a file name that are no UTF-8 do not make a document that readers refuse."""
    (event,) = events_of(lambda r: r.warning(Masked("no file 'caf\udce9'")))
    assert event["message"] == "no file 'caf\N{REPLACEMENT CHARACTER}'"


@pytest.mark.parametrize(
    ("changes", "levels"),
    [
        pytest.param({}, ["highlight"], id="normal"),
        pytest.param({"verbose": True}, ["note", "highlight"], id="verbose"),
        pytest.param({"quiet": True}, ["highlight"], id="quiet"),
    ],
)
def test_levels(changes: dict[str, bool], levels: list[str]) -> None:
    """Notes are for --verbose; --quiet changes nothing for a program."""
    events = events_of(
        lambda r: r.started(header()),
        lambda r: r.note(Masked("n")),
        lambda r: r.highlight(Masked("h")),
        **changes,
    )
    assert events[0]["type"] == "started"
    assert [event["level"] for event in events[1:]] == levels


def test_time_is_utc_with_milliseconds() -> None:
    """The clock's time is written with exactly three digits of a second."""
    screen = Screen()
    moments = iter([START, START + timedelta(microseconds=1999)])
    reporter = JsonReporter(screen.options(), clock=lambda: next(moments))
    reporter.warning(Masked("a"))
    reporter.warning(Masked("b"))
    times = [json.loads(line)["time"] for line in screen.out.splitlines()]
    assert times == ["2026-03-01T09:30:00.000Z", "2026-03-01T09:30:00.001Z"]
