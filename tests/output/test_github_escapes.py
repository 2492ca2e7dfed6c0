"""Text in the commands of a GitHub runner comes out as it went in, and never ends its line."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from calamari_py.output._commands import escape_data, escape_property
from tests.output.github_runner import Command, FakeRunner

TEXTS = st.text(st.sampled_from("%0123ABCDabcd25\r\n:,=; a"))
"""What looks like an escape is as likely as what needs one."""


@given(TEXTS)
@example("50%0A::error::%250D\r\n\r")
def test_any_data_survives(text: str) -> None:
    """Also what looks escaped already, and line ends of every kind."""
    (command,) = FakeRunner.reads(b"::warning::" + escape_data(text).encode()).commands
    assert command == Command("warning", {}, text)


@given(TEXTS)
@example("a: b::c, col=2%3A%252C")
def test_any_property_survives(text: str) -> None:
    """It is one property of one command, whatever it looks like."""
    line = f"::warning title=a{escape_property(text)}b,col=1::data"
    (command,) = FakeRunner.reads(line.encode()).commands
    assert command == Command("warning", {"title": f"a{text}b", "col": "1"}, "data")
