"""What AWS, the network and liars in between can answer, and what becomes of it."""

from __future__ import annotations

import re
import socket
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest

from calamari_py.aws import BotoAws, Pace
from calamari_py.aws.calls import utc_now
from calamari_py.errors import CloudError, Temporary
from calamari_py.identity import AwsCredentials, RoleArn
from calamari_py.masking.secret import Secret
from tests.aws.aws_world import DEPLOY, SECOND, USER, World, credentials_of, request

HTML = b"<!DOCTYPE html><html><body><p>Please log in to the <br> proxy</body></html>"
SECRET_ECHO = "zmVhQ0Fh+secret/echo=="


@pytest.mark.parametrize(
    ("status", "code", "hint"),
    [
        pytest.param(403, "AccessDenied", "trust policy", id="AccessDenied"),
        pytest.param(403, "ExpiredToken", "expired", id="ExpiredToken"),
        pytest.param(403, "InvalidClientTokenId", "access key", id="InvalidClientTokenId"),
        pytest.param(403, "RegionDisabledException", "enable STS", id="RegionDisabled"),
        pytest.param(400, "MalformedPolicyDocument", "session policy", id="MalformedPolicy"),
        pytest.param(400, "PackedPolicyTooLarge", "shorten", id="PackedPolicyTooLarge"),
        pytest.param(400, "ValidationError", "assume_role", id="ValidationError"),
        pytest.param(400, "ExpiredTokenException", "token has expired", id="token expired"),
        pytest.param(400, "InvalidIdentityToken", "identity provider", id="InvalidIdentityToken"),
        pytest.param(403, "IDPRejectedClaim", "audience", id="IDPRejectedClaim"),
        pytest.param(400, "SomethingNew", "'SomethingNew'", id="unknown"),
    ],
)
def test_a_refusal_is_final_and_says_what_to_do(
    world: World, status: int, code: str, hint: str
) -> None:
    """A refusal is asked for once, keeps AWS's word for it, and has a cure."""
    world.sts.fail_next(status, code, "No, because.")
    with pytest.raises(CloudError) as caught:
        world.aws().assume_role(world.credentials, request())
    error = caught.value
    assert not isinstance(error, Temporary)
    assert str(error) == f"sts:AssumeRole for role '{DEPLOY}' was refused ({code}): No, because"
    assert (error.service, error.operation, error.code) == ("sts", "AssumeRole", code)
    assert error.status == status
    assert error.hint is not None
    assert hint in error.hint
    assert len(world.sts.requests) == 1
    assert world.time.slept == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        pytest.param(400, "Throttling", id="Throttling"),
        pytest.param(400, "ThrottlingException", id="ThrottlingException"),
        pytest.param(400, "RequestLimitExceeded", id="RequestLimitExceeded"),
        pytest.param(429, "TooManyRequestsException", id="429"),
        pytest.param(400, "IDPCommunicationError", id="IDPCommunicationError"),
        pytest.param(500, "InternalFailure", id="500"),
        pytest.param(502, "BadGateway", id="502"),
        pytest.param(503, "ServiceUnavailable", id="503"),
        pytest.param(504, "GatewayTimeout", id="504"),
    ],
)
def test_what_passes_by_itself_is_retried(world: World, status: int, code: str) -> None:
    """Two bad moments and a good one make a success, with growing pauses between."""
    world.sts.fail_next(status, code, times=2)
    world.aws().assume_role(world.credentials, request())
    assert len(world.sts.requests) == 3
    assert world.time.slept == pytest.approx([0.3, 0.6])


def test_the_budget_ends_the_retries(world: World) -> None:
    """Throttled for the whole budget is temporary: code 75, and what was tried is said."""
    world.sts.fail_next(400, "Throttling", "Rate exceeded", times=1000)
    with pytest.raises(Temporary, match="Rate exceeded") as caught:
        world.aws().assume_role(world.credentials, request())
    error = caught.value
    assert error.exit_code == 75
    assert error.code == "Throttling"
    assert f"{len(world.sts.requests)} attempts in" in error.message
    assert world.time.now <= 30
    assert world.time.now > 24
    assert error.hint is not None


