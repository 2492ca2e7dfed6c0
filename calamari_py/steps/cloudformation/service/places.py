"""Names and addresses: what a stack is called, where S3 shows a template."""

from __future__ import annotations

import hashlib
from urllib.parse import quote, urlsplit

OUR_PREFIX = "calamari-"
"""How the names of change sets begin that we make up."""

# botocore's partitions.json, ``dnsSuffix``.
SUFFIXES_OF = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
    "aws-iso-e": "cloud.adc-e.uk",
    "aws-iso-f": "csp.hci.ic.gov",
    "aws-us-gov": "amazonaws.com",
}
SUFFIXES = frozenset(SUFFIXES_OF.values())


def name_of(name_or_arn: str) -> str:
    """``my-app`` of ``arn:aws:cloudformation:…:stack/my-app/1b2c…``; of a change set's ARN its
    name; any other text as it is."""
    parts = name_or_arn.split("/")
    return parts[1] if name_or_arn.startswith("arn:") and len(parts) > 1 else name_or_arn


def named(what: str, name_or_arn: str) -> str:
    """``stack 'my-app'``, of its name or its ARN (``arn:…:stack/my-app/1b2c…``)."""
    return f"{what} '{name_of(name_or_arn)}'" if name_or_arn else what


def template_key(prefix: str, text: str) -> str:
    """``calamari/templates/9f86….yaml``: the name of this very content."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    suffix = "json" if text.lstrip("\ufeff \t\r\n").startswith("{") else "yaml"
    return "/".join(part for part in (prefix.strip("/"), f"{digest}.{suffix}") if part)


def object_url(bucket: str, key: str, region: str, partition: str) -> str:
    """The https URL of an object. A bucket with a dot in its name fits no certificate as part of
    the host name and goes into the path."""
    host = f"s3.{region}.{SUFFIXES_OF.get(partition, SUFFIXES_OF['aws'])}"
    path = quote(key, safe="/~")
    if "." in bucket:
        return f"https://{host}/{bucket}/{path}"
    return f"https://{bucket}.{host}/{path}"


def template_url(url: str, region: str, partition: str) -> str:
    """`url` as CloudFormation takes it: an ``s3://bucket/key?versionId=…`` becomes https. Its key
    is not percent-encoded, as everywhere in AWS's own tools."""
    parts = urlsplit(url)
    if parts.scheme != "s3":
        return url
    https = object_url(parts.netloc, parts.path.lstrip("/"), region, partition)
    return f"{https}?{parts.query}" if parts.query else https
