"""A kind that reads what its processes write: what it is given, what it says, how it can end."""

from __future__ import annotations

import io
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calamari_py import manifest
from calamari_py.errors import CommandNotFound, ToolFailed, ToolMissing
from calamari_py.manifest import Overrides
from calamari_py.masking import SecretRegistry
from calamari_py.process import ProcessExit, StopReason, Stream
from calamari_py.process.isolate import isolation_problem
from calamari_py.result import Outcome, StepResult
from calamari_py.runner.adhoc import AdHocCommand
from calamari_py.runner.prepare import prepare_step
from calamari_py.runner.step_report import RunReport
from calamari_py.steps.base import Captured, StepContext, StepOutcome
from tests.fakes import Child, Running, ends, prints
from tests.runner.reading import Act, Heard, Probe, command
from tests.runner.test_masking_on_the_way import BrokenEngine
from tests.runner.world import HEAD, World

PROBE = f"{HEAD}probe: {{}}\n"
FINALLY = "finally: echo bye\n"
SECRET = "s3cr3t-of-a-probe"
LINES = "first-line-of-a-key\nsecond-line-of-it\n"


def run(
    world: World, probe: Probe, *acts: Act, children: tuple[Child, ...] = (), **options: Any
) -> StepResult:
    """A run in which the kind does `acts`; the result document is written."""
    probe.acts = acts or probe.acts
    text = options.pop("text", PROBE)
    return world.run(text, *children, result=world.folder / "result.json", **options)


def reads(*words: str, heard: Heard | None = None) -> Act:
    """An execution of one command that is read, and ends as it ends."""

    def act(context: StepContext) -> StepOutcome:
        ended = context.read(command(context, *words), heard or Heard())
        return StepOutcome(code=ended.code, exit=ended)

    return act


def captures(found: list[Captured], **more: Any) -> Act:
    """An execution of one command that is captured."""

    def act(context: StepContext) -> StepOutcome:
        found.append(context.capture(command(context), **more))
        return StepOutcome(code=found[-1].exit.code, exit=found[-1].exit)

    return act


def reports(do: Callable[[StepContext], object]) -> Act:
    """An execution that says something and succeeds."""

    def act(context: StepContext) -> None:
        do(context)

    return act


# --- reading ------------------------------------------------------------------------------------


def test_it_hears_whole_lines(probe: Probe, world: World) -> None:
    """Lines come one by one and without their ends, each stream in its order; nothing is shown."""
    heard = Heard()
    pieces: tuple[tuple[bytes, Stream], ...] = (
        (b"on", "stdout"), (b"e\ntwo\r\n\nthr", "stdout"), (b"oops\n", "stderr"),
        (b"ee\nno end", "stdout"),
    )  # fmt: skip

    def child(running: Running) -> int:
        for data, stream in pieces:
            running.write(data, stream)
        return 3

    result = run(world, probe, reads(heard=heard), children=(child,))
    assert heard.lines == [
        ("stdout", b"one"), ("stdout", b"two"), ("stdout", b""), ("stderr", b"oops"),
        ("stdout", b"three"), ("stdout", b"no end"),
    ]  # fmt: skip
    assert (result.exit_code, result.exit_origin, result.outcome) == (3, "child", Outcome.FAILED)
    assert world.reporter.told("output") == []
    assert (result.usage.stdout, result.usage.stderr) == (22, 5)


def test_silence_is_told(probe: Probe, world: World) -> None:
    """A reader hears of every quarter of a second without output."""
    heard = Heard()

    def child(running: Running) -> int:
        running.write(b"x\n")
        assert running.sink.holding()
        running.sink.idle()
        running.sink.idle()
        return 0

    assert run(world, probe, reads(heard=heard), children=(child,)).exit_code == 0
    assert heard.silences == 2


def test_a_command_has_no_terminal_and_no_input(probe: Probe, world: World) -> None:
    """Whatever the caller's terminal is: it is read by a program."""
    heard = Heard()

    def act(context: StepContext) -> None:
        context.read(command(context), heard)
        context.capture(command(context))

    assert run(world, probe, act, terminal=True).exit_code == 0
    for given in world.child.commands:
        assert (given.stdin, given.terminal, given.marker) == ("null", False, "CALAMARI_TEMP")
        assert given.environment["AWS_SESSION_TOKEN"]


