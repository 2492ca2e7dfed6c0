"""The root cause among many events."""

from __future__ import annotations

import pytest

from calamari_py.steps.cloudformation.failures.causes import (
    find_causes,
    is_cancelled,
    left_behind,
    reason_alone,
    unseen_failures,
)
from calamari_py.steps.cloudformation.values import StackEvent
from tests.steps.cloudformation.told import arn_of, below, resource, stack

PASSWORD = "The parameter MasterUserPassword is not a valid password. (Service: Rds, 400)"
LIST = "The following resource(s) failed to create: [Database]. Rollback requested by user."
EMBEDDED = (
    "Embedded stack arn:aws:cloudformation:eu-west-1:111111111111:stack/my-app-Data-1X/1b2c was "
    "not successfully created: The following resource(s) failed to create: [Database]. "
)


@pytest.mark.parametrize(
    "reason",
    [
        "Resource creation cancelled",
        "Resource update cancelled",
        "Resource creation Cancelled",
        "Resource deletion cancelled",
        "Resource import cancelled",
        "Resource creation was canceled",
    ],
)
def test_what_was_only_cancelled_is_counted_and_is_no_cause(reason: str) -> None:
    """Siblings that were given up hide no cause, whether they come before it or after."""
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS", "User Initiated"),
            resource("Queue", "CREATE_FAILED", reason),
            resource("Database", "CREATE_FAILED", PASSWORD),
            resource("Topic", "CREATE_FAILED", reason),
            stack("ROLLBACK_IN_PROGRESS", LIST),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "Database"
    assert (causes.others, causes.cancelled) == ((), 2)


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param(PASSWORD, id="a service's refusal"),
        pytest.param(
            'Resource handler returned message: "Bucket exists (Service: S3, Status Code: 409)" '
            "(RequestToken: 7, HandlerErrorCode: AlreadyExists)",
            id="a handler's message",
        ),
        pytest.param("jobs already exists in stack arn:aws:cloudformation:…", id="name taken"),
        pytest.param(
            "Failed to receive 1 resource signal(s) within the specified duration", id="s"
        ),
        pytest.param(
            "Received response status [FAILED] from custom resource. Message returned: operation "
            "was cancelled by the vendor",
            id="a custom resource that says cancelled",
        ),
        pytest.param("Exceeded attempts to wait", id="waited too long"),
        pytest.param("Action denied by stack policy: Update:Replace", id="stack policy"),
        pytest.param("Internal Failure", id="AWS's own"),
        pytest.param("The following hook(s) failed: [Acme::Guard::Hook]", id="hook"),
    ],
)
def test_reasons_of_resources_are_causes(reason: str) -> None:
    """Whatever a service says about one resource is a cause."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS", "User Initiated"),
            resource("Database", "UPDATE_FAILED", reason),
            resource("Queue", "UPDATE_FAILED", "Resource update cancelled"),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", LIST),
            stack("UPDATE_ROLLBACK_COMPLETE"),
        ]
    )
    assert causes.first is not None
    assert causes.first.reason == reason


@pytest.mark.parametrize(
    "reason",
    [
        pytest.param(
            "Parameter validation failed: parameter value x for parameter name KeyName does not "
            "exist. Rollback requested by user.",
            id="parameter",
        ),
        pytest.param("No export named vpc-id found. Rollback requested by user.", id="export"),
        pytest.param("Transform 111111111111::Macro failed with: boom.", id="transform"),
        pytest.param("Stack creation time exceeded the specified timeout", id="timeout"),
        pytest.param("The following hook(s) failed: [Acme::Hook]", id="hook"),
        pytest.param("Alarm arn:aws:cloudwatch:eu-west-1:1:alarm:x is in ALARM", id="alarm"),
        pytest.param(
            "The following resource(s) failed to create: [A]. . The stack's role is gone.",
            id="a list and more",
        ),
    ],
)
@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "CREATE_FAILED"])
def test_a_stack_may_fail_without_any_resource(status: str, reason: str) -> None:
    """A reason that the stack itself gives is a cause when it tells more than names."""
    causes = find_causes([stack("CREATE_IN_PROGRESS", "User Initiated"), stack(status, reason)])
    assert causes.first is not None
    assert causes.first.reason == reason


@pytest.mark.parametrize(
    "reason",
    [
        "The following resource(s) failed to create: [A, B]. ",
        "The following resource(s) failed to create: [A, B]. Rollback requested by user.",
        "The following resource(s) failed to create: [A]. . Rollback requested by user.",
        "The following resource(s) failed to update: [A].",
        "The following resource(s) failed to delete: [A].",
        "Validation failed for following resources: [A]",
        "",
    ],
)
def test_a_stack_that_only_names_its_resources_follows_them(reason: str) -> None:
    """The resource's own event is the cause, even though it comes later."""
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            stack("CREATE_FAILED", reason),
            resource("A", "CREATE_FAILED", PASSWORD),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "A"
    assert causes.others == ()


