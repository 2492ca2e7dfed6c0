"""Stack sets, their instances and operations as CloudFormation tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

_OVER = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})
_FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})

Place = tuple[str, str]
"""Account and region: what tells one instance of a set from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StackSet:
    """A stack set as ``DescribeStackSet`` shows it. `id` is ``name:1b2c…``, `managed` whether
    Organizations gives the permissions (SERVICE_MANAGED). `auto_deployment` is None where nothing
    is said of it, else whether it is on, and whether stacks are retained."""

    id: str
    name: str
    managed: bool
    template: str = field(default="", repr=False)
    description: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    capabilities: frozenset[str] = frozenset()
    tags: Mapping[str, str] = field(default_factory=dict)
    administration_role_arn: str | None = None
    execution_role_name: str | None = None
    auto_deployment: tuple[bool, bool] | None = None
    managed_execution: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One instance. `status` is ``CURRENT``, ``OUTDATED`` or ``INOPERABLE``, `detail` how its last
    operation went (``FAILED``, ``SKIPPED_SUSPENDED_ACCOUNT`` …). `unit` is the organisational unit
    it was asked for by, `stack_id` the ARN of its stack, each "" where there is none."""

    account: str
    region: str
    status: str
    reason: str = ""
    detail: str = ""
    stack_id: str = ""
    unit: str = ""
    drift: str = "NOT_CHECKED"

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.account, self.region

    @property
    def takes_updates(self) -> bool:
        """Whether an update reaches it."""
        return self.status != "INOPERABLE" or self.detail == "FAILED_IMPORT"

    @property
    def is_passed_over(self) -> bool:
        """Whether its account is a suspended one that nobody has named: it is in a unit."""
        return bool(self.unit) and self.detail == "SKIPPED_SUSPENDED_ACCOUNT"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOperation:
    """An operation. `action` is ``CREATE``, ``UPDATE``, ``DELETE`` or ``DETECT_DRIFT``."""

    id: str
    action: str
    status: str
    reason: str = ""
    created: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in _OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What an operation came to at one place, so far."""

    account: str
    region: str
    status: str
    reason: str = ""

    @property
    def place(self) -> Place:
        """Where."""
        return self.account, self.region

    @property
    def is_final(self) -> bool:
        """Whether it stays so."""
        return self.status in _FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """An operation that has ended, with what it came to everywhere."""

    operation: SetOperation
    results: tuple[Result, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """Where it did not work, in the order in which that became known."""
        return tuple(one for one in self.results if one.status == "FAILED")

    @property
    def has_succeeded(self) -> bool:
        """Whether it did everything everywhere. A failure that was tolerated is one."""
        return self.operation.status == "SUCCEEDED" and all(
            one.status == "SUCCEEDED" for one in self.results
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where one operation works, and the parameters that differ there from those of the set: None
    for those that an instance has already. `account_filter` (``INTERSECTION``, ``DIFFERENCE``) says
    how accounts and units go together."""

    regions: tuple[str, ...]
    accounts: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    account_filter: str = ""
    overrides: Mapping[str, str] | None = field(default_factory=dict, repr=False)

    @property
    def shown(self) -> str:
        """``111111111111, 222222222222 in us-east-1``."""
        accounts = ", ".join(self.accounts)
        units = ", ".join(self.units)
        where = accounts or units
        if units and accounts:
            where = f"{units} without {accounts}"
            if self.account_filter == "INTERSECTION":
                where = f"{accounts} of {units}"
        return f"{where} in {', '.join(self.regions)}"
