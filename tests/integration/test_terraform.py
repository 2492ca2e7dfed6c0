"""The real terraform, run as a role, with its state in an embedded AWS."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat

import pytest

from tests.real_terraform.room import ROLE, Room, aws, room

__all__ = ["aws", "room"]

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]

SERVICE = """
variable "stage" { type = string }
variable "replicas" { type = number }
variable "zones" { type = list(string) }
variable "tags" { type = map(string) }
variable "public" { type = bool }
variable "generation" {
  type    = number
  default = 1
}
resource "terraform_data" "network" { input = var.zones }
resource "terraform_data" "service" {
  input            = { stage = var.stage, replicas = var.replicas + 1 }
  triggers_replace = [var.generation]
  provisioner "local-exec" { command = "echo stage is ${var.stage}" }
}
output "stage" { value = terraform_data.service.output.stage }
output "replicas" { value = terraform_data.service.output.replicas }
output "zones" { value = terraform_data.network.output }
output "tags" { value = var.tags }
output "public" { value = var.public }
output "secret" {
  value     = "secret of ${var.stage}"
  sensitive = true
}
"""
VARIABLES = {
    "stage": "dev", "replicas": 2, "zones": ["a", "b"], "tags": {"a": "b"}, "public": True,
}  # fmt: skip

HOSTILE = {
    "TF_CLI_ARGS": "-no-such-option",
    "TF_CLI_ARGS_plan": "-destroy",
    "TF_CLI_ARGS_init": "-backend=false",
    "TF_CLI_ARGS_apply": "-backup=/nowhere",
    "TF_WORKSPACE": "elsewhere",
    "TF_VAR_stage": "hostile",
    "TF_VAR_generation": "99",
    "TF_DATA_DIR": "/nowhere",
    "TF_LOG": "trace",
    "TF_LOG_PATH": "hostile.log",
    "TF_INPUT": "1",
    "AWS_PROFILE": "hostile",
}


def keys_used(room: Room) -> set[str]:
    """The access keys of all that was asked of S3."""
    return {each.key_id for each in room.aws.requests_of("s3")}


@pytest.mark.slow(8)
def test_the_life_of_a_state(room: Room) -> None:
    """Created, kept by the policy, changed, asked for its outputs, destroyed: all as the role, and
    what is said of it is true each time. What the caller's environment says to terraform does not
    reach it."""
    room.main(SERVICE)
    room.manifest({"variables": VARIABLES})

    made = room.run(env=HOSTILE)
    assert made.code == 0, made.err
    assert made.result["changed"] is True
    assert made.details["changes"]["create"] == 2
    assert "stage is dev" in made.out
    assert "TRACE" not in made.text.upper()
    assert {name: made.output(f"Outputs.{name}") for name in (*VARIABLES, "secret")} == {
        "stage": "dev", "replicas": "3", "zones": '["a","b"]', "tags": '{"a":"b"}',
        "public": "true", "secret": "secret of dev",
    }  # fmt: skip
    assert made.result["outputs"]["Outputs.secret"] == {"value": None, "sensitive": True}
    assert list(room.objects()) == [room.key], "a lock was left"
    sessions = {session.key_id for session in room.aws.sessions}
    assert keys_used(room) <= sessions, "somebody else than the role asked for the state"
    assert sorted(os.listdir(room.infra)) == ["main.tf"]

    state = room.state()
    new = {"variables": {**VARIABLES, "generation": 2, "zones": ["c"]}}
    room.manifest({**new, "policy": {"refuse_replace": ["terraform_data.s*"], "max_destroy": 5}})
    refused = room.run()
    assert refused.code == 1
    assert refused.result["changed"] is False
    assert "terraform_data.service" in refused.err
    assert room.state() == state, "a refused plan was applied"

    room.manifest(new)
    changed = room.run()
    assert changed.code == 0, changed.err
    counts = changed.details["changes"]
    assert (counts["replace"], counts["update"], counts["create"]) == (1, 1, 0)
    assert "triggers_replace" in changed.text, "what forces the replacement"
    assert changed.output("Outputs.zones") == '["c"]'

    state = room.state()
    state["outputs"]["stage"]["value"] = "by hand"
    state["serial"] += 1
    room.put_state(state)
    had = room.run("--action", "output")
    assert had.code == 0, had.err
    assert had.output("Outputs.stage") == "by hand"
    assert had.result["changed"] is False
    assert room.state() == state

    gone = room.run("--action", "destroy")
    assert gone.code == 0, gone.err
    assert gone.details["changes"]["destroy"] == 2
    assert gone.result["changed"] is True
    assert room.state()["resources"] == []


APPROVED = """
variable "token" {
  type      = string
  ephemeral = true
}
variable "stage" { type = string }
resource "terraform_data" "a" {
  input = var.stage
  provisioner "local-exec" {
    command     = "test $LENGTH = 22"
    environment = { LENGTH = length(var.token) }
  }
}
"""


@pytest.mark.slow(6)
def test_a_plan_that_is_approved(room: Room) -> None:
    """What was planned is applied, whole and once: another file, an altered one and a stale one
    are refused. An ephemeral variable is given to both runs, and is in neither plan nor state."""
    token = "ephemeral-4f9c2a7be1d8"
    (room.folder.parent / "token").write_text(token)
    secret = {"Token": {"from_file": str(room.folder.parent / "token"), "sensitive": True}}
    section = {"variables": {"stage": "dev", "token": "{{ Token }}"}, "plan_file": "plan.tfplan"}
    room.main(APPROVED)
    room.manifest(section, variables=secret)
    planned = room.run("--action", "plan", "--detailed-exitcode")
    assert planned.code == 2, planned.err
    assert planned.result["changed"] is None
    plan = room.folder / "plan.tfplan"
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    digest = hashlib.sha256(plan.read_bytes()).hexdigest()
    assert planned.output("PlanSha256") == digest
    assert "it holds secrets" in planned.text
    assert room.objects() == {}

    room.manifest({**section, "plan_sha256": digest}, variables=secret)
    whole = plan.read_bytes()
    plan.write_bytes(whole[:-30] + bytes([whole[-30] ^ 1]) + whole[-29:])
    altered = room.run("--action", "apply")
    assert altered.code == 1
    assert "not the plan that was approved" in altered.err
    assert room.objects() == {}

    plan.write_bytes(whole)
    applied = room.run("--action", "apply")
    assert applied.code == 0, applied.err
    assert applied.result["changed"] is True
    assert "unverified" not in applied.text
    state = room.state()
    assert state["resources"][0]["instances"][0]["attributes"]["input"]["value"] == "dev"
    assert token not in json.dumps(state) + planned.text + applied.text

    assert not plan.exists(), "a plan that was applied still lies there"
    plan.write_bytes(whole)
    room.manifest(section, variables=secret)
    stale = room.run("--action", "apply")
    assert stale.code == 1
    assert "stale" in stale.err
    assert "unverified" in stale.text
    assert room.state() == state


def test_a_workspace(room: Room) -> None:
    """A workspace that is not there is an error unless it may be made; its state is its own."""
    room.main('output "where" { value = terraform.workspace }\n')
    room.manifest({"workspace": "blue"})
    missing = room.run()
    assert missing.code == 1
    assert "'blue'" in missing.err
    assert room.objects() == {}
    room.manifest({"workspace": {"name": "blue", "create": True}})
    made = room.run()
    assert made.code == 0, made.err
    assert made.output("Outputs.where") == "blue"
    assert list(room.objects()) == [f"env:/blue/{room.key}"]
    assert made.details["workspace"] == "blue"


@pytest.mark.parametrize(
    ("delivery", "life"),
    [
        pytest.param("endpoint", 5, id="endpoint"),
        # That the keys do end, or the other row would prove nothing.
        pytest.param("env", 2, id="env"),
    ],
)
@pytest.mark.slow(9)
def test_credentials_that_end_before_the_apply_does(delivery: str, life: int, room: Room) -> None:
    """The state is written with the keys of a later session than it was read with."""
    room.aws.life = life
    room.main(
        'resource "terraform_data" "slow" {\n'
        f'  provisioner "local-exec" {{ command = "sleep {life + 1}" }}\n}}\n'
    )
    room.manifest(credentials={"delivery": delivery})
    ran = room.run()
    asked = room.aws.requests_of("s3", path=room.key)
    written = [
        each.key_id
        for each in asked
        if each.method == "PUT" and each.status == 200 and ".tflock" not in each.path
    ]
    if delivery == "env":
        assert ran.code == 1
        assert written == []
        return
    assert ran.code == 0, ran.err
    assert written
    assert asked[0].key_id not in written
    assert all(each.status != 400 for each in asked), "keys that had ended were used"
    assert list(room.objects()) == [room.key]


def test_provisioner_output_comes_as_it_is_written(room: Room) -> None:
    """A line of a provisioner is shown while it still runs."""
    room.main(
        'resource "terraform_data" "slow" {\n  provisioner "local-exec" {\n'
        '    command = "echo has begun; while [ ! -e ../go ]; do sleep 0.02; done; echo is over"\n'
        "  }\n}\n"
    )
    process = room.start()
    try:
        assert process.stdout is not None
        assert any(b"has begun" in line for line in process.stdout)
        (room.folder / "go").touch()
        rest = process.stdout.read()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()
    assert b"is over" in rest


def test_an_error_of_the_configuration(room: Room) -> None:
    """It is told with file, line and the line itself; so are the others, each with its place."""
    room.main(
        '\noutput "x" {\n  value = terraform_data.missing.output\n}\n'
        'output "y" {\n  value = local.missing\n}\n'
    )
    ran = room.run()
    assert ran.code == 1
    # Terraform comes to them in any order: the first one is why the step has failed.
    first = re.search(r"plan failed: Reference to undeclared .* \(main\.tf:([69])\)", ran.err)
    assert first
    lines = {"6": "value = terraform_data.missing.output", "9": "value = local.missing"}
    assert f"{first[1]}:   {lines.pop(first[1])}" in ran.err
    assert f"(main.tf:{next(iter(lines))})" in ran.err
    assert ran.result["changed"] is False
    assert ran.result["exit_origin"] == "calamari"


FAKE_TOOL = """#!/bin/sh
if [ "$*" = "version -json" ]; then
  echo '{"terraform_version": "@VERSION@", "platform": "linux_amd64", "provider_selections": {}}'