def test_what_is_captured_is_shown_to_nobody(probe: Probe, world: World) -> None:
    """The kind is given all bytes; they are in no report and in no repr."""
    found: list[Captured] = []

    def child(running: Running) -> int:
        running.write(SECRET.encode())
        running.write(b"err\n", "stderr")
        return 5

    result = run(world, probe, captures(found), children=(child,))
    (captured,) = found
    assert (captured.stdout, captured.stderr, captured.exit.code) == (SECRET.encode(), b"err\n", 5)
    assert SECRET not in world.everything()
    assert SECRET not in repr(captured)
    assert result.exit_code == 5


def test_what_a_child_declares_counts(probe: Probe, world: World) -> None:
    """A program that is run by the tool may say what is secret, and publish outputs."""

    def child(running: Running) -> int:
        running.declare("mask", SECRET)
        running.write(f"{SECRET}\n".encode())
        running.publish("Url=https://x\n")
        return 0

    def act(context: StepContext) -> None:
        heard = Heard(act=lambda line: context.report.line(f"it said {line.decode()}"))
        context.read(command(context), heard)

    result = run(world, probe, act, children=(child,))
    assert [line for line, _, _ in world.reporter.told("detail")] == ["it said ***"]
    assert result.outputs["Url"].value == "https://x"


def test_its_folders_are_private(probe: Probe, world: World) -> None:
    """Each execution has one for secrets and one on the disk; nothing is left of them."""
    modes: list[int] = []

    def act(context: StepContext) -> None:
        assert context.temp != context.private
        modes.extend(each.stat().st_mode & 0o777 for each in (context.private, context.temp))

    assert run(world, probe, act).exit_code == 0
    assert modes == [0o700, 0o700]
    assert list(world.private.iterdir()) == []


def test_what_an_attempt_leaves_to_the_next(probe: Probe, world: World) -> None:
    """No file: each has its own folders, and they are empty. Only what is to be remembered; the
    next run knows nothing of it."""

    def first(context: StepContext) -> None:
        assert context.kept == {}
        context.kept["where"] = "there"
        for folder in (context.private, context.temp):
            (folder / "file").touch()
        raise ToolFailed("probing failed")

    def second(context: StepContext) -> None:
        assert context.kept == {"where": "there"}
        assert [*context.private.iterdir(), *context.temp.iterdir()] == []

    text = f"{PROBE}retry: {{attempts: 2, delay: 1s, on_exit_codes: [1]}}\n"
    assert run(world, probe, first, second, text=text).exit_code == 0
    probe.contexts.clear()
    assert run(world, probe, first, second, text=text).exit_code == 0
    assert "there" not in world.everything()


def test_it_can_run_nothing_unread(probe: Probe, world: World) -> None:
    """`run` shows what it runs, and is for kinds that have it shown; `read` and `capture` are not
    for those."""
    result = run(world, probe, reports(lambda context: context.run(command(context))))
    assert result.exit_code == 70
    assert world.child.commands == []


# --- ends ---------------------------------------------------------------------------------------


def fails(context: StepContext) -> StepOutcome:
    """What a kind does of a tool that failed."""
    context.read(command(context), Heard())
    raise ToolFailed("probing failed", hint="probe again", evidence=["row 1", f"row {SECRET}"])


def test_an_error_is_told_with_its_evidence(probe: Probe, world: World) -> None:
    """The step has failed with the error's code; its evidence and hint are told; usage counts."""
    result = run(world, probe, fails, children=(prints(b"12345"),))
    assert (result.exit_code, result.exit_origin, result.outcome) == (1, "calamari", "failed")
    failure = world.reporter.failure
    assert (failure.message, failure.hint) == ("probing failed", "probe again")
    assert failure.evidence == ("row 1", f"row {SECRET}")
    assert result.usage.stdout == 5


def test_an_error_has_a_place(probe: Probe, world: World) -> None:
    """Programs are told where it lies, too, masked like everything else."""

    def act(_context: StepContext) -> StepOutcome:
        raise ToolFailed("probing failed", file="/src/main.tf", line=3)

    result = run(world, probe, act)
    assert world.reporter.failure.place == "/src/main.tf:3"
    assert [problem.place for problem in result.problems] == ["/src/main.tf:3"]


