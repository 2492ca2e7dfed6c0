"""`calamari explain` against a real run of the same step."""

from __future__ import annotations

import json

import pytest

from tests.integration.conftest import Calamari
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.sandbox, pytest.mark.preloaded]

STEP = """\
name: deploy-network
project: payments
environment: dev
region: eu-west-1
assume_role: {role_arn: "arn:aws:iam::111111111111:role/DevDeployRole", duration: 2h}
expect: {account: "111111111111", role: DevDeployRole}
variables:
  Token: {from_env: API_TOKEN, sensitive: true}
env: {STAGE: dev}
credentials: {delivery: DELIVERY}
script:
  run: import json, os; print(json.dumps(sorted(os.environ)))
  shell: python
"""


@pytest.mark.parametrize("delivery", ["env", "endpoint", "profile"])
def test_the_environment_is_the_one_that_a_real_process_has(
    delivery: str, launched: Calamari
) -> None:
    """The names that are foreseen are those that the step finds, and the identity is the same."""
    launched.write(STEP.replace("DELIVERY", delivery))
    env = {"API_TOKEN": "canary-0123456789", "AWS_PROFILE": "", "AWS_ROLE_ARN": "x", "BUILD": "1"}
    explained = launched("explain", "step.yaml", "--format", "json", env=env)
    ran = launched("run", "step.yaml", "--result", "result.json", env=env)
    assert (explained.code, ran.code) == (0, 0), explained.err + ran.err
    document = json.loads(explained.out)
    # Python on Linux adds LC_CTYPE to its own environment where it starts in the C locale.
    found = set(json.loads(ran.out)) - {"LC_CTYPE"}
    names = document["names"]
    assert {*names["added"], *names["passed"]} - {"LC_CTYPE"} == found
    assert set(names["removed"]) >= {"API_TOKEN", "AWS_ROLE_ARN"}
    result = json.loads((launched.folder / "result.json").read_text())
    assert document["identity"]["arn"] == result["identity"]["arn"]
    assert document["hops"][0]["duration"] == 3600
    assert document["launcher"]["ignored"] == ["AWS_ROLE_ARN"]


def test_online_in_the_sandbox(calamari: Calamari) -> None:
    """The identity is obtained from the embedded AWS, and still nothing runs."""
    require_tool("bash")
    calamari.write(STEP.replace("DELIVERY", "env").replace("Token:", "Token: {value: a} #"))
    ended = calamari("explain", "step.yaml", "--sandbox", "--online")
    assert ended.code == 0, ended.err
    assert "would be" not in ended.out
    role = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/payments-dev-deploy-network"
    assert f"role       {role}\n" in ended.out
    assert "OctoLauncherRole" in ended.out
    assert "── nothing was run ─" in ended.out.splitlines()[-1]


def test_online_and_refused(calamari: Calamari) -> None:
    """A role that trusts nobody: the page, what STS said, and 77."""
    text = STEP.replace("DELIVERY", "env").replace("Token:", "Token: {value: a} #")
    calamari.write(text.replace("111111111111:role/DevDeployRole", "333333333333:role/NobodysRole"))
    ended = calamari("explain", "step.yaml", "--sandbox", "--online", "--format", "json")
    document = json.loads(ended.out)
    assert ended.code == document["exit_code"] == 77
    failed = next(check for check in document["checks"] if check["state"] == "fail")
    assert failed["name"] == "identity"
    assert "NobodysRole" in failed["evidence"]
    assert failed["hint"]