elif [ "$1" = version ]; then
  echo "@PRODUCT@ v@VERSION@"
else
  echo "$@" >> "@LOG@"
  exec "@TERRAFORM@" "$@"
fi
"""


def tool(room: Room, name: str, version: str) -> dict[str, str]:
    """A program `name` that says it is `version` and is terraform; the PATH on which it is."""
    folder = room.folder.parent / "bin"
    folder.mkdir()
    text = FAKE_TOOL.replace("@VERSION@", version).replace("@LOG@", str(folder / "log"))
    text = text.replace("@PRODUCT@", "OpenTofu" if name == "tofu" else "Terraform")
    (folder / name).write_text(text.replace("@TERRAFORM@", str(shutil.which("terraform"))))
    (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_opentofu(room: Room) -> None:
    """`binary: tofu` runs that, all along."""
    room.main('output "a" { value = 1 }\n')
    room.manifest({"binary": "tofu"})
    ran = room.run("--dry-run", env=tool(room, "tofu", "1.10.3"))
    assert ran.code == 0, ran.err
    verbs = (room.folder.parent / "bin" / "log").read_text()
    assert all(verb in verbs for verb in ("init", "plan", "show"))
    assert "OpenTofu 1.10.3" in ran.out


@pytest.mark.parametrize("version", [None, "0.15.5"])
def test_no_terraform_that_could_do_it(version: str | None, room: Room) -> None:
    """None at all, or one that is too old: code 69, and nothing was begun."""
    path = {"PATH": "/usr/bin:/bin"} if version is None else tool(room, "terraform", version)
    if shutil.which("terraform", path=path["PATH"]) and version is None:
        path = {"PATH": str(room.folder)}
    ran = room.run(env=path)
    assert ran.code == 69, ran.err
    assert "terraform" in ran.err
    assert room.objects() == {}
    assert room.aws.requests_of("s3") == []


def test_the_guard_comes_before_init(room: Room) -> None:
    """A role that is not the expected one: terraform is not started, the state not asked for."""
    room.manifest(expect={"account": "222222222222"}, assume_role=ROLE)
    ran = room.run()
    assert ran.code == 77, ran.err
    assert room.aws.requests_of("s3") == []
    assert not (room.infra / ".terraform").exists()
