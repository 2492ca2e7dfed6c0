"""What a policy allows and its author may not have meant."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.steps.terraform.reading.plan import read_plan
from calamari_py.steps.terraform.reading.policy import doubts, refusals
from calamari_py.steps.terraform.spec import PlanPolicy
from tests.steps.terraform.world import CREATED, change, plan_document

_MOVED = {**change("aws_db.n", "no-op"), "previous_address": "aws_db.m"}
_NOTHING = "'protect' names 'aws_db.m', and there is nothing of that name"
_OUT = "'aws_db.m', which 'protect' names ('aws_db.m'), is now 'aws_db.n', which it does not"
_MET = PlanPolicy(protect=("aws_db.m",))


@pytest.mark.parametrize(
    ("resources", "policy", "more", "said"),
    [
        pytest.param([CREATED], _MET, {}, [_NOTHING], id="covers nothing"),
        pytest.param([CREATED], PlanPolicy(refuse_replace=("aws_db.m",)), {},
                     ["'refuse_replace' names 'aws_db.m', and there is nothing of that name"],
                     id="refuses nothing"),
        pytest.param([CREATED], PlanPolicy(protect=("aws_db.*", "aws_?.m")), {}, [],
                     id="may cover what comes"),
        pytest.param([change("aws_db.m[0]", "no-op")], _MET, {}, [], id="is there, unchanged"),
        pytest.param([CREATED], _MET, {"complete": False}, [], id="targets: nobody can tell"),
        pytest.param([], _MET, {}, [], id="nothing is there at all"),
        pytest.param([_MOVED], _MET, {}, [_OUT], id="moves out"),
        pytest.param([_MOVED], PlanPolicy(protect=("aws_db.m", "aws_db.n")), {}, [],
                     id="moves within"),
        pytest.param([_MOVED], PlanPolicy(protect=("aws_db.*",)), {}, [], id="moves under a star"),
    ],
)  # fmt: skip
def test_a_doubt(
    resources: list[Any], policy: PlanPolicy, more: dict[str, Any], said: list[str]
) -> None:
    """A warning, for a correct manifest may look like it."""
    assert list(doubts(read_plan(plan_document(*resources, **more)), policy)) == said


@pytest.mark.parametrize(
    ("address", "pattern"),
    [
        pytest.param("aws_db.caf\u00e9", "aws_db.cafe\u0301", id="a name"),
        pytest.param('aws_db.m["cafe\u0301"]', 'aws_db.m["caf\u00e9"]', id="a key"),
    ],
)
def test_one_letter_in_two_ways(address: str, pattern: str) -> None:
    """Editors and systems write accents differently."""
    plan = read_plan(plan_document(change(address, "delete")))
    assert refusals(plan, PlanPolicy(protect=(pattern,)))
