"""What protects an orchestrator from its steps, and the figures it gets, through `calamari run`."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest

from calamari_py.output.jsonl import OUTPUT_EVENT_SIZE, OUTPUT_EVENTS_A_SECOND
from tests.integration.conftest import Calamari

pytestmark = [pytest.mark.process, pytest.mark.preloaded]

HEAD = "name: bounds\naccount: none\n"

CHATTY = """
import sys
for number in range(20_000):
    print("out", number, flush=number % 10 == 0)
    print("err", number, file=sys.stderr)
"""


def output(events: list[dict[str, Any]], stream: str) -> str:
    return "".join(e["text"] for e in events if e["type"] == "output" and e["stream"] == stream)


def test_a_chatty_step_is_no_flood_of_events(calamari: Calamari) -> None:
    """Tens of thousands of small writes become few events, on time, and no byte is lost."""
    (calamari.folder / "chatty.py").write_text(CHATTY)
    calamari.write(HEAD + "script: {file: chatty.py}\n")
    events = calamari("run", "step.yaml", "--format", "json").events()
    assert output(events, "stdout") == "".join(f"out {n}\n" for n in range(20_000))
    assert output(events, "stderr") == "".join(f"err {n}\n" for n in range(20_000))
    written = [event for event in events if event["type"] == "output"]
    assert all(len(event["text"].encode()) <= OUTPUT_EVENT_SIZE for event in written)
    moments = [datetime.fromisoformat(event["time"]).timestamp() for event in written]
    # Each second that begins with an event; times are cut to milliseconds.
    for index, moment in enumerate(moments):
        within = sum(moment <= later < moment + 0.998 for later in moments[index:])
        assert within <= OUTPUT_EVENTS_A_SECOND
    assert len(written) < 10 * OUTPUT_EVENTS_A_SECOND


def test_a_prompt_is_an_event_at_once(calamari: Calamari) -> None:
    """A line without an end does not wait for company: it is there while the step waits."""
    calamari.write(HEAD + "script: echo one; printf 'two? '; exec sleep 60\n")
    process = calamari.start(["run", "step.yaml", "--format", "json"])
    try:
        assert process.stdout is not None
        text = _read_until(process, b"two? ")
        assert b'"finished"' not in text
    finally:
        process.terminate()
        process.communicate(timeout=30)


def _read_until(process: subprocess.Popen[bytes], wanted: bytes) -> bytes:
    assert process.stdout is not None
    descriptor, text, until = process.stdout.fileno(), b"", time.monotonic() + 30
    while wanted not in text:
        assert select.select([descriptor], [], [], until - time.monotonic())[0], text
        text += os.read(descriptor, 65_536)
    return text


@pytest.mark.parametrize("format_", ["text", "json"])
def test_the_end_of_a_long_output_is_shown(format_: str, calamari: Calamari) -> None:
    """The error at the end of a log that is longer than its limit is not lost."""
    calamari.write(
        HEAD + "output_limit: 10KB\nscript: |\n"
        "  for n in $(seq 5000); do echo line $n; done; echo the error >&2; exit 3\n"
    )
    ran = calamari("run", "step.yaml", "--format", format_)
    assert ran.code == 3
    if format_ == "json":
        events = ran.events()
        out, err = output(events, "stdout"), output(events, "stderr")
        said = " ".join(event["message"] for event in events if event["type"] == "warning")
    else:
        out, err, said = ran.out, ran.err, ran.err
    assert out.startswith("line 1\nline 2\n")
    assert out.endswith("line 4999\nline 5000\n")
    assert len(out) < 12_000
    assert "the error" in err
    assert "bytes of output are left out here; this is its end" in said


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        pytest.param("timeout: 3s", "still running after 3.0s (timeout); the last output was",
                     id="timeout"),
        pytest.param("idle_timeout: 2s", "no output for 2.0s (idle_timeout) after", id="silence"),
    ],
)  # fmt: skip
def test_a_time_limit_says_what_the_step_was_busy_with(
    limit: str, said: str, calamari: Calamari
) -> None:
    """The last line is the one before the stop, not what the step says when it is told to."""
    calamari.write(
        f"{HEAD}{limit}\nvariables: {{P: {{value: hunter2hunter2, sensitive: true}}}}\n"
        "env: {PASSWORD: '{{ P }}'}\nscript: |\n"
        "  trap 'echo going down; exit 0' TERM\n"
        '  echo one; printf "Waiting for the lock of $PASSWORD ..."\n'
        "  while :; do sleep 0.05; done\n"
    )
    ran = calamari("run", "step.yaml", "--result", "r.json")
    assert ran.code == 124
    sentence = f'{said} "Waiting for the lock of *** ..."'
    assert f"{sentence}: the step was ended" in ran.err
    assert "going down" in ran.out
    (problem,) = json.loads((calamari.folder / "r.json").read_text())["problems"]
    assert problem["message"] == sentence


def test_what_a_step_took(calamari: Calamari) -> None:
    """The result says what each attempt wrote and took, and all of them together."""
    calamari.write(
        HEAD + "retry: {attempts: 2, delay: 0s, on_exit_codes: [7]}\nscript: |\n"
        '  printf 12345; printf 123 >&2; if [ "$CALAMARI_ATTEMPT" = 1 ]; then exit 7; fi\n'
        "  n=0; while [ $n -lt 20000 ]; do n=$((n + 1)); done\n"
        "finally: printf 1234567890\n"
    )
    assert calamari("run", "step.yaml", "--result", "r.json").code == 0
    document = json.loads((calamari.folder / "r.json").read_text())
    usage, attempts = document["usage"], document["attempts"]
    assert (usage["stdout"], usage["stderr"]) == (10, 6)
    assert usage["cpu"] > 0
    assert usage["peak_memory"] > 500_000
    assert [attempt["exit_code"] for attempt in attempts] == [7, 0]
    assert Counter(attempt["outcome"] for attempt in attempts) == {"failed": 1, "succeeded": 1}
    assert attempts[0]["ended_at"] <= attempts[1]["started_at"]
    assert usage["cpu"] == pytest.approx(sum(a["usage"]["cpu"] for a in attempts), abs=0.01)
