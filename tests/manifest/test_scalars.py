"""Durations, account ids, sizes and the other scalars of the manifest."""

from __future__ import annotations

import contextlib
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.manifest.scalars import AccountId, ByteSize, Region, RoleArnText, Rule
from calamari_py.manifest.scalars import parse_duration as parse


def rule_of(annotated: object) -> Rule:
    """The rule of a scalar type."""
    rule = get_args(annotated)[1]
    assert isinstance(rule, Rule)
    return rule


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90), ("15m", 900), ("1h", 3600), ("1h30m", 5400), ("1h30m5s", 5405),
        ("90", 90), ("0", 0), ("0.5s", 0.5), ("2.5", 2.5), ("100m", 6000),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """Durations are seconds, or hours, minutes and seconds in this order."""
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", " ", "soon", "1d", "5 m", "m", "1m1h", "-5s", "+5", "1e3", "1.5h", "5M", "٣", "5s ", ".5",
     "nan", "inf", "1h 30m", "99999999h", "9" * 400],
)  # fmt: skip
def test_texts_that_are_no_durations(text: str) -> None:
    """Everything else is refused, also what float() would take."""
    with pytest.raises(ValueError, match=r"duration|ten years"):
        parse(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    """No text makes the parser fail in another way, and no duration is negative."""
    with contextlib.suppress(ValueError):
        assert parse(text) >= 0


@pytest.mark.parametrize(
    ("type_", "text", "expected"),
    [
        pytest.param(AccountId, "012345678901", "012345678901", id="account"),
        pytest.param(Region, "eu-west-1", "eu-west-1", id="region"),
        pytest.param(Region, "us-gov-east-1", "us-gov-east-1", id="region-gov"),
        pytest.param(RoleArnText, "arn:aws:iam::111111111111:role/a/b",
                     "arn:aws:iam::111111111111:role/a/b", id="role-with-path"),
        pytest.param(ByteSize, "none", None, id="no-limit"),
        pytest.param(ByteSize, "500", 500, id="bytes"),
        pytest.param(ByteSize, "500KB", 500_000, id="kilobytes"),
        pytest.param(ByteSize, "10MiB", 10 * 2**20, id="mebibytes"),
        pytest.param(ByteSize, "1 GB", 10**9, id="gigabytes"),
    ],
)  # fmt: skip
def test_scalars(type_: object, text: str, expected: object) -> None:
    """Each scalar's text becomes its value."""
    assert rule_of(type_).parse(text) == expected


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        pytest.param(AccountId, "12345678901", id="account-11"),
        pytest.param(AccountId, "1234567890123", id="account-13"),
        pytest.param(AccountId, "١٢٣٤٥٦٧٨٩٠١٢", id="account-other-digits"),
        pytest.param(AccountId, "012345678901\n", id="account-newline"),
        pytest.param(Region, "eu-west", id="region-without-number"),
        pytest.param(Region, "EU-WEST-1", id="region-upper"),
        pytest.param(RoleArnText, "arn:aws:iam::111111111111:user/x", id="user"),
        pytest.param(ByteSize, "0", id="no-bytes"),
        pytest.param(ByteSize, "10 parsecs", id="unit"),
    ],
)
def test_scalars_that_are_refused(type_: object, text: str) -> None:
    """What does not have the form is a ValueError that does not repeat the text's place."""
    with pytest.raises(ValueError, match=r"."):
        rule_of(type_).parse(text)
