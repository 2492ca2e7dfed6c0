"""Who an EKS token is: what the authenticator of a cluster checks, and what STS says."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from calamari_py.aws.eks_token import bearer_token, presigned_url
from calamari_py.sandbox import Sandbox
from tests.kube.server.identity import TokenRefused, caller_of_eks_token, examine

pytestmark = [pytest.mark.sandbox, pytest.mark.socket]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Whose launcher is somebody that STS knows."""
    with Sandbox() as running:
        yield running


def signed_url(sandbox: Sandbox, ago: float = 0.0, cluster: str = "demo", **other: str) -> str:
    """As a step signs it, `ago` seconds ago; `other` keys in place of the launcher's."""
    keys = sandbox.launcher.credentials
    assert keys.session_token is not None
    told = {
        "key_id": keys.access_key_id,
        "secret": keys.secret_access_key.reveal(),
        "session_token": keys.session_token.reveal(),
    }
    return presigned_url(cluster, "us-east-1", now=time.time() - ago, **{**told, **other})


def altered(url: str, **parameters: str) -> str:
    """The URL with other parameters."""
    parts = urlsplit(url)
    query = {
        **dict(parse_qsl(parts.query)),
        **{k.replace("_", "-"): v for k, v in parameters.items()},
    }
    return parts._replace(query=urlencode(query)).geturl()


def test_a_token_is_whom_sts_says(sandbox: Sandbox) -> None:
    """The ARN of the session whose key signed it."""
    token = bearer_token(signed_url(sandbox))
    caller = caller_of_eks_token(token, sts_url=sandbox.endpoint, cluster="demo")
    assert caller is not None
    assert ":assumed-role/" in caller.arn
    assert caller.name == caller.arn


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"cluster": "other"}, "for another cluster", id="other-cluster"),
        pytest.param({"secret": "wrong"}, "signed with another key", id="wrong-secret"),
        pytest.param({"session_token": "wrong"}, "another session token", id="wrong-session"),
    ],
)
def test_a_token_that_was_signed_otherwise_is_refused(
    sandbox: Sandbox, change: dict[str, str], why: str
) -> None:
    """moto looks at no signature: it is looked at here."""
    token = bearer_token(signed_url(sandbox, 0.0, **change))
    with pytest.raises(TokenRefused, match=why):
        examine(token, sts_url=sandbox.endpoint, cluster="demo")


def test_a_token_ends(sandbox: Sandbox) -> None:
    """After 15 minutes, or after the life that a test gives it; None is what the server makes 401
    of."""
    old, young = (bearer_token(signed_url(sandbox, ago)) for ago in (901, 30))
    assert caller_of_eks_token(old, sts_url=sandbox.endpoint, cluster="demo") is None
    assert caller_of_eks_token(young, sts_url=sandbox.endpoint, cluster="demo", life=20) is None
    assert caller_of_eks_token(young, sts_url=sandbox.endpoint, cluster="demo", life=60)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        pytest.param("https://sts.evil.test/?Action=GetCallerIdentity", "not STS", id="host"),
        pytest.param("http://sts.amazonaws.com/?Action=GetCallerIdentity", "not STS", id="plain"),
        pytest.param("https://sts.amazonaws.com/?Action=X", "another action", id="action"),
        pytest.param(
            "https://sts.amazonaws.com/?Action=GetCallerIdentity", "without x-amz", id="unsigned"
        ),
        pytest.param("https://sts.amazonaws.com/?a=1&a=2", "twice, or unknown", id="unknown"),
    ],
)
def test_a_url_that_is_no_signed_question_is_refused(url: str, why: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(TokenRefused, match=why):
        examine(bearer_token(url), sts_url="http://127.0.0.1:9", cluster="demo")


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        pytest.param({"X_Amz_Expires": "901"}, "X-Amz-Expires", id="expires"),
        pytest.param({"X_Amz_SignedHeaders": "host"}, "x-k8s-aws-id is not signed", id="header"),
    ],
)
def test_limits_of_a_token_are_kept(sandbox: Sandbox, parameters: dict[str, str], why: str) -> None:
    """As the authenticator has them."""
    token = bearer_token(altered(signed_url(sandbox), **parameters))
    with pytest.raises(TokenRefused, match=why):
        examine(token, sts_url=sandbox.endpoint, cluster="demo")


def test_a_padded_token_is_refused() -> None:
    """The authenticator's decoder takes no padding."""
    padded = "k8s-aws-v1." + base64.urlsafe_b64encode(b"https://sts.amazonaws.com/").decode()
    with pytest.raises(TokenRefused, match="padded"):
        examine(padded + "=", sts_url="http://127.0.0.1:9", cluster="demo")
