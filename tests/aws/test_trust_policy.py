"""Reading a role's trust policy: a diagnosis, asked for once."""

from __future__ import annotations

import pytest

from calamari_py.errors import CloudError, Temporary
from calamari_py.identity import RoleArn
from tests.aws.aws_world import DEPLOY, EXTERNAL, SECOND, World, credentials_of


def insider(world: World, account: str = "111111111111") -> World:
    """The world with a launcher that lives in the account of the roles."""
    world.launcher = world.sts.add_user(f"arn:aws:iam::{account}:user/insider")
    return world


def test_the_document_comes_decoded(world: World) -> None:
    """IAM's percent-encoded JSON becomes the policy, conditions and all."""
    document = insider(world).aws().trust_policy(world.credentials, RoleArn.parse(EXTERNAL))
    assert document == world.sts.roles[EXTERNAL].document
    assert document["Statement"][0]["Condition"] == {
        "StringEquals": {"sts:ExternalId": "known-to-both"}
    }


def test_iam_is_signed_for_the_partitions_region(world: World) -> None:
    """IAM is global: whatever the step's region and the endpoint, the signature names IAM's own."""
    aws = insider(world).aws(region="ap-southeast-2")
    aws.trust_policy(world.credentials, RoleArn.parse(DEPLOY))
    assert "/us-east-1/iam/" in world.sts.requests[0].headers["Authorization"]


def test_it_is_asked_once(world: World) -> None:
    """A throttled diagnosis is none: no pause, no second attempt."""
    world.sts.fail_next(503, "ServiceUnavailable", times=9)
    with pytest.raises(Temporary):
        insider(world).aws().trust_policy(world.credentials, RoleArn.parse(DEPLOY))
    assert len(world.sts.requests) == 1
    assert world.time.slept == []


def test_a_refusal_is_a_cloud_error(world: World) -> None:
    """Most launchers may not read roles: AccessDenied with IAM's name on it."""
    world.sts.fail_next(403, "AccessDenied", "no iam:GetRole", action="GetRole")
    with pytest.raises(CloudError) as caught:
        insider(world).aws().trust_policy(world.credentials, RoleArn.parse(DEPLOY))
    assert (caught.value.service, caught.value.code) == ("iam", "AccessDenied")


def test_a_role_of_another_account_is_not_mistaken(world: World) -> None:
    """IAM answers by name, in the caller's account: a namesake's policy is not the role's."""
    namesake = "arn:aws:iam::123456789012:role/DevDeployRole"
    world.sts.add_role(namesake)
    with pytest.raises(CloudError, match="another role of this name") as caught:
        world.aws().trust_policy(world.credentials, RoleArn.parse(DEPLOY))
    assert caught.value.code == "NoSuchEntity"
    assert namesake in str(caught.value)


def test_a_wrong_path_is_found_out(world: World) -> None:
    """An ARN without the role's path names no role: the right one is shown."""
    aws = insider(world, "222222222222").aws()
    without_path = RoleArn.parse("arn:aws:iam::222222222222:role/SecondRole")
    with pytest.raises(CloudError, match="path/of/SecondRole"):
        aws.trust_policy(world.credentials, without_path)


def test_a_role_that_is_not_there(world: World) -> None:
    """NoSuchEntity, with a cure."""
    with pytest.raises(CloudError) as caught:
        world.aws().trust_policy(world.credentials, RoleArn.parse(DEPLOY))
    assert caught.value.code == "NoSuchEntity"
    assert caught.value.hint


def test_a_document_that_is_none_is_no_traceback(world: World) -> None:
    """Somebody who answers in the place of IAM is found out."""
    world.sts.answer_next(
        b'<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role>'
        b"<Arn>" + DEPLOY.encode() + b"</Arn><AssumeRolePolicyDocument>%7Bnope"
        b"</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>"
    )
    with pytest.raises(CloudError, match="without a trust policy"):
        insider(world).aws().trust_policy(world.credentials, RoleArn.parse(DEPLOY))


def test_a_session_may_ask_too(world: World) -> None:
    """A role's own session reads its trust policy, session token and all."""
    keys = world.sts.add_session(SECOND, "step")
    document = world.aws().trust_policy(credentials_of(keys), RoleArn.parse(SECOND))
    assert document["Statement"][0]["Principal"] == {"AWS": [DEPLOY]}
