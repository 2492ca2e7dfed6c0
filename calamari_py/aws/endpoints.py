"""Where a service is: AWS's own endpoint rules, read by botocore."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import botocore
from botocore.endpoint_provider import EndpointProvider
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.utils import validate_region_name

from calamari_py.aws import signin
from calamari_py.aws.failures import Unreached
from calamari_py.aws.settings import AwsSettings

SIGN_IN = signin.SERVICE

BUCKETS = "s3"
"""The service whose address depends on the bucket."""
# Of the services that are asked often: looking for the latest version reads every folder.
_VERSIONS = {
    "cloudformation": "2010-05-15",
    "eks": "2017-11-01",
    "iam": "2010-05-08",
    "organizations": "2016-11-28",
    BUCKETS: "2006-03-01",
    "secretsmanager": "2017-10-17",
    SIGN_IN: "2023-01-01",
    "ssm": "2014-11-06",
    "sso": "2019-06-10",
    "sso-oidc": "2019-06-10",
    "sts": "2011-06-15",
}
_SIGNATURE = "sigv4"
# Global services: their signing region is the partition's, whoever's URL they are reached by.
_GLOBAL = frozenset({"iam", "organizations"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A service's URL, and the region that signatures for it name; `signing_name` where it is not
    the service's usual one."""

    url: str
    signing_region: str
    signing_name: str | None = None


@cache
def _loader() -> Loader:
    """One for all: it keeps what it has read."""
    data = os.path.join(os.path.dirname(botocore.__file__), "data")
    # Without the default paths: a model below the home folder could change what is sent.
    return Loader(extra_search_paths=[data], include_default_search_paths=False)


class Endpoints:
    """The endpoints of `settings`, by AWS's rules where none is set."""

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._loader = _loader()

    def model(self, service: str) -> ServiceModel:
        """AWS's description of the service's API."""
        return ServiceModel(self._load(service, "service-2"), service)

    def partition(self, region: str) -> str:
        """The partition that `region` lies in, by botocore's table (``aws`` for an unknown one)."""
        for partition in self._loader.load_data("partitions")["partitions"]:
            if region in partition["regions"] or re.match(partition["regionRegex"], region):
                return str(partition["id"])
        return "aws"

    def console(self) -> str:
        """The console of the region, ``https://eu-west-1.console.aws.amazon.com``."""
        return signin.console_of(self.by_rules(SIGN_IN).url)

    def find(self, service: str, bucket: str = "") -> Endpoint:
        """The endpoint of `service`, for `bucket` where it is S3: the one that is set, else AWS's.

        Raises Unreached without a region, a BotoCoreError where AWS has none, an IdentityError for
        a set one that is not to be used.
        """
        set_url = self._settings.endpoint(service)
        if service == SIGN_IN:
            url = signin.federation_url(set_url or self.by_rules(service).url)
            return Endpoint(url=url, signing_region=self._region())
        if service == BUCKETS:
            return self._of_bucket(set_url, bucket)
        if set_url is None:
            return self.by_rules(service)
        if service in _GLOBAL:
            return replace(self.by_rules(service, with_variants=False), url=set_url)
        return Endpoint(url=set_url, signing_region=self._region())

    def _of_bucket(self, set_url: str | None, bucket: str) -> Endpoint:
        asked = {"Bucket": bucket} if bucket else {}
        if set_url is None:
            return self.by_rules(BUCKETS, asked=asked)
        # An endpoint of one's own seldom has a DNS name for every bucket: as botocore does it, the
        # bucket goes into the path.
        own = {"Endpoint": set_url, "ForcePathStyle": True}
        return self.by_rules(BUCKETS, with_variants=False, asked={**own, **asked})

    def by_rules(
        self, service: str, *, with_variants: bool = True, asked: Mapping[str, Any] | None = None
    ) -> Endpoint:
        """AWS's own endpoint of `service`. Raises Unreached or a BotoCoreError.

        Without `with_variants` the settings for FIPS and dual-stack do not count; `asked` are
        further parameters of the service's rules.
        """
        region = self._region()
        rules = self._load(service, "endpoint-rule-set-1")
        # A browser opens the sign-in page as well: the variants are for programs.
        with_variants = with_variants and service != SIGN_IN
        wanted = {
            "Region": region,
            "UseFIPS": with_variants and self._settings.use_fips,
            "UseDualStack": with_variants and self._settings.use_dualstack,
            "UseGlobalEndpoint": False,
            **(asked or {}),
        }
        endpoint = EndpointProvider(rules, self._loader.load_data("partitions")).resolve_endpoint(
            **{name: value for name, value in wanted.items() if name in rules["parameters"]}
        )
        schemes = endpoint.properties.get("authSchemes") or [{"name": _SIGNATURE}]
        scheme = next((each for each in schemes if each.get("name") == _SIGNATURE), None)
        if scheme is None:
            reason = f"'{service}' takes signatures of another kind there than calamari makes"
            raise Unreached("NoEndpoint", reason, retryable=False)
        return Endpoint(
            url=endpoint.url,
            signing_region=scheme.get("signingRegion") or region,
            signing_name=scheme.get("signingName"),
        )

    def _region(self) -> str:
        region = self._settings.region
        if not region:
            raise Unreached("NoRegion", "no region is known", retryable=False)
        # The region becomes part of a host name: whoever sets it must not choose the domain.
        validate_region_name(region)
        return region

    def _load(self, service: str, name: str) -> Any:
        version = _VERSIONS.get(service) or self._loader.determine_latest_version(service, name)
        return self._loader.load_data(f"{service}/{version}/{name}")
