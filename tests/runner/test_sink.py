"""The sink by itself: commands in the output, faults at every call, order, and what is counted."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

import pytest

from calamari_py.channel import Channel
from calamari_py.masking import MaskedBytes, Masker, SecretRegistry
from calamari_py.output.base import Stream
from calamari_py.runner.intake import Declared
from calamari_py.runner.output import MaskedSink
from tests.fakes import RecordingReporter, Running, prints
from tests.runner.world import HEAD, SCRIPT, World

SECRET = "s3cr3t-value-of-a-variable"
WITH_SECRET = f"{HEAD}{SCRIPT}variables: {{T: {{value: {SECRET}, sensitive: true}}}}\n"
IN_BAND = HEAD + SCRIPT + "service_messages: true\n"


def command(name: str, /, **attributes: str) -> bytes:
    """A command as a script prints it."""
    parts = [f"{key}='{base64.b64encode(text.encode()).decode()}'" for key, text in
             attributes.items()]  # fmt: skip
    return f"##calamari[{' '.join([name, *parts])}]\n".encode()


@dataclass
class Bench:
    """A sink with a reporter that remembers."""

    world: World
    registry: SecretRegistry = field(default_factory=SecretRegistry)
    declared: Declared = field(default_factory=Declared)
    reporter: RecordingReporter = field(default_factory=RecordingReporter)

    def sink(self, **options: Any) -> MaskedSink:
        self.registry.add(SECRET, name="T")
        channel = Channel(self.world.private / "channel")
        channel.folder.mkdir()
        channel.create({})
        return MaskedSink(
            registry=self.registry,
            channel=channel,
            reporter=options.pop("reporter", self.reporter),
            declared=self.declared,
            **options,
        )


@pytest.fixture
def bench(world: World) -> Bench:
    """A sink that a test drives itself."""
    return Bench(world)


def end(sink: MaskedSink) -> None:
    """As the loop does it."""
    sink.before_feed({})
    sink.close("stdout")
    sink.close("stderr")


# --- commands in the output ---------------------------------------------------------------------


def test_commands_are_taken_and_not_shown(world: World) -> None:
    """With `service_messages: true` a command is obeyed; what is around it is shown."""
    child = prints(
        b"before\n",
        command("setVariable", name="Url", value="https://example.com"),
        command("setVariable", name="Key", value="topsecret-key", sensitive="True"),
        b"the key is topsecret-key\n",
    )
    result = world.run(IN_BAND, child)
    assert world.reporter.shown() == b"before\nthe key is ***\n"
    assert result.outputs["Url"].value == "https://example.com"
    assert not result.outputs["Url"].sensitive
    assert result.outputs["Key"].sensitive


def test_without_service_messages_nothing_is_a_command(world: World) -> None:
    """What a script prints is output, and nothing else, unless its manifest says otherwise."""
    line = command("setVariable", name="Url", value="https://example.com")
    result = world.run(HEAD + SCRIPT, prints(line))
    assert world.reporter.shown() == line
    assert result.outputs == {}


def test_outputs_set_by_commands_are_forgotten_with_their_attempt(world: World) -> None:
    """What a failed attempt set is not the step's."""
    retry = "retry: {attempts: 2, delay: 0s, on_exit_codes: [7]}\n"
    first = prints(command("setVariable", name="Url", value="x"), code=7)
    assert world.run(IN_BAND + retry, first).outputs == {}


@pytest.mark.parametrize(
    ("declaring", "using"), [("stdout", "stderr"), ("stderr", "stdout")], ids=["out", "err"]
)
def test_a_command_counts_for_both_streams_of_its_cycle(
    declaring: Stream, using: Stream, bench: Bench
) -> None:
    """All reads of a cycle are looked at for declarations before any of them is shown."""
    sink = bench.sink(service_messages=True)
    reads: dict[Stream, bytes] = {
        declaring: command("mask", value="found-at-run-time"),
        using: b"<found-at-run-time>\n",
    }
    sink.before_feed(reads)
    for stream, data in reads.items():
        sink.feed(stream, data)
    end(sink)
    assert bench.reporter.shown(using) == b"<***>\n"
    assert bench.reporter.shown(declaring) == b""


def test_a_stream_nobody_is_told_of_still_declares(bench: Bench) -> None:
    """Reads of a stream whose reader is gone are never fed, and what they declare counts."""
    sink = bench.sink(service_messages=True)
    sink.before_feed({"stdout": command("mask", value="found-at-run-time")})
    sink.before_feed({"stdout": b"x" * 1000, "stderr": b"found-at-run-time\n"})
    sink.feed("stderr", b"found-at-run-time\n")
    assert bench.reporter.shown("stderr") == b"***\n"


