"""What is secret is masked before a word of it is said: at the start, and after each change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import StepContext
from calamari_py.steps.terraform.reading.plan import read_plan
from calamari_py.steps.terraform.reading.sensitive import hide_all, sensitive_values
from calamari_py.steps.terraform.running.declared import Declared, given_secrets
from calamari_py.steps.terraform.running.tool import Terraform
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.state.errored import hide_leftover
from calamari_py.steps.terraform.values import Plan
from calamari_py.steps.terraform.work import Work

_TOKENS = "TF_TOKEN_"


def hide_what_is_given(spec: TerraformSpec, declared: Declared, context: StepContext) -> None:
    """The values of sensitive variables, and what registries are asked with."""
    names = context.environment.items()
    hide_all(context.report, ((name, text) for name, text in names if name.startswith(_TOKENS)))
    hide_all(context.report, given_secrets(declared, spec, context.environment))


def hide_state(tool: Terraform, context: StepContext) -> None:
    """What the state of before holds: a plan quotes it."""
    hide_all(context.report, sensitive_values(tool.show_state()))


def hide_state_after(work: Work, ended: ProcessExit | None) -> None:
    """What the state holds now that was made meanwhile. After a bad end it is a look that fails
    nothing. Raises ToolFailed and Stopped after a good one."""
    if ended is not None and ended.code == 0 and ended.stopped is None:
        hide_state(work.tool, work.context)
        return
    hide_leftover(work)
    hide_all(work.report, sensitive_values(work.tool.last_shown()))


def read_hidden(work: Work, path: Path) -> Plan:
    """The plan in `path`; whatever is sensitive in it is masked from now on."""
    document = work.tool.show_plan(path)
    hide_all(work.report, sensitive_values(document))
    plan = read_plan(document)
    # Older versions do not say themselves that targets are not all.
    return replace(plan, is_complete=plan.is_complete and not work.spec.targets)


def hide_failed_plan(work: Work, path: Path) -> None:
    """Terraform leaves one that failed, too: with the values of all variables."""
    if path.exists():
        hide_all(work.report, sensitive_values(work.tool.last_shown(path)))
