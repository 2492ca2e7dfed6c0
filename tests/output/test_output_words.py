"""How words, times and characters look in our own text."""

from __future__ import annotations

import pytest

from calamari_py.output import format_seconds
from calamari_py.output._words import cells, encode, format_validity, lines_of, pad, printable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(0.0, "0.0s", id="nothing"),
        pytest.param(-1.0, "0.0s", id="a clock that went back"),
        pytest.param(0.04, "0.0s", id="too short to tell"),
        pytest.param(12.44, "12.4s", id="tenths"),
        pytest.param(59.94, "59.9s", id="just under a minute"),
        pytest.param(59.96, "1m", id="rounded up to a minute"),
        pytest.param(60.0, "1m", id="a minute"),
        pytest.param(221.4, "3m41s", id="minutes and seconds"),
        pytest.param(125.0, "2m05s", id="seconds with two digits"),
        pytest.param(3599.6, "1h", id="rounded up to an hour"),
        pytest.param(5400.0, "1h30m", id="hours and minutes"),
        pytest.param(43200.0, "12h", id="whole hours"),
    ],
)
def test_format_seconds(seconds: float, text: str) -> None:
    """A duration is short, and never reads 60 seconds or 60 minutes."""
    assert format_seconds(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(3590.0, "59m", id="minutes"),
        pytest.param(3600.0, "1h", id="an hour"),
        pytest.param(5399.0, "1h29m", id="hours"),
        pytest.param(59.9, "59s", id="seconds"),
        pytest.param(-5.0, "0s", id="expired"),
    ],
)
def test_validity_is_rounded_down(seconds: float, text: str) -> None:
    """Credentials never live shorter than what the header says."""
    assert format_validity(seconds) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("[bold]x[/bold] [/tmp/x]", "[bold]x[/bold] [/tmp/x]", id="markup is text"),
        pytest.param("a\x1b[31mb", "a\\x1b[31mb", id="escape sequence"),
        pytest.param("a\nb\rc", "a\\nb\\rc", id="line ends"),
        pytest.param("a\x9bb", "a\\x9bb", id="C1 control"),
        pytest.param("a\u2028b\u202eb", "a\\u2028b\\u202eb", id="separator and direction"),
        pytest.param(b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9", id="no UTF-8"),
        pytest.param(
            "a\u200bb\u200ec\u061cd\ufeff", "a\\u200bb\\u200ec\\u061cd\\ufeff", id="unseen"
        ),
        pytest.param("a\U000e0041b", "a\\U000e0041b", id="unseen tag"),
        pytest.param("x ##vso[task.y]", "x ##vso\\[task.y]", id="Azure"),
        pytest.param("##[error]x", "##\\[error]x", id="old GitHub"),
        pytest.param("##teamcity[y]", "##teamcity\\[y]", id="TeamCity"),
        pytest.param("##calamari[y]", "##calamari\\[y]", id="calamari"),
        pytest.param("##v\u200bso[y]", "##v\\u200bso[y]", id="unseen in a marker"),
        pytest.param(" ::add-mask::x", " \\::add-mask::x", id="GitHub"),
        pytest.param("AWS::S3::Bucket ::1", "AWS::S3::Bucket ::1", id="no command"),
        pytest.param("::1", "::1", id="an address"),
        pytest.param("naïve → 部署", "naïve → 部署", id="other alphabets stay"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """A name cannot move the cursor, colour the screen or start a line."""
    assert printable(text) == shown


def test_lines_of() -> None:
    """A message is cut at its line ends, whichever they are, and never vanishes."""
    assert lines_of("a\r\nb\rc\n") == ["a", "b", "c"]
    assert lines_of("") == [""]


def test_wide_characters_count_twice() -> None:
    """Columns stay aligned when a name has wide or combining characters."""
    assert cells("部署") == 4
    assert cells("e\u0301") == 1
    assert pad("部署", 6) == "部署  "
    assert pad("too long", 3) == "too long"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        pytest.param("utf-8", "─ naïve · …".encode(), id="utf-8"),
        pytest.param("ascii", b"- na\\xefve | ...", id="ascii"),
        pytest.param("latin-1", b"- na\xefve | ...", id="latin-1"),
        pytest.param("no-such-encoding", b"- na\\xefve | ...", id="unknown"),
    ],
)
def test_encode(encoding: str, written: bytes) -> None:
    """Where the terminal's encoding has no rule, plain characters stand in and nothing fails."""
    assert encode("─ naïve · …", encoding) == written
