"""What a child writes and declares: masked, limited, withheld when masking fails."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from calamari_py.channel import Channel
from calamari_py.masking import SecretRegistry
from calamari_py.result import Outcome
from calamari_py.runner.intake import Declared
from calamari_py.runner.output import MaskedSink
from tests.fakes import RecordingReporter, Running, prints, step_secrets
from tests.runner.world import HEAD, SCRIPT, World

SECRET = "s3cr3t-value-of-a-variable1"
WITH_SECRET = f"{HEAD}{SCRIPT}variables: {{T: {{value: {SECRET}, sensitive: true}}}}\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(
    "secret",
    [SECRET, *step_secrets(1), base64.b64encode(SECRET.encode()).decode()],
    ids=["variable", "secret key", "session token", "base64"],
)
def test_secrets_are_masked_on_both_streams(secret: str, stream: Any, world: World) -> None:
    """Sensitive variables and issued credentials never pass, cut anywhere."""
    cut = len(secret) // 2
    chunks = (b"<" + secret[:cut].encode(), secret[cut:].encode() + b">")
    world.run(WITH_SECRET, prints(*chunks, stream=stream))
    assert world.reporter.shown(stream) == b"<***>"


def test_bytes_without_secrets_pass_untouched(world: World) -> None:
    """What holds no secret arrives byte for byte, whatever bytes they are."""
    data = bytes(range(256)) * 4
    world.run(WITH_SECRET, prints(data))
    assert world.reporter.shown() == data


def test_a_value_is_masked_from_its_declaration_on(world: World) -> None:
    """What is written after `mask` is masked; what was shown before, was shown."""

    def child(running: Running) -> int:
        running.write(b"found-at-run-time\n")
        running.declare("mask", "found-at-run-time")
        running.write(b"found-at-run-time\n")
        running.write(b"found-at-run-time\n", "stderr")
        return 0

    world.run(HEAD + SCRIPT, child)
    assert world.reporter.shown() == b"found-at-run-time\n***\n"
    assert world.reporter.shown("stderr") == b"***\n"


def test_a_declaration_without_output_counts_for_what_is_collected(world: World) -> None:
    """A value masked by a step that writes nothing is masked in its outputs, too."""

    def child(running: Running) -> int:
        running.declare("mask", "found-at-run-time")
        running.publish("Url=https://found-at-run-time/\n")
        return 0

    result = world.run(HEAD + SCRIPT, child)
    assert result.outputs["Url"].sensitive


def test_messages_of_a_step(world: World) -> None:
    """Each message goes to its method of the reporter, masked."""

    def child(running: Running) -> int:
        for level in ("warning", "verbose", "highlight", "fail"):
            running.declare("message", f"{level}\n{level} {SECRET}")
        running.declare("progress", f"50\nhalf {SECRET}")
        running.write(b"x")
        return 1

    result = world.run(WITH_SECRET, child)
    assert "warning ***" in world.reporter.warnings
    assert "verbose ***" in world.reporter.notes
    assert world.reporter.told("highlight") == ["highlight ***", "fail ***"]
    assert world.reporter.told("progress") == [(50.0, "half ***")]
    assert [problem.message for problem in result.problems] == ["fail ***"]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        pytest.param("nonsense", "x", id="unknown kind"),
        pytest.param("message", "shout\nx", id="unknown level"),
    ],
)
def test_a_declaration_that_is_not_understood_is_said(
    kind: str, content: str, world: World
) -> None:
    """What a step declares wrongly is a warning, not a failure."""

    def child(running: Running) -> int:
        running.declare(kind, content)
        return 0

    assert world.run(HEAD + SCRIPT, child).exit_code == 0
    (said,) = [w for w in world.reporter.warnings if "a declaration is refused" in w]
    assert "docs/scripts.md" in world.reporter.hints[said]


def test_a_refused_mask_is_why_output_was_withheld(world: World) -> None:
    """The result names the declaration; masking itself did not fail."""

    def child(running: Running) -> int:
        running.declare("maskx", "x")
        running.write(b"text\n")
        return 0

    result = world.run(HEAD + SCRIPT, child)
    (problem,) = result.problems
    assert problem.message.startswith("output was withheld: a declaration is refused: ")
    assert problem.hint
    assert world.reporter.hints[problem.message] == problem.hint


def test_a_declared_value_too_short_to_mask_is_said(world: World) -> None:
    """A value that cannot be masked safely is not passed over in silence."""

    def child(running: Running) -> int:
        running.declare("mask", "ab")
        return 0

    world.run(HEAD + SCRIPT, child)
    assert any("too short to be masked" in warning for warning in world.reporter.warnings)


def test_short_secrets_can_stop_a_run(world: World) -> None:
    """With `--short-secrets error` a secret too short to mask is a problem, before any call."""
    short = "T: {value: ab, sensitive: true}, Flag: {value: 'true', sensitive: true}"
    result = world.run(f"{HEAD}{SCRIPT}variables: {{{short}}}\n", short_secrets="error")
    assert result.exit_code == 65
    assert [(problem.path, problem.message) for problem in result.problems] == [
        ("T", "is too short to be masked (2 bytes)"), ("Flag", "is a common word and not masked")
    ]  # fmt: skip
    assert world.aws.calls == []


def test_the_parts_of_a_document(world: World) -> None:
    """Of a secret that is JSON, each text in it is one: a step prints a part of it alone."""
    document = '{"user": "deployer-1", "keys": [{"password": "hunter2-in-json"}], "port": 5432}'
    text = f"{HEAD}{SCRIPT}variables: {{Db: {{value: {document!r}, sensitive: true}}}}\n"
    world.run(text, prints(b"as deployer-1 with hunter2-in-json on 5432\n"))
    assert world.reporter.shown() == b"as *** with *** on 5432\n"


def test_a_large_value_costs_no_more_than_its_size(world: World) -> None:
    """Of a value that is a file the notations of strings are not made, and that is said."""
    registry = SecretRegistry()
    registry.add(bytes(range(256)) * 400, name="Keystore")
    assert set(registry.forms["Keystore"]) <= {
        "literal", "line", "unicode", "base64", "base64url", "hex"
    }  # fmt: skip
    assert "'Keystore' is large (102,400 bytes)" in registry.warnings[0]


# --- output_limit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chunks", "shown", "left_out"),
    [
        pytest.param((b"12345", b"67890"), b"1234567890", None, id="just fits"),
        pytest.param((b"12345", b"678901"), b"12345678901", 0, id="the end is all that is left"),
        pytest.param((b"1234567890", b"x", b"yz"), b"1234567890z", 2, id="said once"),
        pytest.param((b"x" * 100,), b"x" * 11, 89, id="at once"),
    ],
)
def test_output_limit(
    chunks: tuple[bytes, ...], shown: bytes, left_out: int | None, world: World
) -> None:
    """Of what is over the limit the end is shown, it is said how much is not, and the step goes
    on."""
    result = world.run(HEAD + SCRIPT + "output_limit: 10\n", prints(*chunks))
    assert result.exit_code == 0
    assert world.reporter.shown() == shown
    told = [warning for warning in world.reporter.warnings if "output_limit" in warning]
    assert len(told) == (0 if left_out is None else 1 if left_out == 0 else 2)
    if left_out:
        assert f": {left_out} bytes of output are left out here" in told[-1]


def test_output_limit_counts_both_streams(world: World) -> None:
    """The limit is one for both streams."""

    def child(running: Running) -> int:
        running.write(b"12345678")
        running.write(b"12345678", "stderr")
        return 0

    world.run(HEAD + SCRIPT + "output_limit: 10\n", child)
    assert world.reporter.shown("stderr") == b"128"


def test_the_markers_stand_where_output_is_missing(world: World) -> None:
    """Beginning, marker, and once the child has ended the marker with the count, then the end."""
    world.run(HEAD + SCRIPT + "output_limit: 100\n", prints(b"a" * 100, b"b" * 50, b"\nthe end\n"))
    told = [
        what if name == "warning" else what[1]
        for name, what in world.reporter.events
        if name in {"output", "warning"}
    ]
    assert told == [
        b"a" * 100,
        "output_limit (100 bytes) is reached: what follows is left out, except for its end",
        "output_limit: 51 bytes of output are left out here; this is its end",
        b"the end\n",
    ]


def test_the_end_of_a_limited_output_knows_later_secrets(world: World) -> None:
    """What waits for the end is not shown yet: a value declared meanwhile is masked in it."""

    def child(running: Running) -> int:
        running.write(b"x" * 600 + b"found-at-")
        running.write(b"run-time\n")
        running.declare("mask", "found-at-run-time")
        return 0

    world.run(HEAD + SCRIPT + "output_limit: 500\n", child)
    assert b"found" not in world.reporter.shown()
    assert world.reporter.shown().endswith(b"***\n")


# --- a masker that fails ------------------------------------------------------------------------


class BrokenEngine:
    """A search engine with a defect."""

    def build(self, heads: Sequence[bytes]) -> None:
        return

    def scan(self, data: bytes, start: int) -> Iterable[tuple[int, bytes]]:
        raise RuntimeError(f"defect while looking at {data!r}")


def test_a_fault_in_masking_fails_the_step_and_shows_nothing(world: World) -> None:
    """What cannot be masked is withheld; a child that succeeds is a failed step all the same."""

    def child(running: Running) -> int:
        assert isinstance(running.sink, MaskedSink)
        # The corridor makes its registry itself; the fault is put in where a real one would be.
        running.sink._registry._index._engine = BrokenEngine()
        running.write(b"before " + SECRET.encode())
        running.write(b"after")
        return 0

    result = world.run(WITH_SECRET, child)
    assert (result.exit_code, result.outcome, result.exit_origin) == (
        1,
        Outcome.FAILED,
        "calamari",
    )
    assert world.reporter.shown() == b""
    assert SECRET not in world.everything()
    assert result.problems


def test_a_fault_keeps_the_childs_failure(world: World) -> None:
    """The child's own failure stays what it was."""

    def child(running: Running) -> int:
        assert isinstance(running.sink, MaskedSink)
        running.sink._registry._index._engine = BrokenEngine()
        running.write(b"x" * 100)
        return 3

    result = world.run(WITH_SECRET, child)
    assert (result.exit_code, result.exit_origin) == (3, "child")


