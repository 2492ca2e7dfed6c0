"""Access keys from the environment and from the account section."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from calamari_py.credentials.access_key import AccessKeySource
from calamari_py.credentials.environment import EnvironmentSource
from calamari_py.errors import PartialCredentials, SourceBroken
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import (
    KEY_ID,
    SECRET_KEY,
    SESSION_TOKEN,
    absent,
    context,
    found,
    texts_of,
)

NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
FIELDS = ("access_key_id", "secret_access_key", "session_token")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def environ(*values: str | None, **others: str) -> dict[str, str]:
    """The three variables in order, None leaves one out."""
    pairs = zip(NAMES, values, strict=False)
    return {name: value for name, value in pairs if value is not None} | others


def fields(*values: str | None) -> dict[str, Any]:
    """The same for the account section."""
    return dict(zip(FIELDS, values, strict=False))


WHOLE = [
    pytest.param((KEY_ID, SECRET_KEY), None, id="long-lived keys"),
    pytest.param((KEY_ID, SECRET_KEY, SESSION_TOKEN), SESSION_TOKEN, id="a session's keys"),
    pytest.param((KEY_ID, SECRET_KEY, " "), None, id="a blank token is none"),
    pytest.param((f" {KEY_ID}\n", f"{SECRET_KEY}\r\n"), None, id="white space around is no part"),
]
NOTHING = [
    pytest.param((None, None), id="unset"),
    pytest.param(("", ""), id="empty"),
    pytest.param((" ", "\t\n"), id="blank"),
    pytest.param((None, None, SESSION_TOKEN), id="a token alone"),
]
HALF = [
    pytest.param((KEY_ID, None), 1, id="no secret"),
    pytest.param((KEY_ID, "  "), 1, id="blank secret"),
    pytest.param((None, SECRET_KEY), 0, id="no key id"),
    pytest.param(("", SECRET_KEY, SESSION_TOKEN), 0, id="empty key id"),
]
SPOILT = [
    pytest.param((KEY_ID, "two words0123456789"), "a space (4 of 19", id="space inside"),
    pytest.param((KEY_ID, "secret\r\nX-Evil: 1"), "a carriage return (7 of 17", id="CR inside"),
    pytest.param((KEY_ID, "secret\nX-Evil: 1"), "a line break (7 of 16", id="LF inside"),
    pytest.param((KEY_ID, f'"{SECRET_KEY}"'), "a double quote (1 of 42", id="double quotes"),
    pytest.param((KEY_ID, f"'{SECRET_KEY}'"), "a single quote (1 of 42", id="single quotes"),
    pytest.param((KEY_ID, "se\xa0cret0123456789"), "a no-break space (3 of", id="NBSP"),
    pytest.param((KEY_ID, "\ufeffsecret0123456789"), "a byte order mark (1 of", id="BOM"),
    pytest.param(("AKIAÄ", SECRET_KEY), "the character U+00C4 (5 of 5", id="non-ASCII key id"),
    pytest.param((KEY_ID, SECRET_KEY, "to\x00ken-token-token"), "a NUL (3 of 18", id="NUL"),
]


@pytest.mark.parametrize(("values", "token"), WHOLE)
def test_environment_keys(values: tuple[str, ...], token: str | None) -> None:
    """A whole pair is found, with its token where there is one."""
    credentials = found(EnvironmentSource().resolve(context(environ(*values)))).launcher.credentials
    assert credentials.access_key_id == KEY_ID
    assert credentials.secret_access_key.reveal() == SECRET_KEY
    assert (credentials.session_token.reveal() if credentials.session_token else None) == token


@pytest.mark.parametrize(("values", "token"), WHOLE)
def test_account_keys(values: tuple[str, ...], token: str | None) -> None:
    """The account section's keys are taken the same way."""
    given = context(type="access-key", **fields(*values))
    launcher = found(AccessKeySource().resolve(given)).launcher
    credentials = launcher.credentials
    assert (launcher.source, credentials.access_key_id) == ("access-key", KEY_ID)
    assert credentials.secret_access_key.reveal() == SECRET_KEY
    assert (credentials.session_token.reveal() if credentials.session_token else None) == token


@pytest.mark.parametrize("values", NOTHING)
def test_absent(values: tuple[str | None, ...]) -> None:
    """Without a pair, or with blanks, both sources are absent and say what would make them be."""
    outcome = absent(EnvironmentSource().resolve(context(environ(*values))))
    assert outcome.why == "AWS_ACCESS_KEY_ID is not set"
    assert "AWS_SECRET_ACCESS_KEY" in outcome.hint
    other = absent(AccessKeySource().resolve(context(type="access-key", **fields(*values))))
    assert "account.access_key_id" in other.hint


