"""The layers and the doors, read from the imports: a house keeps its shape only when it is held."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import calamari_py

ROOT = Path(calamari_py.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "support" not in path.parts)

LAYERS = {
    "addresses": 0, "errors": 0, "masking": 0, "identity": 0, "messages": 0, "result": 0,
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

PLUGIN_ROOMS = ("credentials", "steps", "output")
SHARED = {"base"}


def _room(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def _imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Every imported module, and whether it is imported for the type checker alone."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, False
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or "", False
            for alias in node.names:
                yield f"{node.module}.{alias.name}", False


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down_only(path: Path) -> None:
    """No room imports from a layer above its own."""
    room = _room(path)
    if room == "__init__":
        return
    own = LAYERS[room]
    for module, _ in _imports(path):
        parts = module.split(".")
        if parts[0] != "calamari_py" or len(parts) < 2 or parts[1] not in LAYERS:
            continue
        other = parts[1]
        allowed = LAYERS[other] < own or (LAYERS[other] == own and own in {0, 1, 3, 5})
        assert other == room or allowed, f"{room} (layer {own}) imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_doors(path: Path) -> None:
    """What reaches the world is imported in one room only."""
    room = _room(path)
    for module, _ in _imports(path):
        top = module.split(".")[0]
        if top in DOORS:
            assert room in DOORS[top], f"{room} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_environment_is_read_and_the_process_ended_at_the_edge(path: Path) -> None:
    """`os.environ` and `sys.exit` only in cli/."""
    if _room(path) in {"cli", "__main__"}:
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            assert name not in {"os.environ", "os.getenv", "os.environb", "sys.exit"}, (
                f"{path.name}:{node.lineno} uses {name}"
            )


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_secrets_are_revealed_in_few_rooms(path: Path) -> None:
    """`.reveal()` is called only where a secret must become text."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and node.attr == "reveal":
            assert _room(path) in REVEALING, f"{path.name}:{node.lineno} reveals a secret"


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
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
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
