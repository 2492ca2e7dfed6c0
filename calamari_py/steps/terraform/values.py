"""What the parts of this kind tell each other: values, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

ChangeKind = Literal["create", "update", "replace", "destroy", "read", "import", "move", "forget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a plan does to one resource instance. `module` is its module's address, "" in the root
    module; `reasons` say in words why it is replaced or destroyed; `replaced_by` are the attribute
    paths that force a replacement (names only, never values). `attributes` are the paths that
    change, one that is sensitive ends in `` (sensitive)``; `more_attributes` is how many more there
    are. `previous` is where it was before it moved. `deposed` marks a leftover object, `imported`
    one that the state did not have. `actions` are Terraform's own words, in its order."""

    address: str
    kind: ChangeKind
    type: str = ""
    module: str = ""
    previous: str | None = None
    reasons: tuple[str, ...] = ()
    replaced_by: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    more_attributes: int = 0
    deposed: bool = False
    imported: bool = False
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChange:
    """What a plan does to an output: ``create``, ``update`` or ``delete``."""

    name: str
    action: str
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan as ``show -json`` tells it, without any value. `drift` are changes that happened
    outside, `deferred` addresses that only a later plan can tell about; a plan of targets alone is
    not complete. `is_applyable` is Terraform's own word, None where it has none; `addresses` are
    those of all that it looked at, changed or not."""

    changes: tuple[Change, ...] = ()
    outputs: tuple[OutputChange, ...] = ()
    drift: tuple[Change, ...] = ()
    deferred: tuple[str, ...] = ()
    is_complete: bool = True
    is_errored: bool = False
    is_applyable: bool | None = None
    addresses: tuple[str, ...] = field(default=(), repr=False)

    @property
    def has_changes(self) -> bool:
        """Whether applying it would do anything."""
        return bool(self.outputs) or any(change.kind != "read" for change in self.changes)

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to apply, as Terraform counts: to read data is, and so is to
        write down what was changed outside."""
        if self.is_applyable is not None:
            return self.is_applyable
        return bool(self.changes or self.outputs)

    @property
    def only_reads(self) -> bool:
        """Whether applying it would do no more than look at something."""
        return bool(self.changes) and not self.has_changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One error or warning. `file` is relative to the root module, `line` counts from 1; `snippet`
    are the source lines from `snippet_line` on, and `highlight` the characters of them that it is
    about (from, to; the end of a line counts as one); `values` are ``var.x is "…"`` sentences.
    `is_told` says that people have read it already."""

    severity: Literal["error", "warning"]
    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""
    line: int | None = None
    context: str = ""
    snippet: tuple[str, ...] = ()
    snippet_line: int | None = None
    highlight: tuple[int, int] | None = None
    values: tuple[str, ...] = field(default=(), repr=False)
    is_told: bool = False

    @property
    def place(self) -> str:
        """``main.tf:3``, or ""."""
        return f"{self.file}:{self.line}" if self.line is not None else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """Who holds the state's lock, as Terraform tells it. `created` knows its zone."""

    id: str
    who: str = ""
    operation: str = ""
    path: str = ""
    version: str = ""
    created: datetime | None = None
    info: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateOutput:
    """One output of the state: `value` is JSON, `type` Terraform's own name of it."""

    name: str
    value: Any = field(repr=False)
    type: Any = None
    sensitive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersion:
    """Which program it is: `product` is ``Terraform`` or ``OpenTofu``."""

    product: str
    text: str
    numbers: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a streamed command told. `touched` is how many resources something was begun on, `ended`
    how many are as they should be, `unfinished` those whose end nobody has told; `undeclared` are
    names under ``terraform.variables`` that the configuration does not have. `is_summed_up` says
    that an apply told its end, `has_failed` that there were errors in the stream itself."""

    diagnostics: tuple[Diagnostic, ...] = ()
    touched: int = 0
    ended: int = 0
    unfinished: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    is_summed_up: bool = False
    has_failed: bool = False

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Those that made it fail."""
        return tuple(each for each in self.diagnostics if each.severity == "error")
