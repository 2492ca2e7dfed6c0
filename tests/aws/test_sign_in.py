"""Signing in to the console: what is sent, where to, and what never appears."""

from __future__ import annotations

import json
import traceback
from urllib.parse import parse_qs, urlsplit

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.aws.endpoints import Endpoints
from calamari_py.aws.signin import is_page
from calamari_py.errors import CloudError, IdentityError, Temporary
from tests.aws.aws_world import DEPLOY, SECOND, World, credentials_of, request


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_session_signs_in(world: World) -> None:
    """The token that AWS gave for exactly these keys, on the way to the page that was asked for."""
    aws = world.aws()
    assumed = aws.assume_role(world.credentials, request())
    url = aws.sign_in_url(
        assumed.credentials,
        destination="/cloudformation/home?region=eu-west-1",
        issuer="https://deploy.example.com",
        session_duration=3600,
    ).reveal()
    assert isinstance(url, str)
    assert url.startswith(f"{world.sts.url}/federation?Action=login&")
    query = query_of(url)
    keys = world.sts.sign_in_tokens[query["SigninToken"]]
    assert keys.access_key_id == assumed.credentials.access_key_id
    assert query["Issuer"] == "https://deploy.example.com"
    assert query["Destination"] == (
        "https://eu-west-1.console.aws.amazon.com/cloudformation/home?region=eu-west-1"
    )
    assert world.sts.requests[-1].params["SessionDuration"] == "3600"


def test_secrets_travel_in_the_body(world: World) -> None:
    """The form is posted unsigned: no credential stands in a URL that a proxy would log."""
    keys = world.sts.add_session(DEPLOY, "step")
    world.aws().sign_in_url(credentials_of(keys))
    log = world.sts.requests[0]
    assert json.loads(log.params["Session"]) == {
        "sessionId": keys.access_key_id,
        "sessionKey": keys.secret_access_key,
        "sessionToken": keys.session_token,
    }
    assert "SessionDuration" not in log.params
    assert log.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in log.headers


def test_token_and_url_are_secrets(world: World) -> None:
    """Whoever has the URL is signed in: both are known to the masker."""
    keys = world.sts.add_session(DEPLOY, "step")
    url = world.aws().sign_in_url(credentials_of(keys))
    (token,) = world.sts.sign_in_tokens
    assert world.registry.holds_secret(token)
    assert {"sign-in token", "sign-in URL"} <= set(world.registry.names)
    assert token not in repr(url)


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        pytest.param(None, "https://eu-west-1.console.aws.amazon.com/", id="home"),
        pytest.param("/s3", "https://eu-west-1.console.aws.amazon.com/s3", id="path"),
        pytest.param("https://health.aws.amazon.com/", "https://health.aws.amazon.com/", id="URL"),
    ],
)
def test_destinations(world: World, destination: str | None, expected: str) -> None:
    """The console's home page, a page of it, or any URL as it is; no issuer where none is given."""
    keys = world.sts.add_session(DEPLOY, "step")
    url = world.aws().sign_in_url(credentials_of(keys), destination=destination).reveal()
    assert query_of(str(url))["Destination"] == expected
    assert "Issuer" not in query_of(str(url))


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        pytest.param("https://console.aws.amazon.com", True, id="home"),
        pytest.param("https://console.aws.amazon.com/s3/home?region=eu-west-1#x", True, id="page"),
        pytest.param("https://eu-west-1.console.aws.amazon.com/", True, id="region"),
        pytest.param("https://1-a.eu-west-1.console.aws.amazon.com/x", True, id="multi-session"),
        pytest.param("https://cn-north-1.console.amazonaws.cn/s3", True, id="China"),
        pytest.param("https://console.amazonaws-us-gov.com/", True, id="GovCloud"),
        pytest.param("/s3/home?region=eu-west-1", True, id="path"),
        pytest.param("", False, id="nothing"),
        pytest.param("https://evil.test/", False, id="another host"),
        pytest.param("https://evil.test/console.aws.amazon.com/", False, id="in the path"),
        pytest.param("https://evilconsole.aws.amazon.com/", False, id="no dot before"),
        pytest.param("https://console.aws.amazon.com.evil.test/", False, id="a host below another"),
        pytest.param("https://console.aws.amazon.com@evil.test/", False, id="user name"),
        pytest.param("https://x@console.aws.amazon.com/", False, id="user name before"),
        pytest.param("https://evil.test#.console.aws.amazon.com/", False, id="fragment"),
        pytest.param("https://evil.test\\.console.aws.amazon.com/", False, id="backslash"),
        pytest.param("https://console.aws.amazon.com:444/", False, id="port"),
        pytest.param("http://console.aws.amazon.com/", False, id="plain http"),
        pytest.param("//evil.test/", True, id="a path all the same"),
        pytest.param("/s3\n", False, id="line break"),
        pytest.param("https://console.aws.amazon.com\n", False, id="line break at the end"),
        pytest.param("javascript:alert(1)", False, id="no URL"),
    ],
)  # fmt: skip
def test_pages_of_the_console(destination: str, expected: bool) -> None:
    """Where somebody who was just signed in may be sent: nowhere but to the console."""
    assert is_page(destination) == expected