def test_html_of_a_broken_balancer_is_retried(world: World) -> None:
    """A 503 in another language is still a 503."""
    world.sts.answer_next(HTML, status=503, content_type="text/html", times=2)
    world.aws().assume_role(world.credentials, request())
    assert len(world.sts.requests) == 3


def test_a_dropped_connection_is_retried(world: World) -> None:
    """STS lost on the way is asked again."""
    world.sts.drop_next(times=2)
    world.aws().assume_role(world.credentials, request())
    assert len(world.sts.requests) == 3


def test_silence_is_temporary(world: World) -> None:
    """A server that accepts and says nothing costs the read timeout, not forever."""
    world.sts.hang_next(times=3)
    with pytest.raises(Temporary, match=r"no answer within 0\.05 s") as caught:
        world.aws(read_timeout=0.05, budget=0.5).assume_role(world.credentials, request())
    assert caught.value.code == "Unreachable"


def test_an_unreachable_host_is_temporary_and_named(world: World) -> None:
    """Nobody listens: code 75, host, reason and number of attempts."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(Temporary, match="connection refused") as caught:
            world.aws(url=url).assume_role(world.credentials, request())
    error = caught.value
    assert f"'{url[7:]}'" in error.message
    assert "attempts in" in error.message
    assert error.hint is not None
    assert "HTTPS_PROXY" in error.hint


def test_a_fresh_key_is_given_a_moment(world: World) -> None:
    """AWS may not know a key everywhere that it made a second ago."""
    aws = world.aws()
    first = aws.assume_role(world.credentials, request())
    world.sts.fail_next(403, "InvalidClientTokenId", times=2)
    aws.assume_role(first.credentials, request(SECOND))
    assert world.sts.actions() == ["AssumeRole"] * 4


def test_a_fresh_key_is_not_waited_for_long(world: World) -> None:
    """After some seconds it is the key that is wrong."""
    aws = world.aws()
    first = aws.assume_role(world.credentials, request())
    world.sts.fail_next(403, "InvalidClientTokenId", times=1000)
    with pytest.raises(CloudError) as caught:
        aws.assume_role(first.credentials, request(SECOND))
    assert not isinstance(caught.value, Temporary)
    assert world.time.now < 5


@pytest.mark.parametrize(
    ("offset", "side"),
    [
        pytest.param(700, "behind AWS's", id="our clock is behind"),
        pytest.param(-90000, "ahead of AWS's", id="our clock is a day ahead"),
    ],
)
def test_a_clock_that_is_off_is_corrected_once(world: World, offset: float, side: str) -> None:
    """Signed again with AWS's time, said by how much, and remembered for the next calls."""
    world.sts.clock_offset = offset
    aws = world.aws()
    assumed = aws.assume_role(world.credentials, request())
    assert len(assumed.warnings) == 1
    said = re.search(r"clock is (\d+) s (.*?);", assumed.warnings[0])
    assert said is not None
    assert said[2] == side
    assert int(said[1]) == pytest.approx(abs(offset), abs=5)
    assert len(world.sts.requests) == 2
    aws.caller_identity(world.credentials)
    assert len(world.sts.requests) == 3
    assert aws.take_warnings() == ()


CALLS = [
    pytest.param(lambda aws, keys: aws.assume_role(keys, request()), id="assume_role"),
    pytest.param(lambda aws, keys: aws.caller_identity(keys), id="caller_identity"),
    pytest.param(lambda aws, keys: aws.parameter(keys, "/app/license"), id="parameter"),
    pytest.param(lambda aws, keys: aws.secret(keys, "app/db"), id="secret"),
    pytest.param(lambda aws, keys: aws.trust_policy(keys, RoleArn.parse(OWN)), id="trust_policy"),
]
OWN = "arn:aws:iam::123456789012:role/Own"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "offset", [pytest.param(700, id="behind"), pytest.param(-3700, id="ahead")]
)
def test_every_signed_call_corrects_the_clock(
    world: World, call: Callable[[BotoAws, AwsCredentials], object], offset: int
) -> None:
    """Whichever comes first: signed twice, answered, and said once."""
    world.sts.clock_offset = offset
    world.sts.add_role(OWN)
    world.sts.add_parameter("/app/license", "very-secret-license")
    world.sts.add_secret("app/db", "p4ssword-of-db")
    aws = world.aws()
    assumed = call(aws, world.credentials)
    assert len(world.sts.requests) == 2
    assert len((*getattr(assumed, "warnings", ()), *aws.take_warnings())) == 1
    call(aws, world.credentials)
    assert len(world.sts.requests) == 3
    assert world.time.slept == []


