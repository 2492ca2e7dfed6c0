"""The bearer token by which an EKS cluster knows who asks: a signed question to STS.

The cluster sends the URL in it to STS, which answers with the ARN of whoever signed it. Signed
here and not by botocore: programs start this for every command, and importing botocore alone takes
longer than all else. For the same reason nothing is imported that takes long.

Source: kubernetes-sigs/aws-iam-authenticator (README, "API Authorization from Outside a Cluster"),
and AWS's "Authenticating Requests: Using Query Parameters (Signature Version 4)".
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from urllib.parse import quote

TOKEN_LIFE = 14 * 60
"""Seconds until a new one is asked for. A cluster takes one for 15 minutes."""
URL_LIFE = 60
"""Seconds, as aws-iam-authenticator and the AWS CLI have it; newer clusters insist on it."""
MOST_OFFSET = 366 * 86_400
"""Seconds that AWS's clock may be ahead of this machine's, or behind."""
API_VERSIONS = ("client.authentication.k8s.io/v1beta1", "client.authentication.k8s.io/v1")
"""Those that are spoken; the first where the caller names none."""

CLUSTER_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}", re.ASCII)
"""A name that EKS gives a cluster. Source: the API reference of eks:CreateCluster."""
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}", re.ASCII)
"""A region. It becomes part of a host name: whoever names it must not choose the domain."""

_PREFIX = "k8s-aws-v1."
_HEADER = "x-k8s-aws-id"
_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
    "eusc-": "amazonaws.eu",
}
"""What the names of regions begin with whose services are not below amazonaws.com."""


def sts_host(region: str) -> str:
    """The regional STS in the partition of `region`. A cluster sends the question to no other
    host, so no setting changes it."""
    suffixes = (suffix for start, suffix in _SUFFIXES.items() if region.startswith(start))
    return f"sts.{region}.{next(suffixes, 'amazonaws.com')}"


def presigned_url(
    cluster: str, region: str, *, key_id: str, secret: str, session_token: str, now: float
) -> str:
    """GetCallerIdentity as a URL that is good for `cluster` alone. `now` is in seconds since the
    epoch, by AWS's clock; `session_token` is "" for long-lived keys."""
    host = sts_host(region)
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    scope = f"{stamp[:8]}/{region}/sts/aws4_request"
    parameters = {
        "Action": "GetCallerIdentity",
        "Version": "2011-06-15",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{key_id}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": str(URL_LIFE),
        "X-Amz-SignedHeaders": f"host;{_HEADER}",
    }
    if session_token:
        parameters["X-Amz-Security-Token"] = session_token
    query = "&".join(f"{name}={in_url(value)}" for name, value in parameters.items())
    request = "\n".join(
        (
            "GET",
            "/",
            "&".join(sorted(query.split("&"))),
            f"host:{host}",
            f"{_HEADER}:{cluster}",
            "",
            f"host;{_HEADER}",
            hashlib.sha256(b"").hexdigest(),
        )
    )
    hashed = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashed}").hex()
    return f"https://{host}/?{query}&X-Amz-Signature={signature}"


def in_url(value: str) -> str:
    """`value` as it stands in a signed URL."""
    return quote(value, safe="-_.~")


def bearer_token(url: str) -> str:
    """The token that holds the presigned `url`: a secret."""
    encoded = binascii.b2a_base64(url.encode(), newline=False).translate(
        bytes.maketrans(b"+/", b"-_"), b"="
    )
    return _PREFIX + encoded.decode("ascii")


def api_version(exec_info: str) -> str | None:
    """The version of the answer that the caller's ``KUBERNETES_EXEC_INFO`` asks for: the first of
    `API_VERSIONS` where it says nothing that could be read, None for one that is not spoken."""
    import json

    try:
        asked = json.loads(exec_info)["apiVersion"]
    except (ValueError, KeyError, TypeError):
        return API_VERSIONS[0]
    return asked if asked in API_VERSIONS else None


def exec_credential(
    cluster: str,
    region: str,
    keys: Mapping[str, str],
    *,
    version: str,
    now: float,
    offset: float = 0.0,
) -> str:
    """The answer of an exec plugin, as JSON: a secret.

    `keys` are named as in the answer of a credential server (AccessKeyId, SecretAccessKey, Token,
    Expiration; the last two may be blank or missing). `now` is this machine's time, by which the
    caller counts; `offset` is how many seconds AWS's clock is ahead of it. Raises ValueError when
    the keys have ended.
    """
    import json

    expiration = keys.get("Expiration", "")
    end = min(now + TOKEN_LIFE, _seconds(expiration) - offset)
    if end <= now:
        raise ValueError(f"the credentials ended at {expiration}")
    url = presigned_url(
        cluster,
        region,
        key_id=keys["AccessKeyId"],
        secret=keys["SecretAccessKey"],
        session_token=keys.get("Token", ""),
        now=now + offset,
    )
    return json.dumps(
        {
            "kind": "ExecCredential",
            "apiVersion": version,
            "spec": {},
            "status": {
                "expirationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)),
                "token": bearer_token(url),
            },
        }
    )


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _seconds(text: str) -> float:
    """A time of AWS's (ISO 8601, in UTC where it names no zone) in seconds since the epoch; without
    end for what is none: whoever set it meant to say something else."""
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return float("inf")
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
