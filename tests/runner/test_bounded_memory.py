"""P20: what a run keeps of a step's output does not grow with it."""

from __future__ import annotations

import pytest

from calamari_py.process import Limits
from calamari_py.runner.last_line import KEPT, LastLine


@pytest.mark.parametrize("size", [1, 100, 65_536])
def test_the_last_line_is_kept_in_part(size: int) -> None:
    """Of a line without end, only the end of each stream."""
    line = LastLine(Limits())
    for _ in range(8 * KEPT // size + 3):
        line.take("stdout", b"x" * size)
        line.take("stderr", b"y" * size)
        assert all(len(end) <= KEPT for end in line._ends.values())
