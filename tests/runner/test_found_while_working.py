"""What a kind that works itself finds out at AWS: roles for the policy, secrets that are JSON."""

from __future__ import annotations

import pytest

from calamari_py.aws import AwsSettings
from calamari_py.errors import IdentityError
from calamari_py.runner.summary import escape
from calamari_py.steps.base import StepContext
from tests.runner.own_work import Errand, ErrandSpec
from tests.runner.test_own_work import ERRAND, run
from tests.runner.world import DEV, World

ADMIN = "arn:aws:iam::111111111111:role/Admin"
DOCUMENT = '{"user": "robert-the-user", "password": "InnerPw4711"}'


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        pytest.param('roles: ["arn:aws:iam::111111111111:role/DevDeployRole"]', 77, id="forbidden"),
        pytest.param('roles: ["arn:aws:iam::111111111111:role/*"]', 0, id="allowed"),
        pytest.param("regions: [eu-west-1]", 0, id="nothing said"),
        pytest.param(None, 0, id="no policy"),
    ],
)
def test_a_role_that_only_aws_knew_of(
    policy: str | None, code: int, errand: Errand, world: World
) -> None:
    """It is held against the operator's policy like one that the manifest names."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.check_role("errand.role_arn", ADMIN)

    options = {} if policy is None else {"policy": world.write(f"version: 1\n{policy}\n", "p.yaml")}
    result = run(world, errand, act, text=ERRAND, **options)
    assert result.exit_code == code
    if code:
        assert f"role '{ADMIN}' is not allowed" in result.problems[0].message


def test_parts_of_a_hidden_document_are_hidden(errand: Errand, world: World) -> None:
    """A reason may quote one value of it alone."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.hide(DOCUMENT, "parameter Login")
        context.report.line("no login with InnerPw4711 of robert-the-user")

    run(world, errand, act)
    assert "no login with *** of ***" in world.reporter.text


def test_parts_of_a_sensitive_output_are_hidden(errand: Errand, world: World) -> None:
    """The same of what is published."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.output("Login", DOCUMENT, sensitive=True)
        context.report.line("no login with InnerPw4711")

    run(world, errand, act)
    assert "no login with ***" in world.reporter.text


def test_parts_of_a_kinds_own_secret_are_hidden(errand: Errand, world: World) -> None:
    """And of what its section says, as soon as it was read."""

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        context.report.line("no login with InnerPw4711")

    run(world, errand, act, text=f"{ERRAND[:-2]}, password: '{DOCUMENT}'}}\n")
    assert "no login with ***" in world.reporter.text


def test_a_summary_shows_what_nobody_sees() -> None:
    """AWS's texts cannot turn the page around."""
    assert escape("a\u202eb\x9bc") == "a\\\\u202eb\\\\x9bc"


@pytest.mark.parametrize("url", ["http://10.0.0.1:1/", "ftp://x"])
def test_a_refused_endpoint_stays_refused(url: str) -> None:
    """Nobody waits for it to become another one."""
    with pytest.raises(IdentityError) as caught:
        AwsSettings.from_environ({"AWS_ENDPOINT_URL": url}, region="eu-west-1")
    assert caught.value.is_lasting


@pytest.mark.parametrize("expect", ["", "expect: {account: '111111111111'}\n"])
def test_a_renewal_that_gives_somebody_else_is_not_waited_for(
    expect: str, errand: Errand, world: World
) -> None:
    """Another identity than the step began as, or than it expects, does not become the right one
    by asking again; a refused role may."""
    seen: list[bool] = []

    def act(_spec: ErrandSpec, context: StepContext) -> None:
        world.aws.arn_instead[DEV] = "arn:aws:sts::999999999999:assumed-role/DevDeployRole/x"
        world.clock.advance(3700)
        with pytest.raises(IdentityError) as caught:
            context.credentials()
        seen.append(caught.value.is_lasting)

    run(world, errand, act, text=ERRAND + expect)
    assert seen == [True]
