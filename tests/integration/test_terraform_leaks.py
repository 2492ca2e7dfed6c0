"""No secret of a terraform step leaves: a configuration has one in every place there is, and all
that is there afterwards is searched, archives unpacked."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.delivery.support import until
from tests.real_terraform.room import BACKEND, Ended, Room, aws, room
from tests.real_terraform.search import ProcessWatch, files_below, found_in

__all__ = ["aws", "room"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.slow(4)]

PASSWORD = "Pa55w0rd/with+odd=chars&\"quotes'"
FILED = "from-a-variable-file-8c1d22"
TOKEN = "ephemeral-token-77aa31c9"
PEM = "-----BEGIN KEY-----\nfirstlineofthekey1234\nsecondlineofthekey56\n-----END KEY-----"
CUSTOMER_KEY = base64.b64encode(b"0123456789abcdefghijklmnopqrstuv").decode()
MARKED = hashlib.sha256(FILED.encode()).hexdigest()
"""What only the configuration makes a secret: `sensitive(sha256(…))`."""
IN_LIST = "element-of-a-list-" + MARKED[:8]
IN_OUTPUT = "only-an-output-" + MARKED[8:16]

VARIABLES = """
variable "password" {
  type      = string
  sensitive = true
}
variable "filed" {
  type      = string
  sensitive = true
}
variable "token" {
  type      = string
  ephemeral = true
}
variable "pem" { type = string }
variable "outside" { type = string }
variable "wrong" {
  type    = bool
  default = false
}
"""

CONFIGURATION = (
    BACKEND
    + VARIABLES
    + """
resource "terraform_data" "holds" {
  input = {
    password = var.password
    marked   = sensitive(sha256(var.filed))
    list     = ["x", sensitive("element-of-a-list-${substr(sha256(var.filed), 0, 8)}")]
    pem      = var.pem
    late     = sensitive(uuid())
  }
  lifecycle { ignore_changes = [input] }
}
resource "terraform_data" "prints" {
  triggers_replace = [terraform_data.holds.id]
  provisioner "local-exec" { command = "sh ${var.outside}/print.sh" }
  provisioner "local-exec" {
    command     = "test $LENGTH = 24"
    environment = { LENGTH = length(var.token) }
  }
}
resource "terraform_data" "fails" {
  count      = var.wrong ? 1 : 0
  depends_on = [terraform_data.holds]
  input      = nonsensitive(var.password)
  provisioner "local-exec" { command = "sh ${var.outside}/print.sh; exit 3" }
  lifecycle {
    postcondition {
      condition     = self.output == "no"
      error_message = "The password is ${nonsensitive(var.password)}, and the key is ${var.pem}."
    }
  }
}
output "password" {
  value     = var.password
  sensitive = true
}
output "made" {
  value     = sensitive("only-an-output-${substr(sha256(var.filed), 8, 8)}")
  sensitive = true
}
output "late" {
  value     = terraform_data.holds.output.late
  sensitive = true
}
output "known" { value = nonsensitive(var.password) }
"""
)

PRINT = r"""
cd "$(dirname "$0")/secrets"
# Whoever watches is to see it.
for _ in $(seq 600); do [ -e ../seen ] && break; sleep 0.05; done
for file in *; do
  value=$(cat "$file")
  printf '[%s]\n' "$value"
  printf '[%s]\n' "$value" >&2
  printf '%s' "$value" | base64 -w0; echo
  printf 'user:%s' "$value" | base64 -w0; echo
  printf '%s' "$value" | od -An -v -tx1 | tr -d ' \n'; echo
  printf '%.5s' "$value"; sleep 0.05; printf '%s\n' "${value#?????}"
