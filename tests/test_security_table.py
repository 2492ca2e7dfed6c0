"""docs/security.md says by which tests its promises are held; those tests are there, and run."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
TEXT = (TESTS.parent / "docs" / "security.md").read_text("utf-8")
_, _, TABLE = TEXT.partition("## How each promise is held\n")
ROWS = [
    (int(number), promise, re.findall(r"`([^`]+)`", tests))
    for number, promise, tests in re.findall(r"^\| (\d+) \| (.+?) \| (.+) \|$", TABLE, re.MULTILINE)
]
NAMED = sorted({test for _, _, tests in ROWS for test in tests})


@cache
def collected_from(path: str) -> dict[str, ast.FunctionDef]:
    """The test functions of a file that pytest collects; none when the whole file is skipped."""
    file = TESTS / path
    assert file.name.startswith("test_")
    tree = ast.parse(file.read_text("utf-8"))
    marks = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    ]
    if any(skips(mark) for mark in marks) or any(skips(node) for node in tree.body[:5]):
        return {}
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def skips(node: ast.AST) -> bool:
    """Whether `node` skips without a condition, or does not mind a failure."""
    if isinstance(node, ast.FunctionDef):
        first = node.body[1] if ast.get_docstring(node) and node.body[1:] else node.body[0]
        return any(map(skips, node.decorator_list)) or skips(first)
    if isinstance(node, ast.List | ast.Tuple):
        return any(map(skips, node.elts))
    if isinstance(node, ast.Expr):
        return skips(node.value)
    called = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    return called in {"pytest.skip", "pytest.mark.skip", "pytest.mark.xfail", "pytest.xfail"}


def test_there_are_thirty_promises() -> None:
    """In order, each with its words and at least one test."""
    assert [number for number, _, _ in ROWS] == list(range(1, 31))
    assert [number for number, promise, tests in ROWS if not promise or not tests] == []


@pytest.mark.parametrize("named", NAMED)
def test_what_holds_a_promise_is_there(named: str) -> None:
    """The file has that test, and nothing skips it everywhere."""
    path, _, name = named.partition("::")
    assert re.match("test_?[a-z]", name)
    found = collected_from(path)
    assert name in found
    assert not skips(found[name])


@pytest.mark.parametrize(
    "source",
    [
        "@pytest.mark.skip(reason='later')\ndef test(): pass",
        "@pytest.mark.xfail\ndef test(): pass",
        "def test():\n    'A promise.'\n    pytest.skip('later')",
        "pytestmark = [pytest.mark.process, pytest.mark.skip]\n",
    ],
)
def test_a_skipped_test_holds_nothing(source: str) -> None:
    """What the check above must see."""
    (node,) = ast.parse(source).body
    assert skips(node.value if isinstance(node, ast.Assign) else node)


@pytest.mark.parametrize(
    "words",
    ["IMDS, the ECS agent and the Pod\\s+Identity agent", "explain --online", "hop limit of 1",
     "Against root", "Without `--isolate`", "A script that means to leak", "expose_to_step",
     "Without `--policy`"],
)  # fmt: skip
def test_what_is_not_promised_is_said(words: str) -> None:
    """People build on what they read: the limits stand beside the promises."""
    _, _, limits = TEXT.partition("## Not promised\n")
    assert re.search(re.sub(" ", r"\\s+", words), limits.partition("\n## ")[0])