def test_the_end_of_one_stream_costs_the_other_nothing(bench: Bench) -> None:
    """A stream that ends in the cycle in which the other gave bytes does not swallow them."""
    sink = bench.sink(service_messages=True)
    sink.before_feed({"stderr": b"err\n"})
    sink.close("stdout")
    sink.feed("stderr", b"err\n")
    assert bench.reporter.shown("stderr") == b"err\n"


def test_half_a_marker_is_let_go_when_nothing_follows(bench: Bench) -> None:
    """What may become a command waits, and only until the child falls silent."""
    sink = bench.sink(service_messages=True)
    sink.before_feed({"stdout": b"##cal"})
    sink.feed("stdout", b"##cal")
    assert bench.reporter.shown() == b""
    assert sink.holding()
    sink.before_feed({})
    sink.idle()
    assert bench.reporter.shown() == b"##cal"
    assert not sink.holding()


def test_a_command_that_never_ends_shows_nothing(bench: Bench) -> None:
    """A declaration cut off by the end of its stream may have been a secret's."""
    sink = bench.sink(service_messages=True)
    data = command("mask", value="found-at-run-time")[:-6]
    sink.before_feed({"stdout": data})
    sink.feed("stdout", data)
    sink.idle()
    end(sink)
    assert bench.reporter.shown() == b""
    assert sink.faulty


# --- faults -------------------------------------------------------------------------------------


class Failing(Masker):
    """A masker that a defect stops from its `good`-th call of `method` on."""

    def __init__(self, registry: SecretRegistry, method: str, good: int) -> None:
        super().__init__(registry)
        self.calls = {method: good}

    def feed(self, data: bytes) -> MaskedBytes:
        return self._defect(len(data)) if self._fails("feed") else super().feed(data)

    def idle(self) -> MaskedBytes:
        return self._defect(0) if self._fails("idle") else super().idle()

    def _fails(self, method: str) -> bool:
        self.calls[method] = self.calls.get(method, 99) - 1
        return self.calls[method] < 0

    def _defect(self, incoming: int) -> MaskedBytes:
        def defect(_: object) -> bytes:
            raise RuntimeError(f"a defect near {SECRET}")

        return self._guarded(defect, incoming)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(
    ("method", "good", "shown", "withheld"),
    [
        pytest.param("feed", 0, b"", 19, id="first feed"),
        pytest.param("feed", 1, b"one\n", 15, id="second feed"),
        pytest.param("feed", 2, b"one\ntwo\n", 11, id="third feed, with held bytes"),
        pytest.param("idle", 0, b"one\ntwo\n", 11, id="idle"),
        pytest.param("idle", 1, b"one\ntwo\ns3ceight\n", 2, id="close"),
    ],
)
def test_a_fault_at_each_call_withholds_what_follows(
    method: str, good: int, shown: bytes, withheld: int, stream: Stream, bench: Bench
) -> None:
    """Whichever call fails: that stream shows nothing more, the other goes on, the count is said
    at the end, and the step fails."""
    sink = bench.sink()
    sink._maskers[stream] = Failing(bench.registry, method, good)
    other: Stream = "stderr" if stream == "stdout" else "stdout"
    written = [b"one\n", b"two\n", SECRET[:3].encode()]
    for data in written:
        sink.before_feed({stream: data})
        sink.feed(stream, data)
    sink.feed(other, b"other\n")
    sink.idle()
    for data in (b"eight\n", SECRET[:2].encode()):
        sink.feed(stream, data)
    end(sink)
    assert bench.reporter.shown(stream) == shown
    assert bench.reporter.shown(other) == b"other\n"
    assert bench.reporter.warnings == [
        f"masking failed: the rest of {stream} is withheld, and the step fails",
        f"{withheld} bytes of {stream} were withheld",
    ]
    assert sink.faulty
    assert SECRET not in bench.reporter.text


def test_a_fault_keeps_the_end_of_a_limited_output_back(bench: Bench) -> None:
    """Where masking failed nothing is shown later that was kept before."""
    sink = bench.sink(limit=100)
    sink.feed("stdout", b"x" * 150)
    sink._maskers["stderr"] = Failing(bench.registry, "feed", 0)
    sink.feed("stderr", b"y")
    end(sink)
    assert len(bench.reporter.shown()) == 100
    assert "10 bytes of stdout were withheld" in bench.reporter.warnings


# --- order and pace -----------------------------------------------------------------------------


class PacedReporter(RecordingReporter):
    """A reporter that wants little output at a time, and has all the time for it."""

    output_interval = 1000.0
    output_size = 1_000


def paced(bench: Bench) -> tuple[MaskedSink, PacedReporter]:
    """A sink for such a reporter, on which nobody waits."""
    reporter = PacedReporter()
    sink = bench.sink(reporter=reporter)
    pace = sink._outlet._pace
    assert pace is not None
    pace._wait = lambda seconds: None
    return sink, reporter


