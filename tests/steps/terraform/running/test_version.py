"""Which tool it is, and whether it is new enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed, ToolMissing
from calamari_py.steps.terraform.running.version import version_of_json, version_of_text
from calamari_py.steps.terraform.values import ToolVersion
from tests.steps.terraform.fakes import Answer
from tests.steps.terraform.running.room import Room

TOFU_JSON = b'{"terraform_version": "1.8.0", "platform": "linux_amd64", "provider_selections": {}}'


def _version(product: str, text: str) -> ToolVersion:
    first, second, third = (int(part) for part in text.partition("-")[0].split("."))
    return ToolVersion(product=product, text=text, numbers=(first, second, third))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        pytest.param("1.11.4", (1, 11, 4), id="release"),
        pytest.param("1.12.0-beta1", (1, 12, 0), id="pre-release"),
        pytest.param("1.12.0-alpha20250213", (1, 12, 0), id="nightly"),
        pytest.param("1.10.2+ent", (1, 10, 2), id="build"),
        pytest.param("2.0.0-rc.1+abc", (2, 0, 0), id="both"),
    ],
)
def test_any_semantic_version_is_read(text: str, numbers: tuple[int, int, int]) -> None:
    """A pre-release or a build is a version like any other."""
    document = b'{"terraform_version": "%s", "terraform_outdated": true}' % text.encode()
    expected = ToolVersion(product="Terraform", text=text, numbers=numbers)
    assert version_of_json(document) == expected
    assert version_of_text(b"Terraform v%s\non linux_amd64\n" % text.encode()) == expected


@pytest.mark.parametrize(
    "stdout",
    [
        pytest.param(TOFU_JSON, id="either-product"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"Terraform v1.0.0", id="text"),
        pytest.param(b"[1]", id="no-object"),
        pytest.param(b'{"terraform_version": "x", "terraform_outdated": true}', id="no-version"),
        pytest.param(b'{"terraform_outdated": true}', id="none"),
    ],
)
def test_json_that_cannot_tell(stdout: bytes) -> None:
    """What is no JSON of Terraform's own leaves the question open."""
    assert version_of_json(stdout) is None


def test_opentofu_is_told_by_its_first_line(tmp_path: Path) -> None:
    """OpenTofu's JSON names no product, so its text is asked."""
    room = Room(tmp_path)
    room.fake.on("version -json", Answer(stdout=TOFU_JSON))
    room.fake.on("version", Answer(stdout=b"OpenTofu v1.8.0\non linux_amd64\n"))
    assert room.tool.version() == _version("OpenTofu", "1.8.0")


def test_terraform_is_asked_once(tmp_path: Path) -> None:
    """One command is enough for Terraform."""
    room = Room(tmp_path)
    assert room.tool.version() == _version("Terraform", "1.11.4")
    assert room.fake.words() == ["version -json"]


@pytest.mark.parametrize(
    "first_line",
    [
        pytest.param(b"Terraform v0.12.31", id="no-json-yet"),
        pytest.param(b"Terraform v0.15.5", id="last-zero"),
        pytest.param(b"OpenTofu v1.5.9", id="tofu"),
    ],
)
def test_a_tool_that_is_too_old(first_line: bytes, tmp_path: Path) -> None:
    """A tool below the minimum is as good as none, and the minimum is said."""
    room = Room(tmp_path)
    room.fake.on("version -json", Answer(code=1, stderr=b"flag provided but not defined: -json"))
    room.fake.on("version", Answer(stdout=first_line + b"\n"))
    with pytest.raises(ToolMissing, match=r"is (Terraform|OpenTofu) \S+, and at least 1\.[06]\.0"):
        room.tool.version()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(stdout=b"v22.1.0\n"), id="other-program"),
        pytest.param(Answer(code=2, stderr=b"usage: true [-h]\n"), id="usage"),
        pytest.param(Answer(), id="silent"),
    ],
)
def test_a_program_that_is_no_terraform(answer: Answer, tmp_path: Path) -> None:
    """Some other program is told apart, and quoted."""
    room = Room(tmp_path)
    room.fake.on("version", answer)
    room.fake.on("version -json", answer)
    with pytest.raises(ToolMissing, match="neither Terraform nor OpenTofu") as caught:
        room.tool.version()
    said = (answer.stdout or answer.stderr).decode().strip() or "nothing"
    assert said in (caught.value.hint or "")


def test_an_error_of_terraform_itself_is_shown(tmp_path: Path) -> None:
    """A broken CLI configuration is not taken for a missing tool."""
    room = Room(tmp_path)
    answer = Answer(
        code=1,
        stderr="There are some problems with the CLI configuration:\n╷\n"
        "│ Error: Error parsing /home/u/.terraformrc: At 2:2: object expected\n│ \n╵\n".encode(),
    )
    room.fake.on("version", answer)
    room.fake.on("version -json", answer)
    with pytest.raises(ToolFailed, match=r"Error parsing /home/u/\.terraformrc"):
        room.tool.version()


@pytest.mark.parametrize(
    ("text", "is_enough"),
    [("1.9.8", False), ("1.10.0-alpha1", True), ("1.10.0", True), ("1.11.4", True)],
)
def test_a_lock_file_needs_a_version_that_knows_it(
    text: str, is_enough: bool, tmp_path: Path
) -> None:
    """An older tool would not lock at all: that is said before anything is done."""
    room = Room(tmp_path, backend={"use_lockfile": True})
    document = b'{"terraform_version": "%s", "terraform_outdated": true}' % text.encode()
    room.fake.on("version -json", Answer(stdout=document))
    if is_enough:
        assert room.tool.version().text == text
        return
    with pytest.raises(ToolMissing, match=r"use_lockfile.*Terraform 1\.9\.8"):
        room.tool.version()
