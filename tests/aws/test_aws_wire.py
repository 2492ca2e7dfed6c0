"""The wire: where a call goes, through what, and how it is signed."""

from __future__ import annotations

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.aws.calls import utc_now
from calamari_py.aws.wire import Wire
from calamari_py.errors import CloudError, Temporary
from calamari_py.identity import RoleArn
from calamari_py.masking import SecretRegistry
from calamari_py.masking.secret import Secret
from tests.aws.aws_world import FakeTime, World
from tests.aws.recorder import KEYS


def wire(region: str, **environ: str) -> Wire:
    return Wire(AwsSettings.from_environ(environ, region=region), environ, utc_now, (5, 10))


@pytest.mark.parametrize(
    ("region", "environ", "host"),
    [
        pytest.param("eu-west-1", {}, "sts.eu-west-1.amazonaws.com", id="regional"),
        pytest.param("us-east-1", {}, "sts.us-east-1.amazonaws.com", id="never the global one"),
        pytest.param("ap-southeast-7", {}, "sts.ap-southeast-7.amazonaws.com", id="new region"),
        pytest.param("cn-north-1", {}, "sts.cn-north-1.amazonaws.com.cn", id="aws-cn"),
        pytest.param("us-gov-west-1", {}, "sts.us-gov-west-1.amazonaws.com", id="aws-us-gov"),
        pytest.param(
            "us-east-2",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "sts-fips.us-east-2.amazonaws.com",
            id="FIPS",
        ),
        pytest.param(
            "eu-west-1",
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "sts.eu-west-1.api.aws",
            id="dual-stack",
        ),
        pytest.param(
            "eu-west-1",
            {"AWS_ENDPOINT_URL_STS": "https://vpce-1.sts.example.com"},
            "vpce-1.sts.example.com",
            id="VPC endpoint",
        ),
    ],
)
def test_the_endpoint_is_the_regions(region: str, environ: dict[str, str], host: str) -> None:
    """The regional endpoint of the region's own partition, by botocore's rules."""
    assert wire(region, **environ).host("sts") == host


PARTITIONS = [
    pytest.param("eu-west-1", "amazonaws.com", "sts-fips", "api.aws", id="aws"),
    pytest.param(
        "cn-north-1", "amazonaws.com.cn", "sts-fips", "api.amazonwebservices.com.cn", id="aws-cn"
    ),
    pytest.param("us-gov-west-1", "amazonaws.com", "sts", "api.aws", id="aws-us-gov"),
    pytest.param("us-iso-east-1", "c2s.ic.gov", "sts-fips", "api.aws.ic.gov", id="aws-iso"),
    pytest.param("us-isob-east-1", "sc2s.sgov.gov", "sts-fips", "api.aws.scloud", id="aws-iso-b"),
    pytest.param(
        "eu-isoe-west-1", "cloud.adc-e.uk", "sts-fips", "api.cloud-aws.adc-e.uk", id="aws-iso-e"
    ),
    pytest.param(
        "us-isof-south-1", "csp.hci.ic.gov", "sts-fips", "api.aws.hci.ic.gov", id="aws-iso-f"
    ),
    pytest.param(
        "eusc-de-east-1", "amazonaws.eu", "sts-fips", "api.amazonwebservices.eu", id="aws-eusc"
    ),
]


@pytest.mark.parametrize(("region", "domain", "fips", "dualstack"), PARTITIONS)
def test_sts_in_every_partition(region: str, domain: str, fips: str, dualstack: str) -> None:
    """The regional endpoint, FIPS and dual-stack, in the partition's own domain."""
    assert wire(region).host("sts") == f"sts.{region}.{domain}"
    with_fips = wire(region, AWS_USE_FIPS_ENDPOINT="true")
    assert with_fips.host("sts") == f"{fips}.{region}.{domain}"
    with_dualstack = wire(region, AWS_USE_DUALSTACK_ENDPOINT="true")
    assert with_dualstack.host("sts") == f"sts.{region}.{dualstack}"


