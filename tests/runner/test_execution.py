"""The child and what follows it: codes, attempts, `finally`, limits."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import CommandNotFound
from calamari_py.process import ProcessExit, StopReason
from calamari_py.result import Outcome
from tests.fakes import (
    Child,
    Running,
    ends,
    prints,
    refusal,
    step_key_id,
    step_secrets,
)
from tests.runner.world import DEV, HEAD, SCRIPT, World

FINALLY = "finally: echo bye\n"


@pytest.mark.parametrize(
    ("child", "outcome", "code", "origin"),
    [
        pytest.param(ends(0), Outcome.SUCCEEDED, 0, "child", id="success"),
        pytest.param(ends(3), Outcome.FAILED, 3, "child", id="own code"),
        pytest.param(ends(137), Outcome.FAILED, 137, "child", id="killed by others"),
        pytest.param(ends(143, StopReason.TIMEOUT), Outcome.TIMED_OUT, 124, "calamari",
                     id="timeout"),
        pytest.param(ends(0, StopReason.TIMEOUT), Outcome.TIMED_OUT, 124, "calamari",
                     id="timeout, child says 0"),
        pytest.param(ends(143, StopReason.IDLE_TIMEOUT), Outcome.TIMED_OUT, 124, "calamari",
                     id="idle timeout"),
        pytest.param(ends(0, StopReason.SIGNAL, signal.SIGTERM), Outcome.CANCELLED, 143,
                     "calamari", id="TERM, child says 0"),
        pytest.param(ends(1, StopReason.SIGNAL, signal.SIGINT), Outcome.CANCELLED, 130,
                     "calamari", id="INT"),
        pytest.param(ends(1, StopReason.SIGNAL, signal.SIGHUP), Outcome.CANCELLED, 129,
                     "calamari", id="HUP"),
        pytest.param(ends(143, StopReason.READER_GONE), Outcome.CANCELLED, 141, "calamari",
                     id="reader gone"),
    ],
)  # fmt: skip
def test_how_a_child_ends_is_how_the_step_ends(
    child: Child, outcome: Outcome, code: int, origin: str, world: World
) -> None:
    """The child's code is ours unless calamari was told to stop it; the file says the same."""
    result = world.run(HEAD + SCRIPT, child, result=world.folder / "result.json")
    assert (result.outcome, result.exit_code, result.exit_origin) == (outcome, code, origin)
    document = world.document()
    assert (document["outcome"], document["exit_code"]) == (outcome.value, code)


def test_a_command_that_is_gone(world: World) -> None:
    """A program that vanished before it was started has its own code."""

    def child(running: Running) -> int:
        raise CommandNotFound("command 'bash' was not found", hint="install it")

    result = world.run(HEAD + SCRIPT, child)
    assert (result.exit_code, result.exit_origin) == (127, "calamari")
    assert world.reporter.failure.hint == "install it"


def test_limits_reach_the_process_door(world: World) -> None:
    """Time limits and grace are the manifest's; without, none and the kind's grace."""
    world.run(HEAD + SCRIPT)
    world.run(HEAD + SCRIPT + "timeout: 1m\nidle_timeout: 10s\ngrace: 0s\n")
    bare, limited = (running.limits for running in world.child.started)
    assert (bare.timeout, bare.idle_timeout, bare.grace) == (None, None, 30.0)
    assert (limited.timeout, limited.idle_timeout, limited.grace) == (60.0, 10.0, 0.0)


@pytest.mark.parametrize(
    ("interactive", "stdin"),
    [pytest.param(False, "null", id="no"), pytest.param(True, "inherit", id="yes")],
)
def test_standard_input(interactive: bool, stdin: str, world: World) -> None:
    """Only `--interactive` passes standard input on."""
    world.run(HEAD + SCRIPT, interactive=interactive)
    assert world.child.commands[0].stdin == stdin