def test_an_error_is_retried(probe: Probe, world: World) -> None:
    """What it means as an exit code may be retried; `finally` comes once, after all."""
    text = f"{PROBE}retry: {{attempts: 2, delay: 1s, on_exit_codes: [1]}}\n{FINALLY}"
    result = run(world, probe, fails, lambda _context: None, text=text)
    assert result.exit_code == 0
    assert len(result.attempts) == 2
    assert len(world.child.commands) == 2


def test_a_tool_that_is_not_there_starts_nothing(probe: Probe, world: World) -> None:
    """Without any process the step has not started, and nothing is cleaned up."""

    def child(_running: Running) -> int:
        raise CommandNotFound("'/bin/probe' does not exist")

    result = run(world, probe, reads(), children=(child,), text=PROBE + FINALLY)
    assert (result.exit_code, result.outcome) == (127, Outcome.NOT_STARTED)
    assert len(world.child.commands) == 1


def test_a_later_tool_that_is_not_there_ends_the_step(probe: Probe, world: World) -> None:
    """After a first command there is something to clean up."""

    def missing(_running: Running) -> int:
        raise CommandNotFound("'/bin/probe' does not exist")

    def act(context: StepContext) -> None:
        context.capture(command(context))
        context.capture(command(context))

    result = run(world, probe, act, children=(ends(0), missing), text=PROBE + FINALLY)
    assert (result.exit_code, result.outcome) == (127, Outcome.FAILED)
    assert len(world.child.commands) == 3


def test_a_setback_is_no_success(probe: Probe, world: World) -> None:
    """What went wrong after all fails the step."""
    assert run(world, probe, reports(lambda c: c.report.setback("no outputs"))).exit_code == 1


@pytest.mark.parametrize(
    ("ended", "code", "outcome"),
    [
        pytest.param(ends(1, StopReason.SIGNAL, signal.SIGTERM), 143, "cancelled", id="a signal"),
        pytest.param(ends(1, StopReason.TIMEOUT), 124, "timed_out", id="timeout"),
        pytest.param(ends(1, StopReason.IDLE_TIMEOUT), 124, "timed_out", id="idle timeout"),
        pytest.param(ends(1, StopReason.READER_GONE), 141, "cancelled", id="nobody reads"),
        pytest.param(ends(7), 7, "failed", id="by itself"),
    ],
)
def test_a_command_that_was_stopped(
    ended: Child, code: int, outcome: str, probe: Probe, world: World
) -> None:
    """Why calamari ended a command is how the step ended, as with a script."""
    result = run(world, probe, reads(), children=(ended,), text=PROBE + FINALLY)
    assert (result.exit_code, result.outcome) == (code, outcome)
    assert len(world.child.commands) == 2


def test_what_it_said_last(probe: Probe, world: World) -> None:
    """A step whose time was up names the last line that it told, not what nobody saw."""

    def act(context: StepContext) -> StepOutcome:
        heard = Heard(act=lambda line: context.report.line(f"at {line.decode()}"))
        ended = context.read(command(context), heard)
        return StepOutcome(code=ended.code, exit=ended)

    def child(running: Running) -> ProcessExit:
        running.write(b"work\n")
        running.write(b"quiet\n", "stderr")
        return ProcessExit(code=1, stopped=StopReason.TIMEOUT)

    run(world, probe, act, children=(child,), text=f"{PROBE}timeout: 2m\n")
    (warning,) = world.reporter.warnings
    assert 'still running after 2m (timeout); the last output was "at work"' in warning


# --- time ---------------------------------------------------------------------------------------


def test_one_time_limit_for_all(probe: Probe, world: World) -> None:
    """Each command has what the others and the waits between them have left; then it is over."""

    def takes(seconds: float) -> Child:
        def child(_running: Running) -> int:
            world.clock.advance(seconds)
            return 0

        return child

    def act(context: StepContext) -> None:
        context.capture(command(context))
        context.clock.sleep(10)
        context.read(command(context), Heard())
        context.capture(command(context))

    children = (takes(30), takes(80))
    text = f"{PROBE}timeout: 2m\nidle_timeout: 40s\ngrace: 7s\n"
    result = run(world, probe, act, children=children, text=text)
    limits = [running.limits for running in world.child.started]
    assert [limit.timeout for limit in limits] == [120, 80]
    assert [(limit.idle_timeout, limit.grace) for limit in limits] == [(40, 7), (40, 7)]
    assert (result.exit_code, result.outcome) == (124, Outcome.TIMED_OUT)
    assert world.reporter.failure.message == "still running after 2m (timeout)"