@pytest.mark.parametrize(
    ("region", "host", "signing_region"),
    [
        pytest.param("eu-west-1", "iam.amazonaws.com", "us-east-1", id="aws"),
        pytest.param(
            "cn-northwest-1", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1", id="aws-cn"
        ),
        pytest.param("us-gov-east-1", "iam.us-gov.amazonaws.com", "us-gov-west-1", id="aws-us-gov"),
        pytest.param(
            "us-iso-west-1", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1", id="aws-iso"
        ),
    ],
)
def test_iam_is_one_place_a_partition(region: str, host: str, signing_region: str) -> None:
    """The global endpoint of the region's partition, also as the signature's region behind an
    endpoint of one's own.
    """
    assert wire(region).host("iam") == host
    assert wire(region).endpoints.find("iam").signing_region == signing_region
    own = wire(region, AWS_ENDPOINT_URL_IAM="https://iam.example.com", AWS_USE_FIPS_ENDPOINT="true")
    assert own.host("iam") == "iam.example.com"
    assert own.endpoints.find("iam").signing_region == signing_region


@pytest.mark.parametrize(
    ("service", "host"),
    [
        pytest.param("ssm", "ssm.eu-west-1.amazonaws.com", id="ssm"),
        pytest.param("secretsmanager", "secretsmanager.eu-west-1.amazonaws.com", id="secrets"),
    ],
)
def test_other_services_have_their_own_endpoints(service: str, host: str) -> None:
    """Late variables come from the step's region."""
    assert wire("eu-west-1").host(service) == host


CALLED = [
    pytest.param("cloudformation", "cloudformation{fips}.us-east-2.amazonaws.com", id="stacks"),
    pytest.param("eks", "{dot_fips}eks.us-east-2.amazonaws.com", id="clusters"),
    pytest.param("organizations", "organizations{fips}.us-east-1.amazonaws.com", id="accounts"),
    pytest.param("ec2", "ec2{fips}.us-east-2.amazonaws.com", id="one that is asked seldom"),
]


@pytest.mark.parametrize(("service", "host"), CALLED)
def test_services_that_a_step_calls(service: str, host: str) -> None:
    """By botocore's rules, FIPS by its own."""
    assert wire("us-east-2").host(service) == host.format(fips="", dot_fips="")
    with_fips = wire("us-east-2", AWS_USE_FIPS_ENDPOINT="true").host(service)
    assert with_fips == host.format(fips="-fips", dot_fips="fips.")


@pytest.mark.parametrize(
    ("bucket", "environ", "url"),
    [
        pytest.param("my-bucket", {}, "https://my-bucket.s3.eu-west-1.amazonaws.com", id="DNS"),
        pytest.param("my.bucket", {}, "https://s3.eu-west-1.amazonaws.com/my.bucket", id="dots"),
        pytest.param("My_Bucket", {}, "https://s3.eu-west-1.amazonaws.com/My_Bucket", id="no name"),
        pytest.param(
            "evil.example/x#",
            {},
            "https://s3.eu-west-1.amazonaws.com/evil.example%2Fx%23",
            id="no domain",
        ),
        pytest.param(
            "my-bucket",
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "https://my-bucket.s3-fips.eu-west-1.amazonaws.com",
            id="FIPS",
        ),
        pytest.param(
            "my-bucket",
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "https://my-bucket.s3.dualstack.eu-west-1.amazonaws.com",
            id="dual-stack",
        ),
        pytest.param(
            "my-bucket",
            {"AWS_ENDPOINT_URL": "https://s3.example.com:9000/here"},
            "https://s3.example.com:9000/here/my-bucket",
            id="an endpoint of one's own",
        ),
        pytest.param(
            "my-bucket",
            {"AWS_ENDPOINT_URL_S3": "http://localhost:9", "AWS_USE_FIPS_ENDPOINT": "true"},
            "http://localhost:9/my-bucket",
            id="for S3 alone",
        ),
    ],
)
def test_a_bucket_has_its_address(bucket: str, environ: dict[str, str], url: str) -> None:
    """A host of its own where DNS allows it, the path elsewhere; it never chooses the domain."""
    assert wire("eu-west-1", **environ).url("s3", bucket) == url


@pytest.mark.parametrize(
    "bucket",
    [
        pytest.param("my-bucket--euw1-az1--x-s3", id="a directory bucket"),
        pytest.param("arn:aws:s3::123456789012:accesspoint:m.mrap", id="of several regions"),
        pytest.param("arn:aws:s3:eu-west-1:123456789012:nonsense", id="no bucket"),
    ],
)
def test_buckets_that_want_another_signature_are_refused(bucket: str) -> None:
    """Before anything is sent."""
    aws = BotoAws(AwsSettings.from_environ({}, region="eu-west-1"), SecretRegistry(), {})
    with pytest.raises(CloudError) as caught:
        aws.call(KEYS, "s3", "HeadObject", {"Bucket": bucket, "Key": "k"})
    assert caught.value.code == "NoEndpoint"


