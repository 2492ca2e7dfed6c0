"""Secrets in the addresses that a text names."""

from __future__ import annotations

import pytest

from calamari_py.steps.terraform.running.addresses import secrets_in

TOKEN = "ghp_0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("git::https://user:pass-word@host/m.git for m...", {"pass-word"}, id="both"),
        pytest.param("https://user:pa%2Fss@host", {"pa%2Fss", "pa/ss"}, id="encoded"),
        pytest.param(f"from 'https://{TOKEN}@host/m.git'", {TOKEN}, id="a token alone"),
        pytest.param(f"https://oauth2:{TOKEN}@host/m", {TOKEN}, id="a token as password"),
        pytest.param(f"https://host/m.zip?private_token={TOKEN}&x=1", {TOKEN}, id="a parameter"),
        pytest.param("ssh://git@host/m.git", set(), id="a user"),
        pytest.param("https://host/m.git?ref=v1.2.3", set(), id="no secret"),
        pytest.param("https://[broken", set(), id="no address"),
    ],
)
def test_secrets(text: str, expected: set[str]) -> None:
    """What `init` says of where a module comes from."""
    assert set(secrets_in(text.encode())) == expected
