"""One programmable deliverer, and an endpoint that serves what it has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calamari_py.delivery import DELIVERIES
from tests.delivery.support import Client, Deliverer


@pytest.fixture
def deliverer(tmp_path: Path) -> Deliverer:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    return Deliverer(private)


@pytest.fixture
def client(deliverer: Deliverer) -> Iterator[Client]:
    """A client of a running endpoint."""
    with DELIVERIES["endpoint"].open(deliverer.context()) as names:
        yield Client.of(names)