def test_processes_left_running_are_named(world: World) -> None:
    """What had to be ended after the step is said."""
    world.run(HEAD + SCRIPT, ends(0, left_running=("sleep (pid 7)",)))
    assert "sleep (pid 7) was still running after the step and was ended" in world.reporter.warnings


# --- retry --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retry", "codes", "runs", "code"),
    [
        pytest.param("{attempts: 3, on_exit_codes: [7]}", (7, 7, 0), 3, 0, id="third works"),
        pytest.param("{attempts: 3, on_exit_codes: [7]}", (7, 7, 7), 3, 7, id="none works"),
        pytest.param("{attempts: 3, on_exit_codes: [7]}", (0,), 1, 0, id="first works"),
        pytest.param("{attempts: 3, on_exit_codes: [7]}", (8,), 1, 8, id="another code"),
        pytest.param("{attempts: 3, on_exit_codes: [7]}", (7, 8), 2, 8, id="then another"),
        pytest.param("{attempts: 1}", (1,), 1, 1, id="no code named"),
        pytest.param("{attempts: 1, on_exit_codes: [7]}", (7,), 1, 7, id="one attempt"),
    ],
)
def test_retry(retry: str, codes: tuple[int, ...], runs: int, code: int, world: World) -> None:
    """A step is repeated for the codes it names, as often as it says, and no more."""
    retry = retry.replace("{", "{delay: 0s, ")
    result = world.run(f"{HEAD}{SCRIPT}retry: {retry}\n", *map(ends, codes))
    assert len(world.child.commands) == runs
    assert result.exit_code == code
    attempts = [env["CALAMARI_ATTEMPT"] for env in world.child.environments]
    assert attempts == [str(number) for number in range(1, runs + 1)]
    told = [warning for warning in world.reporter.warnings if "attempt" in warning]
    assert len(told) == runs - 1


def test_attempts_stand_in_the_result(world: World) -> None:
    """The result has a record of each attempt, and no such list where retry was not used."""

    def first(running: Running) -> ProcessExit:
        running.write(b"12345")
        world.clock.advance(3)
        return ProcessExit(code=7, cpu_time=1.5, peak_memory=2_000)

    def second(running: Running) -> ProcessExit:
        running.write(b"123", "stderr")
        return ProcessExit(code=0, cpu_time=0.25, peak_memory=1_000)

    world.run(
        HEAD + SCRIPT + "retry: {attempts: 2, delay: 0s, on_exit_codes: [7]}\n", first, second,
        result=world.folder / "result.json",
    )  # fmt: skip
    document = world.document()
    attempts = document["attempts"]
    assert all(attempt.pop("duration") >= 0 for attempt in attempts)
    assert attempts == [
        {
            "exit_code": 7, "outcome": "failed", "stopped": None,
            "started_at": "2026-03-01T09:30:00.000Z", "ended_at": "2026-03-01T09:30:03.000Z",
            "usage": {"cpu": 1.5, "peak_memory": 2_000, "stdout": 5, "stderr": 0},
        },
        {
            "exit_code": 0, "outcome": "succeeded", "stopped": None,
            "started_at": "2026-03-01T09:30:03.000Z", "ended_at": "2026-03-01T09:30:03.000Z",
            "usage": {"cpu": 0.25, "peak_memory": 1_000, "stdout": 0, "stderr": 3},
        },
    ]  # fmt: skip
    assert document["usage"] == {"cpu": 1.75, "peak_memory": 2_000, "stdout": 5, "stderr": 3}
    world.run(HEAD + SCRIPT, result=world.folder / "result.json")
    assert "attempts" not in world.document()


def test_the_record_of_an_attempt_that_was_stopped(world: World) -> None:
    """An attempt says why calamari ended it, beside the child's own code."""
    result = world.run(
        HEAD + SCRIPT + "timeout: 1m\nretry: {attempts: 2, delay: 0s, on_exit_codes: [143]}\n",
        ends(143, StopReason.TIMEOUT),
    )
    (attempt,) = result.attempts
    assert (attempt.exit_code, attempt.outcome, attempt.stopped) == (
        143,
        Outcome.TIMED_OUT,
        "timeout",
    )


