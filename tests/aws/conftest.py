"""The fixtures of the AWS door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.aws.aws_world import World, make_world
from tests.aws.recorder import Recorder
from tests.fake_sts import FakeSts


@pytest.fixture
def world() -> Iterator[World]:
    """A fresh server with a launcher and its roles."""
    with FakeSts() as sts:
        yield make_world(sts)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A server that notes what it is asked."""
    with Recorder() as running:
        yield running
