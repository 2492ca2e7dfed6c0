"""What a run is asked for beside its manifest (`--action`, `--dry-run` …), on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import calamari

pytestmark = pytest.mark.process


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("run", "--action", "deploy"), id="run --action"),
        pytest.param(("run", "--dry-run"), id="run --dry-run"),
        pytest.param(("run", "--resume", "arn:x#1"), id="run --resume"),
        pytest.param(("run", "--fail-on-no-change"), id="run --fail-on-no-change"),
        pytest.param(("run", "--detailed-exitcode"), id="run --detailed-exitcode"),
        pytest.param(("validate", "--action", "deploy"), id="validate --action"),
        pytest.param(("explain", "--action", "deploy"), id="explain --action"),
    ],
)
def test_a_script_refuses_them(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """What the kind of the step does not know is a mistake on the command line, with a cure."""
    (tmp_path / "step.yaml").write_text("name: d\naccount: none\nscript: touch started\n")
    command, *options = arguments
    ended = calamari(command, "step.yaml", *options, folder=tmp_path)
    assert ended.code == 2
    assert f"{options[0]} is not for steps of kind 'script'" in ended.err
    assert "hint: " in ended.err
    assert not (tmp_path / "started").exists()
