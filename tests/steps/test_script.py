"""Step kind `script`: what is run, and what is refused before anything runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import CommandNotFound, FileMissing, ManifestError
from calamari_py.identity import AwsCredentials
from calamari_py.process import Command, ProcessExit
from calamari_py.steps import STEP_KINDS
from calamari_py.steps._script import ScriptSection, ScriptSpec
from calamari_py.steps.base import ParseContext, StepContext

KIND = STEP_KINDS["script"]
UNUSED: Any = None
"""What only a kind that calls AWS itself needs."""


@pytest.fixture
def tools(tmp_path: Path) -> str:
    """A PATH with every shell on it, each a file that is never run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "sh", "pwsh", "node"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return str(folder)


def parse(section: str | ScriptSection, folder: Path, tools: str) -> ScriptSpec:
    context = ParseContext(
        folder=folder,
        search_path=tools,
        path="script",
        render=lambda text, place: text.replace("{{ x }}", "rendered"),
    )
    spec = KIND.parse(section, context)
    assert isinstance(spec, ScriptSpec)
    return spec


def no_credentials() -> AwsCredentials:
    raise AssertionError("a script's kind calls nothing")


def run(spec: ScriptSpec, folder: Path) -> tuple[Command, list[str]]:
    """The command that an execution hands to the process door, and the warnings on the way."""
    seen: list[Command] = []
    warnings: list[str] = []

    def record(command: Command) -> ProcessExit:
        seen.append(command)
        return ProcessExit(code=3)

    private = folder / "private"
    private.mkdir()
    outcome = KIND.execute(
        spec,
        StepContext(
            environment={"A": "b"},
            private=private,
            temp=private,
            run=record,
            read=UNUSED,
            capture=UNUSED,
            warn=warnings.append,
            credentials=no_credentials,
            aws=UNUSED,
            report=UNUSED,
            clock=UNUSED,
        ),
    )
    assert outcome.code == 3
    return seen[0], warnings


def test_text_in_bash(tmp_path: Path, tools: str) -> None:
    """The short form runs in bash, from a private file, with the functions loaded before."""
    command, _ = run(parse("echo hi", tmp_path, tools), tmp_path)
    script = tmp_path / "private" / "script.sh"
    assert command.argv == (f"{tools}/bash", "-c", '. "$CALAMARI_FUNCTIONS"; . "$0"', str(script))
    assert script.read_bytes() == b"echo hi"
    assert script.stat().st_mode & 0o777 == 0o600
    assert command.directory == tmp_path
    assert command.environment["A"] == "b"


@pytest.mark.parametrize(
    ("section", "argv"),
    [
        pytest.param(
            ScriptSection(run="x", shell="python", args=("1", "2")),
            (sys.executable, "-u", "FILE", "1", "2"),
            id="python",
        ),
        pytest.param(
            ScriptSection(run="x", shell="pwsh"),
            ("BIN/pwsh", "-NoLogo", "-NoProfile", "-NonInteractive", "-File", "FILE"),
            id="pwsh",
        ),
        pytest.param(
            ScriptSection(run="x", shell=("node", "--flag={file}", "{file}"), args=("a",)),
            ("BIN/node", "--flag=FILE", "FILE", "a"),
            id="any argv",
        ),
    ],
)
def test_interpreters(
    section: ScriptSection, argv: tuple[str, ...], tmp_path: Path, tools: str
) -> None:
    """Each shell gets the script's file and the arguments where it wants them."""
    command, _ = run(parse(section, tmp_path, tools), tmp_path)
    written = next((tmp_path / "private").iterdir())
    expected = [part.replace("FILE", str(written)).replace("BIN", tools) for part in argv]
    assert list(command.argv) == expected


def test_a_file_is_run_where_it_is(tmp_path: Path, tools: str) -> None:
    """A script file is not copied: $0 and its folder are its own."""
    (tmp_path / "deploy.sh").write_text("true\n")
    command, _ = run(parse(ScriptSection(file="deploy.sh"), tmp_path, tools), tmp_path)
    assert command.argv[3] == str(tmp_path / "deploy.sh")
    assert list((tmp_path / "private").iterdir()) == []