def test_chained_credentials_go_without_a_duration(world: World) -> None:
    """AWS refuses one for a role assumed from a session: it is left out, whoever asked for it."""
    aws = world.aws()
    first = aws.assume_role(world.credentials, request())
    second = aws.in_region("eu-north-1").assume_role(first.credentials, request(SECOND))
    aws.sign_in_url(second.credentials, session_duration=7200)
    assert "SessionDuration" not in world.sts.requests[-1].params


def test_a_user_cannot_sign_in(world: World) -> None:
    """Said without a call: AWS signs in with temporary credentials only."""
    with pytest.raises(CloudError, match="session token") as caught:
        world.aws().sign_in_url(world.credentials)
    assert caught.value.code == "SignInRefused"
    assert caught.value.hint
    assert world.sts.requests == []


def test_a_refusal_is_one_sentence_without_secrets(world: World) -> None:
    """AWS answers 400 with a page: neither it nor what was sent is repeated."""
    keys = world.sts.add_session(DEPLOY, "step", duration=-1)
    credentials = credentials_of(keys)
    with pytest.raises(CloudError) as caught:
        world.aws().sign_in_url(credentials)
    error = caught.value
    assert str(error) == "signin:GetSigninToken was refused (SignInRefused)"
    assert error.status == 400
    assert error.hint
    assert "unexpired" in error.hint
    shown = "".join(traceback.format_exception(error)) + repr(vars(error))
    assert keys.secret_access_key not in shown
    assert str(keys.session_token) not in shown
    assert len(world.sts.requests) == 1


def test_a_bad_moment_passes(world: World) -> None:
    """The page follows the rules of every other call: 5xx and lost connections are tried again."""
    keys = world.sts.add_session(DEPLOY, "step")
    world.sts.fail_next(503, "ServiceUnavailable", action="getSigninToken")
    world.sts.drop_next()
    world.aws().sign_in_url(credentials_of(keys))
    assert len(world.sts.requests) == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"<html>log in</html>", 200, id="HTML"),
        pytest.param(b"[]", 200, id="a list"),
        pytest.param(b'{"SigninToken": ""}', 200, id="blank"),
        pytest.param(b'{"Other": 1}', 200, id="another object"),
        pytest.param(b"", 302, id="redirect"),
        pytest.param(b"", 404, id="not found"),
    ],
)
def test_a_liar_is_found_out(world: World, body: bytes, status: int) -> None:
    """What is not the federation page's answer is no sign-in."""
    keys = world.sts.add_session(DEPLOY, "step")
    world.sts.answer_next(body, status=status)
    with pytest.raises(CloudError) as caught:
        world.aws().sign_in_url(credentials_of(keys))
    assert caught.value.code == "UnexpectedAnswer"
    assert not isinstance(caught.value, Temporary)


@pytest.mark.parametrize(
    ("region", "sign_in", "console"),
    [
        pytest.param(
            "eu-west-1",
            "eu-west-1.signin.aws.amazon.com",
            "eu-west-1.console.aws.amazon.com",
            id="aws",
        ),
        pytest.param(
            "cn-north-1",
            "cn-north-1.signin.amazonaws.cn",
            "cn-north-1.console.amazonaws.cn",
            id="aws-cn",
        ),
        pytest.param(
            "us-gov-west-1",
            "us-gov-west-1.signin.amazonaws-us-gov.com",
            "us-gov-west-1.console.amazonaws-us-gov.com",
            id="aws-us-gov",
        ),
        pytest.param(
            "us-iso-east-1",
            "us-iso-east-1.signin.c2shome.ic.gov",
            "us-iso-east-1.console.c2shome.ic.gov",
            id="aws-iso",
        ),
    ],
)
def test_hosts_of_the_partitions(region: str, sign_in: str, console: str) -> None:
    """Regional pages of the region's own partition, FIPS or not: a browser opens them too."""
    environ = {"AWS_USE_FIPS_ENDPOINT": "true"}
    endpoints = Endpoints(AwsSettings.from_environ(environ, region=region))
    assert endpoints.find("signin").url == f"https://{sign_in}/federation"
    assert endpoints.console() == f"https://{console}"


def test_an_endpoint_of_ones_own(world: World) -> None:
    """AWS_ENDPOINT_URL_SIGNIN is honoured under the rules of all endpoints."""
    url = "https://signin.example.com/base/"
    settings = AwsSettings.from_environ({"AWS_ENDPOINT_URL_SIGNIN": url}, region="eu-west-1")
    assert Endpoints(settings).find("signin").url == "https://signin.example.com/base/federation"
    with pytest.raises(IdentityError, match="clear text"):
        AwsSettings.from_environ({"AWS_ENDPOINT_URL_SIGNIN": "http://10.0.0.1"}, region=None)


def test_the_page_is_asked_through_the_proxy(world: World) -> None:
    """Proxies count for it as for every other host."""
    keys = world.sts.add_session(DEPLOY, "step")
    environ = {
        "http_proxy": world.sts.url,
        "AWS_ENDPOINT_URL_SIGNIN": "http://signin.example.invalid",
    }
    settings = AwsSettings.from_environ(environ, region="eu-west-1", allow_http=True)
    url = BotoAws(settings, world.registry, environ).sign_in_url(credentials_of(keys)).reveal()
    assert world.sts.requests[0].host == "signin.example.invalid"
    assert str(url).startswith("http://signin.example.invalid/federation?")
