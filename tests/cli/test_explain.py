"""`calamari explain`: what goes where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import calamari

pytestmark = pytest.mark.process

HEAD = "name: deploy\nregion: eu-west-1\nassume_role: arn:aws:iam::111111111111:role/Dev\n"
SECRET = "s3cr3t-canary-0123456789"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIACANARY", "AWS_SECRET_ACCESS_KEY": SECRET}
GOOD = HEAD + (
    "expect: {account: '111111111111'}\n"
    "variables: {Token: {from_env: API_TOKEN, sensitive: true}}\n"
    "env: {TOKEN: '{{ Token }}'}\n"
    "script: touch started\n"
)


def test_a_page(tmp_path: Path) -> None:
    """The page is all of stdout; stderr is silent; nothing was started and no secret shown."""
    (tmp_path / "step.yaml").write_text(GOOD)
    environ = {**KEYS, "API_TOKEN": SECRET[::-1]}
    ended = calamari("explain", "step.yaml", folder=tmp_path, environ=environ)
    assert (ended.code, ended.err) == (0, "")
    first, *_, last = ended.out.splitlines()
    assert first.startswith("─ deploy ─")
    assert last.startswith("─ the step would start, as far as known: ")
    assert "would be arn:aws:sts::111111111111:assumed-role/Dev/deploy" in ended.out
    assert "111111111111 (as expected)" in ended.out
    assert SECRET not in ended.out
    assert SECRET[::-1] not in ended.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step.yaml"]


def test_a_document(tmp_path: Path) -> None:
    """`--format json` is one document with the names that docs/commands.md gives."""
    (tmp_path / "step.yaml").write_text(GOOD)
    environ = {**KEYS, "API_TOKEN": SECRET[::-1]}
    ended = calamari(
        "explain", "step.yaml", "--format", "json", folder=tmp_path, environ=environ
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    document = json.loads(ended.out)
    assert document["schema_version"] == 1
    assert document["online"] is False
    assert document["launcher"]["source"] == "environment"
    assert document["identity"]["account"] == "111111111111"
    assert document["hops"][0]["external_id"] is False
    assert document["variables"] == [
        {"name": "Token", "sensitive": True, "masked": True, "withheld": False, "late": None}
    ]
    assert {check["state"] for check in document["checks"]} <= {"ok", "warn"}
    docs = Path(__file__).parents[2] / "docs" / "commands.md"
    section = docs.read_text("utf-8").partition("## explain")[2].partition("\n## ")[0]
    missing = [name for name in document if f"`{name}`" not in section]
    assert missing == []


@pytest.mark.parametrize(
    ("manifest", "arguments", "code"),
    [
        pytest.param(GOOD + "nonsense: 1\n", (), 65, id="invalid"),
        pytest.param(None, (), 66, id="missing"),
        pytest.param(GOOD.replace("'1", "'2"), (), 77, id="expect"),
        pytest.param(GOOD.replace("account: '", "role: 'x"), ("--format", "json"), 77, id="json"),
        pytest.param(HEAD + "script: {run: x, shell: [no, '{file}']}\n", (), 127, id="program"),
        pytest.param(GOOD, ("--policy", "policy.yaml"), 77, id="policy"),
        pytest.param(GOOD, ("--nonsense",), 2, id="usage"),
    ],
)
def test_codes(manifest: str | None, arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    """Those that a run would end with; problems go to stderr, checks to stdout."""
    if manifest is not None:
        (tmp_path / "step.yaml").write_text(manifest)
    (tmp_path / "policy.yaml").write_text("accounts: ['333333333333']\n")
    environ = {**KEYS, "API_TOKEN": SECRET}
    ended = calamari("explain", "step.yaml", *arguments, folder=tmp_path, environ=environ)
    assert ended.code == code, ended.err
    assert bool(ended.out) != bool(ended.err)
    assert SECRET not in ended.out + ended.err
    assert "Traceback" not in ended.err


def test_standard_input_and_every_name(tmp_path: Path) -> None:
    """A manifest on standard input, and `-v` for every name."""
    environ = {**KEYS, "API_TOKEN": SECRET, **{f"AGENT_{n}": "x" for n in range(20)}}
    short = calamari("explain", "-", folder=tmp_path, environ=environ, stdin=GOOD)
    every = calamari("explain", "-", "-v", folder=tmp_path, environ=environ, stdin=GOOD)
    assert "AGENT_* (20)" in short.out
    assert "AGENT_19" in every.out