def test_a_list_of_names_is_better_than_nothing() -> None:
    """Where no resource tells why, the stack's own words are shown."""
    causes = find_causes([stack("CREATE_IN_PROGRESS"), stack("ROLLBACK_IN_PROGRESS", LIST)])
    assert causes.first is not None
    assert causes.first.reason == LIST


def test_the_deepest_of_three_nested_stacks_is_the_cause() -> None:
    """Each stack above repeats that the one below has failed."""
    path = ("Data", "Inner", "Core")
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            below("Data", "CREATE_IN_PROGRESS"),
            below("Data/Inner", "CREATE_IN_PROGRESS"),
            below("Data/Inner/Core", "CREATE_IN_PROGRESS"),
            resource("Data/Inner/Core/Database", "CREATE_FAILED", PASSWORD),
            stack("CREATE_FAILED", LIST, path=path),
            below("Data/Inner/Core", "CREATE_FAILED", EMBEDDED),
            stack("CREATE_FAILED", LIST, path=path[:2]),
            below("Data/Inner", "CREATE_FAILED", EMBEDDED),
            resource("Data/Queue", "CREATE_FAILED", "Resource creation cancelled"),
            stack("CREATE_FAILED", LIST, path=path[:1]),
            below("Data", "CREATE_FAILED", EMBEDDED),
            resource("Topic", "CREATE_FAILED", "Resource creation cancelled"),
            stack("ROLLBACK_IN_PROGRESS", LIST),
            stack("ROLLBACK_COMPLETE"),
        ]
    )
    assert causes.first is not None
    assert causes.first.shown_id == "Data/Inner/Core/Database"
    assert (causes.others, causes.cancelled, causes.rollback) == ((), 2, None)


def test_a_nested_stack_whose_events_are_not_there_speaks_for_itself() -> None:
    """What the parent says of it is all there is, and comes before later failures."""
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            below("Data", "CREATE_FAILED", EMBEDDED),
            resource("Queue", "CREATE_FAILED", "limit exceeded"),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "Data"
    assert [event.logical_id for event in causes.others] == ["Queue"]


def test_a_nested_stack_that_was_only_cancelled_is_no_cause() -> None:
    """Its parent calls it a failure; inside nothing failed on its own."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS"),
            resource("Web/Page", "UPDATE_FAILED", "Resource update cancelled"),
            below("Web", "UPDATE_FAILED", EMBEDDED),
            resource("Database", "UPDATE_FAILED", PASSWORD),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "Database"
    assert causes.others == ()


def test_a_nested_stack_may_fail_as_a_whole() -> None:
    """A reason of the nested stack itself is the cause, and its parent's words follow it."""
    reason = "Parameter validation failed: parameter value x for parameter name Y does not exist"
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            stack("ROLLBACK_IN_PROGRESS", reason, path=("Data",)),
            below("Data", "CREATE_FAILED", EMBEDDED),
            stack("ROLLBACK_IN_PROGRESS", LIST),
        ]
    )
    assert causes.first is not None
    assert (causes.first.path, causes.first.reason) == (("Data",), reason)
    assert causes.others == ()


def test_independent_failures_come_in_order() -> None:
    """Two resources that fail for reasons of their own are both told, the earlier one first."""
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            resource("B", "CREATE_FAILED", "second in the alphabet"),
            resource("A", "CREATE_FAILED", "later"),
            resource("B", "CREATE_FAILED", "again"),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "B"
    assert [event.logical_id for event in causes.others] == ["A"]


def test_a_failure_without_a_reason_gives_way_to_one_with_a_reason() -> None:
    """An empty reason explains nothing."""
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            resource("A", "CREATE_FAILED"),
            resource("B", "CREATE_FAILED", PASSWORD),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "B"


