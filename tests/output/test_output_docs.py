"""docs/events.md and docs/result.md say what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest

from calamari_py.masking.secret import Masked, MaskedBytes
from calamari_py.output.jsonl import (
    EVENTS_VERSION,
    OUTPUT_EVENT_SIZE,
    OUTPUT_EVENTS_A_SECOND,
    JsonReporter,
)
from calamari_py.result import MaskingRecord, Outcome, OutputVariable, StepIdentity, Usage
from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.cloudformation.changes.changes import report_changes
from calamari_py.steps.cloudformation.following.event_lines import fields_of
from calamari_py.steps.cloudformation.values import Change, ChangeSet, StackEvent
from tests.output.output_samples import (
    ATTEMPT,
    START,
    TRACE,
    Screen,
    header,
    identity,
    manifest_failure,
    refusal,
    result,
)
from tests.test_event_samples import OF_KUBERNETES, OF_TERRAFORM

DOCS = Path(__file__).parents[2] / "docs"
EVENTS = (DOCS / "events.md").read_text()
RESULT = (DOCS / "result.md").read_text()
SCHEMA = json.loads((DOCS / "result-schema.json").read_text())
FULL_RESULT = result(
    identity=StepIdentity(arn="arn", account="111111111111", expires_at=START),
    outputs={"Url": OutputVariable(value="x", sensitive=False)},
    usage=Usage(cpu=0.5, peak_memory=1024, stdout=1, stderr=1),
    masking=MaskingRecord(hits={"T": 1}, unmasked={"Pin": "is too short"}),
)


EVENT = StackEvent(
    id="1",
    stack_id="arn",
    stack_name="net",
    logical_id="Db",
    physical_id="db-1",
    resource_type="AWS::RDS::DBInstance",
    status="CREATE_FAILED",
    reason="",
    time=START,
    path=("Data",),
)


class Lines:
    """A report of a step that keeps the fields of its last line that has some."""

    fields: Mapping[str, Any] | None = None

    def line(
        self,
        text: str,
        *,
        event: str = "",
        fields: Mapping[str, Any] | None = None,
        tone: Tone = "",
    ) -> None:
        self.fields = fields or self.fields

    def fact(self, name: str, value: Any) -> None:
        assert set(examples(RESULT)[1][name]) == set(value)


def change_fields() -> Mapping[str, Any]:
    """What the code says of a change to programs."""
    change = Change(
        action="Modify",
        logical_id="Db",
        resource_type="AWS::RDS::DBInstance",
        scope=("Properties",),
        because=("x",),
        path=("Data",),
    )
    made = ChangeSet(
        id="arn", name="c", stack_id="arn:aws:cloudformation:eu-west-1:1:stack/net/1",
        status="CREATE_COMPLETE", execution="AVAILABLE", changes=(change,),
    )  # fmt: skip
    lines = Lines()
    report_changes(cast("StepReport", lines), made)
    assert lines.fields is not None
    return lines.fields


def examples(page: str) -> list[dict[str, Any]]:
    return [json.loads(code) for code in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]


def produced() -> list[dict[str, Any]]:
    """One of everything, from the code."""
    screen = Screen()
    reporter = JsonReporter(screen.options(verbose=True), clock=lambda: START)
    reporter.failed(manifest_failure())
    reporter.started(header())
    reporter.trace(TRACE)
    reporter.identity(identity())
    reporter.output("stdout", MaskedBytes(b"text"))
    reporter.output("stdout", MaskedBytes(b"\xff"))
    reporter.progress(50.0, Masked("half"))
    reporter.detail(Masked("+ Db"), "stack_change", change_fields())
    reporter.detail(Masked("Db failed"), "stack_event", fields_of(EVENT))
    fields = dict.fromkeys(("account", "region", "status", "reason"))
    reporter.detail(Masked("111111111111"), "stack_set_result", fields)
    reporter.note(Masked("note"))
    reporter.highlight(Masked("look"))
    reporter.warning(Masked("careful"))
    reporter.failed(refusal())
    reporter.finished(FULL_RESULT)
    return [
        *(json.loads(line) for line in screen.out.splitlines()),
        *(told() for told in (*OF_TERRAFORM, *OF_KUBERNETES)),
    ]


def shape(value: Any) -> Any:
    """The keys of `value`, all the way down; names that users choose are one key."""
    if isinstance(value, dict):
        free = {"outputs", "durations", "hits", "unmasked"}
        return {
            key: sorted({json.dumps(shape(one)) for one in inner.values()})
            if key in free
            else shape(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return sorted({json.dumps(shape(one)) for one in value})
    return None


def shapes(events: list[dict[str, Any]]) -> dict[tuple[str, ...], Any]:
    """The shape of every kind of event: a problem and an output have more than one."""
    return {
        (
            event["type"],
            *(key for key in ("text", "base64") if key in event),
            *(key for key in ("problems", "trace") if event["type"] == "problem" and event[key]),
        ): shape(event)
        for event in events
    }


def test_events_page_shows_every_event_as_it_is() -> None:
    """Every event is documented by an example with exactly the keys that the code writes."""
    real = shapes(produced())
    documented = shapes(examples(EVENTS))
    for event in (real, documented):
        event[("finished",)]["result"].pop("durations")
    assert documented == real


def test_events_page_has_a_section_for_every_type() -> None:
    """A reader finds each type by its heading, and each heading is a type."""
    headings = set(re.findall(r"^## (\w+)$", EVENTS, re.MULTILINE))
    assert headings == {event["type"] for event in produced()}


def test_events_page_names_its_version() -> None:
    """The page's version is the one that `started` carries."""
    assert EVENTS.startswith(f"# Events, version {EVENTS_VERSION}\n")