def test_a_fault_is_no_reason_to_try_again(world: World) -> None:
    """A step whose output could not be masked is not repeated, whatever its code."""

    def child(running: Running) -> int:
        assert isinstance(running.sink, MaskedSink)
        running.sink._registry._index._engine = BrokenEngine()
        running.write(b"x" * 100)
        return 7

    retry = "retry: {attempts: 2, delay: 0s, on_exit_codes: [7]}\n"
    result = world.run(WITH_SECRET + retry, child)
    assert (len(world.child.commands), result.exit_code) == (1, 7)
    hints = {problem.message: problem.hint for problem in result.problems}
    assert hints["masking failed and output was withheld"]


def test_a_faulty_stream_is_told_once_and_stays_silent(world: World) -> None:
    """A sink over a registry that cannot search gives out no byte of the child."""
    registry = SecretRegistry(engine=BrokenEngine)
    registry.add(SECRET, name="T")
    channel = Channel(world.private / "channel")
    channel.folder.mkdir()
    channel.create({})
    reporter = RecordingReporter()
    sink = MaskedSink(
        registry=registry, channel=channel, reporter=reporter, declared=Declared(), limit=None
    )
    for data in (b"long enough to be looked at " * 4, SECRET.encode(), b"\n"):
        sink.feed("stdout", data)
    sink.idle()
    for stream in ("stdout", "stderr"):
        sink.close(stream)
    assert sink.faulty
    assert reporter.told("output") == []
    assert reporter.warnings == [
        "masking failed: the rest of stdout is withheld, and the step fails",
        "140 bytes of stdout were withheld",
    ]
    assert SECRET not in reporter.text