@pytest.mark.parametrize("call", CALLS)
def test_expired_credentials_are_said_at_once(
    world: World, call: Callable[[BotoAws, AwsCredentials], object]
) -> None:
    """Not tried again here: who has a launcher can resolve it anew, by the code."""
    keys = world.sts.add_session("arn:aws:iam::123456789012:role/Pod", "pod", duration=-60)
    with pytest.raises(CloudError) as caught:
        call(world.aws(), credentials_of(keys))
    assert caught.value.code == "ExpiredToken"
    assert not isinstance(caught.value, Temporary)
    assert len(world.sts.requests) == 1


def test_access_denied_is_never_tried_again(world: World) -> None:
    """Not even with the freshest of keys."""
    aws = world.aws()
    first = aws.assume_role(world.credentials, request())
    world.sts.fail_next(403, "AccessDenied", times=9)
    with pytest.raises(CloudError):
        aws.assume_role(first.credentials, request(SECOND))
    assert len(world.sts.requests) == 2


def test_another_region_knows_the_clock_already(world: World) -> None:
    """A correction is made once a run, and its warning is not lost on the way."""
    world.sts.clock_offset = 700
    aws = world.aws()
    aws.caller_identity(world.credentials)
    assumed = aws.in_region("eu-north-1").assume_role(world.credentials, request())
    assert len(world.sts.requests) == 3
    assert len(assumed.warnings) == 1
    assert aws.take_warnings() == ()


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        pytest.param(403, "RequestTimeTooSkewed", "The difference is too large.", id="too skewed"),
        pytest.param(400, "RequestExpired", "Request has expired.", id="expired"),
        pytest.param(
            400, "InvalidSignatureException", "Signature not yet current: later", id="json"
        ),
        pytest.param(403, "SignatureDoesNotMatch", "Signature expired: earlier", id="sts"),
    ],
)
def test_every_wording_of_skew_is_known_and_tried_once(
    world: World, status: int, code: str, message: str
) -> None:
    """One correction a call: a server that insists is believed."""
    world.sts.fail_next(status, code, message, times=2)
    with pytest.raises(CloudError) as caught:
        world.aws().assume_role(world.credentials, request())
    assert caught.value.code == code
    assert len(world.sts.requests) == 2


def test_a_wrong_secret_key_is_no_question_of_the_clock(world: World) -> None:
    """With a clock that is right, a signature that does not match is a wrong key."""
    wrong = AwsCredentials(
        access_key_id=world.launcher.access_key_id, secret_access_key=Secret("of-somebody-else")
    )
    with pytest.raises(CloudError) as caught:
        world.aws().assume_role(wrong, request())
    assert caught.value.code == "SignatureDoesNotMatch"
    assert caught.value.hint is not None
    assert "secret access key" in caught.value.hint
    assert len(world.sts.requests) == 1


