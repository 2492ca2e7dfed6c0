"""What is said after a bad end: of what was done, of the state, of its lock. Nothing is guessed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from calamari_py.errors import CommandNotFound
from calamari_py.process.base import ProcessExit, StopReason
from calamari_py.steps.terraform.state.ends import after_forced_end, is_calm, is_saved
from calamari_py.steps.terraform.values import Diagnostic, Followed
from tests.fake_cloudformation import JumpingClock
from tests.steps.terraform.fakes import Answer
from tests.steps.terraform.state.room import CREATED, FREE, LOCK_ID, Room

SAVED = "what was done until then is saved in the state"
NOT_OURS = "the state is not locked by this run any more"
UNLOCKED = "the state is not locked"
UNKNOWN = "nobody can tell whether the state is locked"
STOPPED = ProcessExit(code=1, stopped=StopReason.SIGNAL, signum=15)
PRESSED = ProcessExit(code=1, stopped=StopReason.SIGNAL, signum=15, pressed=True)
KILLED = ProcessExit(code=137, stopped=StopReason.TIMEOUT, pressed=True)
FAILED = ProcessExit(code=1)
BUSY = Followed(touched=3, unfinished=("a.b", "a.c", "a.d", "a.e"))
RELEASING = Diagnostic(severity="error", summary="Error releasing the state lock")


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Twelve minutes and a half after the lock was taken."""
    return Room(tmp_path, clock=JumpingClock(CREATED + timedelta(minutes=12, seconds=31)))


def busy_with(summary: str, detail: str = "") -> Followed:
    """Something was begun on, and this went wrong."""
    return Followed(
        touched=1, diagnostics=(Diagnostic(severity="error", summary=summary, detail=detail),)
    )


@pytest.mark.parametrize(
    ("followed", "ended", "lines", "warnings"),
    [
        pytest.param(
            BUSY, STOPPED, [f"stopped while at a.b, a.c, a.d and 1 more; {SAVED}", NOT_OURS], [],
            id="politely",
        ),
        pytest.param(
            Followed(touched=1), STOPPED, [f"stopped; {SAVED}", NOT_OURS], [],
            id="between two resources",
        ),
        pytest.param(
            Followed(touched=1, unfinished=("a.b",)), KILLED, [UNLOCKED],
            ["killed while at a.b; what it did last may be missing from the state"],
            id="killed",
        ),
        pytest.param(
            Followed(touched=1), PRESSED, [UNLOCKED],
            ["stopped; nobody can tell what of it is saved in the state"],
            id="asked twice",
        ),
        pytest.param(
            Followed(touched=1), None, [UNLOCKED],
            ["stopped; nobody can tell what of it is saved in the state"],
            id="its end is not known",
        ),
        pytest.param(
            busy_with("Failed to persist state to backend"), STOPPED, [NOT_OURS],
            ["stopped; nobody can tell what of it is saved in the state"],
            id="not saved",
        ),
        pytest.param(Followed(), KILLED, [UNLOCKED], [], id="nothing begun"),
        pytest.param(
            Followed(touched=1), ProcessExit(code=255), [UNLOCKED], [], id="a code of a wrapper"
        ),
        pytest.param(None, None, [UNLOCKED], [], id="nothing known"),
    ],
)  # fmt: skip
def test_a_bad_end_says_what_is_left(
    room: Room,
    followed: Followed | None,
    ended: ProcessExit | None,
    lines: list[str],
    warnings: list[str],
) -> None:
    """What it was at, whether that is saved, and that nobody has to free a lock."""
    after_forced_end(room.work(), followed, ended)
    assert room.report.said("line") == lines
    assert room.report.said("warning") == warnings


@pytest.mark.parametrize(
    ("ended", "followed", "calm"),
    [
        pytest.param(FAILED, BUSY, True, id="failed"),
        pytest.param(STOPPED, BUSY, True, id="asked once"),
        pytest.param(ProcessExit(code=2), Followed(), True, id="a plan with changes"),
        pytest.param(ProcessExit(code=2), BUSY, False, id="a broken-down apply"),
        pytest.param(ProcessExit(code=11), BUSY, False, id="a crash"),
        pytest.param(PRESSED, BUSY, False, id="asked twice"),
        pytest.param(
            ProcessExit(code=1, left_running=("terraform (pid 7)",)), BUSY, False, id="not itself"
        ),
        pytest.param(
            ProcessExit(code=1, left_running=("sleep (pid 7)",)), BUSY, True, id="a child"
        ),
        pytest.param(
            ProcessExit(code=1, left_running=("sh (pid 7)",) * 11), BUSY, False, id="many"
        ),
        pytest.param(FAILED, Followed(diagnostics=(RELEASING,)), False, id="its lock is left"),
        pytest.param(
            FAILED, busy_with("Two interrupts received"), False, id="interrupted by others"
        ),
        pytest.param(FAILED, busy_with("x", "the operation canceled"), False, id="cancelled"),
    ],
)
def test_a_calm_end_leaves_no_lock(ended: ProcessExit, followed: Followed, calm: bool) -> None:
    """Terraform freed it, or would have said that it could not."""
    assert is_calm(ended, followed) is calm


