"""Secrets in the addresses that a text names: ``git::https://user:password@host/modules.git``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from calamari_py.steps.terraform.parsing.backend import secrets_of_address

_ADDRESS = re.compile(rb"https?://[^\s\"'<>`]+|ssh://[^\s\"'<>`]+")
_SHORTEST_TOKEN = 16


def secrets_in(text: bytes) -> Iterator[str]:
    """Passwords and tokens, as they are written and as they are meant. What stands where a user
    stands, and is longer than users are called, is a token of its own (``https://ghp_…@host``)."""
    for found in _ADDRESS.finditer(text):
        address = found[0].decode("utf-8", "replace")
        yield from secrets_of_address(address)
        user = _user(address)
        if len(user) >= _SHORTEST_TOKEN:
            yield from dict.fromkeys((user, unquote(user)))


def _user(address: str) -> str:
    try:
        return urlsplit(address).username or ""
    except ValueError:
        return ""
