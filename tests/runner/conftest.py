"""A world for every test of the corridor."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from calamari_py.channel import Channel
from calamari_py.steps import STEP_KINDS
from tests.runner.own_work import Errand
from tests.runner.reading import Probe
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
def errand() -> Iterator[Errand]:
    """A kind that calls AWS itself, known for the length of a test."""
    kind = Errand()
    STEP_KINDS[kind.name] = kind
    yield kind
    del STEP_KINDS[kind.name]


@pytest.fixture
def probe() -> Iterator[Probe]:
    """A kind that reads what its processes write, known for the length of a test."""
    kind = Probe()
    STEP_KINDS[kind.name] = kind
    yield kind
    del STEP_KINDS[kind.name]


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    """The channel of a child without variables."""
    made = Channel(tmp_path / "channel")
    made.folder.mkdir(mode=0o700)
    made.create({})
    return made
