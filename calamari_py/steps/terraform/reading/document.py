"""A plan as ``show -json`` writes it, format 1.x, as far as it is read here.

https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from calamari_py.errors import ToolFailed


class ChangeDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one object, or of an output's value. The marks are true for a whole value, or
    have its shape; `replace_paths` are lists of names and numbers."""

    actions: tuple[str, ...] = ()
    before: Any = None
    after: Any = None
    after_unknown: Any = None
    before_sensitive: Any = None
    after_sensitive: Any = None
    replace_paths: Any = None
    importing: Any = None


class ResourceDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One resource instance, or a deposed object of it."""

    address: str
    change: ChangeDocument
    previous_address: str = ""
    module_address: str = ""
    mode: str = "managed"
    type: str = ""
    deposed: str = ""
    action_reason: str = ""


class DeferredDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A change that this plan does not hold, and why."""

    resource_change: ResourceDocument
    reason: str = ""


class PlanDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a plan that say what it does. What old versions do not say is None."""

    resource_changes: tuple[ResourceDocument, ...] | None = None
    resource_drift: tuple[ResourceDocument, ...] | None = None
    deferred_changes: tuple[DeferredDocument, ...] | None = None
    output_changes: dict[str, ChangeDocument] | None = None
    applyable: bool | None = None
    complete: bool | None = None
    errored: bool | None = None


def plan_document(document: Mapping[str, Any]) -> PlanDocument:
    """`document` with its types checked; its format is known by now. ToolFailed where it is none:
    what cannot be read cannot be held against a policy."""
    try:
        return msgspec.convert(document, PlanDocument)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ToolFailed(
            f"cannot read the plan as 'show -json' tells it: {error}",
            hint="nothing was applied; is 'terraform.binary' really Terraform or OpenTofu?",
        ) from None
