"""docs/stack-sets.md says what there is."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from calamari_py.manifest import Overrides, read_source
from calamari_py.masking import SecretRegistry
from calamari_py.runner.prepare import prepare_step
from calamari_py.steps.cloudformation.sections import (
    InstancesSection,
    OperationSection,
    StackSetSection,
)

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs" / "stack-sets.md").read_text("utf-8")
FILES = dict(re.findall(r"```yml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))


def _keys() -> list[str]:
    top = [field.encode_name for field in msgspec.structs.fields(StackSetSection)]
    group = [field.encode_name for field in msgspec.structs.fields(InstancesSection)]
    operation = [
        f"operation.{field.encode_name}" for field in msgspec.structs.fields(OperationSection)
    ]
    return [*(key for key in top if key not in ("operation", "action")), *group, *operation]


@pytest.mark.parametrize("key", _keys())
def test_every_key_is_explained(key: str) -> None:
    """Each key of the section is in the first column of a table."""
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert any(f"`{key}`" in row for row in rows)


def test_the_shown_step_can_be_run(tmp_path: Path) -> None:
    """Manifest and template are valid as they stand, and `explain` says what they do."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    file = tmp_path / "roles.yaml"
    with file.open("rb") as stdin:
        source = read_source(str(file), stdin=stdin, cwd=tmp_path)
    step = prepare_step(
        source, environ={}, cwd=tmp_path, overrides=Overrides(), registry=SecretRegistry()
    )
    assert step.loaded.manifest.name == "deploy-roles"
