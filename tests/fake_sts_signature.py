"""The signature and the clock of a request to `fake_sts`, checked with botocore as the oracle."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.fake_sts_tables import Keys, Refusal

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
_STAMP = "%Y%m%dT%H%M%SZ"
_TOLERANCE = timedelta(minutes=5)
_BAD_TOKEN = "The security token included in the request is invalid."


def authenticate(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    service: str,
    keys: Mapping[str, Keys],
    now: datetime,
    *,
    signing_now: datetime,
    regions: Mapping[str, str] | None = None,
) -> Keys:
    """Who signed the request, or the Refusal that AWS would send.

    `now` is what sessions expire by, `signing_now` when the request should have been signed.
    `regions` is for a global service: the one region of each partition that it is signed for.
    """
    match = _AUTHORIZATION.fullmatch(handler.headers.get("Authorization") or "")
    if not match:
        raise Refusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    key_id, day, region, scoped_service, signed, signature = match.groups()
    caller = keys.get(key_id)
    token = handler.headers.get("X-Amz-Security-Token")
    if caller is None or token != caller.session_token:
        raise Refusal(403, "InvalidClientTokenId", _BAD_TOKEN)
    stamp = handler.headers.get("X-Amz-Date") or ""
    _check_clock(stamp, signing_now)
    if scoped_service != service or day != stamp[:8]:
        raise Refusal(403, "SignatureDoesNotMatch", "Credential should be scoped to this service.")
    if regions is not None and region != regions.get(caller.partition, region):
        raise Refusal(
            403, "SignatureDoesNotMatch", "Credential should be scoped to a valid region."
        )
    if token is not None and "x-amz-security-token" not in signed.split(";"):
        raise Refusal(403, "InvalidClientTokenId", _BAD_TOKEN)
    expected = _signature(
        handler,
        body,
        caller,
        region=region,
        service=service,
        signed=signed.split(";"),
        stamp=stamp,
    )
    if not hmac.compare_digest(expected, signature):
        raise Refusal(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check "
            "your AWS Secret Access Key and signing method. Consult the service documentation for "
            "details.",
        )
    if caller.expires_at is not None and caller.expires_at <= now:
        raise Refusal(403, "ExpiredToken", "The security token included in the request is expired")
    return caller


def _check_clock(stamp: str, now: datetime) -> None:
    at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    if at < now - _TOLERANCE:
        raise Refusal(
            403,
            "SignatureDoesNotMatch",
            f"Signature expired: {stamp} is now earlier than "
            f"{(now - _TOLERANCE).strftime(_STAMP)} ({now.strftime(_STAMP)} - 5 min.)",
        )
    if at > now + _TOLERANCE:
        raise Refusal(
            403,
            "SignatureDoesNotMatch",
            f"Signature not yet current: {stamp} is still later than "
            f"{(now + _TOLERANCE).strftime(_STAMP)} ({now.strftime(_STAMP)} + 5 min.)",
        )


def _signature(
    handler: BaseHTTPRequestHandler,
    body: bytes,
    caller: Keys,
    *,
    region: str,
    service: str,
    signed: list[str],
    stamp: str,
) -> str:
    parts = urlsplit(handler.path)
    headers = {name: handler.headers.get(name) or "" for name in signed}
    request = AWSRequest(
        method=handler.command,
        url=f"http://{handler.headers.get('Host')}{parts.path}?{parts.query}",
        headers=headers,
        data=body,
    )
    request.context["timestamp"] = stamp
    signer = SigV4Auth(
        Credentials(caller.access_key_id, caller.secret_access_key, caller.session_token),
        service,
        region,
    )
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return str(signer.signature(text, request))
