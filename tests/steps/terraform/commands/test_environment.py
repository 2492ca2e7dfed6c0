"""The environment of Terraform: the caller decides nothing, the author what is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calamari_py.environment import EnvironmentSpec, build_child_environment, owned_by_kind
from calamari_py.steps.terraform.commands.environment import kind_environment, with_files
from calamari_py.steps.terraform.commands.files import private_files
from tests.steps.terraform.commands.test_argv import spec_of


def child(inherited: Mapping[str, str], overlay: Mapping[str, str] | None = None) -> dict[str, str]:
    """What Terraform would get."""
    kind = kind_environment(spec_of())
    built = build_child_environment(
        EnvironmentSpec(
            inherited=inherited,
            kind_names=kind.names,
            scrub=kind.scrub,
            overlay=overlay or {},
        )
    )
    return dict(built.values)


@pytest.mark.parametrize(
    "name",
    [
        "TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_CLI_ARGS_apply", "TF_WORKSPACE", "TF_DATA_DIR",
        "TF_VAR_stage", "TF_VAR_Größe", "TF_LOG", "TF_LOG_PATH", "TF_LOG_CORE", "TF_LOG_PROVIDER",
        "TF_REATTACH_PROVIDERS", "TF_ENCRYPTION", "TF_FORCE_LOCAL_BACKEND",
        "TF_CLOUD_ORGANIZATION", "TF_AWS_DEFAULT_TAGS_Owner", "TF_STATE_PERSIST_INTERVAL",
        "TF_SOMETHING_NEW", "AWS_PROFILE",
    ],
)  # fmt: skip
def test_what_the_caller_must_not_decide(name: str) -> None:
    """A plan does not become a destroy plan because of where it is made."""
    assert name not in child({name: "-destroy"})


@pytest.mark.parametrize(
    "name",
    [
        "TF_TOKEN_app_terraform_io", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR",
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE", "TF_REGISTRY_CLIENT_TIMEOUT",
        "TF_REGISTRY_DISCOVERY_RETRY", "TF_PROVIDER_DOWNLOAD_RETRY", "TF_APPEND_USER_AGENT",
        "HOME", "tf_cli_args_plan", "TFENV_VERSION", "HTTPS_PROXY",
    ],
)  # fmt: skip
def test_what_belongs_to_the_machine(name: str) -> None:
    """Where programs come from is decided there; Terraform reads no name in lower case."""
    assert child({name: "x"})[name] == "x"


def test_what_is_set() -> None:
    """Nobody is asked anything, and no one else is told of the run, whatever the caller has."""
    inherited = {"TF_INPUT": "1", "TF_IN_AUTOMATION": "", "CHECKPOINT_DISABLE": ""}
    assert child(inherited) == {
        "TF_INPUT": "0",
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.mark.parametrize("name", ["TF_VAR_stage", "TF_ENCRYPTION", "TF_REATTACH_PROVIDERS"])
def test_what_the_author_says(name: str) -> None:
    """``env`` of the manifest is the author's own word, and replaces the caller's."""
    assert child({name: "theirs"}, {name: "mine"})[name] == "mine"
    assert not _owners(name)


@pytest.mark.parametrize(
    "name",
    ["TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_WORKSPACE", "TF_DATA_DIR", "TF_INPUT",
     "TF_IN_AUTOMATION", "TF_LOG", "TF_LOG_PATH", "TF_PLUGIN_CACHE_DIR"],
)  # fmt: skip
def test_what_the_author_says_elsewhere(name: str) -> None:
    """Each has one advice that says where."""
    assert len(_owners(name)) == 1


def test_a_mirror_has_a_configuration_of_its_own() -> None:
    """With it the author's own file would not count; without it, it does."""
    assert not _owners("TF_CLI_CONFIG_FILE")
    assert _owners("TF_CLI_CONFIG_FILE", plugin_mirror=Path("/m"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({}, {"TF_DATA_DIR": "/t/data"}, id="nothing said"),
        pytest.param(
            {"plugin_mirror": Path("/m")},
            {"TF_DATA_DIR": "/t/data", "TF_CLI_CONFIG_FILE": "/p/cli-config.tfrc"},
            id="mirror",
        ),
        pytest.param(
            {"plugin_cache": Path("/c")},
            {"TF_DATA_DIR": "/t/data", "TF_PLUGIN_CACHE_DIR": "/c"},
            id="cache",
        ),
        pytest.param(
            {"log_level": "debug"},
            {"TF_DATA_DIR": "/t/data", "TF_LOG": "DEBUG", "TF_LOG_PATH": "/t/terraform.log"},
            id="log",
        ),
    ],
)
def test_where_files_are(fields: dict[str, Any], expected: dict[str, str]) -> None:
    """Named last: they win over what was inherited."""
    spec = spec_of(**fields)
    files = private_files(spec, private=Path("/p"), temp=Path("/t"))
    before = {"HOME": "/h", "TF_CLI_CONFIG_FILE": "/company.tfrc", "TF_PLUGIN_CACHE_DIR": "/old"}
    assert with_files(before, spec, files) == {**before, **expected}
    assert "TF_DATA_DIR" not in before


def _owners(name: str, **fields: Any) -> dict[str, str]:
    return owned_by_kind([name], kind_environment(spec_of(**fields)).owned)
