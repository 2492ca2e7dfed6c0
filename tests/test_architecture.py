"""The layers and the doors, read from the imports: a house keeps its shape only when it is held."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import calamari_py

ROOT = Path(calamari_py.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "support" not in path.parts)

LAYERS = {
    "addresses": 0, "errors": 0, "masking": 0, "identity": 0, "messages": 0, "result": 0,
    "files": 0,
    "manifest": 1, "variables": 1, "templates": 1, "environment": 1, "channel": 1,
    "policy": 1, "audit": 1, "trust": 1, "renewal": 1,
    "process": 2, "aws": 2,
    "credentials": 3, "steps": 3, "output": 3, "delivery": 3, "sandbox": 3,
    "runner": 4,
    "cli": 5, "__main__": 5,
}  # fmt: skip

DOORS = {
    "subprocess": {"process"}, "pty": {"process"}, "posix_spawn": {"process"},
    "boto3": {"aws"}, "botocore": {"aws"}, "moto": {"sandbox"}, "click": {"cli"},
    "rich": {"output"}, "yaml": {"manifest"}, "jinja2": {"templates"}, "werkzeug": {"sandbox"},
    "requests": {"credentials"},
}  # fmt: skip

REVEALING = {
    "environment", "templates", "variables", "manifest", "aws", "credentials", "delivery",
    "process", "result", "masking", "sandbox", "runner",
}  # fmt: skip

PLUGIN_ROOMS = ("credentials", "delivery", "steps", "output")
SHARED = {"base"}


def _room(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def _named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in the file's syntax tree."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"))))


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module, and whether it is imported for the type checker alone."""
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or "", False
            for alias in node.names:
                yield f"{node.module}.{alias.name}", False


def test_imports_go_down_only() -> None:
    """No room imports from a layer above its own."""
    wrong = []
    for path in FILES:
        room = _room(path)
        if room == "__init__":
            continue
        own = LAYERS[room]
        for module, _ in _imports(path):
            parts = module.split(".")
            if parts[0] != "calamari_py" or len(parts) < 2 or parts[1] not in LAYERS:
                continue
            other = parts[1]
            allowed = LAYERS[other] < own or (LAYERS[other] == own and own in {0, 1, 3, 5})
            if other != room and not allowed:
                wrong.append(f"{_named(path)} (layer {own}) imports {module}")
    assert wrong == []


def test_doors() -> None:
    """What reaches the world is imported in one room only."""
    wrong = [
        f"{_named(path)} imports {module}"
        for path in FILES
        for module, _ in _imports(path)
        if _room(path) not in DOORS.get(module.split(".")[0], {_room(path)})
    ]
    assert wrong == []


def test_the_environment_is_read_and_the_process_ended_at_the_edge() -> None:
    """`os.environ` and `sys.exit` only in cli/."""
    edge = {"os.environ", "os.getenv", "os.environb", "sys.exit"}
    wrong = [
        f"{_named(path)}:{node.lineno} uses {node.value.id}.{node.attr}"
        for path in FILES
        if _room(path) not in {"cli", "__main__"}
        for node in _nodes(path)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and f"{node.value.id}.{node.attr}" in edge
    ]
    assert wrong == []


def test_secrets_are_revealed_in_few_rooms() -> None:
    """`.reveal()` is called only where a secret must become text."""
    wrong = [
        f"{_named(path)}:{node.lineno} reveals a secret"
        for path in FILES
        if _room(path) not in REVEALING
        for node in _nodes(path)
        if isinstance(node, ast.Attribute) and node.attr == "reveal"
    ]
    assert wrong == []


@pytest.mark.parametrize("room", PLUGIN_ROOMS)
def test_plugins_do_not_know_each_other(room: str) -> None:
    """A plug-in imports its room's base and underscore modules, never a sibling."""
    for path in (ROOT / room).glob("*.py"):
        if path.stem == "__init__" or path.stem in SHARED or path.stem.startswith("_"):
            continue
        for module, _ in _imports(path):
            parts = module.split(".")
            if parts[:2] == ["calamari_py", room] and len(parts) > 2:
                sibling = parts[2]
                known = (ROOT / room / f"{sibling}.py").exists()
                shared = sibling in SHARED or sibling.startswith("_") or sibling == path.stem
                assert not known or shared, f"{room}/{path.name} imports its sibling {sibling}"


def test_every_room_has_a_layer() -> None:
    """A new room is placed before it is used."""
    rooms = {_room(path) for path in FILES} - {"__init__"}
    assert rooms <= set(LAYERS)


def test_broad_excepts_are_counted() -> None:
    """`except Exception` stands where the design allows it: the edges (a serving thread is one,
    it has no caller), and masking, which then withholds."""
    found = []
    for path in FILES:
        for node in _nodes(path):
            cleans_up = isinstance(node, ast.ExceptHandler) and isinstance(node.body[-1], ast.Raise)
            if isinstance(node, ast.ExceptHandler) and not cleans_up:
                names = {
                    n.id
                    for n in ast.walk(node.type or ast.Name(id="bare"))
                    if isinstance(n, ast.Name)
                }
                if node.type is None or names & {"Exception", "BaseException"}:
                    found.append(str(path.relative_to(ROOT)))
    assert set(found) == {
        "cli/__init__.py", "delivery/_server.py", "masking/masker.py", "masking/registry.py",
        "runner/supervise.py",
    }  # fmt: skip
