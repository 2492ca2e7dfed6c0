"""Plan files are left, taken in and hashed as the secrets that they are."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.actions.plan_files import leave, sha256_of, take

CONTENT = b"a plan"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def made(tmp_path: Path) -> Path:
    path = tmp_path / "plan"
    path.write_bytes(CONTENT)
    return path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_plan_is_left_for_its_owner_alone(made: Path, tmp_path: Path) -> None:
    """Whatever the umask, nobody else reads it; no second copy stays beside it."""
    target = tmp_path / "out" / "left.tfplan"
    target.parent.mkdir()
    before = os.umask(0)
    try:
        leave(made, target)
    finally:
        os.umask(before)
    assert target.read_bytes() == CONTENT
    assert mode_of(target) == 0o600
    assert list(target.parent.iterdir()) == [target]


def test_an_older_plan_is_replaced_with_its_mode(made: Path, tmp_path: Path) -> None:
    """A world-readable file of that name does not make the new plan readable."""
    target = tmp_path / "left.tfplan"
    target.write_bytes(b"older")
    target.chmod(0o644)
    leave(made, target)
    assert target.read_bytes() == CONTENT
    assert mode_of(target) == 0o600


def test_a_plan_is_never_written_through_a_link(made: Path, tmp_path: Path) -> None:
    """The link is replaced, and what it leads to stays as it is."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    target = tmp_path / "left.tfplan"
    target.symlink_to(precious)
    leave(made, target)
    assert precious.read_bytes() == b"precious"
    assert not target.is_symlink()
    assert target.read_bytes() == CONTENT


def test_a_plan_that_cannot_be_left_leaves_nothing(made: Path, tmp_path: Path) -> None:
    """A folder in its place is told, and no half of a secret stays behind."""
    folder = tmp_path / "out"
    (folder / "left.tfplan").mkdir(parents=True)
    with pytest.raises(ToolFailed, match="the plan cannot be written to") as caught:
        leave(made, folder / "left.tfplan")
    assert "plan_file" in (caught.value.hint or "")
    assert [path.name for path in folder.iterdir()] == ["left.tfplan"]


def test_a_taken_plan_is_a_private_copy(made: Path, tmp_path: Path) -> None:
    """What is hashed and applied is the copy; the hash is that of `sha256sum`."""
    copy = tmp_path / "copy"
    assert take(made, copy) == SHA256 == sha256_of(copy)
    made.write_bytes(b"swapped afterwards")
    assert copy.read_bytes() == CONTENT
    assert mode_of(copy) == 0o600


def test_a_plan_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The message names it, the hint what makes one."""
    with pytest.raises(ToolFailed, match=r"nothing\.tfplan.*No such file") as caught:
        take(tmp_path / "nothing.tfplan", tmp_path / "copy")
    assert "'plan'" in (caught.value.hint or "")


def test_a_pipe_is_no_plan(tmp_path: Path) -> None:
    """It is refused and not waited for."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ToolFailed, match="no regular file"):
        take(tmp_path / "pipe", tmp_path / "copy")