def test_last_words_have_their_own(probe: Probe, world: World) -> None:
    """A look after the end is given its time though that of the step is over."""
    found: list[Captured] = []

    def act(context: StepContext) -> None:
        context.clock.sleep(1000)
        found.append(context.capture(command(context), last_words=20))

    run(world, probe, act, children=(prints(b"held"),))
    assert found[0].stdout == b"held"
    (running,) = world.child.started
    assert (running.limits.timeout, running.limits.idle_timeout) == (20, None)
    assert running.limits.grace <= 5


# --- signals ------------------------------------------------------------------------------------


def signalled(running: Running) -> ProcessExit:
    """A command during which a signal comes, and which ends of it."""
    running.inbox.deliver(signal.SIGTERM)
    running.inbox.take()
    return ProcessExit(code=1, stopped=StopReason.SIGNAL, signum=signal.SIGTERM)


def test_a_signal_between_two_commands(probe: Probe, world: World) -> None:
    """The next one does not start, and what had started is cleaned up after."""

    def act(context: StepContext) -> None:
        context.capture(command(context, "one"))
        context.capture(command(context, "two"))

    def child(running: Running) -> int:
        running.inbox.deliver(signal.SIGTERM)
        return 0

    result = run(world, probe, act, children=(child,), text=PROBE + FINALLY)
    assert (result.exit_code, result.outcome) == (143, Outcome.CANCELLED)
    assert len(world.child.commands) == 2
    assert "two" not in [given.argv[-1] for given in world.child.commands]


def test_last_words_after_a_signal(probe: Probe, world: World) -> None:
    """They are said whatever signal came before or comes meanwhile; `finally` still runs."""
    found: list[Captured] = []

    def act(context: StepContext) -> StepOutcome:
        ended = context.read(command(context, "work"), Heard())
        found.append(context.capture(command(context, "probe-lock"), last_words=5))
        return StepOutcome(code=ended.code, exit=ended)

    def looks(running: Running) -> int:
        outer = world.child.started[0].inbox
        outer.deliver(signal.SIGINT)
        assert running.inbox.take() is None
        running.write(b"free")
        return 0

    result = run(world, probe, act, children=(signalled, looks), text=PROBE + FINALLY)
    assert found[0].stdout == b"free"
    assert (result.exit_code, result.outcome) == (143, Outcome.CANCELLED)
    assert len(world.child.commands) == 3


def test_an_error_after_a_signal_is_the_signal(probe: Probe, world: World) -> None:
    """Who was told to stop did not fail."""

    def act(context: StepContext) -> None:
        context.read(command(context), Heard())
        raise ToolFailed("interrupted")

    result = run(world, probe, act, children=(signalled,))
    assert (result.exit_code, result.outcome) == (143, Outcome.CANCELLED)
    assert "interrupted, after the signal to stop" in world.reporter.warnings


# --- what goes wrong in reading -----------------------------------------------------------------


class ReadError(ToolFailed):
    """What a reader says of what it cannot read."""


def test_what_a_reader_raises(probe: Probe, world: World) -> None:
    """The command is stopped as if nobody read it, politely, and the error is the step's."""
    after: list[bytes] = []

    def act(context: StepContext) -> None:
        def complain(line: bytes) -> None:
            after.append(line)
            raise ReadError("this is no JSON")

        context.read(command(context), Heard(act=complain))

    result = run(world, probe, act, children=(prints(b"x\ny\n", b"z\n"),))
    assert result.exit_code == 1
    assert world.reporter.failure.message == "this is no JSON"
    assert after == [b"x"]


