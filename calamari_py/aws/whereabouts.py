"""Where STS would be asked, for those who only want to know."""

from __future__ import annotations

from collections.abc import Mapping

from botocore.exceptions import BotoCoreError

from calamari_py.addresses import proxies_for
from calamari_py.aws.endpoints import Endpoints
from calamari_py.aws.failures import Unreached
from calamari_py.aws.settings import AwsSettings


def sts_url(settings: AwsSettings) -> str | None:
    """The URL of STS; None without a region, or where AWS has no such endpoint."""
    try:
        return Endpoints(settings).find("sts").url
    except (Unreached, BotoCoreError):
        return None


def uses_proxy(environ: Mapping[str, str], url: str) -> bool:
    """Whether `url` is asked through a proxy."""
    return bool(proxies_for(environ, url))
