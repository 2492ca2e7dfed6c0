"""The fake of EKS, as boto3 sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.kube.eks import EksCluster, FakeEks

pytestmark = pytest.mark.socket


@pytest.fixture(scope="module")
def eks() -> Iterator[FakeEks]:
    with FakeEks() as running:
        for name, status in (("demo", "ACTIVE"), ("new", "CREATING")):
            running.add(
                EksCluster(
                    name=name, server="https://127.0.0.1:1", authority=b"PEM",
                    account="111111111111", status=status,
                )
            )  # fmt: skip
        yield running


def client(eks: FakeEks, region: str = "us-east-1") -> Any:
    return boto3.client(
        "eks", region_name=region, endpoint_url=eks.url,
        aws_access_key_id="AKIATEST", aws_secret_access_key="secret",
    )  # fmt: skip


def test_a_cluster_is_described(eks: FakeEks) -> None:
    """With all that a kubeconfig needs, and it is noted who asked."""
    said = client(eks).describe_cluster(name="demo")["cluster"]
    assert said["arn"] == "arn:aws:eks:us-east-1:111111111111:cluster/demo"
    assert (said["endpoint"], said["certificateAuthority"]["data"]) == (
        "https://127.0.0.1:1", "UEVN",
    )  # fmt: skip
    assert eks.described[-1].key_id == "AKIATEST"


def test_a_cluster_that_is_being_made_has_no_endpoint(eks: FakeEks) -> None:
    """As at AWS."""
    said = client(eks).describe_cluster(name="new")["cluster"]
    assert (said["status"], "endpoint" in said) == ("CREATING", False)


@pytest.mark.parametrize(
    ("region", "denies", "code"),
    [
        pytest.param("eu-west-1", False, "ResourceNotFoundException", id="another-region"),
        pytest.param("us-east-1", True, "AccessDeniedException", id="denied"),
    ],
)
def test_a_cluster_that_is_not_described(
    eks: FakeEks, region: str, denies: bool, code: str
) -> None:
    """The error is the one of AWS."""
    eks.denies = denies
    try:
        with pytest.raises(ClientError) as caught:
            client(eks, region).describe_cluster(name="demo")
    finally:
        eks.denies = False
    assert caught.value.response["Error"]["Code"] == code
