"""Stacks, events and changes as CloudFormation tells of them, in our own frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

STACK_TYPE = "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack as ``DescribeStacks`` shows it. `id` is its ARN, `protected` its termination
    protection, `drift` the last known drift status (``DRIFTED``, ``NOT_CHECKED`` …)."""

    id: str
    name: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    protected: bool = False
    drift: str = "NOT_CHECKED"
    drift_checked: datetime | None = None
    created: datetime | None = None
    updated: datetime | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StackEvent:
    """One event. `path` are the logical ids from the followed stack down to its own stack: () for
    the stack itself, ``("Data",)`` in its nested stack ``Data``. `hook` is the type of the hook
    that it tells of, with `hook_status` (``HOOK_COMPLETE_FAILED`` …) and `hook_reason`."""

    id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    resource_type: str
    status: str
    reason: str
    time: datetime
    token: str | None = None
    path: tuple[str, ...] = ()
    hook: str = ""
    hook_status: str = ""
    hook_reason: str = ""

    @property
    def is_of_stack(self) -> bool:
        """Whether it tells of its stack as a whole."""
        return self.resource_type == STACK_TYPE and self.physical_id == self.stack_id

    @property
    def shown_id(self) -> str:
        """``Data/Database``."""
        return "/".join((*self.path, self.logical_id))

    @property
    def is_failure(self) -> bool:
        """Whether something did not work."""
        return self.status.endswith("_FAILED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One resource of a change set. `action` is ``Add``, ``Modify``, ``Remove``, ``Import`` or
    ``Dynamic``; `replacement` is ``True``, ``False``, ``Conditional`` or "". `because` are clauses
    that say why (``property DBName is changed``); `policy` what becomes of the old resource
    (``Delete``, ``Retain``, ``Snapshot`` …). `nested` is the change set of a nested stack."""

    action: str
    logical_id: str
    resource_type: str
    physical_id: str = ""
    replacement: str = ""
    scope: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    policy: str = ""
    nested: str | None = None
    path: tuple[str, ...] = ()

    @property
    def shown_id(self) -> str:
        """``Data/Database``."""
        return "/".join((*self.path, self.logical_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """A change set with all pages of its changes, those of nested stacks after their parent's.

    `status` is AWS's (``CREATE_COMPLETE``, ``FAILED`` …), `execution` the ``ExecutionStatus``
    (``AVAILABLE``, ``OBSOLETE``, ``EXECUTE_COMPLETE`` …). `unread` are nested stacks whose changes
    could not be read.
    """

    id: str
    name: str
    stack_id: str
    status: str
    execution: str
    reason: str = ""
    changes: tuple[Change, ...] = ()
    unread: tuple[str, ...] = ()
    created: datetime | None = None
    description: str = ""