def test_the_record_of_an_attempt_that_called_fail_step(world: World) -> None:
    """An attempt that says of itself that it failed did not succeed, whatever its code."""

    def child(running: Running) -> int:
        running.declare("message", "fail\nit did not work")
        return 0

    result = world.run(HEAD + SCRIPT + "retry: {attempts: 2, on_exit_codes: [7]}\n", child)
    assert [attempt.outcome for attempt in result.attempts] == [Outcome.FAILED]


# --- usage --------------------------------------------------------------------------------------


def test_usage_is_null_where_nobody_knows(world: World) -> None:
    """A step that never started, or a system that does not say, has no figures made up."""
    world.run("nme: x\n", result=world.folder / "result.json")
    nothing = {"cpu": None, "peak_memory": None, "stdout": 0, "stderr": 0}
    assert world.document()["usage"] == nothing
    world.run(HEAD + SCRIPT, prints(b"abc"), result=world.folder / "result.json")
    assert world.document()["usage"] == {**nothing, "stdout": 3}


def test_usage_is_that_of_the_step_alone(world: World) -> None:
    """`finally` is not counted, and bytes count as they were written, masked or not."""
    secret = step_secrets(1)[0].encode()
    heavy = ends(0, cpu_time=100.0, peak_memory=9_999)
    result = world.run(HEAD + SCRIPT + FINALLY, prints(secret), heavy)
    assert (result.usage.cpu, result.usage.stdout) == (None, len(secret))


# --- time limits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "stopped", "said"),
    [
        pytest.param("timeout: 10m", StopReason.TIMEOUT,
                     'still running after 10m (timeout); the last output was "Waiting for ***"',
                     id="timeout"),
        pytest.param("idle_timeout: 10m", StopReason.IDLE_TIMEOUT,
                     'no output for 10m (idle_timeout) after "Waiting for ***"', id="silence"),
    ],
)  # fmt: skip
def test_a_time_limit_names_the_last_line(
    limit: str, stopped: StopReason, said: str, world: World
) -> None:
    """The warning and the result say what the step was busy with, masked."""

    def child(running: Running) -> ProcessExit:
        running.write(f"first\nWaiting for {step_secrets(1)[0]}\n".encode())
        return ProcessExit(code=143, stopped=stopped)

    result = world.run(f"{HEAD}{SCRIPT}{limit}\n", child)
    assert f"{said}: the step was ended" in world.reporter.warnings
    (problem,) = result.problems
    assert problem.message == said
    assert world.reporter.hints[f"{said}: the step was ended"] == problem.hint is not None


def test_a_time_limit_of_a_silent_step(world: World) -> None:
    """Without any output there is none to name."""
    result = world.run(HEAD + SCRIPT + "timeout: 1m\n", ends(143, StopReason.TIMEOUT))
    assert [problem.message for problem in result.problems] == ["still running after 1m (timeout)"]


def test_finally_that_times_out_names_its_last_line(world: World) -> None:
    """What cleans up is looked into the same way."""

    def child(running: Running) -> ProcessExit:
        running.write(b"unlocking\n")
        return ProcessExit(code=143, stopped=StopReason.TIMEOUT)

    result = world.run(HEAD + SCRIPT + FINALLY, ends(0), child)
    assert [problem.message for problem in result.problems] == [
        "'finally' timed out: still running after 5m (timeout); the last output was \"unlocking\""
    ]


