"""The kind: what it promises before anything is called."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from calamari_py.steps.cloudformation import kind as kind_module
from calamari_py.steps.cloudformation.kind import CloudFormationKind
from calamari_py.steps.cloudformation.sections import (
    Action,
    ChangeSetSection,
    ImportSection,
    RollbackTriggersSection,
)
from calamari_py.steps.cloudformation.spec import Parameter, Template
from tests.steps.cloudformation.world import PREFIX, StackWorld

KIND = CloudFormationKind()
LIGHT = {"base", "sections"}


def test_what_it_says_of_itself() -> None:
    """No processes, an hour, every action of the section, a rehearsal, and it knows changes."""
    assert KIND.name == "cloudformation"
    assert not KIND.starts_processes
    assert KIND.default_timeout == 3600
    assert KIND.actions == get_args(Action)
    assert KIND.rehearses
    assert KIND.knows_changes
    assert KIND.preview(None) == ()


def test_nothing_of_what_it_does_is_loaded_with_it() -> None:
    """The registry is imported at every start: a script loads nothing of CloudFormation but the
    section."""
    tree = ast.parse(Path(kind_module.__file__).read_text("utf-8"))
    loaded = {
        (node.module or "").rpartition(".")[2]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and "steps" in (node.module or "").split(".")
    }
    assert loaded == LIGHT


def test_the_service_role_is_held_against_the_policy() -> None:
    """A role that the spec hands to AWS is named with its place."""
    arn = "arn:aws:iam::111111111111:role/cfn"
    spec = StackWorld().spec
    assert list(KIND.roles(spec)) == []
    assert list(KIND.roles(replace(spec, role_arn=arn))) == [("cloudformation.role_arn", arn)]


def test_warnings_are_those_of_the_section() -> None:
    """What was odd about it."""
    assert tuple(KIND.warnings(replace(StackWorld().spec, warnings=("odd",)))) == ("odd",)


def test_the_deadline_begins_with_the_step() -> None:
    """The step's timeout bounds what it waits for."""
    world = StackWorld(timeout=50)
    world.aws.add_stack(world.spec.stack_name, status="UPDATE_IN_PROGRESS")
    world.fail()
    assert 50 <= world.clock.monotonic() < 90


def test_tokens_begin_with_the_steps_name() -> None:
    """And differ from run to run."""
    tokens = set()
    for _ in range(2):
        world = StackWorld()
        world.run()
        tokens.add(world.params("ExecuteChangeSet")[0]["ClientRequestToken"])
    assert len(tokens) == 2
    assert all(token.startswith(f"{PREFIX}-") for token in tokens)


GATE = ChangeSetSection(refuse=("replace", "delete"))
ROLE = "arn:aws:iam::111111111111:role/cfn"
IMPORTED = ImportSection(resource_type="A::B::C", logical_id="Thing", identifier={"Name": "x"})
GIVEN = (Parameter(key="Stage", value="hunter2"), Parameter(key="Size", value=None))
ALARMS = RollbackTriggersSection(alarms=("a", "b"))
LARGE = Template(shown="t.yaml", text="x" * 60_000)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({}, ["make a change set", "template.json", "execute it"], id="deploy"),
        pytest.param({"dry_run": True}, ["make a change set", "change nothing"], id="dry run"),
        pytest.param({"action": "diff"}, ["make a change set", "change nothing"], id="diff"),
        pytest.param({"action": "change-set"}, ["leave the change set"], id="change set"),
        pytest.param({"change_set": GATE}, ["refuse it if it replaces or deletes"], id="gate"),
        pytest.param({"recreate_failed": True}, ["delete stack 'my-app' first if"], id="recreate"),
        pytest.param({"keep_on_failure": True}, ["keep what was done"], id="keep"),
        pytest.param({"termination_protection": False}, ["protection off"], id="protection"),
        pytest.param({"stack_policy": "{}"}, ["stack policy"], id="policy"),
        pytest.param({"action": "execute"}, ["waits for approval", "execute it"], id="execute"),
        pytest.param({"action": "delete", "retain": ("A",)}, ["delete", "leaving A"], id="delete"),
        pytest.param({"action": "rollback", "skip": ("A",)}, ["back to", "without A"], id="back"),
        pytest.param({"action": "watch"}, ["follow"], id="watch"),
        pytest.param({"action": "watch", "resume": "arn#t"}, ["that --resume names"], id="resume"),
        pytest.param({"imports": (IMPORTED,)}, ["import Thing (A::B::C) into it"], id="import"),
        pytest.param({"parameters": GIVEN}, ["the parameters Stage", "has for Size"], id="given"),
        pytest.param({"capabilities": ("CAPABILITY_IAM",)}, ["acknowledge CAPABILITY_IAM"],
                     id="capabilities"),
        pytest.param({"role_arn": ROLE}, [f"work as '{ROLE}'"], id="role"),
        pytest.param({"role_arn": ROLE, "action": "delete"}, [f"works as '{ROLE}'"],
                     id="role to delete"),
        pytest.param({"role_arn": ROLE, "action": "rollback"}, [f"works as '{ROLE}'"],
                     id="role to roll back"),
        pytest.param({"rollback_triggers": ALARMS}, ["roll back when 2 alarms"], id="triggers"),
        pytest.param({"notification_arns": ("a",)}, ["notify 1 topic"], id="topic"),
        pytest.param({"cancel_update": True}, ["call an update off"], id="cancel"),
        pytest.param({"template": None}, ["with the template it has"], id="no template"),
        pytest.param({"template": LARGE, "artifact_bucket": "b-1"},
                     ["put the template (60,000 bytes) into the bucket 'b-1'"], id="bucket"),
        pytest.param({"action": "delete", "dry_run": True}, ["only say"], id="delete, dry run"),
    ],
)  # fmt: skip
def test_intentions(changes: dict[str, Any], words: list[str]) -> None:
    """`explain` says what would be done, and to which stack."""
    said = "\n".join(KIND.intentions(replace(StackWorld().spec, **changes)))
    assert "'my-app'" in said
    assert [word for word in words if word not in said] == []
    assert "hunter2" not in said


@pytest.mark.parametrize("changes", [{"dry_run": True}, {"action": "diff"}])
def test_what_only_looks_intends_to_execute_nothing(changes: dict[str, Any]) -> None:
    """A rehearsal is told as one."""
    said = "\n".join(KIND.intentions(replace(StackWorld().spec, **changes)))
    assert "execute it" not in said
