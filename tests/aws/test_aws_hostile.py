"""Whatever answers in the place of AWS: bounded in time and size, and never a defect of ours."""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from calamari_py.aws import AwsSettings, BotoAws, Pace
from calamari_py.errors import CloudError, IdentityError, Temporary
from calamari_py.identity import AwsCredentials, RoleArn
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret
from tests.aws.aws_world import DEPLOY, World, request
from tests.aws.test_profile_process import door, printed
from tests.aws.test_profile_sso import LATER, LEGACY, SESSION, signed_in
from tests.aws.wild_server import Say, WildServer, whole

KEYS = AwsCredentials(
    access_key_id="ASIALAUNCHERLAUNCHER",
    secret_access_key=Secret("launcher/secret+key0123456789abcdefghijk"),
    session_token=Secret("launcher-session-token//////////0123456789"),
)
Ask = Callable[[BotoAws], object]
assume: Ask = lambda aws: aws.assume_role(KEYS, request())  # noqa: E731
parameter: Ask = lambda aws: aws.parameter(KEYS, "/app/license")  # noqa: E731
secret: Ask = lambda aws: aws.secret(KEYS, "app/db")  # noqa: E731
policy: Ask = lambda aws: aws.trust_policy(KEYS, RoleArn.parse(DEPLOY))  # noqa: E731
sign_in: Ask = lambda aws: aws.sign_in_url(KEYS)  # noqa: E731

ASSUMED = (
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>'
    "<AssumedRoleUser><AssumedRoleId>AROA:step</AssumedRoleId>"
    "<Arn>arn:aws:sts::111111111111:assumed-role/DevDeployRole/step</Arn></AssumedRoleUser>"
    "<Credentials><AccessKeyId>ASIASTEPSTEPSTEPSTEP</AccessKeyId>"
    "<SecretAccessKey>step/secret+key0123456789abcdefghijklmno</SecretAccessKey>"
    "<SessionToken>session-token-of-the-step-0123456789</SessionToken>"
    "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
    "<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></AssumeRoleResponse>"
)
REFUSED = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>RequestTimeTooSkewed</Code><Message>no</Message></Error></ErrorResponse>"
)
ROLE = (
    '<GetRoleResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetRoleResult><Role>'
    f"<Arn>{DEPLOY}</Arn><AssumeRolePolicyDocument>{{policy}}</AssumeRolePolicyDocument>"
    "</Role></GetRoleResult></GetRoleResponse>"
)
DEEP = "[" * 100_000
LONE = json.dumps("\ud800")


def aws_at(url: str, pace: Pace) -> BotoAws:
    environ = {"AWS_ENDPOINT_URL": url}
    settings = AwsSettings.from_environ(environ, region="eu-west-1")
    return BotoAws(settings, SecretRegistry(), environ, pace=pace)


def dripping(head: bytes) -> Say:
    """`head`, and then one byte after the other, with no end."""

    def say(closed: threading.Event) -> Iterator[bytes]:
        yield head
        while not closed.wait(0.02):
            yield b"x"

    return say


def pouring(closed: threading.Event) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    for _ in range(600):
        if not closed.is_set():
            yield b"x" * 2**20


DRIPS = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", id="body"),
    pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", id="body without an end"),
    pytest.param(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFF\r\n", id="body in chunks"
    ),
    pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: ", id="header"),
    pytest.param(b"HTTP/1.1 ", id="status line"),
]


