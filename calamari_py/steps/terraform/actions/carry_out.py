"""What comes before every action and after it: the tool made ready, and what a bad end leaves."""

from __future__ import annotations

from calamari_py.errors import CalamariError, Cancelled
from calamari_py.steps.base import StepContext, StepOutcome, StepReport
from calamari_py.steps.terraform.actions.apply import apply, take_in
from calamari_py.steps.terraform.actions.deploy import deploy, destroy
from calamari_py.steps.terraform.actions.drift import drift
from calamari_py.steps.terraform.actions.log_file import keep_log
from calamari_py.steps.terraform.actions.output import output
from calamari_py.steps.terraform.actions.plan import plan, plan_destroy
from calamari_py.steps.terraform.commands.files import PrivateFiles, write_private_files
from calamari_py.steps.terraform.reading.sensitive import hide_all, sensitive_values
from calamari_py.steps.terraform.running.ended import Stopped
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
    files = write_private_files(spec, private=context.private, temp=context.temp)
    context.report.fact("action", spec.action)
    try:
        return _ACTIONS[spec.action](_made_ready(spec, context, files))
    except Stopped as stopped:
        keep_log(files, context.report)
        return StepOutcome(code=stopped.exit.code, exit=stopped.exit)
    except (CalamariError, Cancelled):
        keep_log(files, context.report)
        raise


def _made_ready(spec: TerraformSpec, context: StepContext, files: PrivateFiles) -> Work:
    """The work, once all that is secret in the state of before is known."""
    if spec.action == "apply":
        take_in(spec, files.plan, context.report)
    tool = Terraform(spec, context, files)
    version = tool.version()
    _introduce(version, context)
    if spec.action in _CHANGING:
        check_leftover(spec, context)
    tool.init()
    tool.select_workspace()
    if spec.action != "output":
        _hide_prior(tool, context.report)
    return Work(spec=spec, context=context, tool=tool, version=version, files=files)


def _introduce(version: ToolVersion, context: StepContext) -> None:
    text = f"{version.product} {version.text}"
    context.report.fact("terraform", version.text)
    if _ENDPOINT in context.environment:
        text += "; its backend and providers ask one local endpoint for the step's credentials, "
        text += "which renews them"
    context.report.line(text)


def _hide_prior(tool: Terraform, report: StepReport) -> None:
    """A plan quotes the state: its secrets are known before one is made."""
    hide_all(report, sensitive_values(tool.show_state()))
