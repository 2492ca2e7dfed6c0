"""Programs that the machine has not come out of a package, once."""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests import tools
from tests.kube import fetch_tools


def wheel(folder: Path) -> Path:
    """A package made as the real one is."""
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("helm/helm", b"#!/bin/sh\necho helm\n")
        archive.writestr("kubectl/kubectl", b"#!/bin/sh\necho kubectl\n")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("package/lib/layer.zip")
        member.size = len(layer.getvalue())
        tar.addfile(member, io.BytesIO(layer.getvalue()))
    path = folder / "layer-2.1.0.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/_jsii/layer@2.1.0.jsii.tgz", packed.getvalue())
    return path


def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine of the right kind without a single program."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")


@pytest.mark.process
def test_what_is_fetched_can_be_executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both programs, and nothing a second time."""
    no_programs(monkeypatch, tmp_path)
    asked: list[Path] = []

    def download(to: Path) -> Path:
        asked.append(to)
        return wheel(tmp_path)

    monkeypatch.setattr(fetch_tools, "download", download)
    assert "fetched helm and kubectl" in fetch_tools.fetch(tmp_path / "tools")
    for name in fetch_tools.PROGRAMS:
        path = tmp_path / "tools" / "bin" / name
        assert subprocess.check_output([str(path)]) == f"{name}\n".encode()
    assert fetch_tools.fetch(tmp_path / "tools") == ""
    assert len(asked) == 1


def test_what_is_there_is_not_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing where the machine has both, and nothing twice."""
    no_programs(monkeypatch, tmp_path)
    fetch_tools.put(b"#!/bin/sh\n", tmp_path / "helm")
    assert fetch_tools.missing(tmp_path) == ["kubectl"]
    fetch_tools.put(b"#!/bin/sh\n", tmp_path / "nothing" / "helm")
    assert fetch_tools.missing(tmp_path / "tools") == ["helm", "kubectl"]
    fetch_tools.put(b"#!/bin/sh\n", tmp_path / "nothing" / "kubectl")
    assert fetch_tools.missing(tmp_path / "tools") == []


def test_without_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing fails, nothing is left, and the reason is said."""
    no_programs(monkeypatch, tmp_path)

    def download(to: Path) -> Path:
        raise subprocess.CalledProcessError(1, "pip", stderr="ERROR: one\nERROR: no network\n")

    monkeypatch.setattr(fetch_tools, "download", download)
    said = fetch_tools.fetch(tmp_path / "tools")
    assert said.endswith("are skipped: ERROR: no network")
    assert not (tmp_path / "tools").exists()


def test_another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There is nothing for it in the package: nobody is asked."""
    no_programs(monkeypatch, tmp_path)
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert "cannot be fetched for this machine" in fetch_tools.fetch(tmp_path / "tools")


def test_a_fetched_program_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whether the PATH has one or not."""
    no_programs(monkeypatch, tmp_path)
    monkeypatch.setattr(tools, "FETCHED", tmp_path / "bin")
    fetch_tools.put(b"#!/bin/sh\n", tmp_path / "nothing" / "helm")
    assert tools.require_tool("helm") == str(tmp_path / "nothing" / "helm")
    fetch_tools.put(b"#!/bin/sh\n", tmp_path / "bin" / "helm")
    assert tools.require_tool("helm") == str(tmp_path / "bin" / "helm")


@pytest.mark.parametrize(
    ("asked", "outcome"),
    [
        pytest.param("", pytest.skip.Exception, id="by-hand"),
        pytest.param("1", pytest.fail.Exception, id="in-ci"),
    ],
)
def test_no_program_at_all(
    asked: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The test is skipped; in CI it fails."""
    no_programs(monkeypatch, tmp_path)
    monkeypatch.setattr(tools, "FETCHED", tmp_path / "bin")
    monkeypatch.setenv("CALAMARI_REQUIRE_TOOLS", asked)
    with pytest.raises(outcome):
        tools.require_tool("helm")
