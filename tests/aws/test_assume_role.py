"""Assuming roles: what is sent, what comes back, what is registered."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from calamari_py.errors import CloudError
from calamari_py.identity import RoleArn
from calamari_py.masking.secret import Secret
from tests.aws.aws_world import DEPLOY, EXTERNAL, SECOND, World, request

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzdGVwIn0.c2lnbmF0dXJl"


def test_one_hop_returns_the_role_in_the_other_account(world: World) -> None:
    """Launcher keys in, the deployment role's own short-lived keys and ARN out."""
    assumed = world.aws().assume_role(world.credentials, request())
    assert assumed.principal.arn == "arn:aws:sts::111111111111:assumed-role/DevDeployRole/step"
    assert assumed.principal.account == "111111111111"
    assert assumed.credentials.access_key_id.startswith("ASIA")
    assert assumed.credentials.session_token
    assert assumed.duration == 3600
    assert assumed.request_id
    assert assumed.warnings == ()
    assert assumed.credentials.expires_at is not None
    left = assumed.credentials.expires_at - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_a_chain_uses_each_hops_credentials_for_the_next(world: World) -> None:
    """The second hop is signed with what the first returned, over the same connection."""
    aws = world.aws()
    first = aws.assume_role(world.credentials, request())
    second = aws.assume_role(first.credentials, request(SECOND))
    assert second.principal.role == "SecondRole"
    assert second.principal.account == "222222222222"
    assert [entry.access_key_id for entry in world.sts.requests] == [
        world.launcher.access_key_id,
        first.credentials.access_key_id,
    ]
    assert world.sts.connections == 1
    assert aws.caller_identity(second.credentials) == second.principal


def test_every_field_of_a_request_reaches_sts(world: World) -> None:
    """Nothing of a hop is lost or renamed on the way."""
    world.aws().assume_role(
        world.credentials,
        request(
            EXTERNAL,
            session_name="a.b@c",
            duration=900,
            external_id="known-to-both",
            policy='{"Version": "2012-10-17", "Statement": []}',
            policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
            tags={"Project": "pay ments", "Größe": "ü"},
            transitive_tags=("Project",),
            source_identity="release-1",
        ),
    )
    assert world.sts.requests[0].params == {
        "RoleArn": EXTERNAL,
        "RoleSessionName": "a.b@c",
        "DurationSeconds": "900",
        "ExternalId": "known-to-both",
        "Policy": '{"Version": "2012-10-17", "Statement": []}',
        "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "Tags.member.1.Key": "Project",
        "Tags.member.1.Value": "pay ments",
        "Tags.member.2.Key": "Größe",
        "Tags.member.2.Value": "ü",
        "TransitiveTagKeys.member.1": "Project",
        "SourceIdentity": "release-1",
    }


def test_what_is_not_set_is_not_sent(world: World) -> None:
    """An empty list or text would be an error at STS."""
    world.aws().assume_role(world.credentials, request())
    assert set(world.sts.requests[0].params) == {"RoleArn", "RoleSessionName", "DurationSeconds"}


@pytest.mark.parametrize(
    "external_id",
    [pytest.param(None, id="missing"), pytest.param("wrong-one", id="wrong")],
)
def test_a_wrong_external_id_is_refused(world: World, external_id: str | None) -> None:
    """The refusal is AWS's AccessDenied, asked for once, with the evidence."""
    with pytest.raises(CloudError) as caught:
        world.aws().assume_role(world.credentials, request(EXTERNAL, external_id=external_id))
    error = caught.value
    assert (error.code, error.status, error.exit_code) == ("AccessDenied", 403, 1)
    assert error.hint is not None
    assert "external id" in error.hint
    assert error.request_id is not None
    proof = f"STS request id {error.request_id}, host {world.sts.url[7:]}, clock "
    assert error.evidence[0].startswith(proof)
    assert re.search(r"clock (within 1|off by \d) s$", error.evidence[0])
    assert len(world.sts.requests) == 1


def test_web_identity_is_unsigned(world: World) -> None:
    """The token alone speaks: no key of anybody goes along."""
    world.sts.add_token(TOKEN, roles=[DEPLOY])
    assumed = world.aws().assume_role_with_web_identity(
        token=Secret(TOKEN), role=RoleArn.parse(DEPLOY), session_name="pod", duration=3600
    )
    assert assumed.principal.session == "pod"
    entry = world.sts.requests[0]
    assert entry.access_key_id is None
    assert "X-Amz-Security-Token" not in entry.headers
    assert world.registry.holds_secret(TOKEN)


@pytest.mark.parametrize(
    ("role", "duration", "warning"),
    [
        pytest.param(
            DEPLOY,
            43200,
            f"role '{DEPLOY}' does not allow sessions of 12h (MaxSessionDuration); "
            "it is assumed for 1h",
            id="MaxSessionDuration",
        ),
        pytest.param(
            SECOND,
            5400,
            f"role chaining limits a session to 1h: '{SECOND}' is assumed for 1h instead of 1h30m",
            id="chaining",
        ),
    ],
)
def test_a_duration_that_is_too_long_is_asked_for_once_more(
    world: World, role: str, duration: int, warning: str
) -> None:
    """One more call at an hour, and a warning that says so."""
    aws = world.aws()
    credentials = world.credentials
    if role == SECOND:
        credentials = aws.assume_role(credentials, request()).credentials
        world.sts.requests.clear()
    assumed = aws.assume_role(credentials, request(role, duration=duration))
    assert assumed.duration == 3600
    assert assumed.warnings == (warning,)
    asked = [entry.params["DurationSeconds"] for entry in world.sts.requests]
    assert asked == [str(duration), "3600"]


