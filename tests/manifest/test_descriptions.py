"""What an editor shows beside every key, and what a value that does not belong there is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import ManifestError
from calamari_py.manifest import Overrides, Source, load, schema
from calamari_py.steps import FINALLY_SECTION, STEP_KINDS

SCHEMA = schema({key: kind.section for key, kind in STEP_KINDS.items()}, FINALLY_SECTION)
LONGEST = 90


def described() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every property of the manifest and of all its sections, with its place."""
    yield from SCHEMA["properties"].items()
    for name, definition in SCHEMA["$defs"].items():
        for key, found in definition["properties"].items():
            yield f"{name}.{key}", found


def test_no_property_is_without_a_description() -> None:
    """One sentence for each, short enough for what pops up."""
    texts = {place: found.get("description", "") for place, found in described()}
    assert len(texts) > 100
    assert [place for place, text in texts.items() if not text.endswith(".")] == []
    assert {place: text for place, text in texts.items() if len(text) > LONGEST} == {}


HEAD = "name: x\nregion: eu-west-1\ncloudformation:\n  stack_name: a\n  template: t\n"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        pytest.param("on_failure: delete", "'on_failed_create: delete'", id="on_failure"),
        pytest.param("parameters: [{ParameterKey: A, ParameterValue: b}]", "as in {Stage: dev}",
                     id="the AWS CLI's list"),
        pytest.param("parameters: [Stage=dev]", "as in {Stage: dev}", id="NAME=VALUE"),
    ],
)  # fmt: skip
def test_what_does_not_belong_there_has_a_hint(line: str, hint: str) -> None:
    """What people take from other tools is told the form that works."""
    source = Source(name="step.yaml", text=f"{HEAD}  {line}\n", folder=Path("/nowhere"))
    with pytest.raises(ManifestError) as caught:
        load(
            source,
            sections={key: kind.section for key, kind in STEP_KINDS.items()},
            finally_section=FINALLY_SECTION,
            environ={},
            cwd=Path("/nowhere"),
            overrides=Overrides(),
        )
    (problem,) = caught.value.problems
    assert hint in str(problem.hint)