@pytest.mark.parametrize(
    ("summary", "detail", "saved"),
    [
        pytest.param("local-exec provisioner error", "exit status 1", True, id="another error"),
        pytest.param("Error creating S3 bucket", "no", True, id="a resource"),
        pytest.param("Error saving state machine", "no", True, id="a resource's state"),
        pytest.param("Failed to save state", "", False, id="save"),
        pytest.param("x", "Error saving state: no route", False, id="saving"),
        pytest.param("Failed to persist state to backend", "", False, id="persist"),
        pytest.param("Error saving current state", "", False, id="current"),
        pytest.param("x", "the state has been\nwritten to errored.tfstate", False, id="its file"),
    ],
)
def test_saved_is_only_what_no_error_denies(summary: str, detail: str, saved: bool) -> None:
    """What Terraform says itself of its state counts."""
    assert is_saved(FAILED, busy_with(summary, detail)) is saved


def test_a_calm_end_asks_for_no_lock(room: Room) -> None:
    """The look takes one itself: it is only done where one may be left."""
    after_forced_end(room.work(), BUSY, STOPPED)
    assert room.answers.words() == []


def test_a_local_lock_goes_with_its_process(room: Room) -> None:
    """Nobody needs to look."""
    room.is_local = True
    after_forced_end(room.work(), Followed(), KILLED)
    assert room.report.said("line") == [NOT_OURS]
    assert room.answers.words() == []


def test_a_lock_that_may_be_anothers_is_not_called_ours(room: Room) -> None:
    """A run that was cancelled while it waited has left none."""
    room.is_locked(os.uname().nodename)
    after_forced_end(room.work(), Followed(), PRESSED)
    assert room.report.hints[-1].startswith("let it finish and run again")


def test_a_lock_from_another_machine_is_not_ours(room: Room) -> None:
    """Whoever waited for it has it now."""
    room.is_locked("elsewhere")
    after_forced_end(room.work(), Followed(touched=1), KILLED)
    assert room.report.hints[-1].startswith("let it finish and run again")


def test_a_lock_that_is_left_is_shown_with_its_line(room: Room) -> None:
    """Its ID and the exact line that frees it, and the result knows, too."""
    host = os.uname().nodename
    room.is_locked(host)
    after_forced_end(room.work(), Followed(touched=1), KILLED)
    assert room.report.said("warning")[-1] == (
        f"the state's lock is held for 12m by 'ci@{host}' for apply: {LOCK_ID}"
    )
    why, line = room.report.hints[-1].splitlines()
    assert why.startswith("this run has left it, unless another one on this machine")
    assert line == FREE.format(folder=room.module)
    assert room.report.facts["lock"]["id"] == LOCK_ID
    assert room.report.said("line") == []
    assert room.answers.called("untaint")[0].last_words == 60.0


def test_a_dead_backend_is_asked_once(room: Room) -> None:
    """Where the state could not be saved, `rescue` tells of that and of the lock: nothing is called
    saved."""
    work = room.work()
    room.leaves({})
    after_forced_end(work, Followed(touched=1), KILLED)
    assert room.answers.words() == []
    assert room.report.told == [("line", "killed")]


def _no_program() -> None:
    raise CommandNotFound("no terraform")


@pytest.mark.parametrize(
    ("answer", "more"),
    [
        pytest.param(Answer(code=1, stderr=b"Error: AccessDenied"), "", id="refused"),
        pytest.param(Answer(code=127), "", id="no such program"),
        pytest.param(Answer(act=_no_program), "", id="gone"),
        pytest.param(
            Answer(code=1, stopped=StopReason.TIMEOUT),
            "; the look at it was broken off, and may have left a lock itself",
            id="ended",
        ),
        pytest.param(
            Answer(stdout=b"Error: Error releasing the\nstate lock\n"),
            "; the look at it was broken off, and may have left a lock itself",
            id="it could not give it back",
        ),
    ],
)
def test_what_nobody_knows_is_not_called_free(room: Room, answer: Answer, more: str) -> None:
    """Only a look that has had the lock knows that it is free."""
    room.answers.on("untaint", answer)
    after_forced_end(room.work(), Followed(), KILLED)
    assert room.report.said("line") == []
    assert room.report.said("warning") == [UNKNOWN + more]
    assert "force-unlock -force LOCK_ID" in room.report.hints[-1]
