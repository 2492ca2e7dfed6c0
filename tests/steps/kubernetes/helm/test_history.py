"""Which revision a release can go back to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.helm.history import (
    Revision,
    last_before,
    last_deployed,
    read_history,
)
from calamari_py.steps.kubernetes.helm.recover import WayBack, way_back

INSTALLED = ("superseded", "Install complete")
UPGRADED = ("superseded", "Upgrade complete")
BACK = ("superseded", "Rollback to 1")
BACK_TO_2 = ("deployed", "Rollback to 2")
NAMED = ("superseded", "my own description")
NEVER = ("superseded", 'Release "web" failed: timed out waiting for the condition')
UNINSTALLED = ("superseded", "superseded by new release")
CUT_OFF = ("superseded", "Preparing upgrade")
DEPLOYED = ("deployed", "Upgrade complete")
FAILED = ("failed", 'Upgrade "web" failed: context canceled')
PENDING = ("pending-upgrade", "Preparing upgrade")
INSTALLING = ("pending-install", "Initial install underway")
GOING_BACK = ("pending-rollback", "Rollback to 1")
LEAVING = ("uninstalling", "Deletion in progress (or silently failed)")


def revisions(*rows: tuple[str, str]) -> tuple[Revision, ...]:
    """As many, from 1 on."""
    return tuple(
        Revision(number=number, status=status, description=description)
        for number, (status, description) in enumerate(rows, 1)
    )


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        pytest.param([INSTALLED, DEPLOYED], 2, id="the one that is"),
        pytest.param([INSTALLED, DEPLOYED, FAILED, FAILED], 2, id="not one that failed"),
        pytest.param([INSTALLED, UPGRADED, FAILED], 2, id="the last that was, where none is"),
        pytest.param([INSTALLED, NEVER, FAILED], 1, id="not one that failed and was superseded"),
        pytest.param([INSTALLED, CUT_OFF, FAILED], 1, id="not one that was cut off"),
        pytest.param([UNINSTALLED, FAILED], None, id="not one that was uninstalled since"),
        pytest.param([INSTALLED, BACK, FAILED], 2, id="one that was gone back to"),
        pytest.param([INSTALLED, UPGRADED, BACK, FAILED], 3, id="what was gone back to, again"),
        pytest.param([INSTALLED, DEPLOYED, GOING_BACK], 1, id="not one that is being left"),
        pytest.param([DEPLOYED, ("failed", "Rollback to 0")], 1, id="one that was left, for none"),
        pytest.param([NAMED, FAILED], 1, id="one with a description of its own"),
        pytest.param([FAILED, FAILED], None, id="none ever was"),
        pytest.param([], None, id="nothing"),
    ],
)
def test_the_last_deployed_revision(rows: list[tuple[str, str]], number: int | None) -> None:
    """It is one that really was deployed, whatever Helm has made of its status since."""
    found = last_deployed(revisions(*rows))
    assert (found.number if found else None) == number


def test_before_the_one_there_is_now() -> None:
    """A rollback without a revision goes to the last deployed one before the current."""
    found = last_deployed(revisions(INSTALLED, UPGRADED, FAILED, DEPLOYED), before=4)
    assert found is not None
    assert found.number == 2


@pytest.mark.parametrize(
    ("rows", "number"),
    [
        pytest.param([INSTALLED, UPGRADED, DEPLOYED], 2, id="the one before"),
        pytest.param([INSTALLED, INSTALLED, UPGRADED, BACK_TO_2], 1, id="not what was refused"),
        pytest.param([INSTALLED, UPGRADED, BACK], None, id="it is the first already"),
        pytest.param([INSTALLED, BACK, BACK_TO_2], None, id="by way of another"),
    ],
)
def test_before_what_it_is_now(rows: list[tuple[str, str]], number: int | None) -> None:
    """A rollback never ends at what was rolled back from, and never at what is there already."""
    found = last_before(revisions(*rows))
    assert (found.number if found else None) == number


@pytest.mark.parametrize(
    ("rows", "way"),
    [
        pytest.param([DEPLOYED], None, id="deployed"),
        pytest.param([DEPLOYED, FAILED], None, id="failed can be upgraded"),
        pytest.param([DEPLOYED, PENDING, DEPLOYED], None, id="an old one is history"),
        pytest.param([], None, id="no release"),
        pytest.param([DEPLOYED, PENDING], WayBack(act="rollback", revision=1), id="upgrade"),
        pytest.param(
            [DEPLOYED, FAILED, PENDING], WayBack(act="rollback", revision=1), id="past a failed one"
        ),
        pytest.param(
            [UPGRADED, DEPLOYED, GOING_BACK], WayBack(act="rollback", revision=1), id="rollback"
        ),
        pytest.param([INSTALLING], WayBack(act="uninstall"), id="first install"),
        pytest.param(
            [FAILED, PENDING],
            WayBack(act="rollback", revision=1, was_deployed=False),
            id="nothing was deployed, and something may be there",
        ),
        pytest.param(
            [DEPLOYED, LEAVING], WayBack(act="uninstall", finishes=True), id="half uninstalled"
        ),
    ],
)
def test_the_way_back(rows: list[tuple[str, str]], way: WayBack | None) -> None:
    """Each pending state has one; only what was never deployed is uninstalled."""
    assert way_back(revisions(*rows)) == way


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("2026-11-22T21:44:51.82544349Z", id="eight digits"),
        pytest.param("2026-11-22T21:44:51.825443497Z", id="nine digits"),
        pytest.param("2026-11-22T22:44:51.82544+01:00", id="five digits, another zone"),
    ],
)
def test_moments_as_go_writes_them(written: str) -> None:
    """The age of a pending revision decides whether it is taken for dead."""
    (found,) = read_history(_history(updated=written))
    assert found.updated is not None
    moment = found.updated.astimezone(UTC).replace(microsecond=0)
    assert moment == datetime(2026, 11, 22, 21, 44, 51, tzinfo=UTC)


@pytest.mark.parametrize(
    "stdout",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"null", id="null"),
        pytest.param(b'[{"revision": 1}]', id="without status"),
        pytest.param(b'["x"]', id="no mapping"),
    ],
)
def test_what_is_no_history(stdout: bytes) -> None:
    """It is never taken for an empty one, which would be installed anew."""
    with pytest.raises(ToolFailed):
        read_history(stdout)


def _history(**more: Any) -> bytes:
    row = {"revision": 1, "status": "deployed", "description": "Install complete"}
    return json.dumps([{**row, **more}]).encode()
