"""Signing in to the console: AWS's federation endpoint.

It is no API of an SDK: a form goes in, a token for fifteen minutes comes out. AWS documents GET,
where the credentials stand in the URL; its own toolkits post the form, and so does calamari.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode, urlsplit

from calamari_py.aws.failures import Call
from calamari_py.errors import CloudError
from calamari_py.identity import AwsCredentials

SERVICE = "signin"
_PAGE = re.compile(
    r"(?:https://(?:[a-z0-9-]+\.)*console\.(?:aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)"
    r"(?=/|$))?(?:/[!-~]*)?"
)


def federation_url(endpoint: str) -> str:
    """The federation page of a sign-in `endpoint`."""
    return f"{endpoint.rstrip('/')}/federation"


def token_call(credentials: AwsCredentials, session_duration: int | None) -> Call:
    """The call for a sign-in token, or a CloudError: keys of a user cannot sign in."""
    if credentials.session_token is None:
        raise CloudError(
            "an access key without a session token cannot sign in to the console",
            service=SERVICE,
            operation="GetSigninToken",
            code="SignInRefused",
            hint="sign in as a role: give the step an assume_role section",
        )
    session = {
        "sessionId": credentials.access_key_id,
        "sessionKey": credentials.secret_access_key.reveal(),
        "sessionToken": credentials.session_token.reveal(),
    }
    params = {"Action": "getSigninToken", "Session": json.dumps(session)}
    if session_duration is not None:
        params["SessionDuration"] = str(session_duration)
    return Call(service=SERVICE, operation="GetSigninToken", params=params, credentials=credentials)


def login_url(
    federation: str, *, console: str, token: str, destination: str | None, issuer: str | None
) -> str:
    """The URL to open. `console` is the console's own, for a `destination` that is only a path."""
    destination = destination or "/"
    if destination.startswith("/"):
        destination = console + destination
    query = {
        "Action": "login",
        "Issuer": issuer,
        "Destination": destination,
        "SigninToken": token,
    }
    return f"{federation}?{urlencode({name: value for name, value in query.items() if value})}"


def is_page(destination: str) -> bool:
    """Whether `destination` is a path of the console, or an https URL in one of its domains."""
    return destination != "" and _PAGE.fullmatch(destination) is not None


def console_of(sign_in: str) -> str:
    """The console that belongs to AWS's own sign-in URL: the same domain in every partition."""
    return f"https://{urlsplit(sign_in).netloc.replace('signin.', 'console.', 1)}"
