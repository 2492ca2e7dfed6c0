"""Where a service is: AWS's own endpoint rules, read by botocore."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
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

_VERSIONS = {
    "iam": "2010-05-08",
    "secretsmanager": "2017-10-17",
    SIGN_IN: "2023-01-01",
    "ssm": "2014-11-06",
    "sso": "2019-06-10",
    "sso-oidc": "2019-06-10",
    "sts": "2011-06-15",
}
# Global services: their signing region is the partition's, whoever's URL they are reached by.
_GLOBAL = frozenset({"iam"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A service's URL, and the region that signatures for it name."""

    url: str
    signing_region: str


class Endpoints:
    """The endpoints of `settings`, by AWS's rules where none is set."""

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        data = os.path.join(os.path.dirname(botocore.__file__), "data")
        # Without the default paths: a model below the home folder could change what is sent.
        self._loader = Loader(extra_search_paths=[data], include_default_search_paths=False)

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

    def find(self, service: str) -> Endpoint:
        """The endpoint of `service`: the one that is set, else AWS's.

        Raises Unreached without a region, a BotoCoreError where AWS has none.
        """
        set_url = self._settings.endpoint(service)
        if service == SIGN_IN:
            url = signin.federation_url(set_url or self.by_rules(service).url)
            return Endpoint(url=url, signing_region=self._region())
        if set_url is None:
            return self.by_rules(service)
        if service in _GLOBAL:
            return replace(self.by_rules(service, with_variants=False), url=set_url)
        return Endpoint(url=set_url, signing_region=self._region())

    def by_rules(self, service: str, *, with_variants: bool = True) -> Endpoint:
        """AWS's own endpoint of `service`. Raises Unreached or a BotoCoreError.

        Without `with_variants` the settings for FIPS and dual-stack do not count.
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
        }
        endpoint = EndpointProvider(rules, self._loader.load_data("partitions")).resolve_endpoint(
            **{name: value for name, value in wanted.items() if name in rules["parameters"]}
        )
        schemes = endpoint.properties.get("authSchemes") or [{}]
        return Endpoint(url=endpoint.url, signing_region=schemes[0].get("signingRegion") or region)

    def _region(self) -> str:
        region = self._settings.region
        if not region:
            raise Unreached("NoRegion", "no region is known", retryable=False)
        # The region becomes part of a host name: whoever sets it must not choose the domain.
        validate_region_name(region)
        return region

    def _load(self, service: str, name: str) -> Any:
        return self._loader.load_data(f"{service}/{_VERSIONS[service]}/{name}")