@pytest.mark.parametrize(
    ("region", "signing_region"),
    [
        pytest.param("eu-west-1", "us-east-1", id="aws"),
        pytest.param("us-gov-east-1", "us-gov-west-1", id="aws-us-gov"),
    ],
)
def test_organizations_is_one_place_a_partition(region: str, signing_region: str) -> None:
    """Also behind an endpoint of one's own."""
    assert wire(region).endpoints.find("organizations").signing_region == signing_region
    own = wire(region, AWS_ENDPOINT_URL_ORGANIZATIONS="https://o.example.com")
    assert own.endpoints.find("organizations").url == "https://o.example.com"
    assert own.endpoints.find("organizations").signing_region == signing_region


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        pytest.param("eu-west-1", "aws", id="aws"),
        pytest.param("mx-central-9", "aws", id="a region to come"),
        pytest.param("cn-northwest-1", "aws-cn", id="aws-cn"),
        pytest.param("us-gov-east-1", "aws-us-gov", id="aws-us-gov"),
        pytest.param("us-iso-east-1", "aws-iso", id="aws-iso"),
        pytest.param("eusc-de-east-1", "aws-eusc", id="aws-eusc"),
        pytest.param("nowhere", "aws", id="unknown"),
    ],
)
def test_every_region_has_a_partition(region: str, partition: str) -> None:
    """By botocore's table."""
    assert wire("eu-west-1").endpoints.partition(region) == partition


def test_a_role_of_another_partition_is_refused_before_the_call() -> None:
    """Credentials do not cross partitions: said with both names, without a call."""
    aws = BotoAws(AwsSettings.from_environ({}, region="eu-west-1"), SecretRegistry(), {})
    with pytest.raises(CloudError, match="'aws-cn'") as caught:
        aws.assume_role_with_web_identity(
            token=Secret("some-token"),
            role=RoleArn.parse("arn:aws-cn:iam::111111111111:role/Deploy"),
            session_name="step",
            duration=3600,
        )
    assert caught.value.code == "WrongPartition"
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    "region",
    [
        pytest.param("evil.example.com/", id="a domain"),
        pytest.param("eu-west-1@evil", id="a user"),
        pytest.param("eu west", id="a space"),
        pytest.param("-", id="no label"),
    ],
)
def test_a_region_cannot_choose_the_domain(world: World, region: str) -> None:
    """The region is one label of the host name, or no call is made."""
    aws = BotoAws(AwsSettings.from_environ({}, region=region), SecretRegistry(), {})
    with pytest.raises(CloudError) as caught:
        aws.caller_identity(world.credentials)
    assert caught.value.code == "NoEndpoint"
    assert caught.value.hint is not None


def test_a_call_goes_through_the_proxy(world: World) -> None:
    """The proxy is asked for the endpoint's own host, which is never looked up here."""
    environ = {
        "http_proxy": world.sts.url,
        "AWS_ENDPOINT_URL": "http://sts.example.invalid",
    }
    aws = BotoAws(
        AwsSettings.from_environ(environ, region="eu-west-1", allow_http=True),
        world.registry,
        environ,
    )
    assert aws.caller_identity(world.credentials).account == "123456789012"
    assert world.sts.requests[0].host == "sts.example.invalid"


def test_a_proxy_that_is_not_there_is_temporary(world: World) -> None:
    """A dead proxy is said to be the proxy, not AWS."""
    environ = {"https_proxy": "http://127.0.0.1:9"}
    aws = BotoAws(
        AwsSettings.from_environ(environ, region="eu-west-1"),
        world.registry,
        environ,
        pace=FakeTime().pace(),
    )
    with pytest.raises(Temporary, match="the proxy cannot be reached") as caught:
        aws.caller_identity(world.credentials)
    assert caught.value.code == "ProxyError"
    assert caught.value.hint == "check HTTPS_PROXY and NO_PROXY"


@pytest.mark.parametrize(
    ("app", "tail"),
    [
        pytest.param("my-deployer", " app/my-deployer", id="given"),
        pytest.param("", "", id="none"),
        pytest.param("bad name\r\nX: y", "", id="not a token"),
    ],
)
def test_calls_say_who_makes_them(world: World, app: str, tail: str) -> None:
    """CloudTrail shows calamari, and the application id that AWS's variable sets."""
    world.aws({"AWS_SDK_UA_APP_ID": app}).caller_identity(world.credentials)
    agent = world.sts.requests[0].headers["User-Agent"]
    assert agent.startswith("calamari/")
    assert agent.partition(" app/")[2] == tail[5:]