@pytest.mark.parametrize(("values", "missing"), HALF)
def test_half_a_pair(values: tuple[str | None, ...], missing: int) -> None:
    """Half a pair is an error that names the missing half and shows nothing of the other."""
    with pytest.raises(PartialCredentials, match=f"'{NAMES[missing]}' is not") as caught:
        EnvironmentSource().resolve(context(environ(*values)))
    assert SECRET_KEY not in texts_of(caught.value)
    assert NAMES[missing] in (caught.value.hint or "")
    with pytest.raises(PartialCredentials, match=f"'account.{FIELDS[missing]}' is") as caught:
        AccessKeySource().resolve(context(type="access-key", **fields(*values)))
    assert SECRET_KEY not in texts_of(caught.value)


@pytest.mark.parametrize(("values", "culprit"), SPOILT)
def test_characters_that_no_key_has(values: tuple[str, ...], culprit: str) -> None:
    """A spoilt key is told as such, not sent to fail as a signature or to end a header: the one
    character by its name and place, the others not at all."""
    for source, given in (
        (EnvironmentSource(), context(environ(*values))),
        (AccessKeySource(), context(type="access-key", **fields(*values))),
    ):
        with pytest.raises(SourceBroken, match=re.escape(f"holds {culprit}")) as caught:
            source.resolve(given)
        assert not any(value in texts_of(caught.value) for value in values[1:])
        assert "copy the value again" in (caught.value.hint or "")


def test_the_hint_says_how_long_keys_are() -> None:
    """Whoever pasted too much or too little sees it."""
    for values, wanted in (((KEY_ID, "x y"), "have 40"), (("A B", SECRET_KEY), "have 20")):
        with pytest.raises(SourceBroken) as caught:
            EnvironmentSource().resolve(context(environ(*values)))
        assert wanted in (caught.value.hint or "")


def test_an_id_and_a_key_in_each_others_place() -> None:
    """The secret is never taken for the id, which everybody may see."""
    registry = SecretRegistry()
    given = context(environ(SECRET_KEY, KEY_ID), registry=registry)
    with pytest.raises(SourceBroken, match="the other way round") as caught:
        EnvironmentSource().resolve(given)
    assert SECRET_KEY not in texts_of(caught.value)
    assert registry.holds_secret(SECRET_KEY)


def test_every_secret_is_registered() -> None:
    """Secret key, session token and even the token that is not believed are masked from then on."""
    registry = SecretRegistry()
    values = environ(KEY_ID, SECRET_KEY, SESSION_TOKEN, AWS_SECURITY_TOKEN="legacy-token-0123456")
    EnvironmentSource().resolve(context(values, registry=registry))
    for secret in (SECRET_KEY, SESSION_TOKEN, "legacy-token-0123456"):
        assert registry.holds_secret(secret)
    assert not registry.holds_secret(KEY_ID)


@pytest.mark.parametrize("index", [0, 1])
def test_secrets_of_half_a_pair_are_registered(index: int) -> None:
    """What is refused is masked all the same."""
    registry = SecretRegistry()
    given = context(environ(None, SECRET_KEY, SESSION_TOKEN), registry=registry)
    with pytest.raises(PartialCredentials):
        EnvironmentSource().resolve(given)
    assert registry.holds_secret((SECRET_KEY, SESSION_TOKEN)[index])


@pytest.mark.parametrize(
    ("expiration", "warned"),
    [
        pytest.param("2026-01-01T11:59:59Z", True, id="past"),
        pytest.param("2026-01-01T13:00:00+02:00", True, id="past, with an offset"),
        pytest.param("2026-01-01T12:00:01Z", False, id="to come"),
        pytest.param("soon", False, id="no time"),
        pytest.param("  ", False, id="blank"),
    ],
)
def test_an_expiry_is_not_believed(expiration: str, warned: bool) -> None:
    """A past AWS_CREDENTIAL_EXPIRATION is a warning only: STS decides."""
    values = environ(KEY_ID, SECRET_KEY, SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION=expiration)
    outcome = found(EnvironmentSource(now=lambda: NOW).resolve(context(values)))
    assert outcome.launcher.credentials.expires_at is None
    assert [("AWS_CREDENTIAL_EXPIRATION" in warning) for warning in outcome.warnings] == (
        [True] if warned else []
    )


@pytest.mark.parametrize(
    ("token", "warned"), [pytest.param(None, True, id="alone"), (SESSION_TOKEN, False)]
)
def test_the_legacy_token_is_not_believed(token: str | None, warned: bool) -> None:
    """AWS_SECURITY_TOKEN never takes the place of AWS_SESSION_TOKEN."""
    values = environ(KEY_ID, SECRET_KEY, token, AWS_SECURITY_TOKEN="legacy-token-0123456")
    outcome = found(EnvironmentSource().resolve(context(values)))
    held = outcome.launcher.credentials.session_token
    assert (held.reveal() if held else None) == token
    assert any("AWS_SECURITY_TOKEN" in warning for warning in outcome.warnings) is warned
