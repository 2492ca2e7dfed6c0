"""The manifest's sections ``cloudformation`` and ``stack_set``, as they are written."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from calamari_py.manifest.scalars import AccountId, Duration, Region, RoleArnText
from calamari_py.manifest.shapes import GIVEN, About

Action = Literal["deploy", "change-set", "execute", "delete", "rollback", "watch", "diff"]
Capability = Literal["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
Refusal = Literal["replace", "delete"]
SetAction = Literal["deploy", "delete", "watch"]


PARAMETERS = About(
    "Values by name, or the path of a file in one of the usual forms.",
    hint="write a map, as in {Stage: dev}; the AWS CLI's forms go into a file that is named here",
)
ON_FAILURE = About(
    "rollback, or keep what was done for a look.",
    hint="to have a stack deleted whose first creation failed, write 'on_failed_create: delete'",
)


class ParameterSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter that keeps the value it has in the stack."""

    use_previous: Annotated[bool, About("true keeps the value that the stack has.")] = False


Parameters = dict[str, str | tuple[str, ...] | ParameterSection] | str
"""By name, a list becoming a comma-separated text; or the path of a file."""


class ChangeSetSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a change set is called, approved and judged."""

    name: Annotated[
        str | None, About("The change set's name. Default: one that calamari makes up.")
    ] = None
    approve: Annotated[
        Literal["automatic", "manual"], About("manual leaves the change set for --action execute.")
    ] = "automatic"
    refuse: Annotated[
        tuple[Refusal, ...], About("Fails when a resource would, or might, be replaced or deleted.")
    ] = ()
    nested: Annotated[bool, About("false leaves nested stacks out of the change set.")] = True


class RollbackTriggersSection(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True
):
    """Alarms that make CloudFormation roll back, for so long after the deployment."""

    alarms: Annotated[
        tuple[str, ...], About("The ARNs of CloudWatch alarms: 5 of both kinds at most.")
    ] = ()
    composite_alarms: Annotated[
        tuple[str, ...], About("The ARNs of composite alarms, which no ARN tells from others.")
    ] = ()
    monitoring_time: Annotated[
        Duration | None,
        About("How long they are watched after the deployment: whole minutes, 180m at most."),
    ] = None


class ImportSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One resource that exists and becomes the stack's."""

    resource_type: Annotated[str, About("What it is, such as AWS::S3::Bucket.")]
    logical_id: Annotated[str, About("Its name in the template, where it has a DeletionPolicy.")]
    identifier: Annotated[
        dict[str, str], About("Which one it is, such as {BucketName: my-bucket}.")
    ]


class OutputsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of the stack's outputs are secrets."""

    sensitive: Annotated[
        tuple[str, ...], About("The names of outputs that are masked everywhere.")
    ] = ()


class CloudFormationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``cloudformation``: one stack and what becomes of it."""

    stack_name: Annotated[
        str, About("The stack's name; its ARN for the actions that make no change set.")
    ]
    template: Annotated[
        str | None,
        About("A path, s3://BUCKET/KEY or an https address in S3. Default: the stack's own."),
    ] = None
    render: Annotated[bool, About("true renders a template that is a file.")] = False
    parameters: Annotated[Parameters, PARAMETERS] = {}
    capabilities: Annotated[
        tuple[Capability, ...],
        About("What the template may do: capabilities that CloudFormation asks for."),
    ] = ()
    tags: Annotated[dict[str, str], About("Tags of the stack and of what is in it.")] = {}
    role_arn: Annotated[
        RoleArnText | None, About("The service role that CloudFormation works with.")
    ] = None
    action: Annotated[Action, About("What is done; --action says it for one run.")] = "deploy"
    change_set: Annotated[
        ChangeSetSection, About("How the change set is called, approved and judged.")
    ] = msgspec.field(default_factory=ChangeSetSection)
    on_failure: Annotated[
        Literal["rollback", "keep"],
        ON_FAILURE,
    ] = "rollback"
    on_failed_create: Annotated[
        Literal["keep", "delete"], About("delete makes a stack anew whose first creation failed.")
    ] = "keep"
    on_cancel: Annotated[
        Literal["leave", "cancel-update"],
        About("cancel-update calls an update off when calamari is cancelled."),
    ] = "leave"
    notification_arns: Annotated[
        tuple[str, ...], About("SNS topics that CloudFormation tells of its events, 5 at most.")
    ] = ()
    rollback_triggers: Annotated[
        RollbackTriggersSection | None, About("Alarms that make CloudFormation roll back.")
    ] = None
    import_: Annotated[
        tuple[ImportSection, ...], About("Resources that exist and become the stack's.")
    ] = msgspec.field(name="import", default=())
    stack_policy: Annotated[
        dict[str, Any] | str | None,
        About("The stack policy: a mapping, or the path of a JSON file."),
    ] = None
    termination_protection: Annotated[
        bool | None, About("Turned on or off once the stack is deployed.")
    ] = None
    artifact_bucket: Annotated[
        str | None, About("A bucket of the step's account, for a template over 51,200 bytes.")
    ] = None
    artifact_prefix: Annotated[str, About("How the template's key in that bucket begins.")] = (
        "calamari/templates"
    )
    retain: Annotated[
        tuple[str, ...],
        About("action delete: resources that stay; what would be deleted is refused."),
    ] = ()
    skip: Annotated[
        tuple[str, ...], About("action rollback: resources that are left as they are.")
    ] = ()
    outputs: Annotated[OutputsSection, About("Which of the stack's outputs are secrets.")] = (
        msgspec.field(default_factory=OutputsSection)
    )
    poll_interval: Annotated[
        Duration, About("How long to wait between two looks at AWS, 1s at least.")
    ] = 5.0
    patience: Annotated[
        Duration, About("How long AWS may be silent until contact counts as lost.")
    ] = 600.0

    def __repr__(self) -> str:
        return f"CloudFormationSection(stack_name={self.stack_name!r})"


class AutoDeploymentSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to accounts that join or leave an organisational unit."""

    enabled: Annotated[bool, About("Whether accounts that join get a stack.")] = True
    retain_stacks: Annotated[bool, About("Whether accounts that leave keep theirs.")] = False


class InstancesSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where stacks of the set belong: accounts or organisational units, in regions.

    `parameters` override the set's there, `account_parameters` for single accounts.
    """

    accounts: Annotated[tuple[AccountId, ...] | None, GIVEN, About("Account ids, in quotes.")] = (
        None
    )
    organizational_units: Annotated[
        tuple[str, ...] | None,
        GIVEN,
        About("Ids of organisational units, or the root's. For service-managed sets."),
    ] = None
    account_filter: Annotated[
        Literal["intersection", "difference", "union"] | None,
        About("Which of the units' accounts: those named, or all but those."),
    ] = None
    regions: Annotated[tuple[Region, ...], About("The regions that each account gets a stack in.")]
    parameters: Annotated[
        dict[str, str | tuple[str, ...]], About("Parameters that are other than the set's there.")
    ] = {}
    account_parameters: Annotated[
        dict[str, dict[str, str | tuple[str, ...]]],
        About("The same for single accounts, by their id."),
    ] = {}

    def __repr__(self) -> str:
        return f"InstancesSection(regions={self.regions!r})"


class OperationSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an operation goes through its accounts: numbers, or texts such as ``25%``."""

    failure_tolerance: Annotated[
        str | None, About("In how many accounts of a region it may fail: 2, or 25%.")
    ] = None
    max_concurrent: Annotated[str | None, About("In how many accounts at once: 5, or 25%.")] = None
    region_concurrency: Annotated[
        Literal["sequential", "parallel"] | None,
        About("Whether regions come one after the other, or all at once."),
    ] = None
    region_order: Annotated[
        tuple[Region, ...], About("Which region comes first, second and so on.")
    ] = ()
    concurrency_mode: Annotated[
        Literal["strict", "soft"] | None,
        About("strict slows down as failures come, soft does not."),
    ] = None


class StackSetSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``stack_set``: one template in many accounts and regions."""

    name: Annotated[str, About("The stack set's name.")]
    template: Annotated[str | None, About("A path, s3://BUCKET/KEY or an https address in S3.")] = (
        None
    )
    render: Annotated[bool, About("true renders a template that is a file.")] = False
    description: Annotated[str | None, About("What the console says of the set.")] = None
    parameters: Annotated[Parameters, PARAMETERS] = {}
    capabilities: Annotated[
        tuple[Capability, ...],
        About("What the template may do: capabilities that CloudFormation asks for."),
    ] = ()
    tags: Annotated[
        dict[str, str], About("Tags of the set, its stacks and of what is in them.")
    ] = {}
    action: Annotated[SetAction, About("What is done; --action says it for one run.")] = "deploy"
    permission_model: Annotated[
        Literal["self-managed", "service-managed"],
        About("Whose roles work: your own, or those of AWS Organizations."),
    ] = "self-managed"
    administration_role_arn: Annotated[
        RoleArnText | None, About("self-managed: the role that CloudFormation begins with.")
    ] = None
    execution_role_name: Annotated[
        str | None, About("self-managed: the name of the role in each account.")
    ] = None
    auto_deployment: Annotated[
        AutoDeploymentSection | None,
        About("service-managed: what happens to accounts that join or leave a unit."),
    ] = None
    managed_execution: Annotated[
        bool | None, About("true lets operations that do not conflict run at once.")
    ] = None
    call_as: Annotated[
        Literal["self", "delegated-admin"],
        About("delegated-admin where another account than the organisation's own works."),
    ] = "self"
    instances: Annotated[
        tuple[InstancesSection, ...], About("Where stacks of the set belong.")
    ] = ()
    operation: Annotated[OperationSection, About("How an operation goes through its accounts.")] = (
        msgspec.field(default_factory=OperationSection)
    )
    retain_stacks: Annotated[
        bool, About("action delete: true leaves the stacks behind, only the set goes.")
    ] = False
    artifact_bucket: Annotated[
        str | None, About("A bucket of the step's account, for a template over 51,200 bytes.")
    ] = None
    artifact_prefix: Annotated[str, About("How the template's key in that bucket begins.")] = (
        "calamari/templates"
    )
    poll_interval: Annotated[
        Duration, About("How long to wait between two looks at AWS, 1s at least.")
    ] = 5.0
    patience: Annotated[
        Duration, About("How long AWS may be silent until contact counts as lost.")
    ] = 600.0

    def __repr__(self) -> str:
        return f"StackSetSection(name={self.name!r})"
