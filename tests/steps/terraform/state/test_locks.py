"""What people are told of a lock: who holds it, since when, and what can be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.state.locks import (
    lock_error,
    lock_failed,
    may_be_left,
    read_lock,
)
from calamari_py.steps.terraform.values import Diagnostic, Lock
from tests.fake_cloudformation import JumpingClock
from tests.steps.terraform.state.room import CREATED, DETAIL, FREE, LOCK_ID, WRITTEN, Room

HELD = Lock(
    id=LOCK_ID,
    who="ci@runner-7",
    operation="apply",
    path="tfstate-bkt/net/a.tfstate",
    version="1.11.4",
    created=CREATED,
)
DIAGNOSTIC = Diagnostic(severity="error", summary="Error acquiring the state lock", detail=DETAIL)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Twelve minutes and a half after the lock was taken."""
    return Room(tmp_path, clock=JumpingClock(CREATED + timedelta(minutes=12, seconds=31)))


def boxed(text: str) -> str:
    """As a terminal that shows colours gets it."""
    return "".join(f"\x1b[31m│\x1b[0m \x1b[0m{line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(DETAIL, HELD, id="s3"),
        pytest.param(WRITTEN.decode(), HELD, id="without -json"),
        pytest.param(boxed(WRITTEN.decode()), HELD, id="in a box, coloured"),
        pytest.param(
            "Error message: operation error DynamoDB: PutItem, https response error StatusCode: "
            "400, RequestID: uAefgb3o, ConditionalCheckFailedException: The conditional request "
            "failed\nLock Info:\n  ID:        0f968c4f\n  Path:      b/dyn.tfstate\n  Operation: "
            "OperationTypePlan\n  Who:       root@vm\n  Version:   1.11.4\n  Created:   "
            "2026-11-22 18:13:40.9 +0100 CET\n  Info:      \n\n\nTerraform acquires a state lock",
            Lock(
                id="0f968c4f",
                who="root@vm",
                operation="plan",
                path="b/dyn.tfstate",
                version="1.11.4",
                created=datetime(2026, 11, 22, 17, 13, 40, tzinfo=UTC),
            ),
            id="dynamodb, another zone",
        ),
        pytest.param(
            "Error message: resource temporarily unavailable\nLock Info:\n  ID:        ccb753bf\n"
            "  Path:      terraform.tfstate\n  Operation: OperationTypeApply\n  Who: root@vm\n"
            "  Version:   1.11.4\n  Created:   2026-11-22T18:13:43.774947412Z\n  Info:      a: b\n",
            Lock(
                id="ccb753bf",
                who="root@vm",
                operation="apply",
                path="terraform.tfstate",
                version="1.11.4",
                created=datetime(2026, 11, 22, 18, 13, 43, tzinfo=UTC),
                info="a: b",
            ),
            id="a local file, a time in ISO form",
        ),
        pytest.param("Lock Info:\n  ID: 1", Lock(id="1"), id="an ID alone"),
        pytest.param(
            "Lock Info:\r\n  ID: 1\r\n  Who: \r\n  Created: yesterday\r\n",
            Lock(id="1"),
            id="odd fields stay empty",
        ),
        pytest.param(
            "Lock Info:\n  ID: 1\n  Created: 2026-13-45 99:99:99 +0000 UTC",
            Lock(id="1"),
            id="no time of this world",
        ),
        pytest.param("Lock Info:\n  Who: x\n", None, id="no ID"),
        pytest.param("Lock Info:", None, id="nothing"),
        pytest.param("RequestID: 7p1oi\nID: 1", None, id="another ID"),
        pytest.param("", None, id="empty"),
    ],
)
def test_the_lock_is_read_from_every_text(text: str, expected: Lock | None) -> None:
    """Whatever backend wrote it and however it is shown, the fields are found or stay empty."""
    assert read_lock(text) == expected


def test_a_fresh_lock_names_its_holder(room: Room) -> None:
    """Who, for how long, for what; the advice is to wait first, and then the exact line."""
    failed = lock_failed(room.work(), DIAGNOSTIC, "plan")
    assert isinstance(failed, ToolFailed)
    assert str(failed) == (
        "terraform plan failed: the state's lock is held for 12m by 'ci@runner-7' for apply"
    )
    assert failed.evidence == (
        f"lock\t{LOCK_ID}",
        "since\t2026-11-22 18:13:29 UTC",
        "state\ttfstate-bkt/net/a.tfstate",
        "with\tversion 1.11.4",
        "waited\t5m (lock_timeout)",
    )
    assert failed.hint is not None
    advice, line = failed.hint.splitlines()
    assert advice.startswith("let it finish and run again")
    assert line == FREE.format(folder=room.module)


def test_an_old_lock_is_not_waited_for(room: Room) -> None:
    """Over an hour old, it is the line that comes first."""
    room.clock.advance(2 * 86400)
    failed = lock_failed(room.work(), DIAGNOSTIC, "apply")
    assert "held for 2 days by" in str(failed)
    assert (failed.hint or "").startswith("see that nothing is at work there any more")


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        pytest.param(-751 - 30, "1s", id="a clock that is ahead"),
        pytest.param(-751 + 42, "42s", id="seconds"),
        pytest.param(-751 + 60, "1m", id="a minute"),
        pytest.param(-751 + 5400, "1h30m", id="hours"),
        pytest.param(-751 + 86400 + 3600, "25h", id="a day"),
    ],
)
def test_the_age_is_rounded(room: Room, seconds: int, age: str) -> None:
    """In the words of a manifest, and never less than a second."""
    room.clock = JumpingClock(room.clock.now() + timedelta(seconds=seconds))
    assert f"held for {age} by" in str(lock_failed(room.work(), DIAGNOSTIC, "plan"))


def test_the_result_tells_of_the_lock(room: Room) -> None:
    """Programs find it under `lock`."""
    lock_failed(room.work(), DIAGNOSTIC, "plan")
    assert room.report.facts["lock"] == {
        "id": LOCK_ID,
        "who": "ci@runner-7",
        "operation": "apply",
        "created": "2026-11-22T18:13:29+00:00",
        "path": "tfstate-bkt/net/a.tfstate",
    }


def test_a_local_lock_is_not_freed_by_others(room: Room) -> None:
    """Terraform cannot: no line is printed that would fail."""
    room.is_local = True
    failed = lock_failed(room.work(), DIAGNOSTIC, "plan")
    assert failed.hint == (
        "the lock of a local state goes with its process: let it finish, or end it"
    )


def test_what_is_no_conflict_is_not_called_one(room: Room) -> None:
    """A role that may not write the lock is not told that somebody holds it."""
    denied = Diagnostic(
        severity="error",
        summary="Error acquiring the state lock",
        detail="Error message: api error AccessDenied: no\n\nTerraform acquires",
    )
    failed = lock_failed(room.work(), denied, "plan")
    assert str(failed) == "terraform plan failed: the state cannot be locked"
    assert "it says\tError message: api error AccessDenied: no" in failed.evidence
    assert "force-unlock" not in (failed.hint or "")
    assert "lock" not in room.report.facts


def test_lock_diagnostics_are_known() -> None:
    """That of a conflict, and that of a lock that may be left."""
    other = Diagnostic(severity="error", summary="Invalid reference")
    left = Diagnostic(severity="error", summary="Error releasing the state lock")
    assert lock_error((other, DIAGNOSTIC)) is DIAGNOSTIC
    assert lock_error((other, left)) is None
    assert may_be_left((other, left))
    assert not may_be_left((other, DIAGNOSTIC))
