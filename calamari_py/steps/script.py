"""Step kind ``script``: a text or a file, run by bash, sh, python, pwsh or any argv."""

from __future__ import annotations

from typing import Annotated, Any

from calamari_py.manifest.scalars import Duration
from calamari_py.manifest.shapes import About
from calamari_py.steps._script import (
    ScriptSection,
    ScriptSpec,
    parse_script,
    planned_command,
    run_script,
    script_environment,
)
from calamari_py.steps.base import (
    KindEnvironment,
    ParseContext,
    PlannedCommand,
    StepContext,
    StepKind,
    StepOutcome,
)


class FinallySection(ScriptSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``finally``: a script that runs after the step, however that ended."""

    timeout: Annotated[Duration | None, About("When it is ended.")] = None


class ScriptKind(StepKind):
    """See `calamari_py.steps.base.StepKind`."""

    name = "script"
    section: Any = str | ScriptSection
    default_delivery = "env"
    argument_fields: tuple[str, ...] = ("file", "shell", "args")

    def parse(self, section: str | ScriptSection, context: ParseContext) -> ScriptSpec:
        """A spec whose file was read and whose interpreter was found."""
        return parse_script(section, context)

    def environment(self, spec: ScriptSpec) -> KindEnvironment:  # noqa: ARG002
        """See `script_environment`."""
        return script_environment()

    def preview(self, spec: ScriptSpec) -> tuple[PlannedCommand, ...]:
        """The one command."""
        return (planned_command(spec),)

    def execute(self, spec: ScriptSpec, context: StepContext) -> StepOutcome:
        """See `run_script`."""
        return run_script(spec, context)
