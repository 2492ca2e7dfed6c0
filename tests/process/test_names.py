"""The names that people are told of processes: whole, so that a secret in one can be masked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from calamari_py.process.proc import entry_of

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's"),
]


@pytest.mark.parametrize("name", ["short", "hunter2-very-long-secret-value"])
def test_a_name_is_not_cut(name: str, tmp_path: Path) -> None:
    """The kernel keeps 15 bytes of a name: half a secret would be masked nowhere."""
    program = tmp_path / name
    program.symlink_to("/bin/cat")
    process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x")
        process.stdin.flush()
        assert process.stdout.read(1) == b"x"
        entry = entry_of(process.pid)
        assert entry is not None
        assert entry.name == name
    finally:
        process.kill()
        process.communicate()
