"""Sensitive outputs of a stack: masked as soon as anybody has looked at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from calamari_py.errors import ManifestError
from calamari_py.steps.base import StepReport
from calamari_py.steps.cloudformation.service.places import name_of
from calamari_py.steps.cloudformation.spec import StackSpec
from calamari_py.steps.cloudformation.values import Stack


class HiddenOutputs:
    """Masks what ``outputs.sensitive`` lists of every stack that is looked at: the reason of an
    event may quote it long before it is published."""

    def __init__(self, spec: StackSpec, report: StepReport) -> None:
        self._name = name_of(spec.stack_name)
        self._spec = spec
        self._report = report

    def __call__(self, stack: Stack) -> None:
        """Of a stack as it is now; one of another name has outputs of its own."""
        if stack.name != self._name:
            return
        for name, value in sensitive_values(self._spec, stack):
            # One that is too short is told when it is published.
            with suppress(ManifestError):
                self._report.hide(value, name)


def sensitive_values(spec: StackSpec, stack: Stack) -> Iterator[tuple[str, str]]:
    """Names and values of what the section lists and the stack has."""
    for key in sorted(spec.sensitive_outputs & stack.outputs.keys()):
        yield f"stack output {key}", stack.outputs[key]
