"""What CloudFormation keeps: stacks with their resources, events and change sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

STACK_TYPE = "AWS::CloudFormation::Stack"
Template = Mapping[str, Any]


@dataclass(kw_only=True)
class FakeResource:
    """A resource of a stack. `properties` are resolved, `nested` is the id of its stack."""

    logical_id: str
    type: str
    physical_id: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    deletion_policy: str = "Delete"
    nested: str | None = None


@dataclass(kw_only=True)
class FakeEvent:
    """An event. `seen_from` is when it can be read."""

    id: str
    stack_id: str
    stack_name: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    time: datetime
    token: str | None
    seen_from: float


@dataclass(kw_only=True)
class Design:
    """What a stack is made from."""

    template: Template = field(default_factory=dict)
    text: str = "{}"
    parameters: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    role_arn: str | None = None
    notification_arns: tuple[str, ...] = ()


@dataclass(kw_only=True)
class PlannedChange:
    """One change of a change set, in AWS's words; `nested` is the change set of a nested stack."""

    action: str
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    scope: tuple[str, ...] = ()
    details: tuple[dict[str, Any], ...] = ()
    policy: str = ""
    nested: str | None = None


@dataclass(kw_only=True)
class FakeChangeSet:
    """A change set."""

    id: str
    name: str
    stack_id: str
    stack_name: str
    kind: str
    design: Design
    created: datetime
    description: str = ""
    client_token: str = ""
    status: str = "CREATE_PENDING"
    execution: str = "UNAVAILABLE"
    reason: str = ""
    changes: tuple[PlannedChange, ...] = ()
    imports: tuple[Mapping[str, Any], ...] = ()
    include_nested: bool = False
    parent: str | None = None
    root: str | None = None
    on_failure: str | None = None


@dataclass(kw_only=True)
class FakeStack:
    """A stack. `before` is what it was while an update is under way, `broken` are the logical ids
    that a rollback or a deletion left behind; `views` are the times of updates and the outputs as
    they were, each with the moment from which on."""

    id: str
    name: str
    status: str
    created: datetime
    reason: str = ""
    path: tuple[str, ...] = ()
    design: Design = field(default_factory=Design)
    resources: dict[str, FakeResource] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    events: list[FakeEvent] = field(default_factory=list)
    statuses: list[tuple[float, str, str]] = field(default_factory=list)
    views: list[tuple[float, datetime | None, dict[str, str]]] = field(default_factory=list)
    change_sets: dict[str, FakeChangeSet] = field(default_factory=dict)
    change_set_id: str | None = None
    updated: datetime | None = None
    deleted: datetime | None = None
    parent_id: str | None = None
    root_id: str | None = None
    protected: bool = False
    drift: str = "NOT_CHECKED"
    policy: str | None = None
    disable_rollback: bool = False
    broken: set[str] = field(default_factory=set)
    before: Design | None = None
    resources_before: dict[str, FakeResource] = field(default_factory=dict)

    @property
    def is_gone(self) -> bool:
        """Whether it can be found by its id only."""
        return self.status == "DELETE_COMPLETE"