done
env
"""


@dataclass(frozen=True, slots=True)
class Traces:
    """All that a run has left, and what its processes were given."""

    ended: Ended
    arguments: Mapping[str, bytes]
    environments: Mapping[str, bytes]
    files: Mapping[str, bytes]
    secrets: Mapping[str, str] = field(repr=False)

    def places(self) -> dict[str, bytes]:
        """Everything, by where it is."""
        shown = {"stdout": self.ended.out.encode(), "stderr": self.ended.err.encode()}
        return {**shown, **self.arguments, **self.environments, **self.files}

    def found(self) -> Iterator[tuple[str, str]]:
        """Each secret that is somewhere, and where."""
        return found_in(self.secrets, self.places())


class Leaker:
    """A room with secrets; `outside` is the author's own folder, which nobody searches."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.outside = room.folder.parent / "outside"
        self.secrets = {
            "password": PASSWORD, "filed": FILED, "token": TOKEN, "pem": PEM,
            "customer key": CUSTOMER_KEY, "marked": MARKED, "list": IN_LIST, "output": IN_OUTPUT,
        }  # fmt: skip
        (self.outside / "secrets").mkdir(parents=True)
        for name, value in self.secrets.items():
            (self.outside / "secrets" / name.replace(" ", "_")).write_text(value)
        (self.outside / "filed.tfvars").write_text(f'filed = "{FILED}"\n')
        (self.outside / "print.sh").write_text(PRINT)
        room.main(CONFIGURATION.removeprefix(BACKEND))

    def manifest(self, **section: object) -> None:
        """The step, with its secrets from files of the author's."""
        names = {"Password": "password", "Token": "token", "Key": "pem", "Customer": "customer_key"}
        self.room.manifest(
            {
                "variables": {
                    "password": "{{ Password }}", "token": "{{ Token }}", "pem": "{{ Key }}",
                    "outside": str(self.outside),
                    **dict.fromkeys(["wrong"] if section.pop("wrong", False) else [], True),
                },
                "variable_files": [str(self.outside / "filed.tfvars")],
                "backend": {
                    **self.room.backend, "encrypt": True, "sse_customer_key": "{{ Customer }}",
                },
                **section,
            },
            variables={
                name: {"from_file": str(self.outside / "secrets" / file), "sensitive": True}
                for name, file in names.items()
            },
        )  # fmt: skip

    def run(self, *arguments: str) -> Traces:
        """One run, watched; then everything that is there is read."""
        process = self.room.start(*arguments)
        try:
            with ProcessWatch(process.pid) as watch:
                while process.poll() is None and not watch.has_seen(b"print.sh", within=0.1):
                    pass
                (self.outside / "seen").touch()
                out, err = process.communicate(timeout=90)
        finally:
            process.kill()
            process.wait()
        ended = self.room.ended(process.returncode, out.decode(), err.decode())
        secrets = dict(self.secrets)
        if late := ended.output("Outputs.late"):
            secrets["late"] = late
        for number, session in enumerate(self.room.aws.sessions):
            secrets |= {f"key {number}": session.secret, f"session {number}": session.token}
        return Traces(ended, watch.arguments, watch.environments, self.files(), secrets)

    def files(self) -> dict[str, bytes]:
        """What lies where a run may leave anything: but the file of `--outputs`, which is for
        secrets."""
        environ = self.room.calamari.environment
        private = [Path(environ[name]) for name in ("TMPDIR", "HOME")]
        files = files_below(self.room.folder, *private, self.room.memory)
        files.pop(str(self.room.folder / "outputs.json"), None)
        return files

    def found_in_files(self) -> set[str]:
        """Names of the secrets that stand in one of them."""
        return {name for name, _place in found_in(self.secrets, self.files())}


@pytest.fixture
def leaker(room: Room) -> Leaker:
    made = Leaker(room)
    made.manifest()
    return made


def test_a_deployment_that_prints_all_it_has(leaker: Leaker) -> None:
    """Nothing secret in what is shown, kept or left, nor in what any process was given."""
    traces = leaker.run("--verbose")
    ended = traces.ended
    assert ended.code == 0, ended.err
    assert "***" in ended.out, "the provisioner has printed nothing"
    assert ended.output("Outputs.password") == PASSWORD
    assert ended.output("Outputs.known") == PASSWORD
    assert ended.output("Outputs.late")
    seen = b" ".join(traces.arguments.values())
    assert b"terraform" in seen
    assert b"print.sh" in seen
    assert sorted(traces.found()) == []
    assert all(
        ended.result["outputs"][f"Outputs.{name}"] == {"value": None, "sensitive": True}
        for name in ("password", "made", "late", "known")
    )
    state = json.dumps(leaker.room.state())
    assert MARKED in state
    assert TOKEN not in state


@pytest.mark.parametrize("format_", ["text", "json"])
def test_a_failure_that_quotes_its_secrets(format_: str, leaker: Leaker) -> None:
    """A message with secrets, a provisioner that fails after printing them, and Terraform's own
    log at its loudest, which is kept as an artifact: masked, all of it."""
    leaker.manifest(log_level="trace", wrong=True)
    traces = leaker.run("--format", format_)
    assert traces.ended.code == 1, traces.ended.text
    (log,) = [name for name in traces.files if name.endswith("terraform.log")]
    assert Path(log).parent == leaker.room.artifacts
    assert b"[TRACE]" in traces.files[log]
    assert b"***" in traces.files[log]
    assert sorted(traces.found()) == []


def test_only_the_plan_that_was_asked_for_holds_secrets(leaker: Leaker) -> None:
    """`action: plan` leaves a plan, 0600, in which secrets stand, as the log says; nothing else
    that is left has any. The step that applies it leaves none either."""
    leaker.manifest(plan_file="left.tfplan")
    traces = leaker.run("--action", "plan", "--format", "json")
    assert traces.ended.code == 0, traces.ended.text
    found = sorted(traces.found())
    (plan,) = [name for name in traces.files if name.endswith("left.tfplan")]
    assert {name for name, _ in found} >= {"password", "filed", "marked", "output"}
    assert "token" not in {name for name, _ in found}
    assert [(name, place) for name, place in found if not place.startswith(plan)] == []
    assert os.stat(plan).st_mode & 0o777 == 0o600

    applied = leaker.run("--action", "apply")
    assert applied.ended.code == 0, applied.ended.err
    assert [each for each in sorted(applied.found()) if not each[1].startswith(plan)] == []


def test_a_run_that_is_killed(leaker: Leaker) -> None:
    """What lies in private files while a plan is applied is gone soon after a SIGKILL, too."""
    begun = leaker.outside / "begun"
    (leaker.outside / "print.sh").write_text(f"touch '{begun}'; sleep 60")
    leaker.manifest(log_level="trace")
    process = leaker.room.start()
    try:
        until(begun.exists, "the provisioner runs")
        there = leaker.found_in_files()
        process.kill()
    finally:
        process.kill()
        process.communicate()
    assert there == {*leaker.secrets}
    until(lambda: not leaker.found_in_files(), "everything is gone")
