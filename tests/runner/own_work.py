"""A step kind that calls AWS itself, as small as can be: a test says what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from calamari_py.errors import ManifestError, Problem
from calamari_py.manifest.scalars import RoleArnText
from calamari_py.steps.base import ParseContext, StepContext, StepKind, StepOutcome

Act = Callable[["ErrandSpec", StepContext], StepOutcome | None]
"""What it does; None is a success of which nobody knows whether it changed anything."""


TEMPLATE = "Resources: {Password: {{ P }}, Type: Thing}"
"""What stands in the file that it renders."""


class ErrandSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``errand``: nothing in particular."""

    what: str = "stroll"
    password: str | None = None
    role_arn: RoleArnText | None = None
    render: bool = False
    action: Literal["go", "look"] = "go"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrandSpec:
    """What it was asked for."""

    section: ErrandSection = field(repr=False)
    action: str
    dry_run: bool
    title: str
    is_secret: bool
    resume: str | None


class Errand(StepKind):
    """See `calamari_py.steps.base.StepKind`. `acts` are what its executions do, one after the
    other; the last one is repeated."""

    name = "errand"
    section: Any = ErrandSection
    default_delivery = "endpoint"
    default_timeout: float | None = 3600.0
    starts_processes = False
    actions = ("go", "look")
    rehearses = True
    resumes = True
    knows_changes = True

    def __init__(self) -> None:
        self.acts: tuple[Act, ...] = (lambda _spec, _context: None,)
        self.specs: list[ErrandSpec] = []
        self.contexts: list[StepContext] = []

    def parse(self, section: ErrandSection, context: ParseContext) -> ErrandSpec:
        what = context.render(TEMPLATE, "errand.what") if section.render else section.what
        action = context.wishes.action or section.action
        if action == "go" and not what:
            raise ManifestError([Problem(path="errand.what", message="is empty")])
        return ErrandSpec(
            section=msgspec.structs.replace(section, what=what),
            action=action,
            dry_run=context.wishes.dry_run,
            title=context.title,
            is_secret=context.sensitive("errand.what"),
            resume=context.wishes.resume,
        )

    def secrets(self, spec: ErrandSpec) -> Iterable[tuple[str, str]]:
        if spec.section.password is not None:
            yield "errand.password", spec.section.password

    def roles(self, spec: ErrandSpec) -> Iterable[tuple[str, str]]:
        if spec.section.role_arn is not None:
            yield "errand.role_arn", spec.section.role_arn

    def warnings(self, spec: ErrandSpec) -> Iterable[str]:
        if spec.section.what == "nothing":
            yield "errand: nothing is not much"

    def intentions(self, spec: ErrandSpec) -> tuple[str, ...]:
        return (f"{spec.action} on errand '{spec.section.what}'",)

    def execute(self, spec: ErrandSpec, context: StepContext) -> StepOutcome:
        act = self.acts[min(len(self.specs), len(self.acts) - 1)]
        self.specs.append(spec)
        self.contexts.append(context)
        return act(spec, context) or StepOutcome(code=0)


def raises(error: BaseException) -> Act:
    """An execution that ends so."""

    def act(_spec: ErrandSpec, _context: StepContext) -> StepOutcome:
        raise error

    return act


def ends(code: int = 0, *, changed: bool | None = None) -> Act:
    """An execution that ends so."""
    return lambda _spec, _context: StepOutcome(code=code, changed=changed)
