"""The private files: who may read them, and what is in them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.terraform.commands.files import (
    PrivateFiles,
    private_files,
    write_private_files,
)
from tests.steps.terraform.commands.test_argv import spec_of


def written(tmp_path: Path, **fields: Any) -> PrivateFiles:
    """The private files of a spec, in ``p`` and ``t``."""
    for name in ("p", "t"):
        (tmp_path / name).mkdir(exist_ok=True)
    return write_private_files(spec_of(**fields), private=tmp_path / "p", temp=tmp_path / "t")


def test_nothing_is_written_that_nobody_needs(tmp_path: Path) -> None:
    """Without variables, backend, mirror or log there are only places for the plan and the data."""
    files = written(tmp_path)
    assert files == PrivateFiles(
        folder=tmp_path / "p",
        backend=None,
        variables=None,
        cli_config=None,
        plan=tmp_path / "p/plan.tfplan",
        log=None,
        data=tmp_path / "t/data",
    )
    assert [*tmp_path.rglob("*")] in ([tmp_path / "p", tmp_path / "t"],
                                      [tmp_path / "t", tmp_path / "p"])  # fmt: skip


ALL: dict[str, Any] = {
    "backend": {"bucket": "b", "assume_role": {"role_arn": "arn", "tags": {"a": "ü"}}},
    "variables": {"x": 'a "b" ${c}', "n": 10**30, "f": 1.5, "z": None, "l": [True]},
    "plugin_mirror": Path('/m ${x} "q" \\ é'),
    "log_level": "trace",
}


def test_all_are_private_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0600, and the large ones on the disk."""
    import os

    before = os.umask(0)
    try:
        files = written(tmp_path, **ALL)
    finally:
        os.umask(before)
    found = [files.backend, files.variables, files.cli_config, files.log]
    modes = [stat.S_IMODE(path.stat().st_mode) for path in found if path is not None]
    assert modes == [0o600] * 4
    assert files.log == tmp_path / "t/terraform.log"


def test_values_are_typed(tmp_path: Path) -> None:
    """JSON as it is: nothing becomes a text, and no number loses a digit."""
    files = written(tmp_path, **ALL)
    assert files.variables is not None
    assert files.backend is not None
    assert json.loads(files.variables.read_bytes()) == ALL["variables"]
    assert json.loads(files.backend.read_bytes()) == ALL["backend"]
    assert (files.variables.name, files.backend.name) == (
        "variables.tfvars.json", "backend.tfbackend.json",
    )  # fmt: skip


def test_a_mirror_is_the_only_place(tmp_path: Path) -> None:
    """No ``direct`` beside it, and its path is data whatever it holds."""
    files = written(tmp_path, **ALL)
    assert files.cli_config is not None
    assert json.loads(files.cli_config.read_bytes()) == {
        "provider_installation": [{"filesystem_mirror": [{"path": '/m ${x} "q" \\ é'}]}]
    }


def test_a_later_attempt_begins_a_log_of_its_own(tmp_path: Path) -> None:
    """Terraform appends; what an earlier attempt wrote is not this one's."""
    first = private_files(spec_of(log_level="info"), private=tmp_path, temp=tmp_path)
    assert first.log is not None
    first.log.write_text("old")
    files = write_private_files(spec_of(log_level="info"), private=tmp_path, temp=tmp_path)
    assert files.log is not None
    assert files.log.read_bytes() == b""


def test_nobody_elses_file_is_written_to(tmp_path: Path) -> None:
    """What stands in the place of a private file is no place to put a secret."""
    (tmp_path / "p").mkdir()
    (tmp_path / "p/variables.tfvars.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        written(tmp_path, variables={"x": "s3cr3t"})
    assert not (tmp_path / "elsewhere").exists()
