"""The real terraform applies a plan to the state that the step names, or nothing."""

from __future__ import annotations

import pytest

from tests.real_terraform.room import Room, aws, room

__all__ = ["aws", "room"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]


@pytest.mark.slow(8)
def test_a_plan_for_another_state(room: Room) -> None:
    """Terraform would take the backend from the plan and apply it there. It stays good for its
    own state, of which nobody doubts anything."""
    room.main('resource "terraform_data" "a" { input = "x" }\n')
    section = {"plan_file": "a.tfplan"}
    room.manifest(section)
    planned = room.run("--action", "plan")
    assert planned.code == 0, planned.err
    approved = {**section, "action": "apply", "plan_sha256": planned.output("PlanSha256")}

    folder = room.key.partition("/")[0]
    room.manifest({**approved, "backend": {**room.backend, "key": f"{folder}/other.tfstate"}})
    refused = room.run()
    assert refused.code == 1
    assert f"key '{room.key}', and this step has '{folder}/other.tfstate'" in refused.err
    assert refused.result["changed"] is False
    assert room.objects() == {}

    room.manifest(approved)
    applied = room.run()
    assert applied.code == 0, applied.err
    assert "nobody can tell" not in applied.text
    assert list(room.objects()) == [room.key]
    assert not (room.folder / "a.tfplan").exists()
