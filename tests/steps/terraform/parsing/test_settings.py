"""Numbers, names and addresses, and what fits an action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.terraform.sections import OutputsSection, PolicySection, WorkspaceSection
from tests.steps.terraform.parsing.sections import parse, said

HASH = "ab" * 32


@pytest.mark.parametrize(
    "name", ["default", "dev", "a.b_c-d", "1", "team:a@b", "~x", "$&+="], ids=lambda name: name
)
def test_names_that_a_workspace_can_have(folder: Path, name: str) -> None:
    """Whatever Terraform takes."""
    spec = parse(folder, workspace=name)
    assert spec.workspace is not None
    assert (spec.workspace.name, spec.workspace.create) == (name, False)


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "-or-create", "é", "a\nb", "a%b", "a?"])
def test_names_that_no_workspace_has(folder: Path, name: str) -> None:
    """A first hyphen would make it a flag."""
    assert set(said(folder, workspace=name)) == {"terraform.workspace"}
    assert set(said(folder, workspace=WorkspaceSection(name=name))) == {"terraform.workspace.name"}


def test_a_workspace_made_from_a_secret(folder: Path) -> None:
    """It would stand on a command line."""
    wrong = said(
        folder,
        workspace=WorkspaceSection(name="s3cr3t"),
        secret=("terraform.workspace.name",),
    )
    assert wrong == {
        "terraform.workspace.name": "is made from a sensitive variable and would stand on a "
        "command line"
    }


@pytest.mark.parametrize(
    ("fields", "place", "message"),
    [
        pytest.param({"targets": ("a.b", "")}, "targets[1]", "is blank", id="blank target"),
        pytest.param({"replace": (" ",)}, "replace[0]", "is blank", id="blank replace"),
        pytest.param({"targets": (" a.b",)}, "targets[0]", "' a.b' has blanks around it or is no "
                     "printable text", id="blank around"),
        pytest.param({"targets": ("a.b\nc",)}, "targets[0]", "'a.b\nc' has blanks around it or is "
                     "no printable text", id="two lines"),
        pytest.param({"policy": PolicySection(protect=("",))}, "policy.protect[0]", "is blank",
                     id="protects nothing"),
        pytest.param({"policy": PolicySection(refuse_replace=("",))}, "policy.refuse_replace[0]",
                     "is blank", id="refuses nothing"),
        pytest.param({"policy": PolicySection(max_destroy=-1)}, "policy.max_destroy",
                     "must not be negative", id="fewer than none"),
        pytest.param({"parallelism": 0}, "parallelism", "must be at least 1", id="none at once"),
        pytest.param({"outputs": OutputsSection(expose=("a b",))}, "outputs.expose[0]",
                     "'a b' is no name of an output", id="an output"),
        pytest.param({"outputs": OutputsSection(sensitive=("",))}, "outputs.sensitive[0]",
                     "'' is no name of an output", id="a sensitive output"),
        pytest.param({"upgrade": True, "lockfile": "readonly"}, "upgrade",
                     "is true, and 'lockfile: readonly' lets nothing new in", id="a contradiction"),
        pytest.param({"variables": {"a b": 1}}, "variables.a b", "'a b' is no name of a variable",
                     id="a variable's name"),
        pytest.param({"variables": {"-x": 1}}, "variables.-x", "'-x' is no name of a variable",
                     id="a flag"),
        pytest.param({"variables": {"x": {"y": [float("nan")]}}}, "variables.x.y[0]",
                     "has no form in JSON", id="no number"),
        pytest.param({"variables": {"x": {1}}}, "variables.x", "has no form in JSON", id="a set"),
    ],
)  # fmt: skip
def test_what_means_nothing(folder: Path, fields: dict[str, Any], place: str, message: str) -> None:
    """It is refused with its place."""
    assert said(folder, **fields) == {f"terraform.{place}": message}


def test_values_of_all_types(folder: Path) -> None:
    """Whatever JSON has a form for is handed over as it is."""
    values: dict[str, Any] = {
        "text": "${x}", "yes": True, "no": False, "none": None, "whole": 10**30, "part": 1.5,
        "list": [1, ["a"], {}], "map": {"a b": {"${k}": None}}, "größe": "ok", "a-b_c": "ok",
    }  # fmt: skip
    assert parse(folder, variables=values).variables == values


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param("", "is blank", id="blank"),
        pytest.param("  ", "is blank", id="spaces"),
        pytest.param("abc", "'abc' is no SHA-256", id="short"),
        pytest.param("g" * 64, f"'{'g' * 64}' is no SHA-256", id="no hex"),
    ],
)
def test_a_hash_that_is_none(folder: Path, written: str, message: str) -> None:
    """An approval that got lost on its way is none: nothing is applied unverified."""
    wrong = said(folder, action="apply", plan_file="old.tfplan", plan_sha256=written)
    assert wrong == {"terraform.plan_sha256": message}


@pytest.mark.parametrize("action", ["deploy", "destroy"])
def test_a_hash_that_cannot_be_kept(folder: Path, action: str) -> None:
    """Whoever approved one plan gets no other one."""
    assert said(folder, action=action, plan_sha256=HASH) == {
        "terraform.plan_sha256": f"cannot be kept: action '{action}' makes a plan of its own and "
        "applies that"
    }
    assert parse(folder, action=action, plan_sha256="").plan_sha256 is None


@pytest.mark.parametrize("action", ["plan", "plan-destroy", "drift", "output"])
def test_a_hash_is_no_matter_where_nothing_is_applied(folder: Path, action: str) -> None:
    """One manifest serves both the plan and its apply."""
    spec = parse(folder, action=action, plan_sha256=HASH, plan_file="p.tfplan")
    assert (spec.plan_sha256, spec.warnings) == (None, ())


@pytest.mark.parametrize(
    ("action", "unused"),
    [
        pytest.param("deploy", set(), id="deploy"),
        pytest.param("plan", set(), id="plan"),
        pytest.param("plan-destroy", {"replace"}, id="plan-destroy"),
        pytest.param("apply", {"targets", "replace", "refresh"}, id="apply"),
        pytest.param("destroy", {"replace"}, id="destroy"),
        pytest.param("drift", {"replace", "refresh"}, id="drift"),
        pytest.param("output", set(), id="output"),
    ],
)
def test_what_an_action_pays_no_heed_to(folder: Path, action: str, unused: set[str]) -> None:
    """It is said, and one manifest still serves all actions."""
    spec = parse(
        folder,
        action=action,
        plan_file="old.tfplan",
        targets=("a.b",),
        replace=("a.b",),
        refresh=False,
    )
    found = {text.split()[0].removeprefix("terraform.") for text in spec.warnings}
    assert found - {"plan_file"} == unused


@pytest.mark.parametrize("written", [0, 0.1, 1, 90.0, 300.5])
def test_the_lock_is_waited_for_as_long_as_was_asked(folder: Path, written: float) -> None:
    """Terraform takes whole seconds: no shorter than that."""
    spec = parse(folder, lock_timeout=written)
    assert isinstance(spec.lock_timeout, int)
    assert written <= spec.lock_timeout < written + 1
