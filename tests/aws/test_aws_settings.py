"""AwsSettings: what AWS's own variables mean, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.addresses import is_loopback
from calamari_py.aws import AwsSettings
from calamari_py.errors import IdentityError


def test_an_empty_environment_leaves_all_to_aws() -> None:
    """No endpoint, no variant, botocore's certificates."""
    settings = AwsSettings.from_environ({}, region="eu-west-1")
    assert settings == AwsSettings(region="eu-west-1", endpoints={})
    assert settings.endpoint("sts") is None


@pytest.mark.parametrize(
    ("environ", "sts", "ssm"),
    [
        pytest.param({"AWS_ENDPOINT_URL": "https://a"}, "https://a", "https://a", id="all"),
        pytest.param({"AWS_ENDPOINT_URL_STS": "https://b"}, "https://b", None, id="one"),
        pytest.param(
            {"AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_STS": "https://b"},
            "https://b",
            "https://a",
            id="the narrower wins",
        ),
        pytest.param({"AWS_ENDPOINT_URL": " "}, None, None, id="blank"),
        pytest.param(
            {"AWS_ENDPOINT_URL": "https://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
            None,
            None,
            id="ignored",
        ),
        pytest.param(
            {"AWS_ENDPOINT_URL": "http://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            None,
            None,
            id="ignored, not judged",
        ),
    ],
)
def test_endpoints(environ: dict[str, str], sts: str | None, ssm: str | None) -> None:
    """A service's own variable wins over the general one; blank is not set."""
    settings = AwsSettings.from_environ(environ, region="eu-west-1")
    assert (settings.endpoint("sts"), settings.endpoint("ssm")) == (sts, ssm)


def test_secrets_manager_has_a_variable_of_its_own() -> None:
    """The name in the variable is AWS's, not the service id."""
    settings = AwsSettings.from_environ(
        {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://s"}, region=None
    )
    assert settings.endpoint("secretsmanager") == "https://s"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://127.0.0.1:4566", id="loopback"),
        pytest.param("http://127.8.9.10", id="all of 127/8"),
        pytest.param("http://[::1]:80/sts/", id="IPv6"),
        pytest.param("http://LocalHost:1", id="localhost"),
        pytest.param("https://sts.example.internal/path", id="https"),
    ],
)
def test_endpoints_that_are_taken(url: str) -> None:
    """https anywhere, http on this machine."""
    settings = AwsSettings.from_environ({"AWS_ENDPOINT_URL_STS": url}, region=None)
    assert settings.endpoint("sts") == url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://sts.example.internal", id="a name"),
        pytest.param("http://10.0.0.1", id="private"),
        pytest.param("http://169.254.170.2", id="link-local"),
        pytest.param("http://127.0.0.1.example.com", id="looks like loopback"),
        pytest.param("http://localhost.example.com", id="looks like localhost"),
        pytest.param("http://2130706433", id="a number"),
        pytest.param("http://0x7f.1", id="hexadecimal"),
        pytest.param("http://127.1", id="short"),
        pytest.param("http://[::ffff:10.0.0.1]", id="mapped"),
        pytest.param("http://0.0.0.0", id="any"),
    ],
)
def test_clear_text_to_elsewhere_needs_permission(url: str) -> None:
    """Credentials do not cross a network unencrypted unless somebody said so."""
    with pytest.raises(IdentityError, match="clear text") as caught:
        AwsSettings.from_environ({"AWS_ENDPOINT_URL_STS": url}, region=None)
    assert caught.value.hint is not None
    assert "--allow-http-endpoint" in caught.value.hint
    allowed = AwsSettings.from_environ({"AWS_ENDPOINT_URL_STS": url}, region=None, allow_http=True)
    assert allowed.endpoint("sts") == url


STEPS_OWN = [
    pytest.param("cloudformation", "AWS_ENDPOINT_URL_CLOUDFORMATION", id="cloudformation"),
    pytest.param("eks", "AWS_ENDPOINT_URL_EKS", id="eks"),
    pytest.param("ecr", "AWS_ENDPOINT_URL_ECR", id="ecr"),
    pytest.param("organizations", "AWS_ENDPOINT_URL_ORGANIZATIONS", id="organizations"),
    pytest.param("s3", "AWS_ENDPOINT_URL_S3", id="s3"),
]


