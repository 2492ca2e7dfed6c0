"""Patterns for texts that others write end at once, however long the text."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from calamari_py.steps.cloudformation.failures import causes, hints
from tests.steps.cloudformation.told import resource

LENGTH = 200_000
HOSTILE = (
    "a", " ", ".", "a ", "rename ", "parameter value ", "requires capabilities : [",
    "the following resource(s) failed to ", "rollback requested by user ", "arn:aws:",
)  # fmt: skip


@contextmanager
def _alarm(seconds: int) -> Iterator[None]:
    """An error instead of a test that hangs."""

    def ring(*_: object) -> None:
        raise AssertionError(f"still at work after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("part", HOSTILE)
def test_a_reason_of_any_length_is_read_at_once(part: str) -> None:
    """What would take minutes when tried from every place."""
    reason = part * (LENGTH // len(part))
    event = resource("Queue", "CREATE_FAILED", reason)
    with _alarm(20):
        assert hints.hint_of(reason, who="the role")
        assert causes.find_causes([event]).first is not None or causes.is_cancelled(event)
        assert causes.reason_alone(reason) is not None


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        pytest.param("Export net-id cannot be deleted as it is in use by a and b", "'net-id'",
                     id="export"),
        pytest.param("please rename jobs and update the stack again", "another name", id="rename"),
        pytest.param("Requires capabilities : [CAPABILITY_IAM]", "[CAPABILITY_IAM]",
                     id="capability"),
    ],
)  # fmt: skip
def test_bounded_patterns_still_find(reason: str, hint: str) -> None:
    """The bounds are far beyond what AWS writes."""
    assert hint in hints.hint_of(reason, who="the role")


def test_the_users_words_are_taken_off() -> None:
    """Behind a full stop and blanks, as CloudFormation adds them."""
    assert causes.reason_alone("it broke. . Rollback requested by user.") == "it broke"
    assert re.search("user", causes.reason_alone("Rollback requested by user"))