def test_what_the_pace_holds_back_is_shown_in_silence_and_at_the_end(bench: Bench) -> None:
    """Output that came too early is held, and `idle` or the end of its stream shows it."""
    sink, reporter = paced(bench)
    for data in (b"a", b"b"):
        sink.feed("stdout", data)
    assert (reporter.shown(), sink.holding()) == (b"a", True)
    sink.idle()
    assert (reporter.shown(), sink.holding()) == (b"ab", False)
    sink.feed("stderr", b"c")
    sink.close("stderr")
    assert reporter.shown("stderr") == b"c"


def test_what_is_said_does_not_overtake_the_output_before_it(bench: Bench) -> None:
    """A message of the step stands behind what it printed before."""
    sink, reporter = paced(bench)
    for data in (b"a", b"b"):
        sink.feed("stdout", data)
    (sink._channel.declarations / "message-1-x").write_text("highlight\nhello")
    sink.before_feed({})
    assert [name for name, _ in reporter.events] == ["output", "output", "highlight"]


def test_what_the_pace_holds_back_knows_later_secrets(bench: Bench) -> None:
    """No byte leaves that was not compared with all that had been declared by then."""
    sink, reporter = paced(bench)
    for data in (b"a", b"<found-at-", b"run-time>\n"):
        sink.feed("stdout", data)
    (sink._channel.declarations / "mask-1-x").write_text("found-at-run-time")
    sink.before_feed({})
    sink.idle()
    assert reporter.shown() == b"a<***>\n"


def test_what_the_pace_holds_back_is_the_context_of_what_follows(bench: Bench) -> None:
    """A secret that begins in output nobody has seen, and is declared before it goes on, is masked
    whole."""
    sink, reporter = paced(bench)
    for data in (b"a", b"<fou"):
        sink.feed("stdout", data)
    (sink._channel.declarations / "mask-1-x").write_text("found-at-run-time")
    sink.before_feed({})
    sink.feed("stdout", b"nd-at-run-time>\n")
    sink.idle()
    assert reporter.shown() == b"a<***>\n"


def test_the_pace_loses_nothing_of_a_stream_that_has_ended(bench: Bench) -> None:
    """What waits of it is compared with a secret that comes later, and shown whole."""
    sink, reporter = paced(bench)
    for data in (b"a", b"<fou"):
        sink.feed("stdout", data)
    sink._open.discard("stdout")
    (sink._channel.declarations / "mask-1-x").write_text("found-at-run-time")
    sink.before_feed({})
    sink.idle()
    assert reporter.shown() == b"a<fou"


def test_a_message_as_long_as_a_book_is_shortened(bench: Bench) -> None:
    """One message cannot make a line of the log as long as it likes, nor cut a secret in two."""
    sink = bench.sink()
    text = "x" * 65_530 + SECRET + "y" * 100_000
    (sink._channel.declarations / "message-1-x").write_text("highlight\n" + text)
    sink.before_feed({})
    (told,) = bench.reporter.told("highlight")
    assert told == "x" * 65_530 + "***yy…"


# --- --no-mask, and what the result says of masking ---------------------------------------------


def test_no_mask_shows_the_childs_output_alone(world: World) -> None:
    """The child's bytes pass as they are; all that calamari says of it stays masked."""

    def child(running: Running) -> int:
        running.write(f"{SECRET}\n".encode())
        running.declare("message", f"warning\nsaid {SECRET}")
        return 0

    result = world.run(
        WITH_SECRET + "allow_no_mask: true\n", child, no_mask=True,
        result=world.folder / "result.json",
    )  # fmt: skip
    assert world.reporter.shown() == f"{SECRET}\n".encode()
    assert "said ***" in world.reporter.warnings
    assert world.document()["masking"]["off"] is True
    assert result.outcome.value == "succeeded"


def test_the_result_says_what_masking_did(world: World) -> None:
    """How often each secret was found, and which are not masked and why; names, never values."""
    text = (
        f"{HEAD}{SCRIPT}variables:\n"
        f"  T: {{value: {SECRET}, sensitive: true}}\n"
        "  Pin: {value: q7, sensitive: true}\n"
        "  Known: {value: public-test-key, sensitive: true, mask: false, reason: it is public}\n"
    )
    world.run(text, prints(f"{SECRET} and {SECRET}\n".encode()), result=world.folder / "r.json")
    masking = world.document("r.json")["masking"]
    assert masking["off"] is False
    assert masking["hits"]["T"] == 2
    assert masking["unmasked"] == {
        "Pin": "is too short to be masked (2 bytes)",
        "Known": "mask: false (it is public)",
    }
