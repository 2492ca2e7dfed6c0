"""The other end of the deliveries: the step's credentials for commands of ours inside of it.

``credentials --from-step``, the ``credential_process`` of ``delivery: profile``, and ``eks-token``.
Others start them for every command: only what they need is imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from calamari_py.delivery._request import CREDENTIALS_PATH, TOKEN_NAME, URI_NAME
from calamari_py.errors import IdentityError

_URI = re.compile(rf"http://127\.0\.0\.1:(\d{{1,5}}){re.escape(CREDENTIALS_PATH)}", re.ASCII)
_LIMIT = 65_536
_OF_SDKS = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN")
"""The names of ``delivery: endpoint``."""
_ONLY_INSIDE = "this works in a step with 'credentials: {delivery: profile}', while it runs"


_ONLY_AROUND = "run it in a step, or as a step's identity: calamari exec step.yaml -- COMMAND"


def fetch_process_document(environ: Mapping[str, str], *, timeout: float = 60.0) -> str:
    """The step's credentials as the JSON of a ``credential_process``: secrets, for stdout alone.

    `environ` holds `URI_NAME` and `TOKEN_NAME`. The server may be renewing: it gets `timeout`
    seconds. Raises IdentityError when it cannot be asked or has nothing to give.
    """
    served = _served(environ, URI_NAME, TOKEN_NAME, timeout, hint=_ONLY_INSIDE)
    return _process_document(served)


def step_keys(environ: Mapping[str, str], *, timeout: float = 60.0) -> Mapping[str, str]:
    """The credentials of the step around us, however they are delivered: secrets, named as its
    credential server names them (AccessKeyId, SecretAccessKey, Token, Expiration; the last two may
    be blank).

    Keys in `environ` come first, as with every SDK: a script may have set its own. Raises
    IdentityError when there are none.
    """
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if key_id and secret:
        return {
            "AccessKeyId": key_id,
            "SecretAccessKey": secret,
            "Token": environ.get("AWS_SESSION_TOKEN", ""),
            "Expiration": environ.get("AWS_CREDENTIAL_EXPIRATION", ""),
        }
    for names in ((URI_NAME, TOKEN_NAME), _OF_SDKS):
        if any(environ.get(name) for name in names):
            return _served(environ, *names, timeout, hint=_ONLY_AROUND)
    raise IdentityError("there are no credentials of a step here", hint=_ONLY_AROUND)


def _served(
    environ: Mapping[str, str], uri_name: str, token_name: str, timeout: float, *, hint: str
) -> Mapping[str, str]:
    """What the step's credential server answers, whole. Its address and the token are in `environ`
    under these names."""
    uri, token = environ.get(uri_name, ""), environ.get(token_name, "")
    for name, value in ((uri_name, uri), (token_name, token)):
        if not value:
            raise IdentityError(f"'{name}' is not set", hint=hint)
    target = _URI.fullmatch(uri)
    if target is None or int(target[1]) > 65_535 or not re.fullmatch("[0-9a-f]+", token):
        # The token goes to our own server and nowhere else.
        raise IdentityError(f"'{uri_name}' or '{token_name}' was changed", hint=hint)
    served = _ask(int(target[1]), token, timeout, hint)
    wanted = ("AccessKeyId", "SecretAccessKey", "Token", "Expiration")
    if not all(isinstance(served.get(name), str) for name in wanted):
        raise IdentityError("the step's credential server answered half", hint=hint)
    return served


def _ask(port: int, token: str, timeout: float, hint: str) -> Mapping[str, Any]:
    """The server's document."""
    try:
        status, body = _get(port, token, timeout)
    except TimeoutError:
        raise IdentityError(
            f"the step's credential server did not answer in {timeout:.3g} s",
            hint="the log of calamari says what it waits for",
        ) from None
    except OSError:
        raise IdentityError("the step's credential server is gone", hint=hint) from None
    if status == 200 and isinstance(document := _parsed(body), dict):
        return document
    if status == 503:
        raise IdentityError(
            "the step's credentials could not be renewed", hint="the log of calamari says why"
        )
    raise IdentityError(
        f"the step's credential server answered {status} and no credentials", hint=hint
    )


def _get(port: int, token: str, timeout: float) -> tuple[int, bytes]:
    """The status and the body. A plain socket: the server is our own and says all at once, and the
    standard library's client takes longer to import than all the rest. Raises OSError."""
    import socket

    request = (
        f"GET {CREDENTIALS_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: {token}\r\nConnection: close\r\n\r\n"
    )
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as connection:
        connection.sendall(request.encode("ascii"))
        while len(answer) < _LIMIT and (piece := connection.recv(_LIMIT)):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3}) ", head)
    if status is None:
        raise ConnectionError
    return int(status[1]), body


def _parsed(body: bytes) -> Any:
    """`body` as JSON, or None."""
    import json

    try:
        return json.loads(body)
    except ValueError:
        return None


def _process_document(served: Mapping[str, str]) -> str:
    import json

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
