"""A -json stream is told as people read a log: once each, in order, without any output's value."""

from __future__ import annotations

import gc
import json
import tracemalloc

import pytest

from tests.steps.terraform.following.recordings import Shown, recorded_lines


def test_an_apply_is_a_line_for_each_resource() -> None:
    """What a real apply did, in the order in which it was done; the slow one was announced."""
    shown = Shown(total=5)
    shown.recorded("apply")
    assert shown.told == [
        'module.net.terraform_data.subnet["b c"]: created',
        "terraform_data.web[0]: created",
        'module.net.terraform_data.subnet["a"]: created',
        "terraform_data.web[1]: created",
        "terraform_data.db: still creating after 10s",
        "terraform_data.db: created in 11s",
        (
            "Warning: Check block assertion failed\n"
            '  main.tf:43, in check "size"\n'
            "  43:     condition     = var.size > 100\n"
            "                          ^^^^^^^^^^^^^^\n"
            "  var.size is 3\n"
            "  The size 3 is small."
        ),
    ]


def test_provisioners_are_heard_as_they_come() -> None:
    """What a provisioner writes is text of its resource, with the command that was executed."""
    shown = Shown(total=5)
    shown.recorded("apply")
    command = b'Executing: ["/bin/sh" "-c" "echo preparing; sleep 11; echo done >&2"]\n'
    assert shown.report.texts == {"terraform_data.db (local-exec)": command + b"preparing\ndone\n"}


def test_the_followed_stream_is_summed_up() -> None:
    """What ended is not unfinished."""
    followed = Shown(total=5).recorded("apply")
    assert (followed.touched, followed.unfinished) == (5, ())
    assert [each.summary for each in followed.diagnostics] == ["Check block assertion failed"]


def test_values_of_outputs_are_never_shown() -> None:
    """Neither by the message, nor by half of it, nor at verbose."""
    shown = Shown()
    outputs = {"size": {"sensitive": False, "type": "string", "value": "a-value"}}
    shown.message("outputs", outputs=outputs)
    whole = json.dumps({"@level": "info", "@message": "Outputs: 1", "outputs": outputs})
    shown.lines(whole.encode()[:-8])
    shown.follower.finish()
    assert "a-value" not in shown.report.everything
    assert shown.report.said("note") == [
        f"terraform apply: half a message ({len(whole) - 8} bytes)"
    ]


def test_a_plan_stream_prints_nothing_of_the_plan() -> None:
    """Refreshes are progress, and the changes are told by whoever has read the plan."""
    shown = Shown(verb="plan")
    followed = shown.recorded("plan-refreshed")
    assert [line.splitlines()[0] for line in shown.told] == [
        "Warning: Check block assertion failed"
    ]
    assert followed.touched == 0


def test_a_replacement_counts_once() -> None:
    """Two resources are replaced by four operations: the progress ends at 2/2."""
    shown = Shown(total=2)
    for line in recorded_lines("replace"):
        shown.clock.seconds += 1
        shown.lines(line)
    assert shown.last_progress.startswith("2/2 resources, ")
    assert not any("0/2" in text for text in shown.report.said("progress")[-3:])


def test_the_failure_is_left_to_whoever_says_it() -> None:
    """The first error is no line of the stream: it is what the step fails with."""
    shown = Shown()
    followed = shown.recorded("apply-failed")
    assert [each.summary for each in followed.errors] == ["local-exec provisioner error"]
    assert not any("provisioner error" in line for line in shown.told)
    assert "terraform_data.bad[0]: could not be created" in shown.told


def test_programs_get_the_error_that_the_failure_tells() -> None:
    """With its fields, as an event without a line."""
    shown = Shown()
    shown.recorded("apply-failed")
    (event,) = (
        fields
        for name, fields in shown.report.events
        if name == "terraform_diagnostic" and fields["severity"] == "error"
    )
    assert event["summary"] == "local-exec provisioner error"