def test_nobody_reads_any_more(probe: Probe, world: World) -> None:
    """A reporter whose reader went away stops the command, and the step has been cancelled."""
    world.reporter.fail_on["detail"] = BrokenPipeError()
    seen: list[StopReason | None] = []

    def act(context: StepContext) -> StepOutcome:
        heard = Heard(act=lambda _line: context.report.line("x"))
        ended = context.read(command(context), heard)
        seen.append(ended.stopped)
        return StepOutcome(code=ended.code, exit=ended)

    result = run(world, probe, act, children=(prints(b"x\n"),))
    assert seen == [StopReason.READER_GONE]
    assert (result.exit_code, result.outcome) == (141, Outcome.CANCELLED)


# --- text and artifacts -------------------------------------------------------------------------


def test_text_is_masked_over_lines_and_sources(probe: Probe, world: World) -> None:
    """A secret of several lines is found in one source though another's lines come between; every
    line says whose it is."""

    def act(context: StepContext) -> None:
        context.report.hide(LINES.strip(), "key")
        one, two = LINES.encode().splitlines(keepends=True)
        context.report.text(b"key: " + one, of="a")
        context.report.text(b"hello\nwor", of="b")
        context.report.text(two + b"\n", of="a")
        context.report.text(b"ld\n", of="b")
        context.report.text(b"plain\n")

    assert run(world, probe, act).exit_code == 0
    shown = world.reporter.shown().decode()
    assert shown.splitlines() == ["b: hello", "a: key: ***", "a: ", "b: world", "plain"]


def test_what_is_held_comes_at_the_end(probe: Probe, world: World) -> None:
    """`settle` shows what waits for its end, and so does the end of the step, however it comes."""

    def act(context: StepContext) -> None:
        context.report.text(b"prompt: ", of="a")
        context.report.settle()
        context.report.text(b"never ended", of="a")
        raise ToolFailed("broken")

    assert run(world, probe, act).exit_code == 1
    assert world.reporter.shown().splitlines() == [b"a: prompt: ", b"a: never ended"]


def test_a_secret_that_comes_late_is_masked_in_what_waits(probe: Probe, world: World) -> None:
    """What nobody has seen yet is compared with secrets that were no secrets when it came."""

    def act(context: StepContext) -> None:
        context.report.text(b"it is " + SECRET.encode(), of="a")
        context.report.hide(SECRET, "late")
        context.report.text(b"!\n", of="a")

    run(world, probe, act)
    assert world.reporter.shown() == b"a: it is ***!\n"


def test_a_fault_of_masking_withholds(probe: Probe, world: World) -> None:
    """What cannot be masked is not shown, and the step has not succeeded."""

    def act(context: StepContext) -> None:
        # The corridor makes its registry itself; the fault is put in where a real one would be.
        assert isinstance(context.report, RunReport)
        context.report._registry._index._engine = BrokenEngine()
        context.report.text(SECRET.encode() + b"\n", of="a")

    result = run(world, probe, act)
    assert (result.exit_code, result.outcome) == (1, Outcome.FAILED)
    assert SECRET not in world.everything()
    assert world.reporter.warnings[0].startswith("masking failed")


def test_a_mask_that_cannot_be_read_withholds(probe: Probe, world: World) -> None:
    """Where something was to be masked and nobody knows what, no text is shown any more."""

    def child(running: Running) -> int:
        running.declare("mask", b"\xff" * 11 * 1024 * 1024)
        running.write(b"x\n")
        return 0

    def act(context: StepContext) -> None:
        heard = Heard(act=lambda line: context.report.text(line + b"\n", of="a"))
        context.read(command(context), heard)

    result = run(world, probe, act, children=(child,))
    assert (result.exit_code, result.outcome) == (1, Outcome.FAILED)
    assert world.reporter.shown() == b""
    assert result.problems[-1].message.startswith("output was withheld: a declaration is refused")


def keeps(path: Path, found: list[Path | None], **more: Any) -> Act:
    """An execution that hides the secret and keeps `path`."""

    def act(context: StepContext) -> None:
        context.report.hide(SECRET, "secret")
        found.append(context.report.artifact(path, "../state.log", **more))

    return act


