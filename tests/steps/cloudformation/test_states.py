"""states.py: every status of a stack has its meaning."""

from __future__ import annotations

import json
from pathlib import Path

import botocore
import pytest

from calamari_py.steps.cloudformation.states import STATUSES, Phase, achieved, describe

NEW, CHANGE, FORWARD, NONE = {"CREATE", "IMPORT"}, {"UPDATE", "IMPORT"}, {"UPDATE"}, set[str]()


def test_no_status_of_aws_is_missing() -> None:
    """The table is exactly botocore's list of stack statuses."""
    folder = Path(botocore.__file__).parent / "data/cloudformation/2010-05-15"
    if (folder / "service-2.json.gz").exists():
        import gzip

        model = json.loads(gzip.decompress((folder / "service-2.json.gz").read_bytes()))
    else:
        model = json.loads((folder / "service-2.json").read_bytes())
    assert set(STATUSES) == set(model["shapes"]["StackStatus"]["enum"])


@pytest.mark.parametrize(
    ("status", "phase", "verb", "succeeded", "takes"),
    [
        ("CREATE_IN_PROGRESS", Phase.IN_PROGRESS, "create", False, NONE),
        ("CREATE_FAILED", Phase.FAILED_STEADY, "create", False, FORWARD),
        ("CREATE_COMPLETE", Phase.STEADY, "create", True, CHANGE),
        ("ROLLBACK_IN_PROGRESS", Phase.IN_PROGRESS, "create", False, NONE),
        ("ROLLBACK_FAILED", Phase.NEVER_CREATED, "create", False, NONE),
        ("ROLLBACK_COMPLETE", Phase.NEVER_CREATED, "create", False, NONE),
        ("DELETE_IN_PROGRESS", Phase.IN_PROGRESS, "delete", False, NONE),
        ("DELETE_FAILED", Phase.DELETE_STUCK, "delete", False, NONE),
        ("DELETE_COMPLETE", Phase.DELETED, "delete", True, NONE),
        ("UPDATE_IN_PROGRESS", Phase.IN_PROGRESS, "update", False, NONE),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", Phase.IN_PROGRESS, "update", False, NONE),
        ("UPDATE_COMPLETE", Phase.STEADY, "update", True, CHANGE),
        ("UPDATE_FAILED", Phase.FAILED_STEADY, "update", False, FORWARD),
        ("UPDATE_ROLLBACK_IN_PROGRESS", Phase.IN_PROGRESS, "update", False, NONE),
        ("UPDATE_ROLLBACK_FAILED", Phase.ROLLBACK_STUCK, "update", False, NONE),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", Phase.IN_PROGRESS, "update", False, NONE),
        ("UPDATE_ROLLBACK_COMPLETE", Phase.STEADY, "update", False, CHANGE),
        ("REVIEW_IN_PROGRESS", Phase.REVIEW, "review", False, NEW),
        ("IMPORT_IN_PROGRESS", Phase.IN_PROGRESS, "import", False, NONE),
        ("IMPORT_COMPLETE", Phase.STEADY, "import", True, CHANGE),
        ("IMPORT_ROLLBACK_IN_PROGRESS", Phase.IN_PROGRESS, "import", False, NONE),
        ("IMPORT_ROLLBACK_FAILED", Phase.ROLLBACK_STUCK, "import", False, NONE),
        ("IMPORT_ROLLBACK_COMPLETE", Phase.STEADY, "import", False, CHANGE),
        # Made up: AWS adds statuses, and they must not be a defect.
        ("REFACTOR_IN_PROGRESS", Phase.IN_PROGRESS, "refactor", False, NONE),
        ("REFACTOR_COMPLETE", Phase.STEADY, "refactor", True, CHANGE),
        ("REFACTOR_ROLLBACK_COMPLETE", Phase.STEADY, "refactor", False, CHANGE),
        ("REFACTOR_FAILED", Phase.UNKNOWN, "refactor", False, NONE),
        ("", Phase.UNKNOWN, "change", False, NONE),
    ],
)
def test_a_status_means(
    status: str, phase: Phase, verb: str, succeeded: bool, takes: set[str]
) -> None:
    """Phase, operation, success and what change sets are taken, for each status."""
    found = describe(status)
    assert (found.phase, found.verb, found.succeeded) == (phase, verb, succeeded)
    assert found.change_sets == takes
    assert found.is_terminal is (phase is not Phase.IN_PROGRESS)
    assert found.name == status


@pytest.mark.parametrize("status", [*STATUSES, "REFACTOR_FAILED"])
def test_every_status_has_a_sentence(status: str) -> None:
    """A clause for people: lower-case, no full stop, on one line."""
    said = describe(status).said
    assert said
    assert said[0].islower()
    assert not said.endswith(".")
    assert "\n" not in said


def test_only_what_is_kept_after_a_failure_needs_rollback_off() -> None:
    """AWS updates CREATE_FAILED and UPDATE_FAILED with DisableRollback only."""
    assert {name for name, one in STATUSES.items() if one.needs_keep} == {
        "CREATE_FAILED",
        "UPDATE_FAILED",
    }


def test_cleanup_is_the_time_after_the_outcome() -> None:
    """The two cleanup statuses, and no others."""
    assert {name for name, one in STATUSES.items() if one.is_cleanup} == {
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    }


@pytest.mark.parametrize(
    ("verb", "reached"),
    [
        ("create", {"CREATE_COMPLETE"}),
        ("update", {"UPDATE_COMPLETE"}),
        ("import", {"IMPORT_COMPLETE"}),
        ("delete", {"DELETE_COMPLETE"}),
        ("rollback", {"UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_COMPLETE"}),
    ],
)
def test_an_operation_has_done_what_was_asked(verb: str, reached: set[str]) -> None:
    """Only with these statuses, of all there are."""
    assert {status for status in STATUSES if achieved(verb, status)} == reached
