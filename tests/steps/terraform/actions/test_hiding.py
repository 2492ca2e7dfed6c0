"""No secret is said: of what is given, of what a plan quotes, of what an apply has made."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import ManifestError, Problem, ToolFailed
from calamari_py.process.base import StopReason
from tests.steps.terraform.world import (
    CREATED,
    SECRET,
    STATE_SECRET,
    TerraformWorld,
    WorldReport,
    begun,
    completed,
    failed,
    message,
    state_document,
    stream,
    to_bytes,
)

DECLARED = 'variable "token" {\n  sensitive = true\n}\n'
QUOTES = failed("Invalid value", f"var.token is {SECRET}")
WARNS = message(
    "diagnostic",
    level="warn",
    diagnostic={"severity": "warning", "summary": "Check failed", "detail": f"it is {SECRET}"},
)
PLAN: dict[str, Any] = {
    "variables": {"token": {"value": SECRET}},
    "configuration": {"root_module": {"variables": {"token": {"sensitive": True}}}},
}


def is_hidden_before(world: TerraformWorld, kind: str, text: str = "") -> bool:
    """Whether the secret was known when that was told."""
    name = world.report.hidden[SECRET]
    return world.place_of("hide", name) < world.place_of(kind, text)


@pytest.mark.parametrize(
    ("file", "content", "fields"),
    [
        pytest.param(None, "", {"variables": {"token": SECRET}}, id="the manifest"),
        pytest.param("terraform.tfvars", f'token = "{SECRET}"\n', {}, id="found by itself"),
        pytest.param("x.auto.tfvars.json", f'{{"token": "{SECRET}"}}', {}, id="found as JSON"),
    ],
)
def test_sensitive_variables_are_hidden_before_anything_runs(
    world: TerraformWorld, file: str | None, content: str, fields: dict[str, Any]
) -> None:
    """A condition that fails quotes them, and then there may be no plan that tells them."""
    world.configures(DECLARED)
    if file is not None:
        (world.directory / file).write_text(content)
    world.run(**fields)
    assert is_hidden_before(world, "command", "version")


def test_tokens_of_registries_are_hidden_before_anything_runs(world: TerraformWorld) -> None:
    """The one thing of the caller's Terraform that it keeps is a secret."""
    world.environment["TF_TOKEN_app_terraform_io"] = SECRET
    world.run()
    assert is_hidden_before(world, "command", "version")


@pytest.mark.parametrize("action", ["deploy", "drift", "plan"])
def test_a_failed_plan_is_read_before_it_is_told(world: TerraformWorld, action: str) -> None:
    """What Terraform says then waits for what the plan that it leaves calls sensitive."""
    world.plans(code=1, said=(WARNS, QUOTES, QUOTES), **PLAN)
    assert isinstance(world.fail(action=action), ToolFailed)
    assert is_hidden_before(world, "line", "Check failed")
    (shown,) = world.tool.called(" ".join(world.shown_by))
    assert shown.last_words


def test_a_plan_is_read_before_its_warnings_are_told(world: TerraformWorld) -> None:
    """They quote what they like."""
    world.plans(CREATED, said=(WARNS,), **PLAN)
    world.run()
    assert is_hidden_before(world, "line", "Check failed")


def test_a_plan_that_was_ended_is_read_as_well(world: TerraformWorld) -> None:
    """If it is there; whatever signal came."""
    world.plans(**PLAN)
    world.on(
        "plan",
        1,
        stdout=stream(QUOTES),
        stopped=StopReason.SIGNAL,
        signum=15,
        act=world.leave_a_plan,
    )
    world.run()
    assert is_hidden_before(world, "line", "Invalid value")


def test_a_failed_plan_that_cannot_be_read_fails_as_it_did(world: TerraformWorld) -> None:
    """The look fails nothing."""
    world.plans(code=1, said=(QUOTES,))
    world.on(" ".join(world.shown_by), stdout=b"no JSON")
    assert "Invalid value" in str(world.fail())


