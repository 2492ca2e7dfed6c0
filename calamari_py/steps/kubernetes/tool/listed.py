"""What kubectl lists, parsed, and which of it is which object."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The objects of several types. `failures` tell of types that could not be listed while others
    were."""

    items: list[Mapping[str, Any]] = field(default_factory=list, repr=False)
    failures: tuple[ApiFailure, ...] = ()


def read_items(stdout: bytes) -> list[Mapping[str, Any]]:
    """The objects that ``-o json`` wrote: none, one, or a list of them. Raises ToolFailed where it
    is no such text."""
    if not stdout.strip():
        return []
    try:
        document = json.loads(stdout)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ToolFailed(
            "kubectl wrote no JSON where it was asked for it",
            hint="is 'binary' the kubectl that Kubernetes gives out?",
        )
    items = document.get("items")
    if isinstance(items, list) and str(document.get("kind", "")).endswith("List"):
        return [item for item in items if isinstance(item, dict)]
    return [document]


def matched(
    refs: Sequence[ObjectRef], bodies: Iterable[Mapping[str, Any]]
) -> dict[ObjectRef, Mapping[str, Any]]:
    """Which of `bodies` is which of `refs`; one that has none is left out.

    The version does not count: a server answers in what it likes. A ref without a namespace is one
    of the cluster's, or of the context's namespace, which is told by the server only; an object of
    the cluster's has none whatever its file says.
    """
    left: dict[tuple[str, str, str], list[tuple[str, Mapping[str, Any]]]] = {}
    for body in bodies:
        found = ref_of(body)
        left.setdefault(_key(found), []).append((found.namespace, body))
    paired: dict[ObjectRef, Mapping[str, Any]] = {}
    for ref in sorted(set(refs), key=lambda ref: not ref.namespace):
        candidates = left.get(_key(ref), [])
        fitting = [
            pair for pair in candidates
            if not ref.namespace or pair[0] in (ref.namespace, "")
        ]  # fmt: skip
        if fitting:
            candidates.remove(fitting[0])
            paired[ref] = fitting[0][1]
    return {ref: paired[ref] for ref in refs if ref in paired}


def reference(ref: ObjectRef) -> dict[str, Any]:
    """As little of an object as kubectl needs to ask for it."""
    metadata = {"name": ref.name}
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}


def by_type(refs: Iterable[ObjectRef]) -> Iterator[list[ObjectRef]]:
    """`refs` in lots of one type and one namespace."""
    lots: dict[tuple[str, str], list[ObjectRef]] = {}
    for ref in refs:
        lots.setdefault((ref.type, ref.namespace), []).append(ref)
    yield from lots.values()


def _key(ref: ObjectRef) -> tuple[str, str, str]:
    return ref.group, ref.kind, ref.name
