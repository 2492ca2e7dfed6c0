"""Documents and variables that nobody sane writes: clear errors, or nothing at all."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from calamari_py.credentials._http import Reply
from calamari_py.credentials._metadata import Document, parse_document
from calamari_py.credentials.environment import EnvironmentSource
from calamari_py.errors import SourceBroken
from calamari_py.identity import as_utc
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import KEY_ID, SECRET_KEY, context, found
from tests.fake_metadata import credential_document


def parsed(body: str | bytes) -> Document:
    content = body.encode() if isinstance(body, str) else body
    return parse_document(
        Reply(status=200, body=content), SecretRegistry(), who="the container endpoint"
    )


BEYOND = [
    pytest.param("0001-01-01T00:00:00+01:00", id="before the calendar"),
    pytest.param("9999-12-31T23:59:59-01:00", id="beyond the calendar"),
]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(credential_document(Expiration="0001-01-01T00:00:00+01:00"), id="too early"),
        pytest.param(credential_document(Expiration="9999-12-31T23:59:59-01:00"), id="too late"),
        pytest.param(credential_document(Expiration="1e9"), id="no time"),
        pytest.param(credential_document(Token="half-\ud800-a-pair"), id="no text"),
        pytest.param("[" * 60_000, id="many levels"),
        pytest.param(b'{"a": ' + b"9" * 5_000 + b"}", id="a huge number"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
    ],
)
def test_a_document_of_nonsense_is_a_broken_source(body: str | bytes) -> None:
    """One sentence with the endpoint's name: never another exception."""
    with pytest.raises(SourceBroken, match="the container endpoint") as caught:
        parsed(body)
    assert caught.value.message.encode()


@pytest.mark.parametrize(
    "expiration",
    [
        pytest.param("2020-01-01T00:00:00Z", id="years ago"),
        pytest.param("0001-01-01T00:00:00Z", id="what other languages write for no time"),
    ],
)
def test_keys_that_are_past_their_end_have_an_end_that_nobody_knows(expiration: str) -> None:
    """In an outage AWS extends old keys: they are warned of, and tried for as long as they work."""
    document = parsed(credential_document(Expiration=expiration))
    assert document.credentials.expires_at is None
    assert len(document.warnings) == 1
    assert "ran out at" in document.warnings[0]


def test_an_end_to_come_is_kept() -> None:
    """Renewal goes by it."""
    document = parsed(credential_document(Expiration="2099-01-01T02:00:00+02:00"))
    assert document.credentials.expires_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert document.warnings == ()


@pytest.mark.parametrize("expiration", [*BEYOND, pytest.param("soon", id="no time")])
def test_a_variable_that_nobody_believes_may_say_anything(expiration: str) -> None:
    """``AWS_CREDENTIAL_EXPIRATION`` is worth a warning at most."""
    environ = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_CREDENTIAL_EXPIRATION": expiration,
    }
    assert found(EnvironmentSource().resolve(context(environ))).warnings == ()


@pytest.mark.parametrize("text", BEYOND)
def test_a_time_that_utc_does_not_have_is_a_value_error(text: str) -> None:
    """What parsing raises for text that is no time."""
    with pytest.raises(ValueError, match="years 1 to 9999"):
        as_utc(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2030-01-31T12:00:00Z", id="UTC"),
        pytest.param("2030-01-31T12:00:00", id="without a zone"),
        pytest.param("2030-01-31T14:30:00+02:30", id="elsewhere"),
    ],
)
def test_a_time_is_told_in_utc(text: str) -> None:
    """One without a zone is taken for UTC."""
    moment = as_utc(datetime.fromisoformat(text))
    assert moment.isoformat() == "2030-01-31T12:00:00+00:00"
