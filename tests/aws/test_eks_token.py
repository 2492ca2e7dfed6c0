"""The token of an EKS cluster: the URL is botocore's own, to the letter."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import subprocess
import sys
from typing import Any
from unittest import mock

import botocore.session
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader

from calamari_py.aws.eks_token import (
    API_VERSIONS,
    CLUSTER_NAME,
    api_version,
    bearer_token,
    exec_credential,
    presigned_url,
    sts_host,
)

KEY_ID, SECRET = "ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION = "IQoJb3JpZ2luX2VjEAo//////////wEaCXVzLWVhc3QtMSJ+x/y+z=="
NOW = 1_900_000_123.0
V1BETA1, V1 = API_VERSIONS


def keys(**changes: str) -> dict[str, str]:
    """A step's, as its credential server names them."""
    return {
        "AccessKeyId": KEY_ID,
        "SecretAccessKey": SECRET,
        "Token": SESSION,
        "Expiration": "2036-01-01T00:00:00Z",
        **changes,
    }


def by_botocore(cluster: str, region: str, session_token: str, now: float) -> str:
    """The same URL, signed by botocore."""
    request = AWSRequest(
        method="GET",
        url=f"https://{sts_host(region)}/?Action=GetCallerIdentity&Version=2011-06-15",
        headers={"x-k8s-aws-id": cluster},
    )
    given = Credentials(KEY_ID, SECRET, session_token or None)
    moment = dt.datetime.fromtimestamp(now, dt.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        SigV4QueryAuth(given, "sts", region, expires=60).add_auth(request)
    return str(request.url)


@pytest.mark.parametrize(
    ("cluster", "region", "session_token"),
    [
        pytest.param("blue", "us-east-1", SESSION, id="session-token"),
        pytest.param("blue", "us-east-1", "", id="long-lived-keys"),
        pytest.param("Blue-Green_0123456789", "eu-west-1", SESSION, id="every-character"),
        pytest.param("a" * 100, "eu-west-1", SESSION, id="longest-name"),
        pytest.param("blue", "cn-north-1", SESSION, id="china"),
        pytest.param("blue", "us-gov-west-1", SESSION, id="gov"),
        pytest.param("blue", "us-isob-east-1", SESSION, id="iso-b"),
    ],
)
def test_the_url_is_botocores(cluster: str, region: str, session_token: str) -> None:
    """Whoever verifies the signature finds what botocore would have sent."""
    made = presigned_url(
        cluster, region, key_id=KEY_ID, secret=SECRET, session_token=session_token, now=NOW
    )
    assert made == by_botocore(cluster, region, session_token, NOW)


def test_the_token_is_what_the_aws_cli_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way of ``aws eks get-token``: a client's presigned GetCallerIdentity."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    client: Any = botocore.session.get_session().create_client(
        "sts",
        region_name="eu-west-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        aws_session_token=SESSION,
        endpoint_url="https://sts.eu-west-1.amazonaws.com",
    )
    client.meta.events.register(
        "before-sign.sts.GetCallerIdentity",
        lambda request, **_: request.headers.add_header("x-k8s-aws-id", "blue"),
    )
    moment = dt.datetime.fromtimestamp(NOW, dt.UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=moment):
        url = client.generate_presigned_url(
            "get_caller_identity", Params={}, ExpiresIn=60, HttpMethod="GET"
        )
    made = presigned_url(
        "blue", "eu-west-1", key_id=KEY_ID, secret=SECRET, session_token=SESSION, now=NOW
    )
    assert made == url


def test_every_region_has_the_host_of_its_partition() -> None:
    """As botocore's table of partitions says it."""
    table = Loader().load_data("partitions")["partitions"]
    wrong = [
        region
        for partition in table
        for region in partition["regions"]
        if not region.endswith("-global")
        if sts_host(region) != f"sts.{region}.{partition['outputs']['dnsSuffix']}"
    ]
    assert wrong == []


