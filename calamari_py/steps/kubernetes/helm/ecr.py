"""Which charts lie in a registry of ECR."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_HOST = re.compile(
    r"\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)


def ecr_region(chart: str) -> str | None:
    """The region of the registry that `chart` lies in, None where that is not ECR's."""
    found = _HOST.fullmatch(urlsplit(chart).netloc)
    return found["region"] if found is not None else None