@pytest.fixture(autouse=True)
def no_collection() -> Iterator[None]:
    """What earlier tests left is not finalised in the depth of a nested document: the finaliser
    would meet the recursion limit that the document is about."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("head", DRIPS)
def test_an_answer_that_drips_ends_with_the_budget(head: bytes) -> None:
    """Every byte comes in time, the answer never does: the budget of the call counts."""
    with WildServer(dripping(head)) as wild:
        began = time.monotonic()
        with pytest.raises(Temporary, match="no whole answer within 1 s") as caught:
            assume(aws_at(wild.url, Pace(budget=0.2)))
    assert time.monotonic() - began < 8
    assert caught.value.code == "Unreachable"


roots: Ask = lambda aws: aws.call(KEYS, "organizations", "ListRoots", {})  # noqa: E731
CALLS = [
    pytest.param(assume, id="sts"),
    pytest.param(parameter, id="ssm"),
    pytest.param(secret, id="secretsmanager"),
    pytest.param(policy, id="iam"),
    pytest.param(sign_in, id="sign-in"),
]


@pytest.mark.parametrize("ask", CALLS)
def test_no_attempt_takes_longer_than_its_time_outs_together(ask: Ask) -> None:
    """Whatever service is asked, and also where there is one attempt only."""
    with WildServer(dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")) as wild:
        pace = Pace(budget=0.0, connect_timeout=0.2, read_timeout=0.8)
        with pytest.raises(Temporary, match=r"no whole answer|broke off"):
            ask(aws_at(wild.url, pace))


@pytest.mark.parametrize("ask", [*CALLS, pytest.param(roots, id="organizations")])
def test_an_answer_that_pours_is_cut_off(ask: Ask) -> None:
    """No service is read further than a mebibyte, what the sockets hold aside."""
    with WildServer(pouring) as wild:
        with pytest.raises(Temporary, match="more than 1024 KiB came back"):
            ask(aws_at(wild.url, Pace(budget=0.0)))
        assert wild.sent < 32 * 2**20


def test_the_largest_secret_is_no_flood(world: World) -> None:
    """64 KiB that JSON writes six times as long."""
    value = "\x01" * 65_536
    world.sts.add_secret("app/db", value)
    assert world.aws().secret(world.credentials, "app/db").reveal() == value


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        *(
            pytest.param(
                assume, whole(ASSUMED.replace("2099-01-01T00:00:00Z", text)), id=f"expiry {text}"
            )
            for text in (
                "0001-01-01T00:00:00+01:00",
                "9999-12-31T23:59:59-01:00",
                "-99999999999",
                "99999999999999999999",
                "1e400",
                "NaN",
                "soon",
            )
        ),
        pytest.param(assume, whole("<a>" * 100_000), id="XML of many levels"),
        pytest.param(policy, whole(DEEP), id="no XML"),
        pytest.param(policy, whole(ROLE.format(policy=DEEP)), id="policy of many levels"),
        *(
            pytest.param(ask, whole(DEEP, status), id=f"{name} of many levels, {status}")
            for ask, name in ((parameter, "ssm"), (secret, "secrets"), (sign_in, "sign-in"))
            for status in (200, 400, 500)
        ),
        pytest.param(sign_in, whole('{"ResponseMetadata": null}'), id="sign-in: metadata null"),
        pytest.param(sign_in, whole('{"ResponseMetadata": 5}'), id="sign-in: metadata 5"),
        pytest.param(sign_in, whole('{"Error": null}', 500), id="sign-in: error null"),
        pytest.param(sign_in, whole('{"Error": "no"}', 500), id="sign-in: error a word"),
        pytest.param(sign_in, whole(f'{{"SigninToken": {LONE}}}'), id="sign-in: lone surrogate"),
        pytest.param(sign_in, whole('{"SigninToken": []}'), id="sign-in: a list"),
        pytest.param(parameter, whole('{"Parameter": []}'), id="ssm: a list"),
        pytest.param(parameter, whole('{"Parameter": {"Value": 5}}'), id="ssm: a number"),
        pytest.param(
            parameter, whole('{"Parameter": {"Type": [], "Value": {}}}'), id="ssm: type a list"
        ),
        pytest.param(
            parameter, whole(f'{{"Parameter": {{"Value": {LONE}}}}}'), id="ssm: lone surrogate"
        ),
        pytest.param(
            parameter,
            whole('{"Parameter": {"Value": "v", "LastModifiedDate": -1e99}}'),
            id="ssm: a date of no calendar",
        ),
        pytest.param(
            parameter, whole(f'{{"__type": {LONE}, "message": {LONE}}}', 400), id="ssm: error"
        ),
        pytest.param(secret, whole('{"SecretString": 5}'), id="secrets: a number"),
        pytest.param(secret, whole('{"SecretBinary": 5}'), id="secrets: no base64"),
        pytest.param(secret, whole(f'{{"SecretString": {LONE}}}'), id="secrets: lone surrogate"),
        pytest.param(
            assume,
            whole(REFUSED, 403, {"Date": "Fri, 31 Dec 9999 23:59:59 GMT"}),
            id="skew, the last date",
        ),
        pytest.param(
            assume,
            whole(REFUSED, 403, {"Date": "Mon, 01 Jan 99999999999 00:00:00 GMT"}),
            id="skew, a date of no calendar",
        ),
    ],
)
def test_an_answer_that_aws_never_gives_is_an_error_of_the_call(
    ask: Ask, answer: Iterable[bytes]
) -> None:
    """One sentence that can be printed: never another exception."""
    with WildServer(lambda _: answer) as wild, pytest.raises(CloudError) as caught:
        ask(aws_at(wild.url, Pace(budget=0.0)))
    assert caught.value.hint
    texts = (caught.value.message, caught.value.code, *caught.value.evidence)
    assert all(text.encode() for text in texts)


def test_a_type_of_no_kind_keeps_a_parameter_secret() -> None:
    """What is not said to be plain is masked."""
    with WildServer(lambda _: whole('{"Parameter": {"Type": [], "Value": "v-0123456"}}')) as wild:
        found = aws_at(wild.url, Pace(budget=0.0)).parameter(KEYS, "/app/license")
    assert found.sensitive


def test_keys_that_no_request_can_carry_are_said() -> None:
    """Half a surrogate pair cannot be signed with: an error, before anything is sent."""
    keys = AwsCredentials(access_key_id="ASIA", secret_access_key=Secret("half-\ud800-a-pair"))
    with WildServer(lambda _: whole("")) as wild, pytest.raises(CloudError) as caught:
        aws_at(wild.url, Pace(budget=0.0)).caller_identity(keys)
    assert caught.value.code == "InvalidParameters"
    assert wild.sent == 0


def date_in(**delta: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(**delta), usegmt=True)


@pytest.mark.parametrize(
    ("date", "learnt"),
    [
        pytest.param(date_in(hours=2), timedelta(hours=2), id="two hours"),
        pytest.param(date_in(hours=-2), timedelta(hours=-2), id="two hours back"),
        pytest.param(date_in(days=3), timedelta(), id="three days"),
        pytest.param(date_in(days=-20_000), timedelta(), id="another century"),
        pytest.param("Fri, 31 Dec 9999 23:59:59 -0100", timedelta(), id="beyond the calendar"),
        pytest.param("Mon, 01 Jan 0001 00:00:00 +0100", timedelta(), id="before the calendar"),
        pytest.param("Mon, 01 Jan 99999999999 00:00:00 GMT", timedelta(), id="a huge year"),
        pytest.param(f"Mon, 01 Jan 2020 00:00:00 {'9' * 400}", timedelta(), id="a huge zone"),
        pytest.param("soon", timedelta(), id="no date"),
    ],
)
def test_only_a_date_that_can_be_a_clock_is_learnt(date: str, learnt: timedelta) -> None:
    """Expiries are judged by it: more than a day off is not AWS's clock."""
    with WildServer(lambda _: whole(ASSUMED, headers={"Date": date})) as wild:
        aws = aws_at(wild.url, Pace(budget=0.0))
        assume(aws)
    assert abs(aws.clock_offset() - learnt) < timedelta(minutes=10)


