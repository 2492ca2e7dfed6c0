"""`calamari explain --masking`: what goes where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import calamari

pytestmark = pytest.mark.process

SECRET = "s3cr3t-canary-0123456789"
MANIFEST = (
    "name: deploy\naccount: none\n"
    "variables: {Token: {from_env: API_TOKEN, sensitive: true}, "
    "Pin: {value: '123', sensitive: true}}\n"
    "script: touch started\n"
)
DOCUMENT = {
    "step": "deploy",
    "ended_at": "2026-03-01T09:30:00.000Z",
    "masking": {"off": False, "hits": {"Token": 3}, "unmasked": {}},
}


def test_a_page(tmp_path: Path) -> None:
    """The page says all, on stdout, and ends with 0; nothing was started."""
    (tmp_path / "step.yaml").write_text(MANIFEST)
    ended = calamari(
        "explain", "step.yaml", "--masking", folder=tmp_path, environ={"API_TOKEN": SECRET}
    )
    assert ended.code == 0, ended.err
    first, second, *_, last = ended.out.splitlines()
    assert first.startswith("─ deploy ─")
    assert second.startswith("  masked     Token   literal, ")
    assert last.startswith("─ 1 secret masked, 1 not masked ── nothing was asked or run ─")
    assert ended.err == ""
    assert SECRET not in ended.out
    assert not (tmp_path / "started").exists()


def test_a_document(tmp_path: Path) -> None:
    """`--format json` is one document with the names that docs/commands.md gives."""
    (tmp_path / "step.yaml").write_text(MANIFEST)
    (tmp_path / "result.json").write_text(json.dumps(DOCUMENT))
    ended = calamari(
        "explain", "step.yaml", "--masking", "--result", "result.json", "--format", "json",
        folder=tmp_path, environ={"API_TOKEN": SECRET},
    )  # fmt: skip
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert (document["schema_version"], document["masked"][0]["hits"]) == (1, 3)
    docs = Path(__file__).parents[2] / "docs" / "commands.md"
    section = docs.read_text("utf-8").partition("### explain --masking")[2].partition("\n## ")[0]
    inner = {*document["masked"][0], *document["unmasked"][0], *document["run"], "when"}
    assert [name for name in (*document, *inner) if f"`{name}`" not in section] == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(("--result", "r.json"), 2, "--result is for --masking", id="alone"),
        pytest.param(("--masking", "--online"), 2, "asks nobody", id="online"),
        pytest.param(("--masking", "--result", "none"), 66, "does not exist", id="missing"),
        pytest.param(("--masking", "--result", "r.json"), 65, "r.json:1:1", id="broken"),
        pytest.param(("--masking", "--policy", "ops.yaml"), 77, "allow_no_mask", id="policy"),
    ],
)
def test_refusals(arguments: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    """One message on stderr, with what to do; stdout stays empty."""
    (tmp_path / "step.yaml").write_text(MANIFEST + "allow_no_mask: true\n")
    (tmp_path / "r.json").write_text("no json")
    (tmp_path / "ops.yaml").write_text("projects: ['*']\n")
    environ = {"API_TOKEN": SECRET}
    ended = calamari("explain", "step.yaml", *arguments, folder=tmp_path, environ=environ)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert "hint: " in ended.err
