"""Backend configuration: what of it is a secret, and whose identity it reaches the state as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit

from calamari_py.steps._checks import Checks
from calamari_py.steps.terraform.parsing.variables import check_value, is_name, texts
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.templates import LATE_TEXT

_SECRET = re.compile(
    r"(?:.+_)?(?:password|passphrase|secret|token|(?:secret|access|encryption|customer|private|"
    r"client|api)_key(?:_pem)?|credentials|conn_str|secret_id|http_auth|sig(?:nature)?)",
    re.IGNORECASE,
)
"""Names of arguments that hold one. Source: developer.hashicorp.com/terraform/language/backend, the
pages of all backends. In addresses such names are those of parameters."""
_ACCESS_KEY_ID = re.compile(r"A[KS]IA[A-Z0-9]{12,}", re.ASCII)
_FOREIGN = (
    "profile", "shared_credentials_file", "shared_credentials_files", "shared_config_files",
    "access_key", "secret_key", "token",
)  # fmt: skip
"""What the backend takes credentials from instead of the step's own."""
_AS_ANOTHER = (
    "makes the backend work as somebody else than the step, whose own credentials are there for it "
    "and are renewed; remove it"
)
_IN_A_ROLE = (
    "makes the backend assume that role: the state is read and locked as somebody else than the "
    "step's role"
)
_ROLES = ("role_arn", "assume_role", "assume_role_with_web_identity")


def check_backend(backend: Mapping[str, Any], checks: Checks) -> None:
    """Its names and values, and a warning where the state is not reached as the step's role."""
    for key, value in backend.items():
        field = f"backend.{key}"
        if not is_name(key):
            checks.refuse(field, f"'{key}' is no name of an argument", "write one like bucket")
        check_value(field, value, checks)
    for key, why in doubts_about(backend):
        checks.warn(f"backend.{key}", why)


def doubts_about(backend: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The arguments by which the state is reached as somebody else than the step's role, each with
    what completes its sentence."""
    for key, value in backend.items():
        if value in (None, "", {}, []):
            continue
        if key in _FOREIGN:
            yield key, _AS_ANOTHER
        elif key in _ROLES:
            yield key, _IN_A_ROLE


def secrets_of(backend: Mapping[str, Any], checks: Checks) -> Iterator[tuple[str, str]]:
    """Names and values of its secrets, so far as they are known by now: what was made from one, and
    what `secrets_in_backend` finds."""
    for place, text in texts("backend", backend):
        if text and LATE_TEXT not in text and checks.is_secret(place):
            yield place, text
    yield from secrets_in_backend(backend)


def secrets_in_backend(backend: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of arguments that are made for a secret, and of passwords and tokens within
    addresses."""
    for place, text in texts("backend", backend):
        if not text or LATE_TEXT in text:
            continue
        key = place.rpartition(".")[2].partition("[")[0]
        if _SECRET.fullmatch(key) and not _ACCESS_KEY_ID.fullmatch(text):
            yield place, text
        yield from ((place, secret) for secret in secrets_of_address(text))


def roles_of(spec: TerraformSpec) -> Iterator[tuple[str, str]]:
    """Places and ARNs of the roles that the manifest has the backend assume."""
    return roles_in(spec.backend)


def roles_in(backend: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Places and ARNs of the roles that a backend assumes."""
    for place, text in texts("terraform.backend", backend):
        if place.endswith(".role_arn") and text.startswith("arn:"):
            yield place, text


def secrets_of_address(text: str) -> tuple[str, ...]:
    """Those of ``scheme://user:password@host/?token=…``, as they are written and as they are
    meant."""
    if "://" not in text:
        return ()
    try:
        parts = urlsplit(text)
        password = parts.password or ""
    except ValueError:
        return ()
    found = [password, unquote(password)]
    for parameter in parts.query.split("&"):
        name, _, value = parameter.partition("=")
        if _SECRET.fullmatch(unquote_plus(name)):
            found += [value, unquote_plus(value)]
    return tuple(dict.fromkeys(filter(None, found)))
