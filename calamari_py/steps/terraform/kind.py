"""Step kind ``terraform``: a root module, by Terraform or OpenTofu itself, as the step's role.

Known at every start, so nothing of what it does is loaded before it is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepKind,
    StepOutcome,
)
from calamari_py.steps.terraform.sections import Action, TerraformSection

if TYPE_CHECKING:
    from calamari_py.steps.terraform.spec import TerraformSpec


class TerraformKind(StepKind):
    """One root module: planned, applied, destroyed or looked at. See `StepKind`."""

    name = "terraform"
    section: Any = TerraformSection
    default_delivery = "endpoint"
    default_grace = 300.0
    reads_output = True
    actions: tuple[str, ...] = get_args(Action)
    rehearses = True
    knows_changes = True
    argument_fields: tuple[str, ...] = ("directory", "binary", "workspace", "variable_files",
                                        "targets", "replace")  # fmt: skip

    def parse(self, section: TerraformSection, context: ParseContext) -> TerraformSpec:
        from calamari_py.steps.terraform.parsing.parse import parse_terraform

        return parse_terraform(section, context)

    def secrets(self, spec: TerraformSpec) -> Iterable[tuple[str, str]]:
        return spec.secrets

    def roles(self, spec: TerraformSpec) -> Iterable[tuple[str, str]]:
        from calamari_py.steps.terraform.parsing.backend import roles_of

        return roles_of(spec)

    def warnings(self, spec: TerraformSpec) -> Iterable[str]:
        return spec.warnings

    def octopus_name(self, name: str) -> str | None:
        if name.startswith("Outputs."):
            return f"TerraformValueOutputs[{name.removeprefix('Outputs.')}]"
        return None

    def environment(self, spec: TerraformSpec) -> KindEnvironment:
        from calamari_py.steps.terraform.commands.environment import kind_environment

        return kind_environment(spec)

    def preview(self, spec: TerraformSpec) -> tuple[PlannedCommand, ...]:
        from calamari_py.steps.terraform.commands.preview import preview

        return preview(spec)

    def execute(self, spec: TerraformSpec, context: StepContext) -> StepOutcome:
        from calamari_py.steps.terraform.actions.carry_out import carry_out

        return carry_out(spec, context)