def test_a_clock_that_signatures_proved_is_learnt_however_far(world: World) -> None:
    """AWS refused this machine's time and takes the corrected one: that is no absurd date."""
    world.sts.clock_offset = -90_000
    aws = world.aws()
    aws.assume_role(world.credentials, request())
    assert aws.clock_offset().total_seconds() == pytest.approx(-90_000, abs=10)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(printed(Expiration="0001-01-01T00:00:00+01:00"), id="before the calendar"),
        pytest.param(printed(Expiration="9999-12-31T23:59:59-01:00"), id="beyond the calendar"),
        pytest.param(printed(Expiration=5), id="a number"),
        pytest.param(printed(SecretAccessKey="half-\ud800-a-pair"), id="a key that is no text"),
        pytest.param(printed(SessionToken="half-\ud800-a-pair"), id="a token that is no text"),
        pytest.param(printed(AccessKeyId="ASIA\ud800"), id="an id that is no text"),
        pytest.param(DEEP.encode(), id="many levels"),
    ],
)
def test_a_program_that_prints_nonsense_is_a_broken_source(
    world: World, tmp_path: Path, answer: bytes
) -> None:
    """Found before botocore reckons with it."""
    with pytest.raises(IdentityError, match="profile 'p'") as caught:
        door(world, tmp_path, lambda _: answer).profile_credentials("p")
    assert caught.value.message.encode()


def portal(**changes: object) -> str:
    keys = {
        "accessKeyId": "ASIAPORTALPORTALPORT",
        "secretAccessKey": "portal/secret+key0123456789abcdefghijklm",
        "sessionToken": "session-token-of-the-portal",
        "expiration": 4_070_908_800_000,
        **changes,
    }
    return json.dumps({"roleCredentials": keys})


def tokens(**changes: object) -> str:
    return json.dumps({"accessToken": "another-access-token", "expiresIn": 3600, **changes})


RENEWED = {
    "expiresAt": "2020-01-01T00:00:00Z",
    "refreshToken": "the-refresh-token",
    "clientId": "the-client",
    "clientSecret": "the-client-secret",
    "registrationExpiresAt": LATER,
}


@pytest.mark.parametrize(
    ("config", "answer"),
    [
        pytest.param(LEGACY, portal(expiration=1e300), id="a time of no calendar"),
        pytest.param(LEGACY, portal(expiration=-1), id="a time before all"),
        pytest.param(LEGACY, portal(expiration="soon"), id="no time"),
        pytest.param(LEGACY, portal(expiration=None), id="without a time"),
        pytest.param(LEGACY, portal(secretAccessKey=5), id="a key that is a number"),
        pytest.param(LEGACY, portal(sessionToken="\ud800"), id="a token that is no text"),
        pytest.param(LEGACY, '{"roleCredentials": null}', id="nothing"),
        pytest.param(LEGACY, DEEP, id="many levels"),
        pytest.param(SESSION, tokens(expiresIn=1e30), id="a token for ever"),
        pytest.param(SESSION, tokens(expiresIn="long"), id="a token for no time"),
        pytest.param(SESSION, tokens(accessToken=[]), id="a token that is a list"),
    ],
)
def test_a_portal_that_talks_nonsense_is_an_error(
    world: World, tmp_path: Path, config: str, answer: str
) -> None:
    """IAM Identity Center's answers are checked before botocore reckons with them."""
    environ = signed_in(tmp_path, config, **(RENEWED if config == SESSION else {}))
    with WildServer(lambda _: whole(answer)) as wild:
        aws = world.aws(environ, url=wild.url, budget=0.0)
        with pytest.raises((CloudError, IdentityError)) as caught:
            aws.profile_credentials("s")
    assert caught.value.message.encode()
