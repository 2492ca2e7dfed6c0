"""The snippets in docs/scripts.md do what they say, as far as their interpreters are here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from calamari_py.channel import Channel
from tests.runner.test_declared_in_time import SUPPORT, watched
from tests.tools import require_tool

DOCS = (Path(__file__).parents[2] / "docs" / "scripts.md").read_text("utf-8")
INTERPRETERS = {
    "sh": ("sh",),
    "javascript": ("node",),
    "perl": ("perl",),
    "powershell": ("pwsh", "-NoProfile", "-NonInteractive", "-File"),
    "ruby": ("ruby",),
}
SNIPPETS = {
    language: text
    for language, text in re.findall(r"```(\w+)\n(.*?)```", DOCS, re.DOTALL)
    if "CALAMARI_DECLARATIONS" in text
}
TOKEN = "-e first line\nthe second line"


def test_every_language_has_a_snippet() -> None:
    """The pattern that finds snippets finds them, and each has an interpreter."""
    assert set(SNIPPETS) == set(INTERPRETERS)


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_the_traced_snippet(shell: str, channel: Channel, tmp_path: Path) -> None:
    """What the manual calls safe under ``set -x`` shows no value."""
    (script,) = re.findall(r"```bash\n(set -x.*?)```", DOCS, re.DOTALL)
    (tmp_path / "token").write_text("the-token-value")
    argv = (require_tool(shell), "-c", f'. "{SUPPORT}/functions.sh"\n{script}echo "$token"')
    reporter, code = watched(argv, channel, TOKEN_FILE=str(tmp_path / "token"))
    assert (reporter.shown(), code) == (b"***\n", 0)
    assert b"token=***" in reporter.shown("stderr")
    assert b"the-token-value" not in reporter.shown("stderr")


@pytest.mark.process
@pytest.mark.parametrize("language", INTERPRETERS)
def test_snippet(language: str, channel: Channel, tmp_path: Path) -> None:
    """A snippet's value is masked at once, and what it says is said."""
    name, *options = INTERPRETERS[language]
    tool = require_tool(name)
    suffix = ".ps1" if language == "powershell" else ""
    script = tmp_path / f"snippet{suffix}"
    script.write_text(SNIPPETS[language], "utf-8")
    reporter, code = watched((tool, *options, str(script)), channel, TOKEN=TOKEN)
    assert (reporter.shown("stderr"), code) == (b"", 0)
    assert reporter.shown() == b"the token is ***\n"
    assert reporter.warnings == ["the token ends soon"]
    assert list(channel.declarations.iterdir()) == []
