"""Who showed an EKS token: what aws-iam-authenticator checks, and then STS (moto's) is asked."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

from tests.kube.server.rights import Caller

PREFIX = "k8s-aws-v1."
HEADER = "x-k8s-aws-id"
_STS_HOST = re.compile(
    r"sts(-fips)?(\.[a-z]{2}(-[a-z]+)+-\d)?\.amazonaws\.com(\.cn)?|sts\.[a-z0-9-]+\.api\.aws"
)
_KNOWN = {
    "action", "version", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
    "x-amz-security-token", "x-amz-signature", "x-amz-signedheaders",
}  # fmt: skip
_LONGEST = 900
_ARN = re.compile(rb"<Arn>([^<]+)</Arn>")
_ACCOUNT = re.compile(rb"<Account>([^<]+)</Account>")


class TokenRefused(Exception):
    """Why a token is nobody's."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """A presigned question to STS; `query` has lower-case names."""

    host: str
    query: Mapping[str, str]
    raw: str

    @property
    def key_id(self) -> str:
        return self.query["x-amz-credential"].partition("/")[0]

    @property
    def scope(self) -> str:
        return self.query["x-amz-credential"].partition("/")[2]

    @property
    def region(self) -> str:
        return self.scope.split("/")[1]

    @property
    def date(self) -> datetime:
        told = self.query["x-amz-date"].removesuffix("Z")
        return datetime.strptime(f"{told}+0000", "%Y%m%dT%H%M%S%z")


def caller_of_eks_token(
    token: str,
    *,
    sts_url: str,
    cluster: str,
    now: datetime | None = None,
    life: float | None = None,
) -> Caller | None:
    """Who STS at `sts_url` says signed `token`; None for one that `cluster` does not take.

    `life`, in seconds from its date, ends a token earlier than the 15 minutes it has.
    """
    try:
        return examine(token, sts_url=sts_url, cluster=cluster, now=now, life=life)
    except TokenRefused:
        return None


def examine(
    token: str,
    *,
    sts_url: str,
    cluster: str,
    now: datetime | None = None,
    life: float | None = None,
) -> Caller:
    """As `caller_of_eks_token`, but raises TokenRefused with the reason."""
    signed = _read(token)
    age = ((now or datetime.now(UTC)) - signed.date).total_seconds()
    # The authenticator takes them for 15 minutes, however short X-Amz-Expires is.
    if age > min(_LONGEST, _LONGEST if life is None else life):
        raise TokenRefused(f"the token is {age:.0f} s old")
    if age < -_LONGEST:
        raise TokenRefused("the token is of another time")
    _check_signature(signed, cluster)
    session = signed.query.get("x-amz-security-token", "")
    arn, account = _ask(f"{signed.key_id}/{signed.scope}", session, sts_url)
    return Caller(
        name=arn,
        groups=("system:masters", "system:authenticated"),
        uid=f"aws-iam-authenticator:{account}:{signed.key_id}",
        arn=arn,
    )


def _read(token: str) -> _Signed:
    if not token.startswith(PREFIX):
        raise TokenRefused("no EKS token")
    coded = token.removeprefix(PREFIX)
    if "=" in coded:
        raise TokenRefused("the token is padded")
    try:
        url = urlsplit(base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode())
    except (binascii.Error, ValueError) as error:
        raise TokenRefused("the token is no base64 of an URL") from error
    if url.scheme != "https" or url.path != "/" or not _STS_HOST.fullmatch(url.netloc):
        raise TokenRefused(f"not STS: {url.scheme}://{url.netloc}{url.path}")
    pairs = [(name.lower(), value) for name, value in parse_qsl(url.query)]
    query = dict(pairs)
    if len(query) != len(pairs) or not query.keys() <= _KNOWN:
        raise TokenRefused("parameters twice, or unknown ones")
    if query.get("action") != "GetCallerIdentity":
        raise TokenRefused("another action")
    missing = _KNOWN - query.keys() - {"x-amz-security-token", "version"}
    if missing:
        raise TokenRefused(f"without {', '.join(sorted(missing))}")
    if not query["x-amz-expires"].isdigit() or int(query["x-amz-expires"]) > _LONGEST:
        raise TokenRefused(f"X-Amz-Expires is {query['x-amz-expires']}")
    if HEADER not in query["x-amz-signedheaders"].split(";"):
        raise TokenRefused(f"{HEADER} is not signed")
    return _Signed(url.netloc, query, url.query)


def _check_signature(signed: _Signed, cluster: str) -> None:
    """Where moto lives in this process its keys are known, and so is the right signature."""
    known = _key_in_moto(signed.key_id)
    if known is None:
        return
    secret, session_token = known
    if signed.query.get("x-amz-security-token", "") != session_token:
        raise TokenRefused("another session token")
    if not hmac.compare_digest(
        _signature(signed, cluster, secret), signed.query["x-amz-signature"]
    ):
        raise TokenRefused("signed with another key, or for another cluster")


def _key_in_moto(key_id: str) -> tuple[str, str] | None:
    if "moto.sts.models" not in sys.modules:
        return None
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for parts in list(sts_backends.values()):
        for backend in list(parts.values()):
            for role in backend.assumed_roles:
                if role.access_key_id == key_id:
                    return role.secret_access_key, role.session_token
    for partitions in list(iam_backends.values()):
        for account in list(partitions.values()):
            for user in list(account.users.values()):
                for key in user.access_keys:
                    if key.access_key_id == key_id:
                        return key.secret_access_key, ""
    return None


def _signature(signed: _Signed, cluster: str, secret: str) -> str:
    """AWS Signature Version 4 of a presigned GET without a body."""
    headers = {"host": signed.host, HEADER: cluster}
    names = signed.query["x-amz-signedheaders"].split(";")
    pairs = [pair for pair in parse_qsl(signed.raw) if pair[0].lower() != "x-amz-signature"]
    asked = "&".join(
        sorted(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    )
    lines = [f"{name}:{headers.get(name, '')}" for name in names]
    empty = hashlib.sha256(b"").hexdigest()
    request = "\n".join(["GET", "/", asked, *lines, "", ";".join(names), empty])
    told = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            signed.query["x-amz-date"],
            signed.scope,
            hashlib.sha256(request.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in signed.scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, told.encode(), "sha256").hexdigest()


@functools.lru_cache(maxsize=1024)
def _ask(credential: str, session_token: str, sts_url: str) -> tuple[str, str]:
    """The ARN and the account of whoever holds the key. Each is asked for once: it stays his.

    Not by the presigned URL: moto takes that for a question to S3.
    """
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, "
        "Signature=0",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    if session_token:
        headers["X-Amz-Security-Token"] = session_token
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    request = urllib.request.Request(sts_url, data=body, headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as reply:
            told = reply.read()
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            # Nobody's token is bad: the server has a fault, and tells it.
            raise
        raise TokenRefused(f"STS says {error.code}") from error
    arn, account = _ARN.search(told), _ACCOUNT.search(told)
    if arn is None or account is None or arn[1].endswith(b":user/moto"):
        raise TokenRefused("STS knows nobody of that key")
    return arn[1].decode(), account[1].decode()
