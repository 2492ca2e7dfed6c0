"""Pages whose walk-through is walked: every command on them does, and shows, what they say."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari
from tests.preloaded import calamari_command

_DOCS = Path(__file__).parent.parent / "docs"


@dataclass(frozen=True)
class Page:
    """The page `name` of docs/."""

    name: str

    @property
    def text(self) -> str:
        """All of it."""
        return (_DOCS / self.name).read_text("utf-8")

    @property
    def files(self) -> dict[str, str]:
        """The files that it shows, by name."""
        return dict(re.findall(r"```(?:yml|hcl)\n# (\S+)\n(.*?)```", self.text, re.DOTALL))

    @property
    def steps(self) -> list[tuple[str, str]]:
        """Its commands, each with what it shows."""
        console = "".join(re.findall(r"```console\n(.*?)```", self.text, re.DOTALL))
        return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", console, re.MULTILINE)

    def walk(self, calamari: Calamari, sandbox: Mapping[str, str]) -> str:
        """Run the commands in order, and say all that they wrote."""
        for name, text in self.files.items():
            (calamari.folder / name).parent.mkdir(exist_ok=True)
            calamari.write(text, name)
        program = " ".join(calamari_command(calamari.env()))
        written = ""
        for command, shown in self.steps:
            done = subprocess.run(
                ["bash", "-c", command.replace("calamari ", f"{program} ", 1)],
                cwd=calamari.folder, env={**calamari.env(), **sandbox}, text=True, timeout=60,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}"
            _assert_shows(done.stdout, shown, command)
            written += done.stdout
        return written


@pytest.fixture
def sandbox(calamari: Calamari) -> Iterator[dict[str, str]]:
    """The environment that a running sandbox prints."""
    process = calamari.start(["sandbox"])
    try:
        assert process.stdout is not None
        exported: dict[str, str] = {}
        while "AWS_DEFAULT_REGION" not in exported:
            line = process.stdout.readline().decode()
            assert line, "the sandbox has ended"
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exported[name] = value.strip("'")
        yield exported
    finally:
        process.kill()
        process.communicate()


def _assert_shows(real: str, shown: str, command: str) -> None:
    """The lines of `shown` are there, in order; … stands for anything."""
    lines = [line for line in _timeless(shown).splitlines() if line.strip("… ")]
    pattern = ".*".join(re.escape(line).replace("…", ".*") for line in lines)
    assert re.search(pattern, _timeless(real), re.DOTALL), f"{command}\n{real}"


def _timeless(text: str) -> str:
    """What is another one each time is the same."""
    text = re.sub(r"change set calamari-[0-9a-f]{12}", "change set calamari-…", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", text)
    return re.sub(r"(succeeded|failed) in [\d.]+s (.*?) ─+$", r"\1 \2", text, flags=re.MULTILINE)
