"""Files and folders: what is not there, and what must not be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from calamari_py.errors import FileMissing
from tests.steps.terraform.parsing.sections import parse, said


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param("nowhere", "'nowhere' does not exist", id="missing"),
        pytest.param("dev.tfvars", "'dev.tfvars' is a file, not a folder", id="a file"),
        pytest.param("empty", "'empty' holds no configuration (*.tf)", id="empty"),
        pytest.param("x" * 300, f"'{'x' * 200}' cannot be read: file name too long", id="too long"),
    ],
)
def test_a_directory_that_is_no_root_module(folder: Path, written: str, message: str) -> None:
    """A folder without a configuration would destroy all that it once described."""
    with pytest.raises(FileMissing):
        parse(folder, directory=written)
    assert said(folder, directory=written) == {"terraform.directory": message}


@pytest.mark.parametrize(
    ("name", "binary", "is_one"),
    [
        pytest.param("main.tf", "terraform", True, id="HCL"),
        pytest.param("main.tf.json", "terraform", True, id="JSON"),
        pytest.param("main.tofu", "terraform", False, id="OpenTofu's own, for Terraform"),
        pytest.param("main.tofu", "bin/tofu", True, id="OpenTofu's own"),
        pytest.param(".main.tf", "terraform", False, id="hidden"),
        pytest.param("main.tf~", "terraform", False, id="a backup"),
        pytest.param("dev.tfvars", "terraform", False, id="variables alone"),
    ],
)
def test_what_a_configuration_is(folder: Path, name: str, binary: str, is_one: bool) -> None:
    """Only files that the program itself reads."""
    (folder / "empty" / name).write_text("")
    (folder / "bin/tofu").symlink_to("terraform")
    if is_one:
        assert parse(folder, directory="empty", binary=binary).directory == folder / "empty"
    else:
        assert set(said(folder, directory="empty", binary=binary)) == {"terraform.directory"}


def test_a_directory_that_is_a_link(folder: Path) -> None:
    """It is the folder itself: modules beside it are found as Terraform finds them."""
    (folder / "link").symlink_to("infra")
    assert parse(folder, directory="link").directory == folder / "infra"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        pytest.param("", None, "is blank", id="blank"),
        pytest.param("  ", None, "is blank", id="spaces"),
        pytest.param("x.tfvars", None, "the file 'x.tfvars' does not exist", id="missing"),
        pytest.param("infra", None, "'infra' ends neither in .tfvars nor in .tfvars.json",
                     id="another name"),
        pytest.param("x.json", b"{}", "'x.json' ends neither in .tfvars nor in .tfvars.json",
                     id="JSON of another name"),
        pytest.param("x.tfvars.json", b"{", "'x.tfvars.json' is no valid JSON (line 1)",
                     id="broken"),
        pytest.param("x.tfvars.json", b"[1]", "'x.tfvars.json' holds no JSON object", id="a list"),
        pytest.param("x.tfvars.json", b"[" * 100_000, "'x.tfvars.json' is nested too deeply",
                     id="deep"),
        pytest.param("x.tfvars", b"", "'x.tfvars' is blank", id="empty"),
        pytest.param("x.tfvars", b"\xef\xbb\xbf \n\t\r\n", "'x.tfvars' is blank", id="white space"),
        pytest.param("x.tfvars.json", b"\n", "'x.tfvars.json' is blank", id="JSON, white space"),
        pytest.param("x.tfvars", b"\xff", "the file 'x.tfvars' is not valid UTF-8 (byte 0)",
                     id="no text"),
    ],
)  # fmt: skip
def test_a_variable_file_that_terraform_could_not_read(
    folder: Path, name: str, content: bytes | None, message: str
) -> None:
    """It is told before anything is started, with its place in the list."""
    if content is not None:
        (folder / name).write_bytes(content)
    wrong = said(folder, variable_files=("dev.tfvars", name))
    assert wrong == {"terraform.variable_files[1]": message}


def test_a_variable_file_with_comments_alone(folder: Path) -> None:
    """Somebody meant it to be there."""
    (folder / "x.tfvars").write_text("# none yet\n")
    assert parse(folder, variable_files=("x.tfvars",)).variable_files


def test_a_variable_file_that_is_a_folder_or_a_pipe(folder: Path) -> None:
    """Neither is read, and neither blocks."""
    (folder / "a.tfvars").mkdir()
    os.mkfifo(folder / "b.tfvars")
    wrong = said(folder, variable_files=("a.tfvars", "b.tfvars"))
    assert set(wrong) == {"terraform.variable_files[0]", "terraform.variable_files[1]"}


def test_a_variable_file_with_a_byte_order_mark(folder: Path) -> None:
    """Windows writes one before JSON."""
    (folder / "x.tfvars.json").write_bytes(b"\xef\xbb\xbf{}")
    assert parse(folder, variable_files=("x.tfvars.json",)).variable_files


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        pytest.param({"variable_files": ("dev.tfvars",)}, "variable_files[0]", id="variables"),
        pytest.param({"action": "plan", "plan_file": "p"}, "plan_file", id="a plan that is left"),
        pytest.param({"action": "apply", "plan_file": "p"}, "plan_file", id="a plan to apply"),
    ],
)
def test_the_launchers_own_files(folder: Path, fields: dict[str, object], place: str) -> None:
    """No step hands them on, and none writes over them."""
    wrong = said(folder, launchers=lambda path: path.parent == folder, **fields)
    assert "belongs to the launcher" in wrong[f"terraform.{place}"]


@pytest.mark.parametrize("action", ["plan", "plan-destroy", "apply"])
@pytest.mark.parametrize("written", [None, "", " "])
def test_a_plan_file_that_is_needed(folder: Path, action: str, written: str | None) -> None:
    """Where a plan is left or found has to be said."""
    wrong = said(folder, action=action, plan_file=written)
    does = "find" if action == "apply" else "leave"
    assert wrong == {
        "terraform.plan_file": f"is missing: action '{action}' has to {does} a plan there"
    }


@pytest.mark.parametrize(
    ("action", "written", "message"),
    [
        pytest.param("apply", "gone", "'gone' does not exist", id="not there"),
        pytest.param("apply", "infra", "'infra' is a folder", id="a folder to apply"),
        pytest.param("plan", "infra", "'infra' is a folder", id="a folder to write"),
        pytest.param("plan", "x/p", "the folder of 'x/p' does not exist", id="no folder"),
        pytest.param("plan", "link", "'link' is a link: a plan holds secrets and is left at no "
                     "other place", id="a link"),
        pytest.param("plan", "dev.tfvars", "'dev.tfvars' is named like a file that is no plan, and "
                     "would be replaced by one", id="something else"),
        pytest.param("apply", "pipe", "'pipe' is no regular file", id="a pipe"),
    ],
)  # fmt: skip
def test_a_plan_file_that_cannot_be_used(
    folder: Path, action: str, written: str, message: str
) -> None:
    """It is told before anything is planned."""
    (folder / "link").symlink_to("old.tfplan")
    os.mkfifo(folder / "pipe")
    assert said(folder, action=action, plan_file=written) == {"terraform.plan_file": message}


def test_a_plan_that_is_not_there_is_a_missing_file(folder: Path) -> None:
    """Exit code 66."""
    with pytest.raises(FileMissing):
        parse(folder, action="apply", plan_file="gone")


def test_an_older_plan_may_be_replaced(folder: Path) -> None:
    """A plan is made over and over."""
    assert parse(folder, action="plan", plan_file="old.tfplan").plan_file == folder / "old.tfplan"


@pytest.mark.parametrize("action", ["deploy", "destroy", "drift", "output"])
def test_a_plan_file_that_is_not_used(folder: Path, action: str) -> None:
    """One manifest serves several actions: that is nothing to warn of at every run."""
    spec = parse(folder, action=action, plan_file="nowhere/p.tfplan")
    assert spec.plan_file is None
    assert spec.warnings == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"plugin_mirror": "gone"}, "'gone' does not exist", id="no mirror"),
        pytest.param({"plugin_mirror": "dev.tfvars"}, "'dev.tfvars' is no folder", id="a file"),
        pytest.param({"plugin_mirror": ""}, "is blank", id="blank mirror"),
        pytest.param({"plugin_cache": "x/y"}, "the folder of 'x/y' does not exist", id="nowhere"),
        pytest.param({"plugin_cache": "dev.tfvars"}, "'dev.tfvars' is no folder", id="file cache"),
        pytest.param({"plugin_cache": ""}, "is blank", id="blank cache"),
    ],
)
def test_plugin_folders(folder: Path, fields: dict[str, str], message: str) -> None:
    """A mirror is there; a cache may be made, in a folder that is."""
    assert said(folder, **fields) == {f"terraform.{next(iter(fields))}": message}


def test_a_file_made_from_a_secret_is_not_named(folder: Path) -> None:
    """Messages show no value that was made from one."""
    wrong = said(folder, directory="s3cr3t", secret=("terraform.directory",))
    assert wrong == {"terraform.directory": "its value does not exist"}