def test_web_identity_shortens_as_well(world: World) -> None:
    """The rule for the longest session holds for both ways of assuming a role."""
    world.sts.add_token(TOKEN, roles=[DEPLOY])
    assumed = world.aws().assume_role_with_web_identity(
        token=Secret(TOKEN), role=RoleArn.parse(DEPLOY), session_name="pod", duration=7201
    )
    assert assumed.duration == 3600
    assert len(assumed.warnings) == 1


def test_secrets_of_an_answer_are_registered(world: World) -> None:
    """Both secret parts are known to the masker by name when the answer arrives."""
    assumed = world.aws().assume_role(world.credentials, request())
    keys = world.sts.keys[assumed.credentials.access_key_id]
    assert world.registry.holds_secret(f"a {keys.secret_access_key} b")
    assert world.registry.holds_secret(f"a {keys.session_token} b")
    assert world.registry.names == (
        f"secret access key of role '{DEPLOY}'",
        f"session token of role '{DEPLOY}'",
    )


def test_secrets_are_registered_even_of_an_answer_that_is_refused(world: World) -> None:
    """Half an answer is not used, and what it holds is masked all the same."""
    body = _answer(SecretAccessKey="half-a-secret-key", SessionToken="")
    world.sts.answer_next(body)
    with pytest.raises(CloudError):
        world.aws().assume_role(world.credentials, request())
    assert world.registry.holds_secret("half-a-secret-key")


def test_an_answer_without_an_arn_is_completed_by_one_more_call(world: World) -> None:
    """Only where STS does not name the session, GetCallerIdentity is asked."""
    keys = world.sts.add_session(DEPLOY, "step")
    world.sts.answer_next(
        _answer(
            arn="",
            AccessKeyId=keys.access_key_id,
            SecretAccessKey=keys.secret_access_key,
            SessionToken=keys.session_token,
        )
    )
    assumed = world.aws().assume_role(world.credentials, request())
    assert assumed.principal.arn == keys.arn
    assert world.sts.actions() == ["AssumeRole", "GetCallerIdentity"]


def test_the_answer_must_be_about_the_role_asked_for(world: World) -> None:
    """Credentials of another role are not used, whoever sends them."""
    world.sts.answer_next(_answer(arn="arn:aws:sts::999999999999:assumed-role/Other/step"))
    with pytest.raises(CloudError, match="for another identity") as caught:
        world.aws().assume_role(world.credentials, request())
    assert caught.value.code == "UnexpectedAnswer"


def test_parameters_and_secrets_come_with_what_is_sensitive(world: World) -> None:
    """A SecureString and every secret are registered; a plain parameter is not."""
    sts, aws = world.sts, world.aws()
    sts.add_parameter("/app/license", "very-secret-license")
    sts.add_parameter("/app/color", "color-blue", "String")
    sts.add_secret("app/db", '{"password": "p4ssword-of-db"}')
    sts.add_secret("app/key", b"\x00\xffbinary-key")
    license_ = aws.parameter(world.credentials, "/app/license")
    color = aws.parameter(world.credentials, "/app/color")
    assert (license_.value.reveal(), license_.sensitive) == ("very-secret-license", True)
    assert (color.value.reveal(), color.sensitive) == ("color-blue", False)
    assert aws.secret(world.credentials, "app/db").reveal() == '{"password": "p4ssword-of-db"}'
    assert aws.secret(world.credentials, "app/key") == Secret(b"\x00\xffbinary-key")
    assert world.registry.holds_secret("very-secret-license")
    assert world.registry.holds_secret('{"password": "p4ssword-of-db"}')
    assert world.registry.holds_secret(b"\x00\xffbinary-key")
    assert not world.registry.holds_secret("color-blue")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        pytest.param("parameter", "ParameterNotFound", id="parameter"),
        pytest.param("secret", "ResourceNotFoundException", id="secret"),
    ],
)
def test_a_missing_value_is_named(world: World, call: str, code: str) -> None:
    """The message names what was asked for, the hint where to look."""
    with pytest.raises(CloudError, match="'app/none'") as caught:
        getattr(world.aws(), call)(world.credentials, "app/none")
    assert caught.value.code == code
    assert caught.value.hint is not None
    assert "region" in caught.value.hint


def test_a_region_known_later_makes_a_new_door(world: World) -> None:
    """A region that only the launcher's source knows is used for signing."""
    aws = world.aws(region=None)
    with pytest.raises(CloudError, match="no region") as caught:
        aws.assume_role(world.credentials, request())
    assert caught.value.code == "NoRegion"
    assert caught.value.hint is not None
    assert "AWS_REGION" in caught.value.hint
    assert aws.in_region("eu-north-1").assume_role(world.credentials, request()).duration == 3600
    assert "/eu-north-1/sts/" in world.sts.requests[0].headers["Authorization"]


def _answer(
    arn: str = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/step", **keys: Any
) -> bytes:
    parts = {
        "AccessKeyId": "ASIAEXAMPLEEXAMPLE00",
        "SecretAccessKey": "some-secret-access-key",
        "SessionToken": "some-session-token",
        "Expiration": "2099-01-01T00:00:00Z",
        **keys,
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in parts.items())
    user = f"<AssumedRoleUser><Arn>{arn}</Arn></AssumedRoleUser>" if arn else ""
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
        f"{user}<Credentials>{inner}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
    ).encode()