def test_a_token_is_the_url_in_base64_without_padding() -> None:
    """In the alphabet that a header and a URL can carry."""
    for length in range(1, 7):
        url = "https://x/?" + "\xff" * length
        encoded = bearer_token(url).removeprefix("k8s-aws-v1.")
        assert re.fullmatch("[A-Za-z0-9_-]+", encoded)
        assert base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode() == url


@pytest.mark.parametrize(
    ("said", "version"),
    [
        pytest.param("", V1BETA1, id="nothing"),
        pytest.param("{", V1BETA1, id="no-json"),
        pytest.param("[]", V1BETA1, id="no-object"),
        pytest.param(json.dumps({"apiVersion": V1BETA1}), V1BETA1, id="v1beta1"),
        pytest.param(json.dumps({"apiVersion": V1, "kind": "ExecCredential"}), V1, id="v1"),
        pytest.param(
            json.dumps({"apiVersion": "client.authentication.k8s.io/v1alpha1"}), None, id="v1alpha1"
        ),
    ],
)
def test_the_version_is_the_one_that_is_asked_for(said: str, version: str | None) -> None:
    """And none that the caller would refuse."""
    assert api_version(said) == version


@pytest.mark.parametrize(
    ("expiration", "offset", "end"),
    [
        pytest.param("2036-01-01T00:00:00Z", 0, NOW + 840, id="long"),
        pytest.param("2030-03-17T17:50:43Z", 0, NOW + 120, id="the-keys-end"),
        pytest.param("2030-03-17T17:50:43Z", 20, NOW + 100, id="by-awss-clock"),
        pytest.param("2030-03-17T18:50:43+01:00", 0, NOW + 120, id="another-zone"),
        pytest.param("2030-03-17T17:50:43", 0, NOW + 120, id="no-zone"),
        pytest.param("", 0, NOW + 840, id="none"),
        pytest.param("some day", 0, NOW + 840, id="no-time"),
    ],
)
def test_a_new_one_is_asked_for_in_time(expiration: str, offset: float, end: float) -> None:
    """A minute before the cluster refuses it, and never after the keys have ended."""
    made = json.loads(
        exec_credential(
            "blue", "eu-west-1", keys(Expiration=expiration), version=V1, now=NOW, offset=offset
        )
    )
    said = dt.datetime.fromisoformat(made["status"]["expirationTimestamp"])
    assert said.timestamp() == end
    assert (made["apiVersion"], made["kind"]) == (V1, "ExecCredential")


def test_it_is_signed_by_awss_clock() -> None:
    """A machine whose clock is off makes tokens that are good."""
    made = json.loads(
        exec_credential("blue", "eu-west-1", keys(), version=V1, now=NOW - 900, offset=900)
    )
    url = presigned_url(
        "blue", "eu-west-1", key_id=KEY_ID, secret=SECRET, session_token=SESSION, now=NOW
    )
    assert made["status"]["token"] == bearer_token(url)


def test_keys_that_have_ended_sign_nothing() -> None:
    """kubectl would ask again and again."""
    with pytest.raises(ValueError, match="ended at 2030-03-17T17:00:00Z"):
        exec_credential(
            "blue", "eu-west-1", keys(Expiration="2030-03-17T17:00:00Z"), version=V1, now=NOW
        )


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "a.b", "a\n", "é", "a" * 101])
def test_a_name_that_eks_gives_no_cluster(name: str) -> None:
    """It would become part of what is signed."""
    assert CLUSTER_NAME.fullmatch(name) is None


@pytest.mark.process
def test_it_is_imported_in_a_blink() -> None:
    """Without botocore, or what else takes long."""
    # Without site: what an installation imports at each start is not ours.
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "import calamari_py.aws.eks_token; print(*sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert not loaded & {"botocore", "dataclasses", "json", "http.client", "calamari_py.masking"}
