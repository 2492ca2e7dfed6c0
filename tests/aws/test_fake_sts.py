"""The fake AWS says no for AWS's reasons: a test that passes against it has kept AWS's rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.errors import CloudError
from calamari_py.identity import AssumedRole, RoleArn
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret
from tests.aws.aws_world import DEPLOY, USER, FakeTime, World, credentials_of, request
from tests.fake_sts import FakeSts
from tests.fake_sts_answers import sign_in_answer
from tests.fake_sts_tables import Keys, Refusal
from tests.fake_sts_tokens import make_token
from tests.fake_sts_trust import federated_document, is_allowed, trust_document
from tests.fakes import FrozenClock

FIRST = "arn:aws:iam::111111111111:role/First"
NEXT = "arn:aws:iam::222222222222:role/Next"
ISSUER = "https://token.example.com/cluster"
ISSUER_HOST = "token.example.com/cluster"
AUDIENCE = "sts.amazonaws.com"
SUBJECT = "system:serviceaccount:ci:Runner"
ALL = ("sts:TagSession", "sts:SetSourceIdentity")
STATEMENT = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def policy(**changes: Any) -> str:
    """A session policy whose statement has `changes`; None leaves an element out."""
    statement = {name: value for name, value in {**STATEMENT, **changes}.items() if value}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def chain(world: World) -> World:
    """A world with two roles that allow everything, one behind the other."""
    world.sts.add_role(FIRST, trust=[USER], allow=ALL)
    world.sts.add_role(NEXT, trust=[FIRST], allow=ALL)
    return world


def session_of(world: World, assumed: AssumedRole) -> Keys:
    return world.sts.keys[assumed.credentials.access_key_id]


def first_of(world: World, **fields: Any) -> AssumedRole:
    return world.aws().assume_role(world.credentials, request(FIRST, **fields))


REFUSED = [
    pytest.param({"tags": {"a" * 129: "v"}}, "ValidationError", "128", id="long key"),
    pytest.param({"tags": {"k": "v" * 257}}, "ValidationError", "256", id="long value"),
    pytest.param({"tags": {"k": "a;b"}}, "ValidationError", "pattern", id="value's characters"),
    pytest.param({"tags": {"k#": "v"}}, "ValidationError", "pattern", id="key's characters"),
    pytest.param({"tags": {"AWS:k": "v"}}, "InvalidParameterValue", "System", id="aws: key"),
    pytest.param({"tags": {"k": "1", "K": "2"}}, "InvalidParameterValue", "Duplicate", id="twice"),
    pytest.param(
        {"tags": {f"k{number}": "v" for number in range(51)}}, "ValidationError", "50", id="51 tags"
    ),
    pytest.param({"transitive_tags": ("k",)}, "ValidationError", "transitive", id="transitive"),
    pytest.param({"policy": "{nope"}, "MalformedPolicyDocument", "Syntax", id="no JSON"),
    pytest.param({"policy": "[]"}, "MalformedPolicyDocument", "Syntax", id="no object"),
    pytest.param({"policy": policy(Action=None)}, "MalformedPolicyDocument", "", id="no action"),
    pytest.param({"policy": policy(Effect="Yes")}, "MalformedPolicyDocument", "", id="effect"),
    pytest.param({"policy": policy(Principal="*")}, "MalformedPolicyDocument", "", id="principal"),
    pytest.param(
        {"policy": policy(Resource=["arn:aws:s3:::" + "b" * 2100])},
        "ValidationError",
        "2048",
        id="long policy",
    ),
    pytest.param({"policy_arns": ("nope" * 5,)}, "ValidationError", "not valid", id="policy ARN"),
    pytest.param(
        {"policy_arns": tuple(f"arn:aws:iam::aws:policy/P{number}" for number in range(11))},
        "ValidationError",
        "10",
        id="11 policy ARNs",
    ),
    pytest.param(
        {"tags": {f"k{number}": "v" * 200 for number in range(30)}},
        "PackedPolicyTooLarge",
        "%",
        id="packed size",
    ),
    pytest.param({"source_identity": "a b"}, "ValidationError", "sourceIdentity", id="identity"),
]


@pytest.mark.parametrize(("fields", "code", "text"), REFUSED)
def test_what_sts_refuses_of_a_request(
    chain: World, fields: dict[str, Any], code: str, text: str
) -> None:
    """Limits, patterns and documents, each with AWS's code."""
    with pytest.raises(CloudError) as caught:
        first_of(chain, **fields)
    assert caught.value.code == code
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("allow", "fields", "action"),
    [
        pytest.param((), {"tags": {"k": "v"}}, "sts:TagSession", id="tags"),
        pytest.param((), {"source_identity": "me"}, "sts:SetSourceIdentity", id="identity"),
        pytest.param(
            ("sts:TagSession",),
            {"tags": {"k": "v"}, "source_identity": "me"},
            "sts:SetSourceIdentity",
            id="only tags",
        ),
    ],
)
def test_trust_must_allow_what_a_session_carries(
    world: World, allow: tuple[str, ...], fields: dict[str, Any], action: str
) -> None:
    """Tags and source identities need actions of their own; the denial names the action."""
    world.sts.add_role(FIRST, trust=[USER], allow=allow)
    with pytest.raises(CloudError, match=f"not authorized to perform: {action}") as caught:
        first_of(world, **fields)
    assert caught.value.code == "AccessDenied"
    world.sts.add_role(FIRST, trust=[USER], allow=ALL)
    first_of(world, **fields)


