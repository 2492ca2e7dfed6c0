"""No secret of before leaves, either: what only the state knows of is changed, replaced and
destroyed, and all that is there afterwards is searched."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.integration.test_terraform_leaks import VARIABLES, Leaker
from tests.real_terraform.room import Room, aws, room

__all__ = ["aws", "room"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.slow(8)]

OLD = {
    "password": "old-Pa55w0rd/with+odd=chars&\"quotes'",
    "filed": "old-from-a-variable-file-51e0d7",
    "pem": "-----BEGIN KEY-----\noldlineofthekey9876\nlastlineofthekey5432\n-----END KEY-----",
}

CONFIGURATION = (
    VARIABLES
    + """
locals { marked = sensitive(sha256(var.filed)) }
resource "terraform_data" "changed" {
  input = { password = var.password, marked = local.marked, pem = sensitive(var.pem) }
}
resource "terraform_data" "replaced" {
  triggers_replace = [var.password, local.marked]
  input            = { password = var.password, outside = var.outside }
  provisioner "local-exec" { command = "sh ${self.input.outside}/print.sh" }
  provisioner "local-exec" {
    when    = destroy
    command = "sh ${self.input.outside}/print.sh"
  }
}
resource "terraform_data" "gone" {
  count = var.wrong ? 1 : 0
  input = { list = ["x", local.marked], pem = sensitive(var.pem) }
}
output "password" {
  value     = var.password
  sensitive = true
}
output "known" { value = nonsensitive("is ${var.password}") }
"""
)


class Rotation(Leaker):
    """A state with the old secrets; the step has new ones, and prints both."""

    def __init__(self, room: Room) -> None:
        super().__init__(room)
        room.main(CONFIGURATION)
        for name in ("list", "output"):
            # Made by the other configuration alone.
            del self.secrets[name]
            (self.outside / "secrets" / name).unlink()
        new = dict(self.secrets)
        self._write(OLD)
        self.manifest(wrong=True)
        # Nobody watches this run.
        (self.outside / "seen").touch()
        made = room.run()
        (self.outside / "seen").unlink()
        assert made.code == 0, made.err
        self._write({name: new[name] for name in OLD})
        self.manifest()
        old = {**OLD, "marked": hashlib.sha256(OLD["filed"].encode()).hexdigest()}
        state = json.dumps(room.state())
        self.secrets |= {f"old {name}": value for name, value in old.items()}
        # Of a file that is another one now nobody knows any more what was in it.
        del old["filed"]
        for name, value in old.items():
            assert json.dumps(value)[1:-1] in state
            (self.outside / "secrets" / f"old_{name}").write_text(value)

    def _write(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            (self.outside / "secrets" / name).write_text(value)
        (self.outside / "filed.tfvars").write_text(f'filed = "{values["filed"]}"\n')


def test_a_rotation_that_prints_what_was_and_what_is(room: Room) -> None:
    """Updated, replaced and destroyed in one run, by a plan that has the old and the new."""
    rotation = Rotation(room)
    traces = rotation.run("--verbose")
    ended = traces.ended
    assert ended.code == 0, ended.err
    counts = ended.details["changes"]
    assert (counts["update"], counts["replace"], counts["destroy"]) == (1, 1, 1)
    assert ended.out.count("[***") >= 2, "the provisioners have printed nothing"
    assert sorted(traces.found()) == []
    assert ended.result["outputs"]["Outputs.known"] == {"value": None, "sensitive": True}