def failing(shown: Shown) -> None:
    """Three errors, two of which are the same at two places, and a warning."""
    for severity, summary, line in (
        ("error", "Bad reference", 3),
        ("warning", "Old", 4),
        ("error", "Bad reference", 5),
        ("error", "Worse", 6),
    ):
        place = {"filename": "main.tf", "start": {"line": line}}
        body = {"severity": severity, "summary": summary, "range": place}
        shown.message("diagnostic", diagnostic=body)


def test_all_errors_of_a_plan_are_for_the_failure() -> None:
    """None is printed before it; each has its place; programs get an event of each."""
    shown = Shown(verb="plan")
    failing(shown)
    followed = shown.follower.finish()
    assert [line.splitlines()[0] for line in shown.told] == ["Warning: Old"]
    assert [(one.summary, one.line, one.is_told) for one in followed.errors] == [
        ("Bad reference", 3, False),
        ("Bad reference", 5, False),
        ("Worse", 6, False),
    ]
    assert len(shown.report.events) == 4


def test_all_errors_of_a_plan_are_told_where_nothing_fails() -> None:
    """Of a plan that was interrupted."""
    shown = Shown(verb="plan")
    failing(shown)
    followed = shown.follower.finish(say_all=True)
    assert [line.splitlines()[0] for line in shown.told] == [
        "Error: Bad reference",
        "Warning: Old",
        "Error: Bad reference",
        "Error: Worse",
    ]
    assert all(one.is_told for one in followed.errors)
    assert len(shown.report.events) == 4


def test_of_an_apply_the_first_error_is_for_the_failure() -> None:
    """The others are told by themselves, what is the same but for its place as a number."""
    shown = Shown()
    failing(shown)
    shown.follower.finish()
    assert [line.splitlines()[0] for line in shown.told] == [
        "Warning: Old",
        "Error: Worse",
        "Error: Bad reference: 1 more (main.tf:5)",
    ]


READ = next(line for line in recorded_lines("replace") if b'"action":"read"' in line
            and b'"apply_start"' in line)  # fmt: skip


@pytest.mark.parametrize("verb", ["plan", "apply", "destroy"])
def test_data_that_is_read_is_no_change(verb: str) -> None:
    """Whatever reads it: Terraform says that it begins something."""
    shown = Shown(verb=verb)
    shown.lines(READ)
    assert not shown.report.has_changed


@pytest.mark.parametrize(("verb", "changed"), [("plan", False), ("apply", True), ("destroy", True)])
@pytest.mark.parametrize("action", ["create", "update", "delete", "something-new"])
def test_what_an_apply_begins_may_have_changed_something(
    verb: str, changed: bool, action: str
) -> None:
    """From the first resource on, and what is not known is taken for a change."""
    shown = Shown(verb=verb)
    shown.hook("apply_start", action=action)
    assert bool(shown.report.has_changed) is changed


@pytest.mark.parametrize(
    ("verb", "ending"), [("apply", "applied 1 of 3"), ("destroy", "destroyed 1 of 3")]
)
def test_how_far_it_came_is_told(verb: str, ending: str) -> None:
    """However it ends: done is what has ended well."""
    shown = Shown(total=3, verb=verb)
    shown.hook("apply_start", "a.a")
    shown.hook("apply_complete", "a.a")
    shown.hook("apply_start", "a.b")
    shown.hook("apply_errored", "a.b")
    shown.hook("apply_start", "a.c")
    shown.follower.finish(say_all=True)
    assert shown.report.last_words == ending
    assert shown.report.facts["applied"] == {"done": 1, "planned": 3}


def test_a_plan_came_to_nothing_that_was_applied() -> None:
    """Nor did an apply of outputs alone."""
    for shown in (Shown(verb="plan"), Shown(total=0)):
        shown.follower.finish()
        assert (shown.report.last_words, shown.report.facts) == ("", {})


@pytest.mark.parametrize(
    "summary", ["Resource targeting is in effect", "Applied changes may be incomplete"]
)
def test_targets_are_not_warned_of(summary: str) -> None:
    """The summary of the plan says so in a line."""
    shown = Shown()
    shown.message("diagnostic", diagnostic={"severity": "warning", "summary": summary})
    shown.follower.finish()
    assert shown.told == []