@pytest.mark.parametrize("kind", ["mask", "sensitive"])
def test_a_value_that_cannot_be_taken_in_withholds_the_rest(kind: str, world: World) -> None:
    """A declared secret that is refused (too large) is not shown: the step fails instead."""
    secret = "x9" * (6 * 1024 * 1024)

    def child(running: Running) -> int:
        running.write(b"before\n")
        running.declare(kind, f"Name\n{secret}")
        running.write(f"{secret[:2000]}\n".encode())
        return 0

    result = world.run(HEAD + SCRIPT, child)
    assert result.exit_code == 1
    assert world.reporter.shown() == b"before\n"
    assert "2,001 bytes of stdout were withheld" in world.reporter.warnings


def test_a_declarations_folder_that_is_gone_withholds_the_rest(world: World) -> None:
    """Nobody can tell any more what is to be masked."""

    def child(running: Running) -> int:
        shutil.rmtree(running.environment["CALAMARI_DECLARATIONS"])
        Path(running.environment["CALAMARI_DECLARATIONS"]).touch()
        running.write(b"anything\n")
        return 0

    result = world.run(HEAD + SCRIPT + "finally: 'true'\n", child)
    assert result.exit_code == 1
    assert world.reporter.shown() == b""
    assert len(world.child.commands) == 2
