"""Session tags: which are sent, and what is given up when STS refuses them."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.aws.roles import easier_request, role_params
from calamari_py.errors import CloudError
from calamari_py.identity import RoleRequest
from tests.aws.aws_world import (
    DEPLOY,
    EXTERNAL,
    SECOND,
    USER,
    World,
    credentials_of,
    request,
)
from tests.fake_sts_tables import Log

DEFAULTS = {"Project": "payments", "Environment": "dev"}
POLICY = '{"Version": "2012-10-17", "Statement": []}'


def tags_of(log: Log) -> dict[str, str]:
    """The tags of a request, as STS got them."""
    numbers = range(1, 51)
    return {
        log.params[f"Tags.member.{number}.Key"]: log.params[f"Tags.member.{number}.Value"]
        for number in numbers
        if f"Tags.member.{number}.Key" in log.params
    }


def tagged(role: str = EXTERNAL, **fields: Any) -> RoleRequest:
    """A request with calamari's own tags, for the role that allows tags unless told otherwise."""
    if role == EXTERNAL:
        fields.setdefault("external_id", "known-to-both")
    return request(role, default_tags=DEFAULTS, **fields)


def test_default_tags_go_with_the_steps_own(world: World) -> None:
    """Where the role allows tags, one call carries both, and nothing is warned of."""
    assumed = world.aws().assume_role(world.credentials, tagged(tags={"Cost": "42"}))
    assert tags_of(world.sts.requests[0]) == {"Cost": "42", **DEFAULTS}
    assert len(world.sts.requests) == 1
    assert assumed.warnings == ()
    assert world.sts.keys[assumed.credentials.access_key_id].tags == {"Cost": "42", **DEFAULTS}


def test_a_tag_of_the_steps_own_wins_whatever_its_case(world: World) -> None:
    """STS does not tell the case of keys apart: two of them would be an error."""
    world.aws().assume_role(world.credentials, tagged(tags={"PROject": "mine"}))
    assert tags_of(world.sts.requests[0]) == {"PROject": "mine", "Environment": "dev"}


def test_fifty_tags_in_all() -> None:
    """Calamari's own never push the step's over STS's limit."""
    own = {f"k{number}": "v" for number in range(49)}
    tags = role_params(tagged(tags=own))["Tags"]
    assert [tag["Key"] for tag in tags] == [*own, "Project"]


def test_a_role_without_tagsession_is_assumed_without_default_tags(world: World) -> None:
    """One more call, and a warning that says which tags are missing, how to keep or silence them,
    and the request id is the last call's.
    """
    assumed = world.aws().assume_role(world.credentials, tagged(DEPLOY))
    assert [tags_of(log) for log in world.sts.requests] == [DEFAULTS, {}]
    (warning,) = assumed.warnings
    for part in ("'Project', 'Environment'", "sts:TagSession", "'default_tags: false'", DEPLOY):
        assert part in warning
    assert assumed.request_id
    assert world.sts.actions() == ["AssumeRole", "AssumeRole"]


def test_explicit_tags_are_never_dropped(world: World) -> None:
    """A denial of tags that the step asked for is final: dropping the others would not help."""
    with pytest.raises(CloudError, match="sts:TagSession") as caught:
        world.aws().assume_role(world.credentials, tagged(DEPLOY, tags={"Cost": "42"}))
    assert caught.value.code == "AccessDenied"
    assert len(world.sts.requests) == 1


