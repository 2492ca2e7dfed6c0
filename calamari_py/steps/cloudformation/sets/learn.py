"""What only AWS knows of the template: asked before anything is said or done, for every action."""

from __future__ import annotations

from calamari_py.errors import CloudError
from calamari_py.steps.cloudformation.actions.learn import hide_secrets
from calamari_py.steps.cloudformation.following.contact import is_passing
from calamari_py.steps.cloudformation.following.polling import ask_patiently
from calamari_py.steps.cloudformation.parsing.described import check_against
from calamari_py.steps.cloudformation.sets.work import SetWork
from calamari_py.steps.cloudformation.spec import TemplateFacts


def learn(work: SetWork) -> TemplateFacts | None:
    """What the template says. Of one in S3 only AWS knows: what it hides is masked now, and a
    deployment's section is held against it. Raises ManifestError with all problems.

    An action that sends no template is never kept from its work by one that cannot be read.
    """
    template, is_deployment = work.spec.template, work.spec.action == "deploy"
    if template is None or template.facts is not None:
        return template.facts if template else None
    facts, why = None, None
    try:
        facts = ask_patiently(
            work, lambda: work.stacks.template_facts(template), f"template '{template.shown}'"
        )
    except CloudError as error:
        if is_deployment or is_passing(error):
            raise
        why = error.message
    hide_secrets(work, work.spec, facts, why)
    if is_deployment and facts is not None:
        check_against(work.spec, facts)
    return facts
