"""What the two sections become once they were checked: frozen, nothing left to look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from calamari_py.steps.cloudformation.sections import (
    Action,
    Capability,
    ChangeSetSection,
    ImportSection,
    InstancesSection,
    OperationSection,
    RollbackTriggersSection,
    SetAction,
    StackSetSection,
)

INLINE_LIMIT = 51_200
"""Bytes of a template that fit into a request; more must come from S3."""
TEMPLATE_LIMIT = 1_048_576
"""Bytes of a template at all."""
DESCRIBING = ("deploy", "change-set", "diff")
"""The actions that hand a template to CloudFormation, or keep the one that the stack has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateParameter:
    """A parameter as the template declares it. `default` is None where it has none."""

    name: str
    type: str = "String"
    default: str | None = field(default=None, repr=False)
    no_echo: bool = False
    allowed_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateResource:
    """A resource as the template has it. `has_policy` says whether there is a DeletionPolicy."""

    type: str
    has_policy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFacts:
    """What a template says of itself. `capabilities` are those it needs, `reasons` the resource
    types or transforms that need them; `outputs` its output names, `resources` how many: None where
    a macro or a loop decides, and then there may be more outputs, too; `named` are those that are
    written out."""

    parameters: Mapping[str, TemplateParameter]
    capabilities: frozenset[str] = frozenset()
    reasons: tuple[str, ...] = ()
    transforms: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    resources: int | None = None
    named: Mapping[str, TemplateResource] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template: `text` of a file, or the `url` where CloudFormation finds it, as it is written:
    ``https://…`` or ``s3://BUCKET/KEY?versionId=…``.

    `shown` is how the manifest names it. `facts` is None where only AWS can read it.
    """

    shown: str
    text: str | None = field(default=None, repr=False)
    url: str | None = None
    facts: TemplateFacts | None = None

    @property
    def size(self) -> int | None:
        """Bytes of the text."""
        return None if self.text is None else len(self.text.encode("utf-8", "surrogateescape"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of a stack; `value` None keeps the one it has (``UsePreviousValue``)."""

    key: str
    value: str | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSpec:
    """One stack and what is to become of it. `token_prefix` begins the client request token: it
    tells whoever looks at the stack's events who works on it."""

    stack_name: str
    action: Action
    dry_run: bool = False
    token_prefix: str
    template: Template | None = None
    parameters: tuple[Parameter, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    role_arn: str | None = None
    change_set: ChangeSetSection = field(default_factory=ChangeSetSection)
    keep_on_failure: bool = False
    recreate_failed: bool = False
    cancel_update: bool = False
    notification_arns: tuple[str, ...] = ()
    rollback_triggers: RollbackTriggersSection | None = None
    imports: tuple[ImportSection, ...] = ()
    stack_policy: str | None = None
    """JSON."""
    termination_protection: bool | None = None
    artifact_bucket: str | None = None
    artifact_prefix: str = "calamari/templates"
    retain: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    sensitive_outputs: frozenset[str] = frozenset()
    resume: str | None = None
    """The one operation to watch: ``<stack ARN>#<client request token>``."""
    poll_interval: float = 5.0
    patience: float = 600.0
    warnings: tuple[str, ...] = ()

    @property
    def describes(self) -> bool:
        """Whether the action hands a template to CloudFormation."""
        return self.action in DESCRIBING


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSetSpec:
    """One stack set, its instances and what is to become of them."""

    name: str
    action: SetAction
    dry_run: bool = False
    token_prefix: str
    template: Template | None = None
    parameters: tuple[Parameter, ...] = ()
    instances: tuple[InstancesSection, ...] = field(default=(), repr=False)
    operation: OperationSection = field(default_factory=OperationSection)
    section: StackSetSection = field(repr=False)
    """What needs no further check; its `tags` are all tags."""
    warnings: tuple[str, ...] = ()

    @property
    def poll_interval(self) -> float:
        """Seconds between two looks."""
        return self.section.poll_interval

    @property
    def patience(self) -> float:
        """Seconds without any answer, until contact is lost."""
        return self.section.patience