@pytest.mark.parametrize(
    ("as_it_is", "kept"),
    [
        pytest.param(False, "a *** b", id="masked"),
        pytest.param(True, f"a {SECRET} b", id="as it is"),
    ],
)
def test_an_artifact(as_it_is: bool, kept: str, probe: Probe, world: World) -> None:
    """A file is kept at once, privately, under a name without folders; it stands in the result."""
    source, folder = world.write(f"a {SECRET} b", "x.txt"), world.folder / "kept"
    found: list[Path | None] = []
    result = run(world, probe, keeps(source, found, as_it_is=as_it_is), artifacts=folder)
    assert found == [folder / "state.log"]
    assert (folder / "state.log").read_text() == kept
    assert (folder / "state.log").stat().st_mode & 0o777 == 0o600
    assert result.artifacts == ("state.log",)
    assert [each.name for each in folder.iterdir()] == ["state.log"]


def test_an_artifact_is_never_replaced(probe: Probe, world: World) -> None:
    """The same name once more is another file."""
    source, folder = world.write("x", "x.txt"), world.folder / "kept"
    found: list[Path | None] = []

    def act(context: StepContext) -> None:
        keeps(source, found)(context)
        keeps(source, found)(context)

    run(world, probe, act, artifacts=folder)
    assert found == [folder / "state.log", folder / "state-2.log"]


def test_nowhere_to_keep(probe: Probe, world: World) -> None:
    """Without a folder for artifacts the kind is told so, and nobody else."""
    found: list[Path | None] = []
    assert run(world, probe, keeps(world.write("x", "x.txt"), found)).exit_code == 0
    assert found == [None]
    assert world.reporter.warnings == []


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(lambda path: path.symlink_to("/etc/passwd"), "is a link", id="link"),
        pytest.param(lambda path: path.mkdir(), "is no regular file", id="folder"),
        pytest.param(lambda path: None, "does not exist", id="missing"),
    ],
)
def test_what_is_no_file_is_not_kept(
    make: Callable[[Path], None], why: str, probe: Probe, world: World
) -> None:
    """Nobody can have us copy another file by a link; why is said, and nothing is left half."""
    source, folder = world.folder / "x", world.folder / "kept"
    make(source)
    found: list[Path | None] = []
    run(world, probe, keeps(source, found), artifacts=folder)
    assert found == [None]
    assert why in world.reporter.warnings[0]
    assert list(folder.iterdir()) == []


# --- options, manifest, environment -------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"interactive": True}, id="--interactive"),
        pytest.param({"terminal_asked": True}, id="--pty on"),
        pytest.param({"no_mask": True}, id="--no-mask"),
    ],
)
def test_options_of_shown_output(options: Any, probe: Probe, world: World) -> None:
    """What is about output that is shown as it comes is a mistake on the command line."""
    result = run(world, probe, text=f"{PROBE}allow_no_mask: true\n", **options)
    assert result.exit_code == 2
    assert "'probe' reads and tells it" in world.reporter.failure.message
    assert world.reporter.failure.hint


@pytest.mark.parametrize("key", ["output_limit: 1MB", "service_messages: true"])
def test_keys_of_shown_output(key: str, probe: Probe, world: World) -> None:
    """The same of the manifest, unless there is a script at its end."""
    assert run(world, probe, text=f"{PROBE}{key}\n").exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert problem.path == key.partition(":")[0]
    assert run(world, probe, text=f"{PROBE}{FINALLY}{key}\n").exit_code == 0


def test_output_that_is_shown_after_all(probe: Probe, world: World) -> None:
    """Where a section's own words decide, what is about shown output is for it; its command is
    shown, and has what a script would have."""

    def act(context: StepContext) -> StepOutcome:
        ended = context.run(command(context))
        return StepOutcome(code=ended.code, exit=ended)

    text = f"{HEAD}allow_no_mask: true\noutput_limit: 1MB\nprobe: {{shown: true}}\n"
    for asked in ("interactive", "terminal", "terminal_asked", "no_mask"):
        options: dict[str, Any] = {asked: True}
        result = run(world, probe, act, children=(prints(b"seen"),), text=text, **options)
        assert (result.exit_code, world.reporter.shown()) == (0, b"seen")
    assert [one.terminal for one in world.child.commands] == [False, True, False, False]
    assert world.child.commands[0].stdin == "inherit"
    assert run(world, probe, reads(), text=f"{HEAD}probe: {{shown: true}}\n").exit_code == 70


