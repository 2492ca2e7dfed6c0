"""Sections as a manifest would hand them to the parser, and a folder they are about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import ManifestError
from calamari_py.steps.base import ParseContext, Wishes
from calamari_py.steps.terraform.parsing.parse import parse_terraform
from calamari_py.steps.terraform.sections import TerraformSection
from calamari_py.steps.terraform.spec import TerraformSpec


def step_folder(folder: Path) -> Path:
    """A folder with a root module ``infra``, some files, and a program ``bin/terraform``."""
    (folder / "infra").mkdir()
    (folder / "infra/main.tf").write_text("")
    (folder / "empty").mkdir()
    (folder / "bin").mkdir()
    program = folder / "bin/terraform"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (folder / "dev.tfvars").write_text('stage = "dev"\n')
    (folder / "dev.tfvars.json").write_text('{"stage": "dev"}')
    (folder / "old.tfplan").write_bytes(b"PK")
    return folder


def parse(
    folder: Path,
    *,
    action: str | None = None,
    dry_run: bool = False,
    secret: tuple[str, ...] = (),
    launchers: Callable[[Path], bool] = lambda _: False,
    search_path: str | None = None,
    **fields: Any,
) -> TerraformSpec:
    """The spec of ``directory: infra`` and `fields`; `secret` are places made from a secret."""
    context = ParseContext(
        folder=folder,
        search_path=str(folder / "bin") if search_path is None else search_path,
        path="terraform",
        render=lambda text, _: text,
        sensitive=lambda path: path in secret,
        launchers=launchers,
        wishes=Wishes(action=action, dry_run=dry_run),
    )
    return parse_terraform(TerraformSection(**{"directory": "infra", **fields}), context)


def said(folder: Path, **given: Any) -> dict[str, str]:
    """What is wrong, by its place."""
    with pytest.raises(ManifestError) as caught:
        parse(folder, **given)
    assert all(problem.hint is None or problem.hint for problem in caught.value.problems)
    return {problem.path: problem.message for problem in caught.value.problems}