def test_another_denial_is_final(world: World) -> None:
    """Only a denial that names sts:TagSession is about the tags."""
    with pytest.raises(CloudError, match="sts:AssumeRole") as caught:
        world.aws().assume_role(world.credentials, tagged(SECOND))
    assert caught.value.code == "AccessDenied"
    assert len(world.sts.requests) == 1


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("PackedPolicyTooLarge", id="the code on the wire"),
        pytest.param("PackedPolicyTooLargeException", id="the exception's name"),
    ],
)
def test_what_is_too_large_goes_without_default_tags(world: World, code: str) -> None:
    """Policy and the step's own tags stay; the warning names the reason."""
    world.sts.fail_next(400, code, "Packed size consumes 120%")
    assumed = world.aws().assume_role(world.credentials, tagged(tags={"Cost": "42"}, policy=POLICY))
    assert tags_of(world.sts.requests[1]) == {"Cost": "42"}
    assert world.sts.requests[1].params["Policy"] == POLICY
    assert "PackedPolicyTooLarge" in assumed.warnings[0]


def test_too_large_without_default_tags_is_final(world: World) -> None:
    """There is nothing that may be given up."""
    world.sts.fail_next(400, "PackedPolicyTooLarge", "Packed size consumes 120%")
    with pytest.raises(CloudError) as caught:
        world.aws().assume_role(world.credentials, request(policy=POLICY))
    assert caught.value.code == "PackedPolicyTooLarge"


def test_tags_that_a_session_hands_on_stay(world: World) -> None:
    """Default tags of the same key as a transitive tag give way to it."""
    aws = world.aws()
    world.sts.add_role(SECOND, trust=[EXTERNAL], allow=["sts:TagSession"])
    first = aws.assume_role(
        world.credentials,
        request(
            EXTERNAL,
            external_id="known-to-both",
            tags={"Project": "theirs"},
            transitive_tags=("Project",),
        ),
    )
    second = aws.assume_role(first.credentials, tagged(SECOND))
    assert world.sts.keys[second.credentials.access_key_id].tags == {"Project": "theirs"}
    assert "transitive" in second.warnings[0]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param("duration", id="the duration is refused first"),
        pytest.param("tags", id="the tags are refused first"),
    ],
)
def test_duration_and_tags_are_given_up_once_each(world: World, first: str) -> None:
    """Whatever STS refuses first, three calls at most, and both are said."""
    if first == "duration":
        message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        world.sts.fail_next(400, "ValidationError", message)
    asked = tagged(DEPLOY, duration=43200)
    assumed = world.aws().assume_role(world.credentials, asked)
    assert len(world.sts.requests) == 3
    assert assumed.duration == 3600
    kinds = ["MaxSessionDuration" in warning for warning in assumed.warnings]
    assert kinds == ([True, False] if first == "duration" else [False, True])


def test_no_refusal_is_followed_forever(world: World) -> None:
    """A server that goes on refusing is believed after both were given up."""
    world.sts.fail_next(403, "AccessDenied", "not authorized to perform: sts:TagSession", times=9)
    with pytest.raises(CloudError):
        world.aws().assume_role(world.credentials, tagged())
    assert len(world.sts.requests) == 2


@pytest.mark.parametrize(
    ("code", "message"),
    [
        pytest.param("ValidationError", "MaxSessionDuration", id="already an hour"),
        pytest.param("AccessDenied", "sts:TagSession", id="no default tags"),
        pytest.param("Throttling", "sts:TagSession MaxSessionDuration", id="another code"),
    ],
)
def test_nothing_to_give_up(code: str, message: str) -> None:
    """What was not asked for is not taken back."""
    error = CloudError(message, service="sts", operation="AssumeRole", code=code)
    assert easier_request(request(), error) is None


def test_a_session_that_must_hand_on_its_tags_is_not_helped(world: World) -> None:
    """Tags of the launcher's own session (a pod's) are not calamari's to drop: the denial stays."""
    keys = world.sts.add_session(
        "arn:aws:iam::123456789012:role/Pod",
        "pod",
        tags={"namespace": "ci"},
        transitive=frozenset({"namespace"}),
    )
    world.sts.add_role(DEPLOY, trust=["123456789012", USER])
    with pytest.raises(CloudError, match="sts:TagSession"):
        world.aws().assume_role(credentials_of(keys), tagged(DEPLOY))
    assert len(world.sts.requests) == 2