def test_what_fails_on_the_way_back_is_told_apart() -> None:
    """The rollback's own failure is not the cause of the rollback."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS"),
            resource("Database", "UPDATE_FAILED", PASSWORD),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", LIST),
            resource("Queue", "UPDATE_FAILED", "The queue is gone"),
            stack("UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Queue]."),
        ]
    )
    assert causes.first is not None
    assert causes.rollback is not None
    assert (causes.first.logical_id, causes.rollback.logical_id) == ("Database", "Queue")
    assert causes.others == ()


def test_a_nested_stack_goes_back_before_its_parent() -> None:
    """What fails in it after that belongs to the way back."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS"),
            resource("Data/Database", "UPDATE_FAILED", PASSWORD),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", LIST, path=("Data",)),
            resource("Data/Queue", "UPDATE_FAILED", "The queue is gone"),
            below("Data", "UPDATE_FAILED", EMBEDDED),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", LIST),
            stack("UPDATE_ROLLBACK_FAILED", LIST),
        ]
    )
    assert causes.first is not None
    assert causes.rollback is not None
    assert (causes.first.shown_id, causes.rollback.shown_id) == ("Data/Database", "Data/Queue")
    assert causes.others == ()


def test_a_nested_stack_that_is_told_to_go_back_has_not_failed() -> None:
    """Whole nested stacks go back with their parent, for reasons that are none."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS"),
            resource("Database", "UPDATE_FAILED", PASSWORD),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", LIST),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", "The parent goes back", path=("Data",)),
            stack("UPDATE_ROLLBACK_COMPLETE", path=("Data",)),
            stack("UPDATE_ROLLBACK_COMPLETE"),
        ]
    )
    assert causes.rollback is None
    assert causes.others == ()


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_of_a_rollback_that_was_asked_for_its_own_failure_is_the_cause(status: str) -> None:
    """An operation that begins by going back has no way forward."""
    causes = find_causes(
        [
            stack(status, "User Initiated"),
            resource("Queue", "UPDATE_FAILED", "The queue is gone"),
            stack("UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: [Queue]."),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "Queue"
    assert causes.rollback is None


def test_an_update_that_was_cancelled_has_that_as_its_cause() -> None:
    """Nothing failed: somebody turned it back."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS", "User Initiated"),
            resource("Database", "UPDATE_FAILED", "Resource update cancelled"),
            stack(
                "UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", token="Console-CancelUpdateStack-1"
            ),
            stack("UPDATE_ROLLBACK_COMPLETE"),
        ]
    )
    assert causes.first is not None
    assert causes.first.token == "Console-CancelUpdateStack-1"
    assert causes.cancelled == 1


