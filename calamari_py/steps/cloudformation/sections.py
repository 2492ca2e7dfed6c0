"""The manifest's sections ``cloudformation`` and ``stack_set``, as they are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from calamari_py.manifest.scalars import AccountId, Duration, Region, RoleArnText
from calamari_py.manifest.shapes import GIVEN

Action = Literal["deploy", "change-set", "execute", "delete", "rollback", "watch", "diff"]
Capability = Literal["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
Refusal = Literal["replace", "delete"]
SetAction = Literal["deploy", "delete", "watch"]


class ParameterSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter that keeps the value it has in the stack."""

    use_previous: bool = False


Parameters = dict[str, str | tuple[str, ...] | ParameterSection] | str
"""By name, a list becoming a comma-separated text; or the path of a file."""


class ChangeSetSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a change set is called, approved and judged."""

    name: str | None = None
    approve: Literal["automatic", "manual"] = "automatic"
    refuse: tuple[Refusal, ...] = ()
    nested: bool = True


class RollbackTriggersSection(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Alarms that make CloudFormation roll back, for so long after the deployment."""

    alarms: tuple[str, ...] = ()
    monitoring_time: Duration | None = None


class ImportSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One resource that exists and becomes the stack's."""

    resource_type: str
    logical_id: str
    identifier: dict[str, str]


class OutputsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the stack's outputs are secrets."""

    sensitive: tuple[str, ...] = ()


class CloudFormationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cloudformation``: one stack and what becomes of it."""

    stack_name: str
    template: str | None = None
    render: bool = False
    parameters: Parameters = {}
    capabilities: tuple[Capability, ...] = ()
    tags: dict[str, str] = {}
    role_arn: RoleArnText | None = None
    action: Action = "deploy"
    change_set: ChangeSetSection = msgspec.field(default_factory=ChangeSetSection)
    on_failure: Literal["rollback", "keep"] = "rollback"
    on_failed_create: Literal["keep", "delete"] = "keep"
    on_cancel: Literal["leave", "cancel-update"] = "leave"
    notification_arns: tuple[str, ...] = ()
    rollback_triggers: RollbackTriggersSection | None = None
    import_: tuple[ImportSection, ...] = msgspec.field(name="import", default=())
    stack_policy: dict[str, Any] | str | None = None
    termination_protection: bool | None = None
    artifact_bucket: str | None = None
    artifact_prefix: str = "calamari/templates"
    retain: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    outputs: OutputsSection = msgspec.field(default_factory=OutputsSection)
    poll_interval: Duration = 5.0
    patience: Duration = 600.0

    def __repr__(self) -> str:
        return f"CloudFormationSection(stack_name={self.stack_name!r})"


class AutoDeploymentSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to accounts that join or leave an organisational unit."""

    enabled: bool = True
    retain_stacks: bool = False


class InstancesSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where stacks of the set belong: accounts or organisational units, in regions.

    `parameters` override the set's there, `account_parameters` for single accounts.
    """

    accounts: Annotated[tuple[AccountId, ...] | None, GIVEN] = None
    organizational_units: Annotated[tuple[str, ...] | None, GIVEN] = None
    account_filter: Literal["intersection", "difference", "union"] | None = None
    regions: tuple[Region, ...]
    parameters: dict[str, str | tuple[str, ...]] = {}
    account_parameters: dict[str, dict[str, str | tuple[str, ...]]] = {}

    def __repr__(self) -> str:
        return f"InstancesSection(regions={self.regions!r})"


class OperationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an operation goes through its accounts: numbers, or texts such as ``25%``."""

    failure_tolerance: str | None = None
    max_concurrent: str | None = None
    region_concurrency: Literal["sequential", "parallel"] | None = None
    region_order: tuple[Region, ...] = ()
    concurrency_mode: Literal["strict", "soft"] | None = None


class StackSetSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``stack_set``: one template in many accounts and regions."""

    name: str
    template: str | None = None
    render: bool = False
    description: str | None = None
    parameters: Parameters = {}
    capabilities: tuple[Capability, ...] = ()
    tags: dict[str, str] = {}
    action: SetAction = "deploy"
    permission_model: Literal["self-managed", "service-managed"] = "self-managed"
    administration_role_arn: RoleArnText | None = None
    execution_role_name: str | None = None
    auto_deployment: AutoDeploymentSection | None = None
    managed_execution: bool | None = None
    call_as: Literal["self", "delegated-admin"] = "self"
    instances: tuple[InstancesSection, ...] = ()
    operation: OperationSection = msgspec.field(default_factory=OperationSection)
    retain_stacks: bool = False
    artifact_bucket: str | None = None
    artifact_prefix: str = "calamari/templates"
    poll_interval: Duration = 5.0
    patience: Duration = 600.0

    def __repr__(self) -> str:
        return f"StackSetSection(name={self.name!r})"
