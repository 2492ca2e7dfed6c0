"""Work: what every action is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from calamari_py.steps.base import StepClock, StepContext, StepReport
from calamari_py.steps.terraform.spec import TerraformSpec

if TYPE_CHECKING:
    from calamari_py.steps.terraform.commands.files import PrivateFiles
    from calamari_py.steps.terraform.running.tool import Terraform


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One action on one root module, whose tool is initialised and whose workspace is chosen.
    `ephemeral` are the variables that no plan holds; `taken` is the SHA-256 of the plan that an
    earlier step has left, as it was taken in, "" for an action without."""

    spec: TerraformSpec
    context: StepContext
    tool: Terraform
    files: PrivateFiles
    ephemeral: frozenset[str] = frozenset()
    taken: str = ""

    @property
    def report(self) -> StepReport:
        """Where to say it."""
        return self.context.report

    @property
    def clock(self) -> StepClock:
        """The time."""
        return self.context.clock