def test_where_no_failure_will_be_said_every_error_is_a_line() -> None:
    """An interrupted apply tells its first error, too, and not that it was halted."""
    shown = Shown()
    shown.lines(*recorded_lines("interrupted"))
    followed = shown.follower.finish(say_all=True)
    heads = [line.splitlines()[0] for line in shown.told]
    assert "Error: local-exec provisioner error" in heads
    assert not any("execution halted" in head for head in heads)
    assert "Interrupt received." in heads
    assert all(each.is_told for each in followed.errors)


def test_an_unfinished_resource_is_named() -> None:
    """Whoever reads of a killed terraform learns what it was at; a look at something is no work."""
    shown = Shown()
    shown.hook("apply_start", "aws_a.b", "create")
    shown.hook("apply_start", "aws_a.c", "update")
    shown.hook("apply_complete", "aws_a.c", "update")
    shown.hook("apply_start", "data.aws_x.y", "read")
    assert shown.follower.finish().unfinished == ("aws_a.b",)


def test_the_wait_for_a_lock_is_said() -> None:
    """Who watches a silent log knows what is waited for."""
    shown = Shown(verb="plan", lock_timeout=300)
    shown.message("state_lock_acquire")
    shown.clock.seconds += 20
    shown.follower.idle()
    assert shown.told == ["waiting for the lock of the state, up to 5m (lock_timeout)"]
    assert shown.last_progress == "waiting for the lock of the state, 20s"


def test_progress_names_who_is_waited_for_longest() -> None:
    """The live line: how many, how long, and on whom."""
    shown = Shown(total=5)
    for address in ("a.done", "b.done"):
        shown.hook("apply_start", address)
        shown.hook("apply_complete", address)
    shown.clock.seconds += 20
    shown.hook("apply_start", "aws_db_instance.main")
    shown.clock.seconds += 49
    shown.hook("apply_start", "aws_a.c", "delete")
    shown.hook("apply_start", "aws_a.d", "update")
    shown.clock.seconds += 1
    shown.follower.idle()
    assert shown.last_progress == (
        "2/5 resources, 1m10s: creating 50s aws_db_instance.main (+2 more)"
    )


def test_a_failed_resource_is_not_counted_as_done() -> None:
    """2/5 means that two are as they should be."""
    shown = Shown(total=5)
    shown.hook("apply_start")
    shown.clock.seconds += 4
    shown.hook("apply_errored", elapsed_seconds=4)
    assert shown.told == ["a.b: could not be created (4s)"]
    assert shown.last_progress == "0/5 resources, 4s"


@pytest.mark.parametrize(
    ("action", "elapsed", "line"),
    [
        pytest.param("create", 252, "a.b: created in 4m12s", id="slow"),
        pytest.param("create", 0, "a.b: created", id="at-once"),
        pytest.param("update", 3661, "a.b: updated in 1h01m", id="hours"),
        pytest.param("delete", 59, "a.b: destroyed in 59s", id="delete"),
        pytest.param("delete", None, "a.b: destroyed in 7s", id="nobody-says-how-long"),
        pytest.param("create", "soon", "a.b: created in 7s", id="no-number"),
        pytest.param("update", -1, "a.b: updated", id="negative"),
    ],
)
def test_the_line_of_what_was_done(action: str, elapsed: object, line: str) -> None:
    """What was done and how long it took, by Terraform's count or else by ours."""
    shown = Shown()
    shown.hook("apply_start", action=action)
    shown.clock.seconds += 7
    shown.hook("apply_complete", action=action, elapsed_seconds=elapsed)
    assert shown.told == [line]


def test_who_is_slow_is_announced_once() -> None:
    """After ten seconds a log says who is waited for, and then no more until the end."""
    shown = Shown()
    shown.hook("apply_start")
    for seconds in (9, 10, 20, 30):
        shown.hook("apply_progress", elapsed_seconds=seconds)
    assert shown.told == ["a.b: still creating after 10s"]


