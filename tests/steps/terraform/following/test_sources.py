"""calamari's own files are called by what the manifest says, and no file of values is quoted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.steps.terraform.commands.files import private_files
from calamari_py.steps.terraform.following.sources import Sources, sources_of
from calamari_py.steps.terraform.values import Diagnostic
from tests.steps.terraform.fakes import tool_spec
from tests.steps.terraform.following.recordings import Shown

SECRET = "hunter2-hunter2"
PRIVATE = Path("/dev/shm/calamari-1/private")
ERROR = Diagnostic(
    severity="error",
    summary="Invalid value",
    detail="A number is required.",
    line=3,
    snippet=(f' "size": "{SECRET}",',),
    snippet_line=3,
    highlight=(9, 14),
    values=(f'var.size is "{SECRET}"',),
)
SOURCES = sources_of(
    tool_spec(
        Path("/srv/infra"),
        backend={"bucket": "b"},
        variables={"size": SECRET},
        variable_files=(Path("/srv/vars/dev.values"), Path("/srv/infra/dev.tfvars")),
    ),
    private_files(
        tool_spec(Path("/srv/infra"), backend={"bucket": "b"}, variables={"size": SECRET}),
        private=PRIVATE,
        temp=Path("/tmp/calamari-1"),
    ),
)


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        pytest.param("main.tf", "main.tf:3", id="relative"),
        pytest.param("../net/main.tf", "../net/main.tf:3", id="beside"),
        pytest.param("/srv/infra/net/main.tf", "net/main.tf:3", id="below"),
        pytest.param("/srv/other/main.tf", "/srv/other/main.tf:3", id="elsewhere"),
        pytest.param("/srv/vars/dev.values", "../vars/dev.values:3", id="variable-file"),
        pytest.param("/srv/infra/dev.tfvars", "dev.tfvars:3", id="variable-file-below"),
        pytest.param(f"{PRIVATE}/variables.tfvars.json", "terraform.variables", id="variables"),
        pytest.param(
            "../../dev/shm/calamari-1/private/backend.tfbackend.json",
            "terraform.backend",
            id="backend-as-seen-from-the-root-module",
        ),
        pytest.param(f"{PRIVATE}/apply.tfvars.json", "terraform.variables", id="of-an-apply"),
        pytest.param("", ":3", id="none"),
    ],
)
def test_files_are_named_as_people_know_them(file: str, shown: str) -> None:
    """From the root module, and by the manifest where they are gone when anybody looks."""
    assert SOURCES.seen(replace(ERROR, file=file)).place == shown


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(f"{PRIVATE}/variables.tfvars.json", id="variables"),
        pytest.param(f"{PRIVATE}/backend.tfbackend.json", id="backend"),
        pytest.param("../../dev/shm/calamari-1/private/variables.tfvars.json", id="relative"),
        pytest.param("../vars/dev.values", id="variable-file-of-any-name"),
        pytest.param("terraform.tfvars", id="loaded-by-itself"),
        pytest.param("x.auto.tfvars.json", id="json"),
        pytest.param("/elsewhere/backend.tfbackend.json", id="by-its-name-alone"),
    ],
)
def test_nothing_is_quoted_from_a_file_of_values(file: str) -> None:
    """Only the configuration says what of it is secret, and nobody has read that yet."""
    seen = SOURCES.seen(replace(ERROR, file=file))
    assert (seen.snippet, seen.snippet_line, seen.highlight, seen.values) == ((), None, None, ())
    assert SECRET not in repr((seen, seen.values))


def test_the_configuration_is_quoted() -> None:
    """It is what people have written to be read."""
    seen = SOURCES.seen(replace(ERROR, file="main.tf"))
    assert (seen.snippet, seen.values) == (ERROR.snippet, ERROR.values)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        pytest.param(
            f"Invalid value defined at {PRIVATE}/variables.tfvars.json:4,9-23.",
            "Invalid value defined at terraform.variables.",
            id="position",
        ),
        pytest.param(
            "See ../../dev/shm/calamari-1/private/backend.tfbackend.json.",
            "See terraform.backend.",
            id="relative",
        ),
        pytest.param("At /srv/vars/dev.values:4,9-23.", "At ../vars/dev.values:4,9-23.", id="file"),
        pytest.param(
            f'Failed to load "{PRIVATE}/plan.tfplan" as a plan file',
            'Failed to load "the plan" as a plan file',
            id="plan",
        ),
        pytest.param(
            'Running "terraform apply" again makes a fork.\n\nTo retry writing this state, use the '
            "following command:\n    terraform state push errored.tfstate\n",
            'Running "terraform apply" again makes a fork.\n',
            id="the-state-is-kept-elsewhere",
        ),
        pytest.param(
            "No such variable.\n\nTo silence these warnings, use TF_VAR_... environment variables "
            'to provide "global" settings.',
            "No such variable.",
            id="no-inherited-variables",
        ),
        pytest.param(f"x{PRIVATE}/plan.tfplan", f"x{PRIVATE}/plan.tfplan", id="another-path"),
    ],
)
def test_texts_name_files_in_the_same_way(said: str, shown: str) -> None:
    """And give no advice that does not work."""
    assert SOURCES.seen(Diagnostic(severity="error", summary="x", detail=said)).detail == shown


def test_without_a_folder_nothing_is_renamed() -> None:
    """But no file of values is quoted."""
    error = replace(ERROR, file="/srv/infra/main.tf")
    assert Sources().seen(error) == error
    assert Sources().seen(replace(ERROR, file="a.tfvars")).snippet == ()


def test_a_link_to_the_folder_is_the_folder(tmp_path: Path) -> None:
    """Terraform names files as seen from where it really is."""
    (tmp_path / "deep" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    private = tmp_path / "variables.tfvars.json"
    sources = Sources(tmp_path / "link", private={private: "terraform.variables"})
    for file in ("../variables.tfvars.json", "../../variables.tfvars.json"):
        assert sources.seen(replace(ERROR, file=file)).file == "terraform.variables"


def test_what_a_stream_and_its_text_say_is_seen_so() -> None:
    """Errors in JSON and those of a command that does not come to it."""
    shown = Shown(verb="plan", sources=SOURCES)
    place = {"filename": f"{PRIVATE}/variables.tfvars.json", "start": {"line": 3}}
    snippet = {"code": f' "size": "{SECRET}"', "start_line": 3}
    shown.message(
        "diagnostic",
        diagnostic={"severity": "error", "summary": "Bad", "range": place, "snippet": snippet},
    )
    (error,) = shown.follower.finish(say_all=True).errors
    assert error.place == "terraform.variables"
    assert SECRET not in shown.report.everything + repr(shown.report.events)
    texts = Shown(verb="plan", sources=SOURCES)
    for line in (b"Error: Bad", b"", f"  on {PRIVATE}/variables.tfvars.json line 3:".encode()):
        texts.follower.line("stderr", line)
    assert texts.follower.finish().errors[0].place == "terraform.variables"
