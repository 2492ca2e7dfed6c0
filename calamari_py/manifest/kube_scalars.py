"""What an unquoted YAML text means to kubectl.

Source: resolve.go of sigs.k8s.io/yaml, which reads YAML 1.1 without its dates and its base 60, and
then makes JSON of it: a fraction that is whole becomes a whole number.
"""

from __future__ import annotations

import math
import re

Plain = str | int | float | bool | None

_WORDS: dict[str, Plain] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_NUMERIC = frozenset("0123456789+-.")
_WHOLE = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (16, 2, 8, 10)
_FRACTION = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
INT64 = range(-(2**63), 2**63)
_LARGEST = 2**64


def plain_value(text: str) -> Plain:
    """The value of `text`. Infinities and NaN, which JSON does not have, are floats."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC:
        return _number(text)
    return text


def _number(written: str) -> str | int | float:
    text = written.replace("_", "")
    whole = _WHOLE.fullmatch(text)
    if whole:
        sign, *digits = whole.groups()
        value, base = next(
            (int(found, base), base) for found, base in zip(digits, _BASES, strict=True) if found
        )
        value = -value if sign == "-" else value
        if value in INT64:
            return value
        if base != 10:
            return float(value) if not sign and value < _LARGEST else written
    if not _FRACTION.fullmatch(text):
        return written
    number = float(text)
    if math.isinf(number):
        return written
    return int(number) if number.is_integer() and int(number) in INT64 else number