@pytest.mark.parametrize("code", [0, 1])
def test_what_an_apply_made_is_hidden_before_it_is_told(world: TerraformWorld, code: int) -> None:
    """A password that nobody knew when it was planned stands in an error, in a warning and in an
    output that does not call it sensitive."""
    world.plans(CREATED)
    world.applies(begun(), completed(), WARNS, code=code, act=lambda: _now_holds_the_secret(world))
    world.outputs(url=f"postgres://app:{SECRET}@db")
    if code:
        world.fail()
    else:
        world.run()
        assert world.place_of("hide", "random_password.db") < world.place_of("command", "output")
    assert is_hidden_before(world, "line", "Check failed")


def test_the_log_is_kept_when_all_is_known(world: TerraformWorld) -> None:
    """It quotes what was made."""
    known: list[bool] = []
    world.plans(CREATED)
    world.applies(begun(), code=1, act=lambda: _now_holds_the_secret(world))
    world.report = _Watching(known, world.report)
    log = world.folder / "temp" / "terraform.log"

    def initialise() -> None:
        world.initialise()
        log.write_text("x")

    world.on("init", act=initialise)
    world.fail(log_level="trace")
    assert known == [True]


def test_output_hides_what_the_state_calls_sensitive(world: TerraformWorld) -> None:
    """It may stand in an output that does not."""
    world.outputs(url=f"https://u:{STATE_SECRET}@host")
    world.run(action="output")
    name = world.report.hidden[STATE_SECRET]
    assert world.place_of("hide", name) < world.place_of("command", "output")


def test_nothing_is_published_of_a_state_that_nobody_knows(world: TerraformWorld) -> None:
    """It was applied: that is said."""
    world.plans(CREATED)
    world.applies(begun(), completed(), act=lambda: world.on("show -json -no-color", 1))
    world.outputs(url="u")
    world.run()
    assert world.report.outputs == {}
    assert "the plan was applied, but its outputs were not published" in world.report.everything
    assert world.report.has_changed


def test_a_secret_that_is_refused_after_an_apply_is_a_setback(world: TerraformWorld) -> None:
    """``--short-secrets error`` does not undo what was done."""
    world.plans(CREATED)
    world.report = _Refusing(world.report)
    world.applies(begun(), completed())
    world.outputs(sensitive=["pin"], pin="abc")
    assert world.run().changed
    assert "the plan was applied, but its outputs" in "".join(world.report.said("setback"))


def test_a_secret_that_is_refused_leaves_no_other_one_in_clear(world: TerraformWorld) -> None:
    """What may be masked is, before the report says that it masks no short one."""
    world.report = _Refusing(world.report)
    world.configures(DECLARED)
    assert isinstance(world.fail(variables={"token": ["abc", SECRET]}), ManifestError)
    assert SECRET in world.report.hidden


class _Refusing(WorldReport):
    """A report that masks no short secret, and says so."""

    def __init__(self, other: WorldReport) -> None:
        super().__init__(told=other.told)

    def hide(self, value: str, name: str) -> None:
        if len(value) < 4:
            raise ManifestError([Problem(path=name, message="is too short")])
        super().hide(value, name)


class _Watching(WorldReport):
    """A report that notes whether the secret was known when an artifact was kept."""

    def __init__(self, known: list[bool], other: WorldReport) -> None:
        super().__init__(told=other.told)
        self._known = known

    def artifact(self, path: Any, name: str, *, as_it_is: bool = False) -> Any:
        self._known.append(SECRET in self.hidden)
        return super().artifact(path, name, as_it_is=as_it_is)


def _now_holds_the_secret(world: TerraformWorld) -> None:
    document = state_document()
    document["values"]["root_module"]["resources"].append(
        {
            "address": "random_password.db",
            "values": {"result": SECRET},
            "sensitive_values": {"result": True},
        }
    )
    world.on("show -json -no-color", stdout=to_bytes(document))