def test_nobody_knows_yet_what_is_shown(probe: Probe, world: World) -> None:
    """Of a section that cannot be understood only what is sure is said."""
    text = f"{HEAD}output_limit: 1MB\nprobe: {{shown: 7}}\n"
    assert run(world, probe, text=text).exit_code == 65
    assert [each.path for each in world.reporter.failure.problems] == ["probe.shown"]


def test_no_account_is_an_account(probe: Probe, world: World) -> None:
    """A tool may do without AWS; its limits are those of any process."""
    text = "name: x\naccount: none\nprobe: {}\nidle_timeout: 5m\ngrace: 1s\n"
    assert run(world, probe, reads(), text=text).exit_code == 0
    assert "AWS_ACCESS_KEY_ID" not in world.child.environments[0]


def test_names_that_it_does_not_inherit(probe: Probe, world: World) -> None:
    """What a kind scrubs does not reach its tool, even where the manifest would inherit it; what
    it excepts does, and the author's own word counts. Names are told."""
    world.environ |= {"PROBE_EVIL": "1", "PROBE_TOKEN_A": "2", "OTHER": "3", "PROBE_TOOL": "4"}
    text = f"{PROBE}inherit_env: [PROBE_EVIL, PROBE_TOKEN_A]\nenv: {{PROBE_MINE: '5'}}\n"
    assert run(world, probe, reads(), text=text).exit_code == 0
    environment = world.child.environments[0]
    given = {name: environment.get(name) for name in
             ("PROBE_EVIL", "PROBE_TOKEN_A", "OTHER", "PROBE_TOOL", "PROBE_MINE")}  # fmt: skip
    assert given == {"PROBE_EVIL": None, "PROBE_TOKEN_A": "2", "OTHER": None,
                     "PROBE_TOOL": "probe", "PROBE_MINE": "5"}  # fmt: skip
    assert any("PROBE_EVIL" in note for note in world.reporter.notes)


def test_nothing_else_of_the_step_gets_what_it_must_not(probe: Probe, world: World) -> None:
    """A `finally`, and a command in the step's place, may run the same tool."""
    world.environ |= {"PROBE_EVIL": "1", "PROBE_TOKEN_A": "2", "OTHER": "3"}
    run(world, probe, text=PROBE + FINALLY)
    run(world, probe, command=AdHocCommand(argv=("sh",), directory=world.folder))
    assert len(world.child.environments) == 2
    for given in world.child.environments:
        assert "PROBE_EVIL" not in given
        assert (given["PROBE_TOKEN_A"], given["OTHER"]) == ("2", "3")


def test_names_that_are_its_own(probe: Probe, world: World) -> None:
    """A manifest that sets one is told so with its place, and what to do instead."""
    result = run(world, probe, text=f"{PROBE}env:\n  FINE: x\n  PROBE_ARGS_plan: -destroy\n")
    assert result.exit_code == 65
    (problem,) = world.reporter.failure.problems
    assert (problem.path, problem.place) == ("env.PROBE_ARGS_plan", "step.yaml:7:20")
    assert problem.hint == "write what it would say into the section"


def test_a_tool_that_is_not_installed(probe: Probe, world: World) -> None:
    """A run ends with its code before anybody is asked for credentials; who only validates goes
    on."""
    text = f"{HEAD}probe: {{tool: none}}\n"
    assert run(world, probe, text=text).exit_code == 69
    assert world.aws.calls == []
    missing = visited(world)
    assert [str(error) for error in missing] == ["'none' is not installed"]
    assert isinstance(missing[0], ToolMissing)


def visited(world: World) -> tuple[Exception, ...]:
    """What is missing here, for who only looks."""
    source = manifest.read_source("step.yaml", stdin=io.BytesIO(), cwd=world.folder)
    step = prepare_step(
        source,
        environ=world.environ,
        cwd=world.folder,
        overrides=Overrides(),
        registry=SecretRegistry(),
        tools_required=False,
    )
    return step.missing


def test_isolation_reaches_every_command(probe: Probe, world: World) -> None:
    """`--isolate` hides the launcher from what is read, too."""

    def act(context: StepContext) -> None:
        context.capture(command(context))
        context.read(command(context), Heard())

    if problem := isolation_problem():
        pytest.skip(problem)
    assert run(world, probe, act, isolate=True).exit_code == 0
    assert len(world.child.commands) == 2
    assert all(given.isolation is not None for given in world.child.commands)