@pytest.mark.parametrize("stopped", [StopReason.TIMEOUT, StopReason.SIGNAL, StopReason.READER_GONE])
def test_a_stopped_step_is_not_repeated(stopped: StopReason, world: World) -> None:
    """Whoever was told to stop does not begin again, whatever the child's code."""
    world.run(
        HEAD + SCRIPT + "retry: {attempts: 3, delay: 0s, on_exit_codes: [7]}\n",
        ends(7, stopped, 15),
    )
    assert len(world.child.commands) == 1


def test_each_attempt_has_its_own_private_files(world: World) -> None:
    """A second attempt does not trip over the first one's script."""
    world.run(
        HEAD + SCRIPT + "retry: {attempts: 2, delay: 0s, on_exit_codes: [7]}\n", ends(7), ends(0)
    )
    first, second = (command.argv[-1] for command in world.child.commands)
    assert first != second


# --- finally ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("child", "outcome", "code"),
    [
        pytest.param(ends(0), "succeeded", "0", id="after success"),
        pytest.param(ends(3), "failed", "3", id="after failure"),
        pytest.param(ends(1, StopReason.TIMEOUT), "timed_out", "124", id="after a timeout"),
        pytest.param(ends(1, StopReason.SIGNAL, 15), "cancelled", "143", id="after a signal"),
    ],
)
def test_finally_knows_how_the_step_ended(
    child: Child, outcome: str, code: str, world: World
) -> None:
    """`finally` runs once after every end, and is told of it."""
    result = world.run(HEAD + SCRIPT + FINALLY, child, ends(0))
    assert str(result.exit_code) == code
    environment = world.child.environments[1]
    assert environment["CALAMARI_OUTCOME"] == outcome
    assert environment["CALAMARI_EXIT_CODE"] == code
    assert "finally" in result.durations


@pytest.mark.parametrize(
    ("step", "last", "outcome", "code", "origin"),
    [
        pytest.param(0, ends(9), Outcome.FAILED, 1, "calamari", id="after success"),
        pytest.param(3, ends(9), Outcome.FAILED, 3, "child", id="after failure"),
        pytest.param(0, ends(0, StopReason.TIMEOUT), Outcome.FAILED, 1, "calamari", id="timeout"),
        pytest.param(0, ends(0), Outcome.SUCCEEDED, 0, "child", id="both succeed"),
    ],
)
def test_finally_never_hides_the_step(
    step: int, last: Child, outcome: Outcome, code: int, origin: str, world: World
) -> None:
    """Its failure fails a step that had succeeded, and replaces no failure."""
    result = world.run(HEAD + SCRIPT + FINALLY, ends(step), last)
    assert (result.outcome, result.exit_code, result.exit_origin) == (outcome, code, origin)


@pytest.mark.parametrize(
    ("section", "timeout"),
    [
        pytest.param("echo bye", 300.0, id="default"),
        pytest.param("{run: echo bye, timeout: 9s}", 9.0, id="own"),
    ],
)
def test_finally_has_its_own_timeout(section: str, timeout: float, world: World) -> None:
    """The step's limits are not those of `finally`, which always has one."""
    world.run(f"{HEAD}{SCRIPT}timeout: 1s\nidle_timeout: 1s\nfinally: {section}\n")
    limits = world.child.started[1].limits
    assert (limits.timeout, limits.idle_timeout) == (timeout, None)


def test_finally_has_fresh_credentials(world: World) -> None:
    """The role is assumed again for `finally`; keys of both sessions are masked."""
    secrets = "\n".join([*step_secrets(1), *step_secrets(2)]).encode()
    world.run(HEAD + SCRIPT + FINALLY, ends(0), prints(secrets))
    first, second = world.child.environments
    assert first["AWS_ACCESS_KEY_ID"] == step_key_id(1)
    assert second["AWS_ACCESS_KEY_ID"] == step_key_id(2)
    assert second["AWS_SESSION_TOKEN"] == step_secrets(2)[1]
    assert world.reporter.shown() == b"***\n***\n***\n***"


