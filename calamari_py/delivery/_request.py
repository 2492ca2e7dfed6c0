"""What a client of the credential server asks for, and whether it may."""

from __future__ import annotations

import re
from dataclasses import dataclass

CREDENTIALS_PATH = "/v1/credentials"
URI_NAME = "CALAMARI_CREDENTIALS_URI"
TOKEN_NAME = "CALAMARI_CREDENTIALS_TOKEN"  # noqa: S105  a name, not a token

_REQUEST_LINE = re.compile(r"([A-Z]{1,16}) ([!-~]{1,1024}) HTTP/1\.[01]")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*)")

_OF_BROWSERS_AND_PROXIES = re.compile(
    r"origin|referer|forwarded|via|x-real-ip|(x-forwarded|sec-fetch|access-control)-.*"
)
"""No AWS SDK sends one of these to a credential endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An HTTP status other than 200, with the words of the answer's JSON."""

    status: int
    code: str
    message: str


MALFORMED = Refusal(status=400, code="BadRequest", message="this is no HTTP request")
STRANGER = Refusal(status=403, code="Forbidden", message="this server answers one user only")
_METHOD = Refusal(status=403, code="Forbidden", message="only GET is answered")
_VIA = Refusal(status=403, code="Forbidden", message="browsers and proxies are not answered")
_HOST = Refusal(status=403, code="Forbidden", message="the Host header names another server")
_TOKEN = Refusal(status=401, code="Unauthorized", message="the authorization token is not right")
_PATH = Refusal(status=404, code="NotFound", message=f"only {CREDENTIALS_PATH} is served")


def refusal_of(head: bytes, *, host: str, token: str) -> Refusal | None:
    """Why the request `head` (up to its empty line) is refused; None when it may be answered.

    `host` is what its one Host header must say. Nothing is said about paths without the token.
    """
    request, *lines = head.decode("latin-1").split("\r\n")
    asked = _REQUEST_LINE.fullmatch(request)
    headers = [_HEADER.fullmatch(line) for line in lines]
    if asked is None or None in headers:
        return MALFORMED
    fields = [(header[1].lower(), header[2].strip()) for header in headers if header]
    if asked[1] != "GET":
        return _METHOD
    if any(_OF_BROWSERS_AND_PROXIES.fullmatch(name) for name, _ in fields):
        return _VIA
    if [value for name, value in fields if name == "host"] != [host]:
        return _HOST
    given = [value for name, value in fields if name == "authorization"]
    if len(given) != 1 or not _is_token(given[0], token):
        return _TOKEN
    return None if asked[2] == CREDENTIALS_PATH else _PATH


def _is_token(given: str, token: str) -> bool:
    """Whether `given` is `token`, as it is or as ``Bearer TOKEN``, in constant time."""
    import hmac  # it loads OpenSSL: only once a client asks

    scheme, _, rest = given.partition(" ")
    bare = rest.strip() if scheme.lower() == "bearer" else given
    return hmac.compare_digest(bare.encode("latin-1"), token.encode("ascii"))
