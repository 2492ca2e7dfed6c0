"""The other end of ``delivery: profile``: what a ``credential_process`` inside the step prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from calamari_py.delivery._request import CREDENTIALS_PATH, TOKEN_NAME, URI_NAME
from calamari_py.errors import IdentityError

_URI = re.compile(rf"http://127\.0\.0\.1:(\d{{1,5}}){re.escape(CREDENTIALS_PATH)}", re.ASCII)
_LIMIT = 65_536
_ONLY_INSIDE = "this works in a step with 'credentials: {delivery: profile}', while it runs"


def fetch_process_document(environ: Mapping[str, str], *, timeout: float = 60.0) -> str:
    """The step's credentials as the JSON of a ``credential_process``: secrets, for stdout alone.

    `environ` holds `URI_NAME` and `TOKEN_NAME`. The server may be renewing: it gets `timeout`
    seconds. Raises IdentityError when it cannot be asked or has nothing to give.
    """
    uri, token = environ.get(URI_NAME, ""), environ.get(TOKEN_NAME, "")
    for name, value in ((URI_NAME, uri), (TOKEN_NAME, token)):
        if not value:
            raise IdentityError(f"'{name}' is not set", hint=_ONLY_INSIDE)
    target = _URI.fullmatch(uri)
    if target is None or int(target[1]) > 65_535 or not re.fullmatch("[0-9a-f]+", token):
        # The token goes to our own server and nowhere else.
        raise IdentityError(f"'{URI_NAME}' or '{TOKEN_NAME}' was changed", hint=_ONLY_INSIDE)
    return _process_document(_ask(int(target[1]), token, timeout))


def _ask(port: int, token: str, timeout: float) -> Any:
    """The server's document. `http.client` knows no proxies, which is what is wanted here."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", CREDENTIALS_PATH, headers={"Authorization": token})
        response = connection.getresponse()
        status, body = response.status, response.read(_LIMIT)
    except TimeoutError:
        raise IdentityError(
            f"the step's credential server did not answer in {timeout:.3g} s",
            hint="the log of calamari says what it waits for",
        ) from None
    except (OSError, http.client.HTTPException):
        raise IdentityError("the step's credential server is gone", hint=_ONLY_INSIDE) from None
    finally:
        connection.close()
    if status == 200 and isinstance(document := _parsed(body), dict):
        return document
    if status == 503:
        raise IdentityError(
            "the step's credentials could not be renewed", hint="the log of calamari says why"
        )
    raise IdentityError(
        f"the step's credential server answered {status} and no credentials", hint=_ONLY_INSIDE
    )


def _parsed(body: bytes) -> Any:
    """`body` as JSON, or None."""
    import json

    try:
        return json.loads(body)
    except ValueError:
        return None


def _process_document(served: Mapping[str, Any]) -> str:
    import json

    wanted = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    if not all(isinstance(served.get(name), str) for name in wanted):
        raise IdentityError("the step's credential server answered half", hint=_ONLY_INSIDE)
    document: dict[str, object] = {
        "Version": 1,
        "AccessKeyId": served["AccessKeyId"],
        "SecretAccessKey": served["SecretAccessKey"],
    }
    # A process may leave out what long-lived keys do not have.
    if served["Token"]:
        document["SessionToken"] = served["Token"]
    document["Expiration"] = served["Expiration"]
    if "AccountId" in served:
        document["AccountId"] = served["AccountId"]
    return json.dumps(document)