@pytest.mark.parametrize(
    ("step", "code"), [pytest.param(0, 1, id="success"), pytest.param(3, 3, id="failure")]
)
def test_a_refused_renewal_keeps_finally_from_running(step: int, code: int, world: World) -> None:
    """Without fresh credentials `finally` does not run: not as the launcher, not with old ones."""
    world.aws.fail_at[2] = refusal("AccessDenied")
    result = world.run(HEAD + SCRIPT + FINALLY, ends(step))
    assert len(world.child.commands) == 1
    assert (result.outcome, result.exit_code) == (Outcome.FAILED, code)
    assert any("'finally' did not run" in warning for warning in world.reporter.warnings)
    assert any("'finally' did not run" in problem.message for problem in result.problems)


def test_the_guard_stands_before_finally_too(world: World) -> None:
    """A renewed session that is not the expected one runs nothing."""

    def child(running: Running) -> int:
        world.aws.arn_instead[DEV] = "arn:aws:sts::999999999999:assumed-role/DevDeployRole/x"
        return 0

    result = world.run(HEAD + SCRIPT + FINALLY + "expect: {account: '111111111111'}\n", child)
    assert len(world.child.commands) == 1
    assert result.exit_code == 1


def test_finally_does_not_run_for_a_step_that_never_started(world: World) -> None:
    """A refused identity leaves nothing to clean up."""
    world.aws.refuse[DEV] = refusal()
    world.run(HEAD + SCRIPT + FINALLY)
    assert world.child.commands == []


def test_outputs_of_finally_count(world: World) -> None:
    """What `finally` publishes is collected with the step's own outputs."""

    def publish(name: str) -> Child:
        def child(running: Running) -> int:
            running.publish(f"{name}=1\n")
            return 0

        return child

    result = world.run(HEAD + SCRIPT + FINALLY, publish("A"), publish("B"))
    assert set(result.outputs) == {"A", "B"}


# --- the private folders ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "child",
    [
        pytest.param(ends(0), id="success"),
        pytest.param(ends(1), id="failure"),
        pytest.param(ends(1, StopReason.SIGNAL, 15), id="signal"),
    ],
)
def test_nothing_is_left_behind(child: Child, world: World) -> None:
    """The private folders are gone after every end."""
    world.run(HEAD + SCRIPT, child)
    assert list(world.private.iterdir()) == []


def test_private_folders_are_private(world: World) -> None:
    """While the step runs, its folders are 0700 and what is in them 0600."""
    modes: dict[str, int] = {}

    def child(running: Running) -> ProcessExit:
        for root in world.private.iterdir():
            for path in (root, *root.rglob("*")):
                kind = "folder" if path.is_dir() else "file"
                modes[kind] = modes.get(kind, 0) | (path.stat().st_mode & 0o777)
        assert Path(running.environment["CALAMARI_TEMP"]).is_dir()
        return ProcessExit(code=0)

    world.run(HEAD + SCRIPT + "variables: {A: b}\n", child)
    assert modes == {"folder": 0o700, "file": 0o600}


def test_a_name_too_long_for_a_file_is_in_the_json_only(world: World) -> None:
    """A variable that no file can be named after is said, and still there."""
    found: list[Any] = []

    def child(running: Running) -> int:
        found.append(Path(running.environment["CALAMARI_VARIABLES_JSON"]).read_text())
        return 0

    world.run(f"{HEAD}{SCRIPT}variables: {{'{'v' * 300}': x}}\n", child)
    assert "v" * 300 in found[0]
    assert any("too long for a file" in warning for warning in world.reporter.warnings)


@pytest.mark.parametrize(
    ("step", "outcome", "code"),
    [
        pytest.param(0, Outcome.CANCELLED, 143, id="success"),
        pytest.param(3, Outcome.FAILED, 3, id="failure"),
    ],
)
def test_a_signal_during_finally(step: int, outcome: Outcome, code: int, world: World) -> None:
    """Who is told to stop says so, unless the step had failed before."""
    ended = ends(143, StopReason.SIGNAL, signal.SIGTERM)
    result = world.run(HEAD + SCRIPT + FINALLY, ends(step), ended)
    assert (result.outcome, result.exit_code) == (outcome, code)


