"""Every way out of the corridor leaves a result, says why, and shows no secret."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import Cancelled, OutputNotWritable
from calamari_py.process import Pulse, SignalInbox
from calamari_py.result import Outcome
from tests.fakes import AwsCall, Running, ends, prints, step_secrets
from tests.runner.world import HEAD, SCRIPT, World

SECRET = "s3cr3t-value-of-a-variable"
WITH_SECRET = f"{HEAD}{SCRIPT}variables: {{T: {{value: {SECRET}, sensitive: true}}}}\n"


def run(world: World, text: str, *children: Any, **options: Any) -> Any:
    """A run that writes its result document."""
    return world.run(text, *children, result=world.folder / "result.json", **options)


class _SignalAtTheEnd(Pulse):
    """Delivers a signal once all the last words were said."""

    @contextmanager
    def heeding(self, inbox: SignalInbox, **limits: Any) -> Iterator[None]:
        with super().heeding(inbox, **limits):
            yield
        inbox.deliver(signal.SIGINT)


def test_a_signal_after_the_last_word(world: World) -> None:
    """The result that was told is the result, whatever signal comes after it."""
    result = run(world, WITH_SECRET, ends(7), pulse=_SignalAtTheEnd())
    assert (result.exit_code, world.document()["exit_code"]) == (7, 7)


# --- defects ------------------------------------------------------------------------------------


def test_an_unexpected_exception_is_a_defect_without_secrets(world: World) -> None:
    """A defect is 70, with a traceback in a file and the secrets masked everywhere."""
    world.aws.fail_at[1] = RuntimeError(f"boom {SECRET}")
    result = run(world, WITH_SECRET)
    assert (result.exit_code, result.outcome) == (70, Outcome.NOT_STARTED)
    assert world.document()["exit_code"] == 70
    assert SECRET not in world.everything()
    (file,) = (world.folder / "defects").iterdir()
    assert "boom ***" in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert world.reporter.failure.hint is not None
    assert str(file) in world.reporter.failure.hint
    assert "RuntimeError" in world.reporter.failure.message
    assert world.child.commands == []


def test_a_defect_while_the_step_runs(world: World) -> None:
    """A defect after the child began is a failed step, and issued credentials are masked in it."""

    def child(running: Running) -> int:
        raise RuntimeError(" ".join(step_secrets(1)))

    result = run(world, WITH_SECRET + "finally: echo bye\n", child)
    assert (result.exit_code, result.outcome, result.exit_origin) == (
        70,
        Outcome.FAILED,
        "calamari",
    )
    assert not any(secret in world.everything() for secret in step_secrets(1))
    assert len(world.child.commands) == 2
    assert list(world.private.iterdir()) == []


# --- cancelled ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signum", "code"),
    [
        pytest.param(signal.SIGHUP, 129, id="HUP"),
        pytest.param(signal.SIGINT, 130, id="INT"),
        pytest.param(signal.SIGTERM, 143, id="TERM"),
    ],
)
def test_cancelled_while_the_identity_is_resolved(signum: int, code: int, world: World) -> None:
    """A signal that ends a call to AWS cancels the run: nothing is started, nothing is blamed."""
    world.aws.fail_at[1] = Cancelled(signum)
    result = run(world, HEAD + SCRIPT + "finally: echo bye\n")
    assert (result.exit_code, result.outcome) == (code, Outcome.CANCELLED)
    assert world.child.commands == []
    assert world.reporter.told("failed") == []
    assert world.document()["outcome"] == "cancelled"


def test_a_real_signal_while_the_identity_is_resolved(world: World) -> None:
    """The handlers of a real run do the same, also when a library swallows the exception."""

    def during(call: AwsCall) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Cancelled as error:
            raise RuntimeError("a library's own words") from error

    world.aws.during = during
    before = signal.getsignal(signal.SIGTERM)
    result = run(world, HEAD + SCRIPT, install_signals=True)
    assert (result.exit_code, result.outcome) == (143, Outcome.CANCELLED)
    assert world.child.commands == []
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("moment", ["started", "identity", "failed", "finished", "output"])
def test_a_signal_at_any_moment_leaves_a_result(moment: str, world: World) -> None:
    """Whatever is being said when a signal comes: the result is there, and says the truth."""
    world.reporter.during[moment] = lambda: signal.raise_signal(signal.SIGTERM)
    text = HEAD + SCRIPT if moment != "failed" else "nme: x\n"
    result = run(world, text, prints(b"hi\n"), install_signals=True)
    document = world.document()
    assert document["outcome"] == result.outcome.value
    assert document["exit_code"] == result.exit_code
    expected = {"started": 143, "identity": 143, "failed": 65, "finished": 0, "output": 0}
    assert result.exit_code == expected[moment]
    assert bool(world.child.commands) == (moment in {"finished", "output"})


def test_a_signal_while_an_attempt_is_waited_for(world: World) -> None:
    """A wait between two attempts ends with the signal; `finally` still runs."""
    world.reporter.during["warning"] = lambda: signal.raise_signal(signal.SIGTERM)
    result = run(
        world,
        HEAD + SCRIPT + "retry: {attempts: 2, delay: 1h, on_exit_codes: [7]}\nfinally: echo\n",
        ends(7),
        install_signals=True,
    )
    assert (result.exit_code, result.outcome) == (143, Outcome.CANCELLED)
    assert len(world.child.commands) == 2


# --- nobody reads -------------------------------------------------------------------------------


def test_a_reader_that_goes_away_ends_the_step(world: World) -> None:
    """Broken pipe while the child writes: the step is cancelled with 141, `finally` runs."""
    world.reporter.fail_on["output"] = BrokenPipeError()
    result = run(world, HEAD + SCRIPT + "finally: echo bye\n", prints(b"x"), ends(0))
    assert (result.exit_code, result.outcome) == (141, Outcome.CANCELLED)
    assert world.document()["exit_code"] == 141
    assert len(world.child.commands) == 2


@pytest.mark.parametrize("method", ["started", "identity", "warning", "note"])
def test_a_reader_gone_before_the_child(method: str, world: World) -> None:
    """When our own words find no reader, nothing is started and the result is written."""
    world.environ["AWS_SECURITY_TOKEN"] = "old-token-which-is-ignored"
    world.reporter.fail_on[method] = BrokenPipeError()
    result = run(world, HEAD + SCRIPT)
    assert (result.exit_code, result.outcome) == (141, Outcome.CANCELLED)
    assert world.child.commands == []
    assert world.document()["exit_code"] == 141


@pytest.mark.parametrize("method", ["failed", "finished"])
def test_the_file_and_the_exit_code_agree(method: str, world: World) -> None:
    """Also when the last words find no reader."""
    world.reporter.fail_on[method] = BrokenPipeError()
    result = run(world, HEAD + SCRIPT if method == "finished" else "nme: x\n")
    assert world.document()["exit_code"] == result.exit_code == 141


@pytest.mark.parametrize("methods", [("output",), ("output", "failed", "finished")])
def test_a_full_disk_behind_our_output(methods: tuple[str, ...], world: World) -> None:
    """Output that cannot be written fails the run, and the result says so."""
    for method in methods:
        world.reporter.fail_on[method] = OutputNotWritable(
            "our output cannot be written: no space left"
        )
    result = run(world, HEAD + SCRIPT, prints(b"x"))
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, 1)
    assert world.document()["exit_code"] == 1


def test_a_footer_on_a_full_disk_is_no_success(world: World) -> None:
    """When only the last event could not be written, success is not claimed."""
    world.reporter.fail_on["finished"] = OutputNotWritable(
        "our output cannot be written: no space left"
    )
    result = run(world, HEAD + SCRIPT)
    assert (result.exit_code, result.outcome) == (1, Outcome.FAILED)
    assert world.document()["exit_code"] == 1


# --- the files of a run -------------------------------------------------------------------------


def spoil(path: Path) -> Any:
    """A child that puts a folder where a file was meant to go."""

    def child(running: Running) -> int:
        path.mkdir()
        return 0

    return child


def test_a_result_that_cannot_be_written_is_no_success(world: World) -> None:
    """Who asked for a result file and gets none does not get a 0."""
    target = world.folder / "result.json"
    result = run(world, HEAD + SCRIPT, spoil(target))
    assert (result.exit_code, result.outcome) == (1, Outcome.FAILED)
    assert any("--result" in warning for warning in world.reporter.warnings)


@pytest.mark.parametrize("deaf", [False, True], ids=["reader", "no reader"])
def test_one_file_failing_does_not_cost_the_other(deaf: bool, world: World) -> None:
    """The result is written, and says so, when `--outputs` could not be."""
    if deaf:
        world.reporter.fail_on["warning"] = BrokenPipeError()
    target = world.folder / "outputs.json"
    result = run(world, HEAD + SCRIPT, spoil(target), outputs=target)
    document = world.document()
    assert document["exit_code"] == result.exit_code != 0
    assert any("--outputs" in problem["message"] for problem in document["problems"])


def test_the_last_event_is_the_result(world: World) -> None:
    """`finished` is told once, last, and with what `run_step` returns."""
    result = run(world, HEAD + SCRIPT)
    assert world.reporter.told("finished") == [result]
    assert world.journal[-1] == "finished"


def test_times_are_the_clocks(world: World) -> None:
    """Start, end and total come from one clock."""

    def child(running: Running) -> int:
        world.clock.advance(12.5)
        return 0

    run(world, HEAD + SCRIPT, child)
    document = world.document()
    assert document["started_at"] == "2026-03-01T09:30:00.000Z"
    assert document["ended_at"] == "2026-03-01T09:30:12.500Z"
    assert document["durations"]["total"] == 12.5
