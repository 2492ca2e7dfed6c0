"""Reading a plan."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.reading.plan import read_plan
from calamari_py.steps.terraform.reading.words import reason_of
from tests.steps.terraform.reading.documents import document, only, plan, recorded, resource


def kinds(name: str) -> dict[str, str]:
    """Address → kind of a recorded plan."""
    return {change.address: change.kind for change in read_plan(recorded(name)).changes}


@pytest.mark.parametrize(
    ("actions", "kind"),
    [
        pytest.param(["create"], "create", id="create"),
        pytest.param(["read"], "read", id="read"),
        pytest.param(["update"], "update", id="update"),
        pytest.param(["delete", "create"], "replace", id="replace"),
        pytest.param(["create", "delete"], "replace", id="create-before-destroy"),
        pytest.param(["create", "forget"], "replace", id="replace-and-leave-the-old-one"),
        pytest.param(["forget", "create"], "replace", id="leave-the-old-one-and-replace"),
        pytest.param(["delete"], "destroy", id="destroy"),
        pytest.param(["forget"], "forget", id="forget"),
        pytest.param(["shred"], "destroy", id="unknown"),
        pytest.param(["update", "shred"], "destroy", id="partly-unknown"),
        pytest.param(["no-op", "delete"], "destroy", id="mixed"),
        pytest.param([], "destroy", id="nothing-said"),
    ],
)
def test_every_list_of_actions_has_a_kind(actions: list[str], kind: str) -> None:
    """What is done is one word; what is not known here is the worst that it could be."""
    change = only(resource("aws_sqs_queue.q", *actions))
    assert change.kind == kind
    assert change.actions == tuple(actions)


def test_an_unknown_action_is_told() -> None:
    """Nobody has to guess why an update is called a destruction."""
    (reason,) = only(resource("aws_sqs_queue.q", "update", "shred")).reasons
    assert "'update, shred' is not known here" in reason


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param({"importing": {"id": "x"}}, "import", id="imported"),
        pytest.param({"importing": {}}, "import", id="imported-by-an-unknown-id"),
        pytest.param({"previous_address": "aws_sqs_queue.old"}, "move", id="moved"),
        pytest.param({"previous_address": "aws_sqs_queue.q"}, None, id="moved-to-where-it-was"),
        pytest.param(
            {"previous_address": "aws_sqs_queue.old", "importing": {"id": "x"}},
            "import",
            id="moved-and-imported",
        ),
    ],
)
def test_a_no_op_counts_where_it_is_imported_or_moved(
    more: dict[str, Any], kind: str | None
) -> None:
    """What stays as it is is no change, unless the state's idea of it changes."""
    changes = plan(resource("aws_sqs_queue.q", "no-op", **more)).changes
    assert [change.kind for change in changes] == ([kind] if kind else [])


@pytest.mark.parametrize(
    "reason",
    [
        "replace_because_tainted",
        "replace_because_cannot_update",
        "replace_by_request",
        "replace_by_triggers",
        "delete_because_no_resource_config",
        "delete_because_wrong_repetition",
        "delete_because_count_index",
        "delete_because_each_key",
        "delete_because_enabled_false",
        "delete_because_no_module",
        "delete_because_no_move_target",
        "read_because_config_unknown",
        "read_because_dependency_pending",
        "read_because_check_nested",
    ],
)
def test_every_reason_has_words(reason: str) -> None:
    """A reason of the format is told as people would say it."""
    (said,) = only(resource("aws_sqs_queue.q", "delete", action_reason=reason)).reasons
    assert said != reason.replace("_", " ")


def test_an_unknown_reason_is_readable() -> None:
    """A reason that a later version brings passes through."""
    assert reason_of("delete_because_of_the_weather") == "delete because of the weather"


def test_a_replacement_names_what_forces_it() -> None:
    """The paths stand in the reason and by themselves."""
    change = only(
        resource(
            "aws_instance.web",
            "delete",
            "create",
            action_reason="replace_because_cannot_update",
            replace_paths=[["ami"], ["network_interface", 0, "subnet_id"], ["tags", "a/b"]],
        )
    )
    assert change.replaced_by == ("ami", "network_interface[0].subnet_id", 'tags["a/b"]')
    assert change.reasons == (
        'ami, network_interface[0].subnet_id, tags["a/b"] changed (cannot be updated in place)',
    )


def test_a_path_in_a_sensitive_value_ends_before_it() -> None:
    """The key of a sensitive map may be a secret."""
    change = only(
        resource(
            "terraform_data.web",
            "delete",
            "create",
            before_sensitive={"triggers_replace": True},
            replace_paths=[["triggers_replace", "tok_12345abcde"]],
        )
    )
    assert change.replaced_by == ("triggers_replace (sensitive)",)


@pytest.mark.parametrize("paths", [None, [], "ami", [None, 3]], ids=str)
def test_odd_replace_paths_are_left_out(paths: Any) -> None:
    """What is only there to be shown fails no plan."""
    assert only(resource("a.b", "delete", "create", replace_paths=paths)).replaced_by == ()


