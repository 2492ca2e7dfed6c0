"""What a run would start, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.terraform.commands.preview import preview
from calamari_py.steps.terraform.spec import Workspace
from tests.steps.terraform.commands.test_argv import spec_of

_FIRST = ("version", "init", "show state")
_APPLY = ("apply", "show state")


def order(**fields: Any) -> tuple[str, ...]:
    """The commands by name."""
    found = preview(spec_of(**fields))
    assert all(command.directory == Path("/infra") for command in found)
    return tuple(_name(command.argv) for command in found)


def _name(argv: tuple[str, ...]) -> str:
    words = list(argv[1:])
    if words[0] == "show":
        return "show plan" if words[-1].endswith(".tfplan") else "show state"
    flags = [word for word in words if word in ("-destroy", "-refresh-only")]
    return " ".join([words[0], *flags])


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        pytest.param("deploy", (*_FIRST, "plan", "show plan", *_APPLY, "output"), id="deploy"),
        pytest.param("plan", (*_FIRST, "plan", "show plan"), id="plan"),
        pytest.param("plan-destroy", (*_FIRST, "plan -destroy", "show plan"), id="plan-destroy"),
        pytest.param("apply", (*_FIRST, "show plan", *_APPLY, "output"), id="apply"),
        pytest.param("destroy", (*_FIRST, "plan -destroy", "show plan", *_APPLY), id="destroy"),
        pytest.param("drift", (*_FIRST, "plan -refresh-only", "show plan"), id="drift"),
        pytest.param("output", (*_FIRST, "output"), id="output"),
    ],
)
def test_each_action(action: str, expected: tuple[str, ...]) -> None:
    """Secrets of the state are known before a plan is made, and the plan is read before it is
    applied."""
    assert order(action=action) == expected


@pytest.mark.parametrize("action", ["deploy", "apply", "destroy"])
def test_a_dry_run_applies_nothing(action: str) -> None:
    """Nor are there outputs to speak of."""
    assert {"apply", "output"}.isdisjoint(order(action=action, dry_run=True))


def test_the_workspace_comes_after_init() -> None:
    """Its backend has to be there."""
    found = order(workspace=Workspace(name="dev", create=True))
    assert found[:4] == ("version", "init", "workspace", "show state")


def test_private_files_are_named_by_their_folder() -> None:
    """``{private}`` stands for what is only known later."""
    found = preview(spec_of(variables={"x": "s3cr3t"}, backend={"bucket": "b"}))
    line = " ".join(word for command in found for word in command.argv)
    assert "-var-file={private}/variables.tfvars.json" in line
    assert "-backend-config={private}/backend.tfbackend.json" in line
    assert "s3cr3t" not in line
