"""The command that a hint prints runs the same step on the same target, and shows no secret."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from calamari_py.cli.exec import command as exec_command
from calamari_py.cli.run import command as run_command
from calamari_py.steps.base import StepContext
from calamari_py.steps.cloudformation.links import resume_command
from tests.runner.own_work import Errand, ErrandSpec
from tests.runner.world import HEAD, World, sandbox

SECRET = "it's-a-s3cr3t"
ERRAND = f"{HEAD}errand: {{what: stroll}}\n"
STAGED = f"{HEAD}variables: {{Stage: dev}}\nerrand: {{what: '{{{{ Stage }}}}'}}\n"


def hinted(world: World, errand: Errand, text: str = ERRAND, **options: Any) -> str:
    """What a hint of a run prints."""
    said: list[str] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        said.append(resume_command(context.rerun, "look"))

    errand.acts = (act,)
    assert world.run(text, **options).exit_code == 0, world.reporter.text
    return said[0]


@pytest.mark.parametrize(
    "named", ["step.yaml", "my step.yaml", "it's step.yaml", "a;b$(c).yaml", "--x.yaml"]
)
def test_a_manifest_is_one_word(named: str, errand: Errand, world: World) -> None:
    """A shell and the command line read the file that was run, whatever it is called."""
    _, _, *words = shlex.split(hinted(world, errand, named=named))
    read = run_command.make_context("run", words).params
    assert Path(read["manifest"]) == Path(named)
    assert read["action"] == "look"


def test_a_manifest_from_standard_input_has_no_name(errand: Errand, world: World) -> None:
    """Which one it has to be is said behind the command."""
    said = hinted(world, errand, named="-")
    assert said == "calamari run - --action look  # with the same manifest on standard input"


def test_a_command_in_its_place(errand: Errand, world: World) -> None:
    """A command of somebody's own runs with the same manifest, variables and limits, as `exec`
    reads them."""
    found: list[tuple[str, ...]] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        found.append(context.rerun().exec_words("sh", "-c", "a --b"))

    errand.acts = (act,)
    world.run(STAGED, variables={"Stage": "prod"}, allow_http_endpoint=True)
    program, name, *words = found[0]
    assert (program, name) == ("calamari", "exec")
    read = exec_command.make_context("exec", words).params
    assert read["manifest"] == "step.yaml"
    assert read["variables"] == ("Stage=prod",)
    assert read["allow_http_endpoint"]
    assert read["words"] == ("sh", "-c", "a --b")


def test_variables_choose_the_target(errand: Errand, world: World) -> None:
    """A run with another value than the manifest's hints at the target of that value."""
    said = hinted(world, errand, STAGED, variables={"Stage": "prod of it's"})
    read = run_command.make_context("run", shlex.split(said)[2:]).params
    assert read["variables"] == ("Stage=prod of it's",)


def test_files_and_the_operators_limits_stay(errand: Errand, world: World) -> None:
    """Variable files, the policy and the endpoint's licence are those of the run."""
    world.write("Stage: prod\n", "prod.yaml")
    policy = world.write("regions: [eu-west-1]\n", "ops.yaml")
    said = hinted(
        world,
        errand,
        STAGED,
        variable_files=("prod.yaml",),
        policy=policy,
        allow_http_endpoint=True,
    )
    assert said == (
        f"calamari run step.yaml --var-file prod.yaml --policy {policy} --allow-http-endpoint"
        " --action look"
    )


def test_a_trial_stays_a_trial(errand: Errand, world: World) -> None:
    """What ran against the embedded AWS is never a command for a real account."""
    said = hinted(world, errand, sandbox=sandbox())
    assert said == "calamari run step.yaml --sandbox --action look"


@pytest.mark.parametrize(
    ("manifest", "given"),
    [
        pytest.param("variables: {P: {value: x, sensitive: true}}", {"variables": {"P": SECRET}},
                     id="a sensitive variable"),
        pytest.param("variables: {}", {"sensitive": {"P": SECRET}}, id="asked for before"),
        pytest.param("variables: {Other: {value: it's-a-s3cr3t, sensitive: true}}",
                     {"variables": {"P": f"x{SECRET}y"}}, id="a known secret in it"),
        pytest.param("variables: {P: x, All: {value: 'pw={{ P }}', sensitive: true}}",
                     {"variables": {"P": SECRET}}, id="feeds a sensitive variable"),
        pytest.param("variables: {P: x, Pin: {value: '{{ Half }}', sensitive: true}, "
                     "Half: '{{ P }}-'}", {"variables": {"P": "ab"}}, id="feeds it from afar"),
    ],
)  # fmt: skip
def test_a_secret_is_asked_for(
    manifest: str, given: dict[str, Any], errand: Errand, world: World
) -> None:
    """No value of a secret stands in a command, not even quoted past recognition."""
    said = hinted(world, errand, f"{ERRAND}{manifest}\n", **given)
    assert said == "calamari run step.yaml --sensitive-var P --action look"


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\x1b[1mb"])
def test_what_cannot_be_shown_is_asked_for(value: str, errand: Errand, world: World) -> None:
    """A log shows such a value in other characters: pasted, it would choose another target."""
    said = hinted(world, errand, STAGED, variables={"Stage": value})
    assert said == "calamari run step.yaml --sensitive-var Stage --action look"


@pytest.mark.parametrize(
    "manifest",
    [
        pytest.param("T: {value: t0ken-t0ken, sensitive: true}, Url: 'https://{{ P }}:{{ T }}@x'",
                     id="another one is the secret in it"),
        pytest.param("T: {from_file: '{{ P }}.txt', sensitive: true}",
                     id="it only says where a secret is"),
    ],
)  # fmt: skip
def test_what_stands_beside_a_secret_is_none(manifest: str, errand: Errand, world: World) -> None:
    """A stage that names the file of a password stays the stage of the command."""
    world.write("t0ken-t0ken", "prod.txt")
    text = f"{ERRAND}variables: {{P: dev, {manifest}}}\n"
    said = hinted(world, errand, text, variables={"P": "prod"})
    assert said == "calamari run step.yaml --var P=prod --action look"


def test_what_becomes_a_secret_meanwhile(errand: Errand, world: World) -> None:
    """A value that only the template calls secret is left out of what is printed after that."""
    said: list[str] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.hide("a-password", "parameter P")
        said.append(resume_command(context.rerun, "look"))

    errand.acts = (act,)
    world.run(ERRAND, variables={"P": "a-password"})
    assert said == ["calamari run step.yaml --sensitive-var P --action look"]