def test_a_renewal_repeats_no_warning(world: World) -> None:
    """What was said of the identity before the step is not said again before `finally`."""
    world.run("name: t\nregion: eu-west-1\n" + SCRIPT + FINALLY)
    assert len([text for text in world.reporter.warnings if "no assume_role" in text]) == 1


def test_a_refusal_names_the_launcher_in_the_result(world: World) -> None:
    """The result of a refused step says who was refused, and which region was asked."""
    world.aws.refuse[DEV] = refusal()
    result = world.run(HEAD + SCRIPT)
    assert result.identity.region is not None
    assert result.identity.arn is None


def test_finally_runs_on_when_nobody_reads(world: World) -> None:
    """A reader that went away ends the step, not what cleans up after it."""
    world.reporter.fail_on["output"] = BrokenPipeError()
    cleaned = []

    def cleaning(running: Running) -> int:
        running.write(b"cleaning\n")
        cleaned.append(running.environment["CALAMARI_EXIT_CODE"])
        return 0

    result = world.run(HEAD + SCRIPT + FINALLY, prints(b"x\n"), cleaning)
    assert cleaned == ["141"]
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 141)


@pytest.mark.parametrize("kind", ["message", "progress"])
def test_finally_may_speak_when_nobody_reads(kind: str, world: World) -> None:
    """Messages to a reader that went away do not end what cleans up, nor cost what it leaves."""

    def step(running: Running) -> int:
        for method in ("output", "highlight", "progress", "warning", "note"):
            world.reporter.fail_on[method] = BrokenPipeError()
        running.write(b"x\n")
        return 0

    def cleaning(running: Running) -> ProcessExit:
        running.declare(kind, "highlight\nx" if kind == "message" else "5\nx")
        running.write(b"cleaning\n")
        running.publish("Cleaned=yes\n")
        return ProcessExit(code=0, left_running=("sleep (pid 7)",))

    result = world.run(HEAD + SCRIPT + FINALLY, step, cleaning)
    assert result.outputs["Cleaned"].value == "yes"
    assert (result.outcome, result.exit_code) == (Outcome.CANCELLED, 141)


@pytest.mark.parametrize("terminal", [False, True])
def test_a_terminal_reaches_every_command(terminal: bool, world: World) -> None:
    """A pty is for the step and for `finally`, where it is asked for."""
    world.run(HEAD + SCRIPT + FINALLY, terminal=terminal)
    assert [command.terminal for command in world.child.commands] == [terminal, terminal]


def test_what_people_should_know_is_told_masked(world: World) -> None:
    """Sentences of the process door reach the reporter without secrets."""

    def child(running: Running) -> int:
        running.tell(f"waiting for {step_secrets(1)[0]}")
        return 0

    world.run(HEAD + SCRIPT, child)
    assert world.reporter.told("highlight") == ["waiting for ***"]


@pytest.mark.parametrize(
    ("end", "said", "hint"),
    [
        pytest.param(ends(3), "'finally' ended with code 3", "see what it wrote; ", id="code"),
        pytest.param(ends(143, StopReason.TIMEOUT), "'finally' timed out: ", "allow it more time",
                     id="timeout"),
    ],
)  # fmt: skip
def test_a_failed_finally_says_what_to_do(end: Any, said: str, hint: str, world: World) -> None:
    """The result and the log have the same sentence, and the same hint."""
    result = world.run(HEAD + SCRIPT + FINALLY, ends(0), end)
    (problem,) = result.problems
    assert problem.message.startswith(said)
    assert problem.hint is not None
    assert problem.hint.startswith(hint)
    assert world.reporter.hints[problem.message] == problem.hint
