"""A world for every test of the corridor."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from calamari_py.channel import Channel
from tests.runner.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A folder of its own; what is written on a defect lands below it too."""
    folder = tmp_path / "work"
    folder.mkdir()
    defects = folder / "defects"
    defects.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(defects))
    return World(folder)


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    """The channel of a child without variables."""
    made = Channel(tmp_path / "channel")
    made.folder.mkdir(mode=0o700)
    made.create({})
    return made
