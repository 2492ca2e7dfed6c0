"""What others may see of a section: no text of it may be made from a secret, but for values of
parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from calamari_py.steps.cloudformation.parsing.guards import Checks
from calamari_py.steps.cloudformation.sections import CloudFormationSection, StackSetSection

_ANYWHERE = "in the console and in CloudTrail"
_SHOWN = {"tags": "to everybody who may see the resources"}
"""Where a field is seen, by its name."""
_PRIVATE = re.compile(r"(instances\[\d+\]\.)?(parameters|account_parameters|outputs)\b")


def check_public(checks: Checks, section: CloudFormationSection | StackSetSection) -> None:
    """Refuse every text that was made from a secret and would be seen in clear."""
    fields: dict[str, Any] = msgspec.to_builtins(section)
    if "://" not in (section.template or ""):
        # The path of a file goes nowhere.
        del fields["template"]
    for name, value in fields.items():
        for field in _texts(name, value):
            if not _PRIVATE.match(field):
                checks.public(field, _SHOWN.get(name, _ANYWHERE))


def _texts(field: str, value: Any) -> Iterator[str]:
    """The places of all texts below `field`, as the manifest's are named."""
    if isinstance(value, str):
        yield field
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _texts(f"{field}.{key}", child)
    elif isinstance(value, list | tuple):
        for index, child in enumerate(value):
            yield from _texts(f"{field}[{index}]", child)
