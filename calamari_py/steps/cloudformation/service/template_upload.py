"""Templates that are too large to go along with a request."""

from __future__ import annotations

from calamari_py.steps.cloudformation.service.api import StackApi
from calamari_py.steps.cloudformation.service.places import template_key
from calamari_py.steps.cloudformation.spec import INLINE_LIMIT, Template


def uploaded(
    api: StackApi, template: Template | None, *, bucket: str | None, prefix: str
) -> str | None:
    """Where CloudFormation finds the template, put there first if it is too large; None when it
    goes along with the request."""
    if template is None:
        return None
    if template.url is not None:
        return api.template_url(template.url)
    if template.text is None or (template.size or 0) <= INLINE_LIMIT or bucket is None:
        return None
    return api.store_template(bucket, template_key(prefix, template.text), template.text)
