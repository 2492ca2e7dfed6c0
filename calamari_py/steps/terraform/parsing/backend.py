"""Backend configuration: what of it is a secret, and whose identity it reaches the state as."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from calamari_py.steps.terraform.parsing.checks import Checks
from calamari_py.steps.terraform.parsing.variables import check_value, is_name, texts
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.templates import LATE_TEXT

_SECRET = re.compile(
    r"(?:.+_)?(?:password|passphrase|secret|token|(?:secret|access|encryption|customer|private|"
    r"client|api)_key(?:_pem)?|credentials|conn_str|secret_id)",
    re.IGNORECASE,
)
"""Names of arguments that hold one. Source: developer.hashicorp.com/terraform/language/backend, the
pages of all backends."""
_ACCESS_KEY_ID = re.compile(r"A[KS]IA[A-Z0-9]{12,}", re.ASCII)
_FOREIGN = (
    "profile", "shared_credentials_file", "shared_credentials_files", "shared_config_files",
    "access_key", "secret_key", "token",
)  # fmt: skip
"""What the backend takes credentials from instead of the step's own."""
_ROLES = ("role_arn", "assume_role", "assume_role_with_web_identity")


def check_backend(backend: Mapping[str, Any], checks: Checks) -> None:
    """Its names and values, and a warning where the state is not reached as the step's role."""
    for key, value in backend.items():
        field = f"backend.{key}"
        if not is_name(key):
            checks.refuse(field, f"'{key}' is no name of an argument", "write one like bucket")
        check_value(field, value, checks)
        if value in (None, "", {}):
            continue
        if key in _FOREIGN:
            checks.warn(
                field,
                "makes the backend work as somebody else than the step, whose own credentials are "
                "there for it and are renewed; remove it",
            )
        elif key in _ROLES:
            checks.warn(
                field,
                "makes the backend assume that role: the state is read and locked as somebody else "
                "than the step's role",
            )


def secrets_of(backend: Mapping[str, Any], checks: Checks) -> Iterator[tuple[str, str]]:
    """Names and values of its secrets, so far as they are known by now: what was made from one,
    arguments that are made for one, and passwords within addresses."""
    for place, text in texts("backend", backend):
        if not text or LATE_TEXT in text:
            continue
        key = place.rpartition(".")[2].partition("[")[0]
        is_named_so = _SECRET.fullmatch(key) and not _ACCESS_KEY_ID.fullmatch(text)
        if is_named_so or checks.is_secret(place):
            yield place, text
        yield from ((place, password) for password in _passwords(text))


def roles_of(spec: TerraformSpec) -> Iterator[tuple[str, str]]:
    """Places and ARNs of the roles that the backend assumes."""
    for place, text in texts("terraform.backend", spec.backend):
        if place.endswith(".role_arn") and text.startswith("arn:"):
            yield place, text


def _passwords(text: str) -> tuple[str, ...]:
    """Those of ``scheme://user:password@host``, as they are written and as they are meant."""
    if "://" not in text or "@" not in text:
        return ()
    try:
        password = urlsplit(text).password
    except ValueError:
        return ()
    return tuple(dict.fromkeys((password, unquote(password)))) if password else ()
