"""Every command line, by action and option."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.commands.files import PrivateFiles, private_files
from calamari_py.steps.terraform.spec import TerraformSpec, Workspace

SECRET = "s3cr3t-value"


def spec_of(**fields: Any) -> TerraformSpec:
    """A spec of ``/opt/terraform`` in ``/infra``."""
    given = {"action": "deploy", "binary": Path("/opt/terraform"), "directory": Path("/infra")}
    return TerraformSpec(**{**given, **fields})


def files_of(spec: TerraformSpec) -> PrivateFiles:
    """Its private files, in ``/p`` and ``/t``."""
    return private_files(spec, private=Path("/p"), temp=Path("/t"))


def words(line: tuple[str, ...]) -> str:
    """The arguments; the program is always the same."""
    assert line[0] == "/opt/terraform"
    return " ".join(line[1:])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, "init -input=false -no-color", id="nothing said"),
        pytest.param(
            {"backend": {"bucket": "b"}},
            "init -input=false -no-color -backend-config=/p/backend.tfbackend.json",
            id="backend",
        ),
        pytest.param({"upgrade": True}, "init -input=false -no-color -upgrade", id="upgrade"),
        pytest.param(
            {"lockfile_readonly": True},
            "init -input=false -no-color -lockfile=readonly",
            id="lock file",
        ),
    ],
)
def test_init(fields: dict[str, Any], expected: str) -> None:
    """It never reconfigures and never migrates."""
    spec = spec_of(**fields)
    assert words(argv.init(spec, files_of(spec))) == expected


_PLAN = "plan -json -input=false -detailed-exitcode -lock-timeout=300s -out=/p/plan"


@pytest.mark.parametrize(
    ("fields", "mode", "expected"),
    [
        pytest.param({}, {}, "", id="nothing said"),
        pytest.param({}, {"destroy": True}, "-destroy", id="destroy"),
        pytest.param({}, {"refresh_only": True}, "-refresh-only", id="drift"),
        pytest.param({"refresh": False}, {}, "-refresh=false", id="no refresh"),
        pytest.param({"refresh": False}, {"destroy": True}, "-destroy -refresh=false",
                     id="no refresh, destroy"),
        pytest.param({"refresh": False}, {"refresh_only": True}, "-refresh-only",
                     id="drift looks in any case"),
        pytest.param({"parallelism": 3}, {}, "-parallelism=3", id="parallelism"),
        pytest.param({"variable_files": (Path("/a b.tfvars"), Path("/c.tfvars.json"))}, {},
                     "-var-file=/a b.tfvars -var-file=/c.tfvars.json", id="files"),
        pytest.param({"variables": {"x": SECRET}, "variable_files": (Path("/a.tfvars"),)}, {},
                     "-var-file=/a.tfvars -var-file=/p/variables.tfvars.json",
                     id="the manifest's own variables win"),
        pytest.param({"targets": ("a.b", 'm["k"].c')}, {}, '-target=a.b -target=m["k"].c',
                     id="targets"),
        pytest.param({"targets": ("a.b",)}, {"refresh_only": True}, "-refresh-only -target=a.b",
                     id="targets of a drift"),
        pytest.param({"replace": ("a.b[0]",)}, {}, "-replace=a.b[0]", id="replace"),
        pytest.param({"replace": ("a.b",)}, {"destroy": True}, "-destroy",
                     id="nothing to replace in a destroy"),
        pytest.param({"replace": ("a.b",)}, {"refresh_only": True}, "-refresh-only",
                     id="nothing to replace in a drift"),
        pytest.param({"targets": ("-destroy",)}, {}, "-target=-destroy", id="no flag"),
    ],
)  # fmt: skip
def test_plan(fields: dict[str, Any], mode: dict[str, Any], expected: str) -> None:
    """All that says how a plan is made, and nothing that Terraform refuses in that mode."""
    spec = spec_of(**fields)
    line = argv.plan(spec, files_of(spec), out=Path("/p/plan"), **mode)
    assert words(line) == f"{_PLAN} {expected}".strip()


@pytest.mark.parametrize(
    ("variable_files", "expected"),
    [
        pytest.param(
            (Path("/a.tfvars"), Path("/p/apply.tfvars.json")),
            "apply -json -input=false -lock-timeout=0s -parallelism=2 -var-file=/a.tfvars "
            "-var-file=/p/apply.tfvars.json /p/plan",
            id="repeated",
        ),
        pytest.param(
            (),
            "apply -json -input=false -lock-timeout=0s -parallelism=2 /p/plan",
            id="not repeated",
        ),
    ],
)
def test_apply(variable_files: tuple[Path, ...], expected: str) -> None:
    """A plan file and nothing that was decided with it; variables that no plan holds."""
    spec = spec_of(
        lock_timeout=0,
        parallelism=2,
        refresh=False,
        targets=("a.b",),
        replace=("a.b",),
        variables={"x": SECRET},
        variable_files=(Path("/a.tfvars"),),
    )
    line = argv.apply(spec, Path("/p/plan"), variable_files=variable_files)
    assert words(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(argv.version(spec_of()), "version -json", id="version"),
        pytest.param(argv.workspace_list(spec_of()), "workspace list -no-color", id="list"),
        pytest.param(
            argv.workspace_select(spec_of(workspace=Workspace(name="dev"))),
            "workspace select -no-color dev",
            id="select",
        ),
        pytest.param(
            argv.workspace_new(spec_of(workspace=Workspace(name="dev"))),
            "workspace new -no-color -lock-timeout=300s dev",
            id="new",
        ),
        pytest.param(
            argv.show_plan(spec_of(), Path("/p/plan")), "show -json -no-color /p/plan", id="plan"
        ),
        pytest.param(argv.show_state(spec_of()), "show -json -no-color", id="state"),
        pytest.param(argv.outputs(spec_of()), "output -json -no-color", id="outputs"),
        pytest.param(
            argv.probe_lock(spec_of()),
            "untaint -allow-missing -lock-timeout=0s -no-color terraform_data.calamari_lock_probe",
            id="probe",
        ),
    ],
)
def test_the_others(line: tuple[str, ...], expected: str) -> None:
    """None asks anybody, none colours."""
    assert words(line) == expected


def test_no_value_is_an_argument() -> None:
    """Variables and backend go by files, whatever is run."""
    spec = spec_of(
        variables={"x": SECRET},
        backend={"token": SECRET},
        secrets=(("backend.token", SECRET),),
        workspace=Workspace(name="dev"),
    )
    files = files_of(spec)
    lines = [
        argv.init(spec, files),
        argv.plan(spec, files, out=files.plan),
        argv.apply(spec, files.plan, variable_files=(Path("/p/apply.tfvars.json"),)),
        argv.workspace_new(spec),
        argv.show_plan(spec, files.plan),
        argv.probe_lock(spec),
    ]
    assert SECRET not in repr(lines)
