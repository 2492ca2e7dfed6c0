"""The environment of Terraform: nothing of the caller's decides what is planned, and where."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.steps.base import KindEnvironment
from calamari_py.steps.terraform.commands.files import PrivateFiles
from calamari_py.steps.terraform.spec import TerraformSpec

_NAMES = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}

_SCRUBBED = (
    "TF_*",
    # What says where programs come from, and who may fetch them, is the machine's business.
    "!TF_TOKEN_*",
    "!TF_CLI_CONFIG_FILE",
    "!TF_PLUGIN_CACHE_DIR",
    "!TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE",
    "!TF_REGISTRY_*",
    "!TF_PROVIDER_DOWNLOAD_RETRY",
    "!TF_APPEND_USER_AGENT",
)
"""OpenTofu reads the same names."""

_OWNED = {
    "TF_CLI_ARGS*": "remove it; what it would say has a key of its own, such as 'targets'",
    "TF_WORKSPACE": "write the workspace under terraform.workspace",
    "TF_DATA_DIR": "remove it; each run has a data folder of its own",
    "TF_INPUT": "remove it; nobody is asked anything",
    "TF_IN_AUTOMATION": "remove it; it is set",
    "TF_LOG*": "write terraform.log_level: the log may hold secrets, and is kept masked",
    "TF_PLUGIN_CACHE_DIR": "write terraform.plugin_cache: two runs at once do not break it then",
}
_MIRROR_OWNS = {
    "TF_CLI_CONFIG_FILE": "remove it, or terraform.plugin_mirror: that writes a file of its own",
}


def kind_environment(spec: TerraformSpec) -> KindEnvironment:
    """What is set for Terraform, what of the caller's it does not get, and what the manifest's
    ``env`` may not set; ``TF_VAR_x`` there is the author's own word. Pure.

    Source: developer.hashicorp.com/terraform/cli/config/environment-variables.
    """
    owned = _OWNED | (_MIRROR_OWNS if spec.plugin_mirror else {})
    return KindEnvironment(names=_NAMES, scrub=_SCRUBBED, owned=owned)


def with_files(
    environment: Mapping[str, str], spec: TerraformSpec, files: PrivateFiles
) -> dict[str, str]:
    """`environment`, and the names that say where files are. Pure."""
    names = {"TF_DATA_DIR": str(files.data)}
    if files.cli_config is not None:
        names["TF_CLI_CONFIG_FILE"] = str(files.cli_config)
    if spec.plugin_cache is not None:
        names["TF_PLUGIN_CACHE_DIR"] = str(spec.plugin_cache)
    if spec.log_level is not None and files.log is not None:
        names |= {"TF_LOG": spec.log_level.upper(), "TF_LOG_PATH": str(files.log)}
    return {**environment, **names}
