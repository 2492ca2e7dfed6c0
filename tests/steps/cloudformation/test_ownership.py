"""ownership.py: what the description of a change set says of it."""

from __future__ import annotations

import pytest

from calamari_py.steps.cloudformation.changes.ownership import (
    description,
    is_of_step,
    is_ours,
    token_of,
    waits_for_approval,
)
from tests.steps.cloudformation.room import change_set


@pytest.mark.parametrize(
    ("name", "said", "ours", "waits"),
    [
        pytest.param("release", description("tok-1"), True, False, id="for-itself"),
        pytest.param(
            "release", description("tok-1", for_approval=True), True, True, id="for-approval"
        ),
        pytest.param("calamari-ab12", "", False, False, id="a-name-proves-nothing"),
        pytest.param("x", "not made by calamari: tok-1", False, False, id="by-hand"),
        pytest.param("x", "made by calamari: ", False, False, id="no-token"),
        pytest.param("x", "made by calamari: tok-1, edited", False, False, id="another-text"),
        pytest.param("x", "look, for approval: calamari run", False, False, id="no-mark"),
    ],
)
def test_whose_a_change_set_is(name: str, said: str, ours: bool, waits: bool) -> None:
    """By what it says of itself alone."""
    made = change_set(name=name, description=said)
    assert (is_ours(made), waits_for_approval(made)) == (ours, waits)


def test_the_token_tells_the_request() -> None:
    """With and without an approval; nobody else's description has one."""
    assert (
        token_of(description("tok-1"))
        == token_of(description("tok-1", for_approval=True))
        == "tok-1"
    )
    assert token_of("by hand") is None


@pytest.mark.parametrize(
    ("prefix", "is_its"),
    [("calamari-dev", True), ("calamari", False), ("calamari-dev-0", False), ("", False)],
)
def test_a_step_knows_its_own(prefix: str, is_its: bool) -> None:
    """By the whole of its token's prefix."""
    made = change_set(description=description("calamari-dev-0123456789ab"))
    assert is_of_step(made, prefix) is is_its