def test_transitive_tags_go_on(chain: World) -> None:
    """What is transitive is on the next session too; the rest ends with its own."""
    first = first_of(chain, tags={"Cost": "1", "Other": "2"}, transitive_tags=("Cost",))
    second = chain.aws().assume_role(first.credentials, request(NEXT, tags={"More": "3"}))
    assert session_of(chain, second).tags == {"Cost": "1", "More": "3"}
    assert session_of(chain, second).transitive == {"Cost"}


def test_transitive_tags_cannot_be_overridden(chain: World) -> None:
    """Not even in another case."""
    first = first_of(chain, tags={"Cost": "1"}, transitive_tags=("Cost",))
    with pytest.raises(CloudError, match="conflicts with a transitive tag key"):
        chain.aws().assume_role(first.credentials, request(NEXT, tags={"cost": "2"}))


@pytest.mark.parametrize(
    ("fields", "action"),
    [
        pytest.param(
            {"tags": {"Cost": "1"}, "transitive_tags": ("Cost",)}, "sts:TagSession", id="tags"
        ),
        pytest.param({"source_identity": "me"}, "sts:SetSourceIdentity", id="identity"),
    ],
)
def test_what_is_handed_on_must_be_allowed_as_well(
    chain: World, fields: dict[str, Any], action: str
) -> None:
    """A hop that asks for nothing is refused for what its caller's session brings along."""
    chain.sts.add_role(NEXT, trust=[FIRST])
    first = first_of(chain, **fields)
    with pytest.raises(CloudError, match=action):
        chain.aws().assume_role(first.credentials, request(NEXT))


def test_a_source_identity_stays(chain: World) -> None:
    """It goes on by itself, may be repeated, and can never be changed."""
    first = first_of(chain, source_identity="release-1")
    aws = chain.aws()
    second = aws.assume_role(first.credentials, request(NEXT))
    assert session_of(chain, second).source_identity == "release-1"
    aws.assume_role(first.credentials, request(NEXT, source_identity="release-1"))
    with pytest.raises(CloudError, match="already set"):
        aws.assume_role(first.credentials, request(NEXT, source_identity="release-2"))


def test_session_policies_are_recorded(chain: World) -> None:
    """A test can read what a session was restricted to."""
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    session = session_of(chain, first_of(chain, policy=policy(), policy_arns=(arn,)))
    assert session.policy == policy()
    assert session.policy_arns == (arn,)


def test_sessions_end(world: World) -> None:
    """With a clock that a test moves, credentials live for as long as they were asked for."""
    clock = FrozenClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    with FakeSts(clock=clock) as sts:
        launcher = sts.add_user(USER)
        sts.add_role(DEPLOY, trust=[USER])
        aws = BotoAws(
            AwsSettings(region="eu-west-1", endpoints={"": sts.url}),
            SecretRegistry(),
            {},
            clock=clock,
            pace=FakeTime().pace(),
        )
        assumed = aws.assume_role(credentials_of(launcher), request(duration=900))
        clock.advance(899)
        aws.caller_identity(assumed.credentials)
        clock.advance(1)
        with pytest.raises(CloudError) as caught:
            aws.caller_identity(assumed.credentials)
        assert caught.value.code == "ExpiredToken"
        assert aws.take_warnings() == ()


def test_requests_are_told_apart_by_session(chain: World) -> None:
    """What a session did, and nothing that others did."""
    first = first_of(chain)
    chain.aws().caller_identity(first.credentials)
    keys = session_of(chain, first)
    assert [log.action for log in chain.sts.requests_of(keys)] == ["GetCallerIdentity"]
    assert [log.action for log in chain.sts.requests_of(chain.launcher)] == ["AssumeRole"]


def claims(**changes: Any) -> dict[str, Any]:
    now = int(datetime.now(UTC).timestamp())
    base = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "exp": now + 600}
    return {**base, **changes}


TOKENS = [
    pytest.param(claims(), None, id="as it should be"),
    pytest.param(claims(aud=["other", AUDIENCE]), None, id="one of two audiences"),
    pytest.param(claims(exp=1), "ExpiredTokenException", id="expired"),
    pytest.param(claims(iss="https://evil.example"), "InvalidIdentityToken", id="issuer"),
    pytest.param(claims(aud="other"), "InvalidIdentityToken", id="audience"),
    pytest.param(claims(sub=SUBJECT.lower()), "AccessDenied", id="subject's letter case"),
    pytest.param(claims(sub="system:serviceaccount:ci:Other"), "AccessDenied", id="subject"),
    pytest.param({"sub": SUBJECT}, "InvalidIdentityToken", id="no issuer"),
]


