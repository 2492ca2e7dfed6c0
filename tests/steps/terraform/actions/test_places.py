"""What a step says of files, and of what it waits for, is what people know."""

from __future__ import annotations

from typing import Any

from calamari_py.errors import ToolFailed
from tests.steps.terraform.world import TerraformWorld, failed, message, stream

PLACE: dict[str, Any] = {"filename": "main.tf", "start": {"line": 3, "column": 1, "byte": 0}}


def test_programs_get_the_file_of_a_failure(world: TerraformWorld) -> None:
    """Where it is on this machine."""
    world.on("plan", 1, stdout=stream(failed("Unsupported attribute", range=PLACE)))
    error = world.fail()
    assert isinstance(error, ToolFailed)
    assert (error.file, error.line) == (str(world.directory / "main.tf"), 3)


def test_an_init_names_no_private_file(world: TerraformWorld) -> None:
    """Nor a line of it: it is gone, and what it says may be secret."""
    path = world.private / "backend.tfbackend.json"
    said = f"""Error: Extraneous JSON object property

  on {path} line 2:
   2:  "kee": "hunter2-hunter2"

No argument or block type is named "kee".
"""
    world.on("init", 1, stderr=said.encode())
    error = world.fail(backend={"kee": "hunter2-hunter2"})
    assert isinstance(error, ToolFailed)
    assert error.message.endswith("(terraform.backend)")
    assert "hunter2" not in " ".join(error.evidence)
    assert "'kee' is a key of 'terraform.backend'" in (error.hint or "")


def test_a_wait_for_the_lock_says_how_long(world: TerraformWorld) -> None:
    """As the manifest says."""
    world.plans(said=[message("state_lock_acquire")])
    world.run(lock_timeout=600)
    assert "waiting for the lock of the state, up to 10m (lock_timeout)" in (
        world.report.said("line")
    )