def test_events_page_names_the_limits() -> None:
    """How often and how long output events are is on the page as it is in the code."""
    page = " ".join(EVENTS.split())
    assert f"at most {OUTPUT_EVENTS_A_SECOND} `output` events a second" in page
    assert f"at most {OUTPUT_EVENT_SIZE // 1024} KiB of the child's bytes" in page


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(FULL_RESULT.to_document(), id="full"),
        pytest.param(result(Outcome.NOT_STARTED, 65).to_document(), id="empty"),
        pytest.param(result(attempts=(ATTEMPT,)).to_document(), id="attempts"),
        pytest.param(
            result(outputs={"P": OutputVariable(value="x", sensitive=True)}).to_document(),
            id="sensitive output",
        ),
        pytest.param(examples(RESULT)[0], id="the example of result.md"),
        pytest.param(result(details=examples(RESULT)[1]).to_document(), id="details"),
        pytest.param(examples(EVENTS)[-1]["result"], id="the example of events.md"),
    ],
)
def test_documents_match_the_schema(document: dict[str, Any]) -> None:
    """Every result document is valid, and has no field that the schema does not describe."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert set(document) <= set(SCHEMA["properties"])
    for part in ("identity", "masking"):
        assert set(document[part]) == set(SCHEMA["properties"][part]["properties"])
    assert set(document["usage"]) == set(SCHEMA["$defs"]["usage"]["properties"])
    for attempt in document.get("attempts", []):
        assert set(attempt) == set(SCHEMA["properties"]["attempts"]["items"]["properties"])


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"outcome": "skipped"}, id="unknown outcome"),
        pytest.param({"exit_code": "0"}, id="a code as text"),
        pytest.param({"outputs": {"P": {"value": "x", "sensitive": True}}}, id="a told secret"),
        pytest.param({"started_at": "2026-03-01 09:30"}, id="another time"),
        pytest.param({"usage": {"cpu": 1}}, id="half a usage"),
        pytest.param({"masking": {"off": False, "hits": {"T": "2"}, "unmasked": {}}}, id="hits"),
        pytest.param({"attempts": [{"exit_code": 1}]}, id="half an attempt"),
        pytest.param({"details": {}}, id="no details"),
        pytest.param({"details": {"first_cause": {"status": "x"}}}, id="half a cause"),
        pytest.param({"details": {"changes": {"added": "1"}}}, id="a count as text"),
    ],
)
def test_schema_refuses(change: dict[str, Any]) -> None:
    """The schema tells a wrong document from a right one."""
    document = {**FULL_RESULT.to_document(), **change}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, SCHEMA, cls=jsonschema.Draft202012Validator)


def test_result_page_explains_every_field() -> None:
    """Each field of the document has its row in the table of docs/result.md."""
    rows = re.findall(r"^\| (`.*?) \|", RESULT, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert explained == set(SCHEMA["properties"])


def test_result_page_explains_every_detail() -> None:
    """Each fact of a stack is named on the page, and the example has no other."""
    known = set(SCHEMA["properties"]["details"]["properties"])
    (section,) = re.findall(r"^## Details\n(.*?)```", RESULT, re.MULTILINE | re.DOTALL)
    assert known <= set(re.findall(r"`(\w+)`", section))
    assert set(examples(RESULT)[1]) <= known
    cause = set(SCHEMA["$defs"]["cause"]["properties"])
    assert set(examples(RESULT)[1]["first_cause"]) == cause


def test_result_page_names_every_outcome() -> None:
    """The outcomes of the code, of the schema and of the page are the same."""
    (row,) = re.findall(r"^\| `outcome` \|(.*)$", RESULT, re.MULTILINE)
    outcomes = [outcome.value for outcome in Outcome]
    assert re.findall(r"`(\w+)`", row) == outcomes
    assert SCHEMA["properties"]["outcome"]["enum"] == outcomes
