"""What a stack set has to be changed in. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from calamari_py.steps.cloudformation.sets.values import StackSet
from calamari_py.steps.cloudformation.spec import StackSetSpec, TemplateFacts

_HIDDEN = re.compile(r"\*+", re.ASCII)


def differences(
    spec: StackSetSpec, there: StackSet, facts: TemplateFacts | None
) -> tuple[str, ...]:
    """What differs, in words (``the template``); () when the set is what the manifest says. What
    cannot be compared counts as different, and says so: nothing is left out in silence."""
    return tuple(_differences(spec, there, facts))


def differing(wanted: Mapping[str, str], actual: Mapping[str, str]) -> tuple[str, ...]:
    """The parameters that differ; one that AWS shows as ``****`` (NoEcho) always does."""
    return tuple(key for key in sorted({*wanted, *actual}) if wanted.get(key) != actual.get(key))


def _differences(spec: StackSetSpec, there: StackSet, facts: TemplateFacts | None) -> Iterator[str]:
    yield from _template(spec, there)
    yield from _parameters(spec, there, facts)
    section = spec.section
    if frozenset(section.capabilities) != there.capabilities:
        yield "the capabilities"
    if section.tags and dict(section.tags) != dict(there.tags):
        yield "the tags"
    if section.description is not None and section.description != there.description:
        yield "the description"
    admin, execution = section.administration_role_arn, section.execution_role_name
    if admin is not None and admin != there.administration_role_arn:
        yield "the administration role"
    if execution is not None and execution != there.execution_role_name:
        yield "the execution role"
    auto = section.auto_deployment
    if auto is not None:
        wanted = (auto.enabled, auto.enabled and auto.retain_stacks)
        if wanted != (there.auto_deployment or (False, False)):
            yield "the automatic deployment"
    if section.managed_execution not in (None, there.managed_execution):
        yield "the managed execution"


def _template(spec: StackSetSpec, there: StackSet) -> Iterator[str]:
    template = spec.template
    if template is None:
        return
    if template.text is None:
        yield f"the template '{template.shown}' (only AWS reads it: it cannot be compared)"
    elif _lines(template.text) != _lines(there.template):
        yield "the template"


def _parameters(spec: StackSetSpec, there: StackSet, facts: TemplateFacts | None) -> Iterator[str]:
    wanted = {one.key: one.value for one in spec.parameters}
    declared = facts.parameters if facts else {}
    changed, hidden = [], []
    for key in sorted({*wanted, *there.parameters}):
        actual = there.parameters.get(key)
        default = declared[key].default if key in declared else None
        value = wanted.get(key, default)
        if key in wanted and value is None:
            value = actual
        if actual is not None and _is_hidden(actual):
            # A default cannot have become another one but by the template.
            if wanted.get(key) is not None:
                hidden.append(f"'{key}'")
        elif value != (default if actual is None else actual):
            changed.append(f"'{key}'")
    if changed:
        yield f"parameter{'' if len(changed) == 1 else 's'} {', '.join(changed)}"
    if hidden:
        names = ", ".join(hidden)
        yield f"parameter{'' if len(hidden) == 1 else 's'} {names} (hidden: cannot be compared)"


def _is_hidden(value: str) -> bool:
    return _HIDDEN.fullmatch(value) is not None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]