def test_a_deposed_object_is_told_apart() -> None:
    """The address is that of the object which stays."""
    changes = [one for one in read_plan(recorded("aws")).changes if one.deposed]
    assert [(one.address, one.kind) for one in changes] == [("aws_instance.bastion", "destroy")]


def test_all_kinds_of_a_plan_of_aws() -> None:
    """Each resource of the recorded plan is what it is; what only the state forgets is not told."""
    assert kinds("aws") == {
        "aws_db_instance.main": "update",
        "aws_instance.web[0]": "replace",
        "aws_instance.bastion": "destroy",
        "aws_s3_bucket.logs": "import",
        "aws_s3_bucket.assets": "update",
        "aws_lambda_function.notify": "update",
        "aws_secretsmanager_secret_version.api": "forget",
        "aws_sqs_queue.jobs": "create",
        "aws_ecs_service.api": "replace",
        'module.queues["orders.v2"].aws_sqs_queue.this[1]': "move",
        "module.old.aws_sqs_queue.q": "destroy",
        'module.app["blue"].module.data.aws_db_instance.replica["eu-west-1"]': "destroy",
        'module.app["blue"].data.aws_iam_policy_document.api': "read",
    }


def test_all_kinds_of_a_real_plan() -> None:
    """Terraform 1.11.4 itself."""
    assert kinds("change") == {
        "terraform_data.cbd": "replace",
        "terraform_data.config": "update",
        'terraform_data.each["b.c"]': "destroy",
        "terraform_data.follower": "replace",
        "terraform_data.fresh": "create",
        "terraform_data.imported": "import",
        "terraform_data.kept": "replace",
        "terraform_data.left": "forget",
        "terraform_data.new_name": "move",
        "terraform_data.removed": "destroy",
        "terraform_data.web": "replace",
        'module.copies["eu.west"].terraform_data.worker[0]': "update",
        "module.workers.terraform_data.worker[1]": "destroy",
    }


def test_a_plan_that_does_nothing() -> None:
    """No change, no output, nothing to apply."""
    found = read_plan(recorded("nothing"))
    assert (found.changes, found.outputs, found.drift) == ((), (), ())
    assert (found.has_changes, found.only_reads) == (False, False)


def test_outputs_are_told_by_name() -> None:
    """What stays is left out; a sensitive one is marked."""
    found = {one.name: (one.action, one.sensitive) for one in read_plan(recorded("aws")).outputs}
    assert found == {
        "db_url": ("update", True),
        "queue": ("create", False),
        "old_arn": ("delete", False),
    }


def test_drift_is_what_was_really_changed() -> None:
    """What only moved, and what is the same, is no drift."""
    found = [(one.address, one.kind, one.attributes) for one in read_plan(recorded("aws")).drift]
    assert found == [
        ("aws_security_group.web", "update", ("ingress", "tags.Touched", "tags_all.Touched")),
        ("aws_db_instance.main", "update", ("backup_retention_period", "password (sensitive)")),
        ("aws_sqs_queue.dead", "destroy", ()),
    ]


def test_drift_that_is_not_known_is_told() -> None:
    """An action of a later version is not passed over."""
    found = plan(resource_drift=[resource("aws_sqs_queue.q", "evaporate")])
    assert [one.kind for one in found.drift] == ["destroy"]


def test_a_plan_that_is_not_complete() -> None:
    """Deferred changes are named; a targeted plan says that it is not all."""
    assert read_plan(recorded("aws")).deferred == ('module.late.aws_ssm_parameter.key["a"]',)
    assert not read_plan(recorded("aws")).is_complete
    assert not read_plan(recorded("target")).is_complete
    assert read_plan(recorded("change")).is_complete


@pytest.mark.parametrize("errored", [None, False, True])
def test_what_old_versions_do_not_say(errored: bool | None) -> None:
    """Without a word a plan is whole and no failure."""
    found = plan(**({} if errored is None else {"errored": errored}))
    assert (found.is_errored, found.is_complete) == (errored is True, True)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        pytest.param({"data.a.b": "read"}, True, id="data"),
        pytest.param({"data.a.b": "read", "a.b": "update"}, False, id="more"),
        pytest.param({}, False, id="nothing"),
    ],
)
def test_a_plan_that_only_reads(addresses: dict[str, str], expected: bool) -> None:
    """Terraform calls that a change."""
    found = plan(*(resource(address, action) for address, action in addresses.items()))
    assert found.only_reads is expected


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(document({"address": "a.b"}), id="no-change"),
        pytest.param(document(resource("a.b")) | {"resource_changes": {}}, id="no-list"),
        pytest.param(document({"change": {"actions": ["delete"]}}), id="no-address"),
        pytest.param(document(resource("a.b", actions="delete")), id="actions-as-text"),
    ],
)
def test_what_cannot_be_read_is_refused(wrong: dict[str, Any]) -> None:
    """A document that hides what it does is held against no policy, and so not applied."""
    with pytest.raises(ToolFailed, match="cannot read the plan"):
        read_plan(wrong)