def test_reading_is_told_only_where_it_was_slow() -> None:
    """A data source is no change; one that was announced is told the end of."""
    shown = Shown()
    for address, slow in (("data.quick", False), ("data.slow", True)):
        shown.hook("apply_start", address, "read")
        if slow:
            shown.hook("apply_progress", address, "read", elapsed_seconds=10)
        shown.hook("apply_complete", address, "read", elapsed_seconds=12)
    assert shown.told == ["data.slow: still reading after 10s", "data.slow: read in 12s"]


def test_programs_get_more_than_people() -> None:
    """A terraform_resource event for each step of a resource, most of them without a line."""
    shown = Shown()
    shown.hook("apply_start")
    for seconds in (10, 20):
        shown.hook("apply_progress", elapsed_seconds=seconds)
    shown.hook("apply_complete", id_key="id", id_value="i-1", elapsed_seconds=23)
    shown.hook("apply_start", "data.a", "read")
    shown.hook("apply_complete", "data.a", "read")
    assert {name for name, _ in shown.report.events} == {"terraform_resource"}
    assert [(event["state"], event["elapsed"]) for _, event in shown.report.events] == [
        ("started", None),
        ("progress", 10),
        ("progress", 20),
        ("complete", 23),
    ]
    assert shown.report.events[-1][1] == {
        "state": "complete",
        "address": "a.b",
        "action": "create",
        "elapsed": 23,
        "id": "i-1",
    }


@pytest.mark.parametrize(
    ("line", "shown_as"),
    [
        pytest.param(b"provider noise", "text", id="text"),
        pytest.param(b"", "text", id="empty"),
        pytest.param(b"[1, 2]", "text", id="a-list"),
        pytest.param(b"42", "text", id="a-number"),
        pytest.param(b"{broken", "text", id="no-json"),
        pytest.param(b'{"type": "mine", "msg": "x"}', "text", id="json-of-somebody-else"),
        pytest.param(b"caf\xe9 \xff", "text", id="no-utf-8"),
        pytest.param(b"{" * 100_000, "text", id="deep"),
        pytest.param(b'{"@level":"info","@mess', "note", id="half-a-message"),
        pytest.param(b'{"@level":"info","@message":"new","type":"new_thing"}', "note", id="new"),
        pytest.param(b'{"@level":"info","type":"new_thing"}', "note", id="new-without-a-word"),
        pytest.param(b'{"@level":"warn","@message":"new","type":"new_thing"}', "line", id="warns"),
        pytest.param(b'{"@message":"caf\xff","type":"log"}', "line", id="no-level-no-utf-8"),
        pytest.param(b'{"@message":"\\ud800","type":"log"}', "line", id="half-a-character"),
        pytest.param(b'{"@message":" ","type":"log"}', "", id="blank-log"),
        pytest.param(b'{"@message":"v","type":"version","terraform":7}', "", id="version"),
        pytest.param(b'{"@message":"d","type":"resource_drift"}', "", id="drift"),
        pytest.param(b'{"@message":"x","type":["apply_start"]}', "note", id="type-is-no-text"),
        pytest.param(b'{"@message":"x","type":"apply_complete","hook":[]}', "", id="no-hook"),
        pytest.param(b'{"@message":"x","type":"diagnostic"}', "", id="empty-error-is-kept"),
        pytest.param(b'{"@message":"x","type":"change_summary","changes":{"add":"1"}}', "", id="n"),
    ],
)
def test_odd_lines_are_taken_as_they_are(line: bytes, shown_as: str) -> None:
    """Whatever comes, nothing breaks, nothing is lost and no half message is shown."""
    shown = Shown()
    shown.lines(line)
    kinds = {kind for kind, _ in shown.report.told} - {"progress"}
    assert kinds == ({shown_as} if shown_as else set())
    for _, told in shown.report.told:
        told.encode()


def test_stderr_is_text_whatever_it_looks_like() -> None:
    """Messages come on stdout alone."""
    shown = Shown()
    shown.follower.line("stderr", b'{"@message":"x","type":"apply_start"}')
    assert shown.report.texts == {"": b'{"@message":"x","type":"apply_start"}\n'}


