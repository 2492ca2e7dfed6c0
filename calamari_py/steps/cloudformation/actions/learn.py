"""What only AWS knows of a template: asked before anything is said or done, for every action."""

from __future__ import annotations

from calamari_py.errors import CloudError
from calamari_py.steps.cloudformation.following.contact import is_passing
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.parsing.described import (
    check_against,
    possible_secrets,
    secrets_of,
)
from calamari_py.steps.cloudformation.service import refused
from calamari_py.steps.cloudformation.spec import StackSetSpec, StackSpec, TemplateFacts
from calamari_py.steps.cloudformation.work import Waiting, Work

LONG_ENOUGH = 8
"""Characters of a value that is masked though nobody knows whether it is a secret."""
_PERMISSION = "cloudformation:GetTemplateSummary"


def learn(work: Work) -> None:
    """Mask what the template hides, and hold the section against a template that is no file.

    Raises ManifestError with all problems. An action that makes no change set is never kept from
    its work by what a template says, or by one that cannot be read.
    """
    spec = work.spec
    template = spec.template
    if template is not None and template.facts is not None:
        return
    elsewhere = spec.describes if template is None else template.url is not None
    if not elsewhere and not spec.parameters:
        return
    why = None
    try:
        facts = _facts(work)
    except CloudError as error:
        if _is_missing(error, spec.stack_name):
            # What that means is the action's to say.
            return
        if spec.describes or is_passing(error):
            raise
        facts, why = None, error.message
    hide_secrets(work, spec, facts, why)
    if spec.describes and facts is not None:
        check_against(spec, facts)


def hide_secrets(
    work: Waiting,
    spec: StackSpec | StackSetSpec,
    facts: TemplateFacts | None,
    why: str | None = None,
) -> None:
    """Mask the values of NoEcho parameters; where nobody knows which those are (`facts` None) those
    of all parameters, as far as they are long enough not to hide everything else. `why` is what AWS
    said, where it was no denial."""
    found = possible_secrets(spec) if facts is None else secrets_of(spec, facts)
    hidden = False
    for name, value in found:
        if facts is None and len(value) < LONG_ENOUGH:
            continue
        work.report.hide(value, name)
        hidden = True
    if facts is None and hidden:
        work.report.warn(
            "nobody could be asked which parameters the template hides (NoEcho): of all of them "
            f"the values are masked that have {LONG_ENOUGH} characters or more",
            hint=why or f"allow '{_PERMISSION}' in a policy of the step's role",
        )


def _facts(work: Work) -> TemplateFacts | None:
    """Of the template that the manifest names, or of the one that the stack has."""
    template, name = work.spec.template, work.spec.stack_name
    if template is not None and template.url is not None:
        shown = f"template '{template.shown}'"
        return ask_patiently(work, lambda: work.api.template_facts(template), shown)
    shown = f"the template of stack '{name}'"
    return ask_patiently(work, lambda: work.api.stack_facts(name), shown)


def _is_missing(error: CloudError, stack: str) -> bool:
    return refused.is_missing_stack(error, stack) or refused.is_missing_stack_of(error, stack)
