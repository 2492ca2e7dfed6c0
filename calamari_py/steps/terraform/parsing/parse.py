"""A section becomes a spec, or every problem that can be told before anything is started."""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

from calamari_py.errors import CommandNotFound, ToolMissing
from calamari_py.process import resolve_tool
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.terraform.parsing.backend import check_backend, secrets_of
from calamari_py.steps.terraform.parsing.paths import (
    read_directory,
    read_plan_file,
    read_plugin_folder,
    read_variable_files,
)
from calamari_py.steps.terraform.parsing.settings import (
    check_addresses,
    check_fitting,
    check_numbers,
    check_outputs,
    read_sha256,
    read_workspace,
)
from calamari_py.steps.terraform.parsing.variables import check_variables
from calamari_py.steps.terraform.sections import Action, TerraformSection
from calamari_py.steps.terraform.spec import PlanPolicy, TerraformSpec
from calamari_py.templates import LATE_TEXT


def parse_terraform(section: TerraformSection, context: ParseContext) -> TerraformSpec:
    """The root module of a section and what becomes of it.

    Raises ManifestError with all problems, FileMissing when nothing else is wrong than that files
    are missing, and then ToolMissing or CommandNotExecutable for the program.
    """
    action = cast("Action", context.wishes.action or section.action)
    checks = Checks(context)
    directory = read_directory(section.directory, section.binary, checks, context)
    plan_file = read_plan_file(section.plan_file, action, checks, context)
    variable_files = read_variable_files(section.variable_files, checks, context)
    mirror = read_plugin_folder("plugin_mirror", section.plugin_mirror, checks, context, made=False)
    cache = read_plugin_folder("plugin_cache", section.plugin_cache, checks, context, made=True)
    if LATE_TEXT in section.binary:
        checks.refuse("binary", "must be known before there are credentials")
    sha256 = read_sha256(section.plan_sha256, action, checks)
    workspace = read_workspace(section.workspace, checks)
    check_variables(section.variables, checks)
    check_backend(section.backend, checks)
    check_addresses(section, checks)
    check_numbers(section, checks)
    check_outputs(section.outputs, checks)
    check_fitting(section, action, checks)
    checks.found.raise_if_any()
    return TerraformSpec(
        action=action,
        dry_run=context.wishes.dry_run,
        binary=_binary(section.binary, context),
        binary_name=section.binary,
        directory=directory,
        plan_file=plan_file,
        plan_sha256=sha256,
        backend=section.backend,
        workspace=workspace,
        variables=section.variables,
        variable_files=variable_files,
        targets=section.targets,
        replace=section.replace,
        parallelism=section.parallelism,
        lock_timeout=math.ceil(section.lock_timeout),
        refresh=section.refresh,
        upgrade=section.upgrade,
        lockfile_readonly=section.lockfile == "readonly",
        plugin_mirror=mirror,
        plugin_cache=cache,
        policy=PlanPolicy(
            max_destroy=section.policy.max_destroy,
            protect=section.policy.protect,
            refuse_replace=section.policy.refuse_replace,
        ),
        expose=section.outputs.expose,
        sensitive_outputs=section.outputs.sensitive,
        log_level=section.log_level,
        warnings=tuple(checks.warnings),
        secrets=tuple(secrets_of(section.backend, checks)),
    )


def _binary(name: str, context: ParseContext) -> Path:
    """Its absolute path. A step that has no program is like one whose service is not there."""
    try:
        return resolve_tool(name, context.search_path, folder=context.folder)
    except CommandNotFound as error:
        message = f"the program '{name}' was not found" if name else "terraform.binary is blank"
        raise ToolMissing(message, hint=error.hint) from None
