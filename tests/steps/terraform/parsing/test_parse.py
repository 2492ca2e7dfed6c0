"""A section becomes a spec: everything it says, every problem at once, and the program last."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.errors import CommandNotExecutable, FileMissing, ManifestError, ToolMissing
from calamari_py.steps.terraform.sections import OutputsSection, PolicySection, WorkspaceSection
from calamari_py.steps.terraform.spec import PlanPolicy, TerraformSpec, Workspace
from calamari_py.templates import LATE_TEXT
from tests.steps.terraform.parsing.sections import parse, said

HASH = "0123456789abcdef" * 4


def test_all_that_a_section_says(folder: Path) -> None:
    """Every field of it stands in the spec, paths absolute, the time in whole seconds."""
    spec = parse(
        folder,
        action="apply",
        dry_run=True,
        plan_file="old.tfplan",
        plan_sha256=HASH.upper(),
        backend={"bucket": "b", "use_lockfile": True},
        workspace=WorkspaceSection(name="dev", create=True),
        variables={"stage": "dev", "sizes": [1, 2]},
        variable_files=("dev.tfvars", "dev.tfvars.json"),
        parallelism=3,
        lock_timeout=0.2,
        upgrade=True,
        plugin_mirror="infra",
        plugin_cache="cache",
        policy=PolicySection(max_destroy=0, protect=("aws_*",), refuse_replace=("a.b",)),
        outputs=OutputsSection(expose=("url",), sensitive=("pw",)),
        log_level="debug",
    )
    assert spec == TerraformSpec(
        action="apply",
        dry_run=True,
        binary=folder / "bin/terraform",
        directory=folder / "infra",
        plan_file=folder / "old.tfplan",
        plan_sha256=HASH,
        backend={"bucket": "b", "use_lockfile": True},
        workspace=Workspace(name="dev", create=True),
        variables={"stage": "dev", "sizes": [1, 2]},
        variable_files=(folder / "dev.tfvars", folder / "dev.tfvars.json"),
        parallelism=3,
        lock_timeout=1,
        upgrade=True,
        plugin_mirror=folder / "infra",
        plugin_cache=folder / "cache",
        policy=PlanPolicy(max_destroy=0, protect=("aws_*",), refuse_replace=("a.b",)),
        expose=("url",),
        sensitive_outputs=("pw",),
        log_level="debug",
    )


def test_nothing_has_to_be_said(folder: Path) -> None:
    """The defaults: deploy, five minutes for the lock, all outputs, a lock file that may change."""
    spec = parse(folder)
    assert spec == TerraformSpec(
        action="deploy", binary=folder / "bin/terraform", directory=folder / "infra"
    )


def test_every_problem_at_once(folder: Path) -> None:
    """One bad field hides no other."""
    wrong = said(
        folder,
        action="plan",
        directory="nowhere",
        variable_files=("", "gone.tfvars"),
        workspace="a b",
        parallelism=0,
        policy=PolicySection(max_destroy=-1),
        variables={"1st": "x"},
        backend={"a b": "x"},
    )
    assert set(wrong) == {
        "terraform.directory",
        "terraform.plan_file",
        "terraform.variable_files[0]",
        "terraform.variable_files[1]",
        "terraform.workspace",
        "terraform.parallelism",
        "terraform.policy.max_destroy",
        "terraform.variables.1st",
        "terraform.backend.a b",
    }


def test_only_missing_files_are_another_exit_code(folder: Path) -> None:
    """66 where nothing else is wrong, 65 where something is."""
    with pytest.raises(FileMissing):
        parse(folder, variable_files=("gone.tfvars",))
    with pytest.raises(ManifestError) as caught:
        parse(folder, variable_files=("gone.tfvars",), parallelism=0)
    assert not isinstance(caught.value, FileMissing)


@pytest.mark.parametrize(
    ("binary", "hint"),
    [
        pytest.param("terraform", "looked in", id="on PATH"),
        pytest.param("tools/terraform", "correct the path", id="a path"),
        pytest.param("", "name the program", id="blank"),
    ],
)
def test_a_missing_program(folder: Path, binary: str, hint: str) -> None:
    """It is like a service that is not there (69), and the hint says where it was looked for."""
    with pytest.raises(ToolMissing) as caught:
        parse(folder, binary=binary, search_path=str(folder / "empty"))
    assert hint in (caught.value.hint or "")
    if binary == "terraform":
        assert str(folder / "empty") in (caught.value.hint or "")


def test_a_program_that_cannot_be_executed(folder: Path) -> None:
    """That is its own error (126)."""
    with pytest.raises(CommandNotExecutable):
        parse(folder, binary="./dev.tfvars")


def test_a_program_beside_the_manifest(folder: Path) -> None:
    """A path is relative to the manifest, and the name stays as it was written."""
    spec = parse(folder, binary="bin/terraform", search_path="")
    assert (spec.binary, spec.binary_name) == (folder / "bin/terraform", "bin/terraform")


def test_problems_are_told_before_the_program_is_missing(folder: Path) -> None:
    """Whoever has no Terraform here can still check a manifest."""
    assert said(folder, parallelism=0, search_path="") == {
        "terraform.parallelism": "must be at least 1"
    }


def test_a_late_variable_survives_a_first_parse(folder: Path) -> None:
    """Values wait for what the step's credentials fetch, and no placeholder becomes a secret."""
    spec = parse(
        folder,
        variables={"pw": LATE_TEXT, "list": [LATE_TEXT]},
        backend={"token": f"x{LATE_TEXT}"},
    )
    assert spec.variables["pw"] == LATE_TEXT
    assert spec.secrets == ()


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"directory": LATE_TEXT}, "directory", id="directory"),
        pytest.param({"binary": LATE_TEXT}, "binary", id="program"),
        pytest.param({"variable_files": (LATE_TEXT,)}, "variable_files[0]", id="variable file"),
        pytest.param({"workspace": LATE_TEXT}, "workspace", id="workspace"),
        pytest.param({"plugin_mirror": LATE_TEXT}, "plugin_mirror", id="mirror"),
        pytest.param(
            {"plan_file": LATE_TEXT + "/p", "action": "apply"}, "plan_file", id="plan file"
        ),
        pytest.param(
            {"plan_sha256": LATE_TEXT, "plan_file": "old.tfplan", "action": "apply"},
            "plan_sha256",
            id="hash",
        ),
    ],
)
def test_what_waits_for_a_late_variable_is_one_problem_at_its_place(
    folder: Path, fields: dict[str, object], place: str
) -> None:
    """It is dropped there until the value is known; anything beside it would not be."""
    assert set(said(folder, **fields)) == {f"terraform.{place}"}


def test_no_repr_shows_a_value(folder: Path) -> None:
    """Variables, backend and secrets stay out of tracebacks."""
    spec = parse(folder, variables={"a": "s3cr3t"}, backend={"token": "t0k3n"})
    assert "s3cr3t" not in repr(spec)
    assert "t0k3n" not in repr(spec)
