"""The kind: what it promises before anything is called."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from calamari_py.steps import STEP_KINDS
from calamari_py.steps.cloudformation.sets import kind as kind_module
from calamari_py.steps.cloudformation.sets.kind import StackSetKind
from tests.steps.cloudformation.sets.world import ONE, TWO, SetWorld, group, unit

KIND = StackSetKind()


def test_what_it_says_of_itself() -> None:
    """No processes, an hour, its three actions, a rehearsal, and it knows changes."""
    assert isinstance(STEP_KINDS["stack_set"], StackSetKind)
    assert KIND.name == "stack_set"
    assert not KIND.starts_processes
    assert KIND.default_timeout == 3600
    assert KIND.default_delivery == "endpoint"
    assert KIND.actions == ("deploy", "delete", "watch")
    assert KIND.rehearses
    assert KIND.knows_changes


def test_nothing_of_what_it_does_is_loaded_with_it() -> None:
    """The registry is imported at every start."""
    tree = ast.parse(Path(kind_module.__file__).read_text("utf-8"))
    loaded = {
        (node.module or "").rpartition(".")[2]
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and "steps" in (node.module or "").split(".")
    }
    assert loaded == {"base", "sections"}


def test_the_administration_role_is_held_against_the_policy() -> None:
    """A role that the spec hands to AWS is named with its place."""
    arn = "arn:aws:iam::123456789012:role/Admin"
    spec = SetWorld().spec
    assert list(KIND.roles(spec)) == []
    section = with_fields(spec.section, administration_role_arn=arn)
    told = [("stack_set.administration_role_arn", arn)]
    assert list(KIND.roles(replace(spec, section=section))) == told


def test_warnings_and_secrets_are_those_of_the_section() -> None:
    """What was odd about it, and what the template hides."""
    spec = replace(SetWorld().spec, warnings=("odd",), instances=(_secret(),))
    assert tuple(KIND.warnings(spec)) == ("odd",)
    assert ("parameter Secret", "hush") in list(KIND.secrets(spec))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param(
            {}, ["create stack set", "roles.json", "2 accounts in us-east-1"], id="deploy"
        ),
        pytest.param({"action": "delete"}, ["take the instances", "2 accounts"], id="delete"),
        pytest.param({"action": "delete", "instances": ()}, ["names no instances"], id="none"),
        pytest.param({"action": "watch"}, ["follow"], id="watch"),
        pytest.param({"dry_run": True}, ["only say what would be done"], id="dry run"),
        pytest.param({"instances": (unit(),)}, ["have instances in ou-"], id="unit"),
        pytest.param(
            {"instances": (unit(accounts=(ONE,), account_filter="difference"),)},
            ["1 account less than all of ou-"],
            id="difference",
        ),
    ],
)
def test_intentions(changes: dict[str, Any], words: list[str]) -> None:
    """`explain` says what would be done, and to which set."""
    said = "\n".join(KIND.intentions(replace(SetWorld().spec, **changes)))
    assert "'deployment-roles'" in said
    assert [word for word in words if word not in said] == []


def _secret() -> Any:
    return group(ONE, TWO, parameters={"Secret": "hush"})