def test_windows_line_ends_just_work(tmp_path: Path, tools: str) -> None:
    """A script with CRLF line ends is run with LF ones under its own name, and that is said."""
    (tmp_path / "deploy.sh").write_bytes(b"true\r\nfalse\r\n")
    command, warnings = run(parse(ScriptSection(file="deploy.sh"), tmp_path, tools), tmp_path)
    copy = tmp_path / "private" / "script.sh"
    assert copy.read_bytes() == b"true\nfalse\n"
    assert command.argv[2].endswith(f'. "{copy}"')
    assert command.argv[3] == str(tmp_path / "deploy.sh")
    assert len(warnings) == 1
    assert "CRLF" in warnings[0]


@pytest.mark.parametrize(
    ("name", "first"), [("job.py", sys.executable), ("job.ps1", "pwsh"), ("job.sh", "bash")]
)
def test_the_suffix_chooses_the_shell(name: str, first: str, tmp_path: Path, tools: str) -> None:
    """A file whose name says its language is not given to bash."""
    (tmp_path / name).write_text("x\n")
    command, _ = run(parse(ScriptSection(file=name), tmp_path, tools), tmp_path)
    assert command.argv[0].endswith(first)


def test_a_file_is_rendered_only_when_asked(tmp_path: Path, tools: str) -> None:
    """`render: true` makes the file's text a template; without it braces are the script's own."""
    (tmp_path / "deploy.sh").write_text("echo {{ x }}\n")
    plain = parse(ScriptSection(file="deploy.sh"), tmp_path, tools)
    rendered = parse(ScriptSection(file="deploy.sh", render=True), tmp_path, tools)
    assert plain.text is None
    assert rendered.text == b"echo rendered\n"


@pytest.mark.parametrize(
    ("section", "error", "place", "message"),
    [
        pytest.param(ScriptSection(), ManifestError, "script", "'run' or 'file'", id="neither"),
        pytest.param(
            ScriptSection(run="a", file="b"), ManifestError, "script", "both", id="both"
        ),
        pytest.param(" \n", ManifestError, "script.run", "empty", id="empty"),
        pytest.param("a\0b", ManifestError, "script.run", "NUL", id="nul"),
        pytest.param(
            ScriptSection(file="none.sh"), FileMissing, "script.file", "no file", id="missing"
        ),
        pytest.param(
            ScriptSection(file="bin"), ManifestError, "script.file", "folder", id="directory"
        ),
        pytest.param(
            ScriptSection(run="x", shell="fish"), ManifestError, "script.shell", "bash", id="shell"
        ),
        pytest.param(
            ScriptSection(run="x", shell=()), ManifestError, "script.shell", "empty", id="no argv"
        ),
        pytest.param(
            ScriptSection(run="x", shell=("node",)), ManifestError, "script.shell", "{file}",
            id="argv without the file",
        ),
        pytest.param(
            ScriptSection(run="x", working_directory="nowhere"), FileMissing,
            "script.working_directory", "nowhere", id="working directory",
        ),
    ],
)  # fmt: skip
def test_refusals(
    section: str | ScriptSection,
    error: type[ManifestError],
    place: str,
    message: str,
    tmp_path: Path,
    tools: str,
) -> None:
    """What cannot be run is a problem with its place, before anything runs."""
    with pytest.raises(error) as caught:
        parse(section, tmp_path, tools)
    assert caught.value.problems[0].path == place
    assert message in caught.value.problems[0].message


def test_a_binary_file_is_no_script(tmp_path: Path, tools: str) -> None:
    """A compiled program given as a script is told so."""
    (tmp_path / "a.out").write_bytes(b"\x7fELF\0\0")
    with pytest.raises(ManifestError) as caught:
        parse(ScriptSection(file="a.out"), tmp_path, tools)
    assert "binary" in caught.value.problems[0].message


def test_a_missing_interpreter_is_127(tmp_path: Path, tools: str) -> None:
    """An interpreter that is not on the PATH is known before any call."""
    with pytest.raises(CommandNotFound) as caught:
        parse(ScriptSection(run="x", shell=("ruby", "{file}")), tmp_path, tools)
    assert "ruby" in str(caught.value)
    assert caught.value.hint
