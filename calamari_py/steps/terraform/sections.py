"""The manifest's section ``terraform``, as it is written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from calamari_py.manifest.scalars import Duration
from calamari_py.manifest.shapes import About

Action = Literal["deploy", "plan", "apply", "destroy", "plan-destroy", "drift", "output"]
LogLevel = Literal["trace", "debug", "info", "warn", "error"]


class WorkspaceSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which workspace, and whether it may be made."""

    name: Annotated[str, About("The workspace's name.")]
    create: Annotated[bool, About("true makes the workspace where there is none.")] = False


class PolicySection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What no plan may do. It is held against the plan before anything is applied."""

    max_destroy: Annotated[
        int | None,
        About("How many resources may be destroyed or replaced at most. Default: any number."),
    ] = None
    protect: Annotated[
        tuple[str, ...],
        About('Addresses that are never destroyed or replaced, such as "aws_db_instance.*".'),
    ] = ()
    refuse_replace: Annotated[
        tuple[str, ...], About("Addresses that are never replaced, such as module.network.*.")
    ] = ()


class OutputsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the configuration's outputs become output variables."""

    expose: Annotated[
        tuple[str, ...] | None, About("The names of outputs to publish. Default: all of them.")
    ] = None
    sensitive: Annotated[
        tuple[str, ...], About("Outputs that are secrets though the configuration says nothing.")
    ] = ()


class TerraformSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``terraform``: a root module and what becomes of it."""

    directory: Annotated[str, About("The folder of the root module, relative to the manifest.")] = (
        "."
    )
    action: Annotated[Action, About("What is done; --action says it for one run.")] = "deploy"
    binary: Annotated[str, About("The program: terraform, tofu, or the path of one of them.")] = (
        "terraform"
    )
    plan_file: Annotated[
        str | None,
        About("Where plan and plan-destroy leave the plan, and apply finds it. It holds secrets."),
    ] = None
    plan_sha256: Annotated[
        str | None,
        About("The SHA-256 that the plan must have: PlanSha256 of the run that made it."),
    ] = None
    backend: Annotated[
        dict[str, Any], About("Backend configuration, such as {bucket: b, key: k, region: r}.")
    ] = {}
    workspace: Annotated[
        str | WorkspaceSection | None, About("The workspace: its name, or {name: …, create: true}.")
    ] = None
    variables: Annotated[
        dict[str, Any],
        About("Input variables by name, with any type. They are on no command line."),
    ] = {}
    variable_files: Annotated[
        tuple[str, ...], About("Paths of .tfvars and .tfvars.json files; later ones win.")
    ] = ()
    targets: Annotated[tuple[str, ...], About("Addresses to confine the plan to (-target).")] = ()
    replace: Annotated[
        tuple[str, ...], About("Addresses to replace though nothing changed (-replace).")
    ] = ()
    parallelism: Annotated[
        int | None, About("How many operations run at once. Default: Terraform's own, 10.")
    ] = None
    lock_timeout: Annotated[Duration, About("How long to wait for the state's lock.")] = 300
    refresh: Annotated[
        bool, About("false plans from the state as it is, without looking at what is there.")
    ] = True
    upgrade: Annotated[
        bool, About("true takes the newest providers and modules that are allowed (init -upgrade).")
    ] = False
    lockfile: Annotated[
        Literal["update", "readonly"],
        About("readonly fails where .terraform.lock.hcl would have to be changed."),
    ] = "update"
    plugin_mirror: Annotated[
        str | None, About("A folder with providers: no other place is asked for them.")
    ] = None
    plugin_cache: Annotated[
        str | None, About("A folder in which downloaded providers are kept for later runs.")
    ] = None
    policy: Annotated[
        PolicySection, About("What no plan may do; a plan that would is not applied.")
    ] = msgspec.field(default_factory=PolicySection)
    outputs: Annotated[OutputsSection, About("What becomes of the configuration's outputs.")] = (
        msgspec.field(default_factory=OutputsSection)
    )
    log_level: Annotated[
        LogLevel | None,
        About("Keeps Terraform's own log, masked, as an artifact of a run that failed."),
    ] = None
