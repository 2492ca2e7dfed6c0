"""What comes before every action and after it: the tool made ready, and what a bad end leaves."""

from __future__ import annotations

from calamari_py.errors import CalamariError, Cancelled
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepContext, StepOutcome
from calamari_py.steps.terraform.actions.apply import apply, take_in
from calamari_py.steps.terraform.actions.deploy import deploy, destroy
from calamari_py.steps.terraform.actions.drift import drift
from calamari_py.steps.terraform.actions.hiding import hide_state, hide_what_is_given
from calamari_py.steps.terraform.actions.log_file import keep_log
from calamari_py.steps.terraform.actions.output import output
from calamari_py.steps.terraform.actions.plan import plan, plan_destroy
from calamari_py.steps.terraform.commands.files import PrivateFiles, write_private_files
from calamari_py.steps.terraform.running.backend import works_as_step
from calamari_py.steps.terraform.running.declared import Declared, declared_in
from calamari_py.steps.terraform.running.tool import Terraform
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.state.errored import check_leftover
from calamari_py.steps.terraform.values import ToolVersion
from calamari_py.steps.terraform.work import Work

_ACTIONS = {
    "deploy": deploy,
    "plan": plan,
    "apply": apply,
    "destroy": destroy,
    "plan-destroy": plan_destroy,
    "drift": drift,
    "output": output,
}
_CHANGING = ("deploy", "apply", "destroy")
_ENDPOINT = "AWS_CONTAINER_CREDENTIALS_FULL_URI"


def carry_out(spec: TerraformSpec, context: StepContext) -> StepOutcome:
    """Carry out the action of `spec`. A command that calamari ended itself is an outcome; whatever
    else goes wrong is raised. Terraform's own log is kept where it ended badly."""
    context.report.changed(False)
    declared = declared_in(spec.directory)
    hide_what_is_given(spec, declared, context)
    files = write_private_files(spec, private=context.private, temp=context.temp)
    context.report.fact("action", spec.action)
    try:
        work = _made_ready(spec, context, files, declared)
        return _ACTIONS[spec.action](work)
    except Stopped as stopped:
        keep_log(files, context.report)
        return StepOutcome(code=stopped.exit.code, exit=stopped.exit)
    except (CalamariError, Cancelled):
        keep_log(files, context.report)
        raise


def _made_ready(
    spec: TerraformSpec, context: StepContext, files: PrivateFiles, declared: Declared
) -> Work:
    """The work, once all that is secret in the state of before is known."""
    taken = take_in(spec, files.plan, context.report) if spec.action == "apply" else ""
    tool = Terraform(spec, context, files)
    version = tool.version()
    context.report.fact("terraform", version.text)
    check_leftover(spec, context, refuses=spec.action in _CHANGING)
    tool.init()
    _introduce(version, spec, context, files)
    tool.select_workspace()
    hide_state(tool, context)
    return Work(
        spec=spec,
        context=context,
        tool=tool,
        files=files,
        ephemeral=declared.ephemeral,
        taken=taken,
    )


def _introduce(
    version: ToolVersion, spec: TerraformSpec, context: StepContext, files: PrivateFiles
) -> None:
    text = f"{version.product} {version.text}"
    if _ENDPOINT in context.environment and works_as_step(spec, files.data):
        text += ", with the step's renewed credentials (endpoint)"
    context.report.line(text)