def test_what_is_held_back_is_shown_when_nothing_comes() -> None:
    """A provisioner's last words are not kept back while it works on."""
    shown = Shown()
    shown.follower.idle()
    shown.lines(b"noise")
    shown.follower.idle()
    shown.follower.idle()
    assert shown.report.said("settle") == [""]


def test_a_crash_is_an_error_though_the_stream_has_none() -> None:
    """A panic on stderr makes the failure; its text was shown as it came."""
    shown = Shown()
    for line in (b"!!!!!!!!!! TERRAFORM CRASH !!!!!!!!!!!!", b"", b"panic: runtime error: index"):
        shown.follower.line("stderr", line)
    (error,) = shown.follower.finish().errors
    assert (error.summary, error.detail) == ("Terraform crashed", "panic: runtime error: index")


def test_a_plain_error_in_a_stream_is_an_error() -> None:
    """Where a command fails before it speaks JSON, its text says why."""
    shown = Shown()
    for line in (b"", b"Error: No such thing", b"", b"It is not there."):
        shown.follower.line("stderr", line)
    (error,) = shown.follower.finish().errors
    assert (error.summary, error.detail) == ("No such thing", "It is not there.")


def test_half_a_line_is_no_part_of_an_error() -> None:
    """A line that is too long to be kept is left out whole: half of it might hold half a secret."""
    shown = Shown()
    for line in (b"", b"Error: Long", b"", b"s" * 10_000, b"", b"The end."):
        shown.follower.line("stderr", line)
    (error,) = shown.follower.finish().errors
    assert error.detail == "The end."


def test_the_same_warning_is_told_once() -> None:
    """Forty times the same is one block, and one line that counts the rest."""
    shown = Shown()
    for number in range(40):
        place = {"filename": "main.tf", "start": {"line": number}}
        body = {"severity": "warning", "summary": "Deprecated", "detail": "Old.", "range": place}
        shown.message("diagnostic", diagnostic=body)
    followed = shown.follower.finish()
    assert shown.told == [
        "Warning: Deprecated\n  main.tf:0\n  Old.",
        ("Warning: Deprecated: 39 more (main.tf:1, main.tf:2, main.tf:3, main.tf:4, main.tf:5, …)"),
    ]
    assert len(followed.diagnostics) == 1


def test_what_the_plan_warned_of_the_apply_does_not() -> None:
    """A warning that was told is known; an error is not passed over."""
    known = Shown(verb="plan").recorded("plan-refreshed").diagnostics
    shown = Shown(known=known)
    shown.recorded("apply-failed")
    assert not any("Check block" in line for line in shown.told)
    assert len(shown.follower.finish().errors) == 1


def test_thousands_of_different_warnings_are_counted() -> None:
    """A hundred are told, the rest is a number; an error that comes late is kept all the same."""
    shown = Shown()
    for number in range(500):
        body = {"severity": "warning", "summary": f"Warning {number}"}
        shown.message("diagnostic", diagnostic=body)
    shown.message("diagnostic", diagnostic={"severity": "error", "summary": "Broken"})
    followed = shown.follower.finish()
    assert len(shown.told) == 101
    assert shown.told[-1] == "and 400 more errors and warnings"
    assert [each.summary for each in followed.errors] == ["Broken"]


def test_a_long_stream_needs_no_more_memory() -> None:
    """Thousands of lines, of ever new resources, leave nothing behind."""
    shown = Shown(total=10)
    form = b'{"@message":"s","type":"%s","hook":{"resource":{"addr":"a.b[%d]"},"action":"update"}}'
    types = (b"refresh_start", b"refresh_complete", b"apply_start", b"apply_complete")

    def pour(rounds: range) -> None:
        for number in rounds:
            shown.lines(*(form % (type_, number) for type_ in types))
            shown.report.told.clear()
            shown.report.events.clear()

    pour(range(100))
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    pour(range(100, 400))
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000


def test_progress_does_not_keep_up_with_the_stream() -> None:
    """A thousand messages at once are a word or two of progress."""
    shown = Shown(total=1000)
    for number in range(1000):
        shown.hook("apply_start", f"a.b[{number}]")
        shown.hook("apply_complete", f"a.b[{number}]")
    assert len(shown.report.said("progress")) == 1