@pytest.mark.parametrize(("service", "name"), STEPS_OWN)
def test_an_endpoint_that_only_some_steps_use_is_judged_when_it_is_used(
    service: str, name: str
) -> None:
    """A script may talk to a store of its own in clear text; calamari's own calls may not."""
    environ = {name: "http://minio.internal:9000", "AWS_USE_FIPS_ENDPOINT": "true"}
    settings = AwsSettings.from_environ(environ, region=None)
    assert settings.warnings == ()
    assert settings.endpoint("sts") is None
    with pytest.raises(IdentityError, match=f"{name} is 'http://minio.internal:9000': credentials"):
        settings.endpoint(service)
    allowed = AwsSettings.from_environ(environ, region=None, allow_http=True)
    assert allowed.endpoint(service) == "http://minio.internal:9000"
    broken = AwsSettings.from_environ({name: "minio"}, region=None, allow_http=True)
    with pytest.raises(IdentityError, match="not the URL of an endpoint"):
        broken.endpoint(service)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("sts.example.com", id="no scheme"),
        pytest.param("ftp://sts.example.com", id="another scheme"),
        pytest.param("https://user:pa55word@sts.example.com", id="a user"),
        pytest.param("http://evil.example.com\\@127.0.0.1", id="backslash"),
        pytest.param("http://127.0.0.1#@evil.example.com", id="fragment"),
        pytest.param("http://127.0.0.1?x=@evil.example.com", id="query"),
        pytest.param("http://127.0.0.1\n.example.com", id="newline"),
        pytest.param("http://127.0.0.1 .example.com", id="space"),
        pytest.param("https://", id="no host"),
        pytest.param("http://①27.0.0.1", id="not ASCII"),
    ],
)
def test_what_is_no_endpoint_is_refused_even_with_permission(url: str) -> None:
    """Nothing that two parsers could read differently is connected to, or repeated."""
    with pytest.raises(IdentityError, match="not the URL of an endpoint") as caught:
        AwsSettings.from_environ({"AWS_ENDPOINT_URL": url}, region=None, allow_http=True)
    assert "pa55word" not in str(caught.value)


def test_variants_do_not_apply_to_an_endpoint_of_ones_own() -> None:
    """FIPS and dual-stack choose among AWS's endpoints; said aloud when there is no choice."""
    environ = {
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "True",
        "AWS_ENDPOINT_URL": "https://a",
    }
    settings = AwsSettings.from_environ(environ, region=None)
    assert settings.warnings == tuple(
        f"{name} does not apply to the endpoint 'https://a', which is set in the environment"
        for name in ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")
    )
    del environ["AWS_ENDPOINT_URL"]
    plain = AwsSettings.from_environ(environ, region=None)
    assert (plain.use_fips, plain.use_dualstack, plain.warnings) == (True, True, ())


def test_the_sandbox_replaces_every_endpoint() -> None:
    """With --sandbox no call can leave the machine, whatever the environment says."""
    settings = AwsSettings.from_environ(
        {"AWS_ENDPOINT_URL_STS": "https://sts.example.com"},
        region="us-east-1",
        sandbox_endpoint="http://127.0.0.1:5000",
    )
    assert settings.endpoint("sts") == "http://127.0.0.1:5000"
    assert settings.endpoint("ssm") == "http://127.0.0.1:5000"


def test_a_ca_bundle_is_there_or_an_error(tmp_path: Path) -> None:
    """A bundle that cannot be read is found before the first connection."""
    bundle = tmp_path / "ca.pem"
    with pytest.raises(IdentityError, match="No such file") as caught:
        AwsSettings.from_environ({"AWS_CA_BUNDLE": str(bundle)}, region=None)
    assert caught.value.hint is not None
    with pytest.raises(IdentityError, match="directory"):
        AwsSettings.from_environ({"AWS_CA_BUNDLE": str(tmp_path)}, region=None)
    bundle.write_text("")
    settings = AwsSettings.from_environ({"AWS_CA_BUNDLE": str(bundle)}, region=None)
    assert settings.ca_bundle == str(bundle)


@pytest.mark.parametrize(
    ("host", "answer"),
    [
        pytest.param("127.255.0.1", True, id="127/8"),
        pytest.param("::1", True, id="bare IPv6"),
        pytest.param("[::1]", True, id="IPv6"),
        pytest.param("128.0.0.1", False, id="next door"),
        pytest.param("loopback", False, id="a name"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_loopback_is_decided_by_the_literal(host: str, answer: bool) -> None:
    """No name is looked up to decide it."""
    assert is_loopback(host) is answer
