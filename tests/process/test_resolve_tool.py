"""resolve_tool(): names become absolute paths, safely."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.errors import CommandNotExecutable, CommandNotFound
from calamari_py.process import resolve_tool, unsafe_entries


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Folders ``one`` (plain file), ``two`` and ``three`` (programs), each with a ``tool``."""
    for name, mode in (("one", 0o644), ("two", 0o755), ("three", 0o755)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tool").touch(mode=mode)
    (tmp_path / "four" / "tool").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        pytest.param(["two", "three"], "two", id="first wins"),
        pytest.param(["one", "three"], "three", id="what cannot run is passed over"),
        pytest.param(["four", "three"], "three", id="a folder is no program"),
        pytest.param(["missing", "two"], "two", id="missing folders are passed over"),
    ],
)
def test_search(tools: Path, entries: list[str], found: str) -> None:
    """The first program in the order of PATH is taken."""
    path = ":".join(str(tools / entry) for entry in entries)
    assert resolve_tool("tool", path) == tools / found / "tool"


def test_unsafe_entries(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative and empty entries are not looked in, and are told."""
    monkeypatch.chdir(tools / "two")
    path = f":three:.:{tools / 'three'}:"
    assert resolve_tool("tool", path) == tools / "three" / "tool"
    assert unsafe_entries(path) == ("", "three", ".", "")
    assert unsafe_entries("") == ()
    with pytest.raises(CommandNotFound):
        resolve_tool("tool", ".:")


def test_not_executable(tools: Path) -> None:
    """When only files without the right to run are there the error names the first."""
    with pytest.raises(CommandNotExecutable, match="one/tool' is not executable") as caught:
        resolve_tool("tool", str(tools / "one"))
    assert "chmod +x" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "hint", "said"),
    [
        pytest.param("nothing", None, "install 'nothing'", id="own hint"),
        pytest.param("nothing", "apt install nothing", "apt install nothing", id="given hint"),
        pytest.param("", None, "name the program", id="empty"),
        pytest.param("./nothing", None, "create the file", id="a path"),
        pytest.param("/no/such/program", None, "create the file", id="an absolute path"),
    ],
)
def test_not_found(tools: Path, name: str, hint: str | None, said: str) -> None:
    """What is nowhere is error 127 with advice."""
    with pytest.raises(CommandNotFound) as caught:
        resolve_tool(name, str(tools / "two"), folder=tools, hint=hint)
    assert said in (caught.value.hint or "")


def test_names_with_a_slash(tools: Path) -> None:
    """A name with a slash is relative to the folder that is given, never looked for in PATH."""
    assert resolve_tool("two/tool", "", folder=tools) == tools / "two" / "tool"
    assert resolve_tool(str(tools / "two/tool"), "") == tools / "two" / "tool"
    with pytest.raises(CommandNotExecutable, match="is a folder"):
        resolve_tool("./two", "", folder=tools)
    with pytest.raises(CommandNotFound, match="'two/tool'"):
        resolve_tool("two/tool", str(tools))
