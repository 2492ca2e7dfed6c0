"""Scalar types of the manifest: what a text must look like, and the value it becomes.

Each is an ordinary type with a `Rule` attached, so that mypy sees a float where a duration is
meant. Any section type can use them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from calamari_py.identity import RoleArn, is_region

TEMPLATE_PATTERN = r"\{\{|\{%"
"""What makes a text a template, for schemas: a typed field may be one."""

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?", re.ASCII)
_SECONDS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_SIZE = re.compile(r"(\d+)\s*([kKMG]i?)?B?", re.ASCII)
_DIGITS = re.compile(r"\d{12}", re.ASCII)
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9,
          "ki": 2**10, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}  # fmt: skip
_MAX_SECONDS = 10 * 365 * 86_400


class Rule:
    """How a text becomes a value. `parse` raises ValueError with one clause that says what is
    wrong, without the text itself; `schema` is the JSON Schema of what may be written.

    `quoted_digits` refuses numbers written without quotes.
    """

    __slots__ = ("name", "parse", "quoted_digits", "schema")

    def __init__(
        self,
        name: str,
        parse: Callable[[str], Any],
        schema: Mapping[str, Any],
        *,
        quoted_digits: bool = False,
    ) -> None:
        self.name = name
        self.parse = parse
        self.schema = schema
        self.quoted_digits = quoted_digits

    def __repr__(self) -> str:
        return f"Rule({self.name})"


def parse_duration(text: str) -> float:
    """Seconds of ``90s``, ``15m``, ``1h30m`` or plain seconds."""
    wrong = "is not a duration; write 90s, 15m or 1h30m"
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        match = _DURATION.fullmatch(text)
        if not match or not text:
            raise ValueError(wrong)
        hours, minutes, rest = match.groups()
        seconds = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(rest or 0)
    if seconds > _MAX_SECONDS:
        raise ValueError("is longer than ten years")
    return float(seconds)


def _parse_account_id(text: str) -> str:
    if not _DIGITS.fullmatch(text):
        raise ValueError("is not an account id; write its 12 digits in quotes")
    return text


def _parse_region(text: str) -> str:
    if not is_region(text):
        raise ValueError("is not a region; write one like eu-west-1")
    return text


def _parse_role_arn(text: str) -> str:
    try:
        RoleArn.parse(text)
    except ValueError as error:
        raise ValueError(str(error).removeprefix(f"'{text}' ")) from None
    return text


def _parse_size(text: str) -> int | None:
    if text == "none":
        return None
    match = _SIZE.fullmatch(text)
    if not match or len(text) > 20:
        raise ValueError("is not a size; write none, 500KB or 10MB")
    size = int(match[1]) * _UNITS[match[2] or ""]
    if size == 0:
        raise ValueError("is no limit that lets anything through; write none or a size")
    return size


def _text(pattern: str, description: str) -> dict[str, Any]:
    return {"type": "string", "pattern": f"{pattern}|{TEMPLATE_PATTERN}",
            "description": description}  # fmt: skip


Duration = Annotated[
    float,
    Rule(
        "duration",
        parse_duration,
        {
            "anyOf": [
                _text(
                    r"^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+(\.[0-9]+)?s)?$|^[0-9]+(\.[0-9]+)?$",
                    "90s, 15m, 1h30m or seconds",
                ),
                {"type": "number", "minimum": 0},
            ]
        },
    ),
]
"""Seconds."""

AccountId = Annotated[
    str,
    Rule(
        "account id",
        _parse_account_id,
        _text(r"^[0-9]{12}$", "an AWS account id: 12 digits in quotes"),
        quoted_digits=True,
    ),
]

Region = Annotated[
    str, Rule("region", _parse_region, _text(r"^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$", "eu-west-1"))
]

RoleArnText = Annotated[
    str,
    Rule(
        "role ARN",
        _parse_role_arn,
        _text(r"^arn:[a-z-]+:iam::[0-9]{12}:role/", "arn:aws:iam::ACCOUNT:role/NAME"),
    ),
]

ByteSize = Annotated[
    int | None,
    Rule(
        "size",
        _parse_size,
        {
            "anyOf": [
                _text(r"^none$|^[0-9]+\s*([kKMG]i?)?B?$", "none, 500KB, 10MB"),
                {"type": "integer", "minimum": 1},
            ]
        },
    ),
]
"""Bytes; ``none`` is no limit."""
