"""A step that runs `calamari` itself: its own role is the launcher of the step inside."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.integration.conftest import Calamari
from tests.integration.promises import DELIVERIES, DEV, Cloud, head

pytestmark = [pytest.mark.process, pytest.mark.preloaded]

INNER = "arn:aws:iam::222222222222:role/InnerRole"
SOURCES = {"env": "environment", "endpoint": "container", "profile": "profile"}


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_step_in_a_step(delivery: str, trusted: Calamari, cloud: Cloud) -> None:
    """However the outer step gets its credentials, the inner role is assumed with them, and never
    with the launcher's."""
    cloud.sts.add_role(INNER, trust=[DEV])
    trusted.write(
        f'name: inner\nregion: eu-west-1\nassume_role: {INNER}\nscript: "true"\n', "inner.yaml"
    )
    inner = shlex.join(trusted.argv("whoami", str(trusted.folder / "inner.yaml"), "--format=json"))
    trusted.write(head(delivery) + f"script: {inner} > seen\n")
    ran = trusted("run", "step.yaml")
    assert ran.code == 0, ran.err
    seen = json.loads((trusted.folder / "seen").read_text())
    assert seen["launcher"]["source"] == SOURCES[delivery]
    assert ":assumed-role/DevDeployRole/" in seen["launcher"]["arn"]
    assert [hop["arn"] for hop in seen["hops"]] == [
        "arn:aws:sts::222222222222:assumed-role/InnerRole/inner"
    ]