def test_of_a_deletion_all_failures_are_told() -> None:
    """Nothing goes back in a deletion: everything that could not be deleted counts, and so does
    what is in a nested stack."""
    causes = find_causes(
        [
            stack("DELETE_IN_PROGRESS", "User Initiated"),
            below("Data", "DELETE_IN_PROGRESS"),
            stack("DELETE_IN_PROGRESS", path=("Data",)),
            resource("Bucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
            resource("Data/Table", "DELETE_FAILED", "has deletion protection"),
            stack("DELETE_FAILED", LIST, path=("Data",)),
            below("Data", "DELETE_FAILED", "Embedded stack arn:x was not successfully deleted: …"),
            stack("DELETE_FAILED", "The following resource(s) failed to delete: [Bucket, Data]."),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "Bucket"
    assert [event.shown_id for event in causes.others] == ["Data/Table"]
    assert causes.rollback is None


def test_a_new_stack_that_is_deleted_because_it_failed_keeps_its_cause() -> None:
    """What cannot be deleted then failed on the way back."""
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            resource("Database", "CREATE_FAILED", PASSWORD),
            stack("DELETE_IN_PROGRESS", LIST),
            resource("Bucket", "DELETE_FAILED", "The bucket you tried to delete is not empty"),
            stack("DELETE_FAILED", LIST),
        ]
    )
    assert causes.first is not None
    assert causes.rollback is not None
    assert (causes.first.logical_id, causes.rollback.logical_id) == ("Database", "Bucket")


def test_what_a_hook_says_is_added_to_the_reason_that_only_names_it() -> None:
    """CloudFormation tells why a hook refused in an event of its own."""
    why = "Hook failed with message: the bucket is public"
    causes = find_causes(
        [
            stack("CREATE_IN_PROGRESS"),
            resource(
                "Bucket",
                "CREATE_IN_PROGRESS",
                hook="Acme::Guard::Hook",
                hook_status="HOOK_COMPLETE_FAILED",
                hook_reason=why,
            ),
            resource(
                "Bucket", "CREATE_FAILED", "The following hook(s) failed: [Acme::Guard::Hook]"
            ),
        ]
    )
    assert causes.first is not None
    assert causes.first.reason == f"The following hook(s) failed: [Acme::Guard::Hook]: {why}"


def test_a_hook_that_only_warns_is_no_cause() -> None:
    """A hook may fail and let the resource pass."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS"),
            resource(
                "Bucket",
                "HOOK_COMPLETE_FAILED",
                "public",
                hook="Acme::Guard::Hook",
                hook_status="HOOK_COMPLETE_FAILED",
                hook_reason="public",
            ),
            resource("Database", "UPDATE_FAILED", PASSWORD),
        ]
    )
    assert causes.first is not None
    assert causes.first.logical_id == "Database"
    assert causes.others == ()


def test_what_cannot_be_cleaned_up_is_no_cause_but_is_left_behind() -> None:
    """The update has succeeded by then; CloudFormation tries three times and lets go."""
    events = [
        stack("UPDATE_IN_PROGRESS"),
        resource("Queue", "UPDATE_COMPLETE"),
        stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        resource("Old", "DELETE_FAILED", "in use"),
        resource("Other", "DELETE_FAILED", "in use"),
        resource("Other", "DELETE_COMPLETE"),
        resource("Old", "DELETE_FAILED", "still in use"),
        stack("UPDATE_COMPLETE"),
    ]
    assert find_causes(events).first is None
    assert [event.reason for event in left_behind(events)] == ["still in use"]


def test_a_nested_stack_that_waits_to_be_cleaned_up_may_still_fail_to_go_back() -> None:
    """Its sibling's failure turns it back."""
    causes = find_causes(
        [
            stack("UPDATE_IN_PROGRESS"),
            stack("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", path=("Data",)),
            resource("Database", "UPDATE_FAILED", PASSWORD),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", LIST),
            stack("UPDATE_ROLLBACK_IN_PROGRESS", path=("Data",)),
            resource("Data/Table", "UPDATE_FAILED", "the table is gone"),
            stack("UPDATE_ROLLBACK_FAILED", LIST),
        ]
    )
    assert causes.rollback is not None
    assert causes.rollback.shown_id == "Data/Table"


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="no events"),
        pytest.param([stack("UPDATE_IN_PROGRESS"), stack("UPDATE_COMPLETE")], id="a success"),
        pytest.param([stack("DELETE_IN_PROGRESS", "User Initiated")], id="a deletion begins"),
        pytest.param(
            [stack("UPDATE_IN_PROGRESS"), stack("UPDATE_ROLLBACK_IN_PROGRESS")], id="nothing said"
        ),
    ],
)
def test_no_cause_where_nothing_failed(events: list[StackEvent]) -> None:
    """Nothing is made up."""
    causes = find_causes(events)
    assert (causes.first, causes.others, causes.cancelled) == (None, (), 0)


@pytest.mark.parametrize(
    ("reason", "alone"),
    [
        ("No export named x found. Rollback requested by user.", "No export named x found"),
        ("Rollback requested by user.", "Rollback requested by user."),
        (PASSWORD, PASSWORD),
    ],
)
def test_the_words_that_every_rollback_has_are_left_out(reason: str, alone: str) -> None:
    """CloudFormation says "by user" of every rollback, whoever asked for it."""
    assert reason_alone(reason) == alone


def test_only_failures_are_cancelled() -> None:
    """A resource that goes on is not given up."""
    assert not is_cancelled(resource("A", "CREATE_IN_PROGRESS", "Resource creation Initiated"))


def test_failures_that_are_only_named_are_still_to_come() -> None:
    """A stack lists what failed; those whose own event is there are no longer missed."""
    said = "The following resource(s) failed to create: [A, B]. Rollback requested by user."
    events = [
        resource("A", "CREATE_FAILED", "why"),
        resource("B", "CREATE_IN_PROGRESS"),
        stack("ROLLBACK_IN_PROGRESS", said),
    ]
    assert unseen_failures(events) == {(arn_of(), "B")}
    assert unseen_failures([*events, resource("B", "CREATE_FAILED", "x")]) == frozenset()
    assert unseen_failures([stack("UPDATE_COMPLETE")]) == frozenset()