def test_signatures_are_made_with_the_injected_clock(world: World) -> None:
    """The clock is a value that is passed in, not the machine's."""
    aws = BotoAws(
        world.aws().settings,
        world.registry,
        {},
        clock=lambda: utc_now() - timedelta(hours=2),
        pace=Pace(),
    )
    warning = aws.assume_role(world.credentials, request()).warnings[0]
    assert warning.startswith("this machine's clock is 7")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(HTML, 200, id="HTML"),
        pytest.param(b"", 200, id="nothing"),
        pytest.param(b"<AssumeRoleResponse><AssumeRoleRes", 200, id="cut"),
        pytest.param(b'{"Credentials": {}}', 200, id="JSON"),
        pytest.param(b"<ListAllMyBucketsResult/>", 200, id="another service"),
        pytest.param(
            b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId> </AccessKeyId>"
            b"<SecretAccessKey></SecretAccessKey><SessionToken></SessionToken>"
            b"<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult>"
            b"</AssumeRoleResponse>",
            200,
            id="blank keys",
        ),
        pytest.param(
            b"<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>A</AccessKeyId>"
            b"<SecretAccessKey>some-secret</SecretAccessKey><SessionToken>some-token</SessionToken>"
            b"<Expiration>soon</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>",
            200,
            id="no time",
        ),
        pytest.param(HTML, 403, id="HTML that forbids"),
        pytest.param(b"", 302, id="redirect"),
        pytest.param(b"", 404, id="not found"),
        pytest.param(b"\xff\xfe\x00", 400, id="bytes"),
    ],
)
def test_a_liar_is_found_out(world: World, body: bytes, status: int) -> None:
    """What is not AWS's answer is never taken for one: no credentials, no traceback, a cure."""
    world.sts.answer_next(body, status=status)
    with pytest.raises(CloudError) as caught:
        world.aws().assume_role(world.credentials, request())
    error = caught.value
    assert error.code == "UnexpectedAnswer"
    assert not isinstance(error, Temporary)
    assert error.hint is not None
    assert "AWS_ENDPOINT_URL_STS" in error.hint
    assert len(world.sts.requests) == 1


def test_the_caller_must_have_an_arn(world: World) -> None:
    """GetCallerIdentity without an ARN is no identity."""
    world.sts.answer_next(
        b"<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account>"
        b"</GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
    with pytest.raises(CloudError, match="without an ARN"):
        world.aws().caller_identity(world.credentials)


def test_secrets_do_not_reach_an_error(world: World) -> None:
    """Even a server that repeats what it was sent puts no secret into message, repr or trace."""
    token = "eyJhbGciOi.eyJzdWIiOiJzdGVwIn0.c2lnbmF0dXJl"
    blob = "Encoded authorization failure message: " + "Qk" * 200
    keys = world.launcher
    for message in (f"you sent {token}", f"{blob}.", f"key {keys.secret_access_key} is odd"):
        world.sts.fail_next(403, "AccessDenied", f"{message} and\n so on")
        aws = world.aws()
        call = partial(aws.assume_role, world.credentials, request())
        if token in message:
            call = partial(
                aws.assume_role_with_web_identity,
                token=Secret(token),
                role=RoleArn.parse(DEPLOY),
                session_name="step",
                duration=3600,
            )
        with pytest.raises(CloudError) as caught:
            call()
        kept = {name: value for name, value in vars(caught.value).items() if name != "encoded"}
        shown = "".join(traceback.format_exception(caught.value)) + repr(kept)
        assert token not in shown
        assert "QkQk" not in shown
        assert keys.secret_access_key not in shown
        assert "\n" not in caught.value.message
        assert caught.value.message.endswith("so on")


def test_the_reason_comes_after_a_long_value(world: World) -> None:
    """AWS repeats what it was sent before it says what is wrong: the end is what people need."""
    tags = {f"key-{number}": "v" for number in range(51)}
    with pytest.raises(CloudError) as caught:
        world.aws().assume_role(world.credentials, request(tags=tags))
    assert str(caught.value).endswith("Member must have length less than or equal to 50")
    assert "'key-0'" in str(caught.value)
    assert "'key-40'" not in str(caught.value)


def test_a_request_that_botocore_refuses_is_an_error_of_ours(world: World) -> None:
    """A session name of one letter never leaves the machine, and is no traceback."""
    with pytest.raises(CloudError, match="RoleSessionName") as caught:
        world.aws().assume_role(world.credentials, request(session_name="x"))
    assert caught.value.code == "InvalidParameters"
    assert world.sts.requests == []


def test_the_fake_knows_whose_keys_they_are(world: World) -> None:
    """GetCallerIdentity gives the launcher's own ARN."""
    principal = world.aws().caller_identity(world.credentials)
    assert (principal.arn, principal.account, principal.role) == (USER, "123456789012", None)
