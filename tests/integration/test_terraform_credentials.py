"""Keys that end between a plan and its apply, which are two processes."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.delivery.support import until
from tests.real_terraform.aws import RecordingAws
from tests.real_terraform.room import Room, aws, room

__all__ = ["aws", "room"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox]

WAITS = """#!/bin/sh
if [ "$1" = apply ]; then
  touch "@FOLDER@/planned"
  while [ ! -e "@FOLDER@/go" ]; do sleep 0.02; done
fi
exec "@TERRAFORM@" "$@"
"""
"""Terraform, but that no apply begins before it may."""


def waiting_tool(folder: Path) -> Path:
    """The program; it touches ``planned`` in `folder` and waits for ``go``."""
    folder.mkdir()
    program = folder / "terraform"
    text = WAITS.replace("@TERRAFORM@", str(shutil.which("terraform")))
    program.write_text(text.replace("@FOLDER@", str(folder)))
    program.chmod(0o755)
    return program


def is_over(aws: RecordingAws) -> bool:
    """Whether no keys that were given out so far are good for anything."""
    now = datetime.now(UTC)
    return all(aws.expires[session.key_id] <= now for session in aws.sessions)


@pytest.mark.parametrize(
    "delivery",
    [
        pytest.param("endpoint", id="endpoint"),
        # That the keys do end, or the other row would prove nothing.
        pytest.param("env", id="env"),
    ],
)
@pytest.mark.slow(6)
def test_an_apply_that_begins_after_the_keys_of_its_plan_have_ended(
    delivery: str, room: Room
) -> None:
    """It works with those of a later session, and with no others."""
    aws, outside = room.aws, room.folder.parent / "waits"
    aws.life = 3 if delivery == "endpoint" else None
    room.main('resource "terraform_data" "a" {}\n')
    room.manifest({"binary": str(waiting_tool(outside))}, credentials={"delivery": delivery})
    process = room.start()
    try:
        until((outside / "planned").exists, "the plan is made")
        if delivery == "env":
            ended = datetime.now(UTC) - timedelta(seconds=1)
            aws.expires |= {session.key_id: ended for session in aws.sessions}
        until(lambda: is_over(aws), "its keys have ended")
        planned = {session.key_id for session in aws.sessions}
        before = len(aws.heard)
        (outside / "go").touch()
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert planned & {each.key_id for each in aws.heard[:before]}
    asked = {each.key_id: each.status for each in aws.heard[before:]}
    if delivery == "env":
        assert {asked[key_id] for key_id in planned & {*asked}} == {400}
        assert process.returncode == 1
        assert b"the credentials ran out" in err
        assert room.objects() == {}
        return
    assert process.returncode == 0, err
    assert list(room.objects()) == [room.key]
    assert not planned & {*asked}, "keys that had ended were used"
