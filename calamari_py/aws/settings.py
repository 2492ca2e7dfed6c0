"""AwsSettings: how AWS is reached, taken from the caller's environment once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from calamari_py.addresses import ENDPOINT, is_loopback
from calamari_py.errors import IdentityError

_ENDPOINT_NAMES = {
    "sts": "AWS_ENDPOINT_URL_STS",
    "ssm": "AWS_ENDPOINT_URL_SSM",
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "iam": "AWS_ENDPOINT_URL_IAM",
    "signin": "AWS_ENDPOINT_URL_SIGNIN",
    "sso": "AWS_ENDPOINT_URL_SSO",
    "sso-oidc": "AWS_ENDPOINT_URL_SSO_OIDC",
    "": "AWS_ENDPOINT_URL",
}
_STEP_ENDPOINT_NAMES = {
    "cloudformation": "AWS_ENDPOINT_URL_CLOUDFORMATION",
    "ecr": "AWS_ENDPOINT_URL_ECR",
    "eks": "AWS_ENDPOINT_URL_EKS",
    "organizations": "AWS_ENDPOINT_URL_ORGANIZATIONS",
    "s3": "AWS_ENDPOINT_URL_S3",
}
"""Of services that only some kinds of steps have calamari call. The same variables are meant for
the tools of all others: what is wrong with them is said when the service is called."""
_ALL_ENDPOINT_NAMES = {**_ENDPOINT_NAMES, **_STEP_ENDPOINT_NAMES}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """How AWS is reached: taken from the caller's environment once, never looked up again.

    `endpoints` maps a service id (``sts``) or ``""`` (every service) to a URL. `warnings` says
    what the environment asks for and does not get.
    """

    region: str | None = None
    endpoints: Mapping[str, str]
    use_fips: bool = False
    use_dualstack: bool = False
    ca_bundle: str | None = None
    allow_http: bool = False
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_environ(
        cls,
        environ: Mapping[str, str],
        *,
        region: str | None,
        allow_http: bool = False,
        sandbox_endpoint: str | None = None,
    ) -> AwsSettings:
        """The settings that AWS's own variables in `environ` describe; blank counts as not set.

        `sandbox_endpoint` replaces every endpoint. Raises IdentityError for an endpoint that is no
        URL or would carry credentials in clear text, and for a CA bundle that is not there.
        """
        endpoints = (
            {"": sandbox_endpoint}
            if sandbox_endpoint is not None
            else _read_endpoints(environ, allow_http=allow_http)
        )
        use_fips = _is_true(environ, "AWS_USE_FIPS_ENDPOINT")
        use_dualstack = _is_true(environ, "AWS_USE_DUALSTACK_ENDPOINT")
        always = {url for service, url in endpoints.items() if service in _ENDPOINT_NAMES}
        warnings = tuple(
            f"{name} does not apply to the endpoint '{url}', which is set in the environment"
            for name, asked in (
                ("AWS_USE_FIPS_ENDPOINT", use_fips),
                ("AWS_USE_DUALSTACK_ENDPOINT", use_dualstack),
            )
            for url in dict.fromkeys(endpoints.values())
            if asked and url in always
        )
        return cls(
            region=region,
            endpoints=endpoints,
            use_fips=use_fips,
            use_dualstack=use_dualstack,
            ca_bundle=_read_ca_bundle(environ),
            allow_http=allow_http,
            warnings=warnings,
        )

    def endpoint(self, service: str) -> str | None:
        """The URL set for `service`, None when AWS's own rules choose it. Raises IdentityError as
        `from_environ` does."""
        own = self.endpoints.get(service)
        if own is not None and service in _STEP_ENDPOINT_NAMES:
            _check_endpoint(_STEP_ENDPOINT_NAMES[service], own, allow_http=self.allow_http)
        return own or self.endpoints.get("")


def endpoint_names(service: str) -> str:
    """The variables that set the endpoint of `service`, for a sentence."""
    own = _ALL_ENDPOINT_NAMES.get(service)
    return f"AWS_ENDPOINT_URL and {own}" if own else "AWS_ENDPOINT_URL"


def _read_endpoints(environ: Mapping[str, str], *, allow_http: bool) -> dict[str, str]:
    if _is_true(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return {}
    found = {
        service: environ[name].strip()
        for service, name in _ALL_ENDPOINT_NAMES.items()
        if environ.get(name, "").strip()
    }
    for service, name in _ENDPOINT_NAMES.items():
        if service in found:
            _check_endpoint(name, found[service], allow_http=allow_http)
    return found


def _check_endpoint(name: str, url: str, *, allow_http: bool) -> None:
    match = ENDPOINT.fullmatch(url)
    if match is None:
        # The value is not repeated: it may hold a password.
        raise IdentityError(
            f"{name} is not the URL of an endpoint",
            hint="write https://HOST or https://HOST:PORT/PATH, without a user or a query",
            is_lasting=True,
        )
    if match["scheme"].lower() == "https" or allow_http or is_loopback(match["host"]):
        return
    raise IdentityError(
        f"{name} is '{url}': credentials would cross the network in clear text",
        hint="use https, or allow it with --allow-http-endpoint where the network is private",
        is_lasting=True,
    )


def _read_ca_bundle(environ: Mapping[str, str]) -> str | None:
    path = environ.get("AWS_CA_BUNDLE", "").strip()
    if not path:
        return None
    try:
        with Path(path).open("rb"):
            return path
    except OSError as error:
        raise IdentityError(
            f"AWS_CA_BUNDLE is '{path}', which cannot be read ({error.strerror})",
            hint="name a file of certificates in PEM form, or unset AWS_CA_BUNDLE",
        ) from None


def _is_true(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() == "true"
