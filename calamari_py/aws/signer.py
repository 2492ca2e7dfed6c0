"""SigV4, botocore's, with a clock of our own. Brings botocore with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SIGV4_TIMESTAMP, S3SigV4Auth, SigV4Auth

from calamari_py.identity import AwsCredentials


@dataclass(frozen=True, slots=True)
class _Keys:
    access_key: str
    secret_key: str
    token: str | None


class _Stamped(SigV4Auth):
    """Signs with the time it is given: the machine's, corrected by what AWS's says."""

    stamp = ""

    def _modify_request_before_signing(self, request: Any) -> None:
        request.context["timestamp"] = self.stamp
        super()._modify_request_before_signing(request)  # type: ignore[misc]


class _StampedS3(_Stamped, S3SigV4Auth):
    """S3's ways: a path that is signed as it is sent, a hash of the body in a header."""


def sign(
    request: Any,
    credentials: AwsCredentials,
    *,
    name: str,
    region: str,
    now: datetime,
    for_s3: bool = False,
) -> None:
    """Sign `request` for the service `name` in `region`, at `now`."""
    token = credentials.session_token
    keys: Any = _Keys(
        credentials.access_key_id,
        credentials.secret_access_key.reveal(),
        token.reveal() if token is not None else None,
    )
    signer = (_StampedS3 if for_s3 else _Stamped)(keys, name, region)
    signer.stamp = now.astimezone(UTC).strftime(SIGV4_TIMESTAMP)
    signer.add_auth(request)