@pytest.mark.parametrize(("token", "code"), TOKENS)
def test_tokens_are_read(world: World, token: dict[str, Any], code: str | None) -> None:
    """Issuer, audience, expiry by the provider; subject by the role's conditions."""
    provider = world.sts.add_provider(ISSUER, account="111111111111", audiences=[AUDIENCE])
    condition = {"StringEquals": {f"{ISSUER_HOST}:sub": SUBJECT, f"{ISSUER_HOST}:aud": AUDIENCE}}
    world.sts.add_role(FIRST, document=federated_document(provider, condition))
    call = partial(
        world.aws().assume_role_with_web_identity,
        token=Secret(make_token(**token)),
        role=RoleArn.parse(FIRST),
        session_name="pod",
        duration=3600,
    )
    if code is None:
        assert call().principal.role == "First"
        return
    with pytest.raises(CloudError) as caught:
        call()
    assert caught.value.code == code


def test_a_token_is_not_a_key(world: World) -> None:
    """A role that trusts tokens is no role for callers with keys, and the other way round."""
    provider = world.sts.add_provider(ISSUER, account="111111111111", audiences=[AUDIENCE])
    world.sts.add_role(FIRST, document=federated_document(provider, {}))
    with pytest.raises(CloudError) as caught:
        first_of(world)
    assert caught.value.code == "AccessDenied"
    with pytest.raises(CloudError, match="sts:AssumeRoleWithWebIdentity"):
        world.aws().assume_role_with_web_identity(
            token=Secret(make_token(**claims())),
            role=RoleArn.parse(DEPLOY),
            session_name="pod",
            duration=3600,
        )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param({"StringEquals": {"sts:ExternalId": "x"}}, True, id="equals"),
        pytest.param({"StringEquals": {"sts:externalid": ["y", "x"]}}, True, id="one of"),
        pytest.param({"StringEquals": {"sts:ExternalId": "X"}}, False, id="letter case"),
        pytest.param({"StringEqualsIgnoreCase": {"sts:ExternalId": "X"}}, True, id="ignore case"),
        pytest.param({"StringLike": {"sts:ExternalId": "?"}}, True, id="like"),
        pytest.param({"StringNotEquals": {"sts:ExternalId": "x"}}, False, id="not equals"),
        pytest.param({"StringEquals": {"sts:SourceIdentity": "me"}}, False, id="not there"),
        pytest.param({"StringEqualsIfExists": {"sts:SourceIdentity": "me"}}, True, id="if exists"),
        pytest.param(
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}, True, id="all values"
        ),
        pytest.param({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, False, id="not all"),
        pytest.param({"ForAnyValue:StringEquals": {"aws:TagKeys": ["a"]}}, True, id="any value"),
    ],
)
def test_conditions(condition: dict[str, Any], expected: bool) -> None:
    """The operators that trust policies use in practice."""
    document = trust_document(["*"])
    document["Statement"][0]["Condition"] = condition
    context = {"sts:externalid": ["x"], "aws:tagkeys": ["a", "b"]}
    assert is_allowed(document, "sts:AssumeRole", {"AWS": {USER}}, context) is expected


def test_what_the_fake_does_not_know_is_no_yes() -> None:
    """An operator it cannot evaluate fails the test that needs it."""
    document = trust_document(["*"])
    document["Statement"][0]["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    with pytest.raises(NotImplementedError):
        is_allowed(document, "sts:AssumeRole", {"AWS": {USER}}, {})


def test_a_deny_wins(world: World) -> None:
    """Whatever else the policy allows."""
    document = trust_document([USER])
    denial = {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}
    statements = [*document["Statement"], denial]
    world.sts.add_role(FIRST, document={**document, "Statement": statements})
    with pytest.raises(CloudError, match="sts:AssumeRole"):
        first_of(world)


@pytest.mark.parametrize(
    ("name", "duration"),
    [pytest.param("chained", "900", id="chained"), pytest.param("plain", "899", id="too short")],
)
def test_sign_in_refuses_a_duration(world: World, name: str, duration: str) -> None:
    """The federation page's 400 for a duration it does not take, also where we would not ask."""
    keys = world.sts.add_session(DEPLOY, name, chained=name == "chained")
    session = {
        "sessionId": keys.access_key_id,
        "sessionKey": keys.secret_access_key,
        "sessionToken": keys.session_token,
    }
    params = {"Session": json.dumps(session)}
    assert sign_in_answer(world.sts, params)["SigninToken"]
    with pytest.raises(Refusal):
        sign_in_answer(world.sts, {**params, "SessionDuration": duration})
