"""What a template keeps though its stack is deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping as AnyMapping
from typing import Any

from calamari_py.errors import Problem
from calamari_py.manifest.nodes import Malformed, Mapping, Scalar, parse_document

_KEPT = frozenset({"Retain", "RetainExceptOnCreate"})


def retained(body: str | AnyMapping[str, Any]) -> frozenset[str] | None:
    """The logical ids whose ``DeletionPolicy`` keeps them; None for what is no template. `body` is
    as botocore gives it: JSON is read already."""
    text = body if isinstance(body, str) else json.dumps(body)
    problems: list[Problem] = []
    try:
        root = parse_document(text, "", problems, functions=True)
    except Malformed:
        return None
    resources = root.get("Resources") if isinstance(root, Mapping) else None
    if problems or not isinstance(resources, Mapping):
        return None
    return frozenset(
        name
        for name, entry in resources
        if isinstance(entry.value, Mapping)
        and isinstance(policy := entry.value.get("DeletionPolicy"), Scalar)
        and policy.text in _KEPT
    )
