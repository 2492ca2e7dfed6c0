"""One plan file is applied: that very one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from calamari_py.errors import CalamariError, Cancelled, ToolFailed
from calamari_py.process.base import ProcessExit
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import LineReader
from calamari_py.steps.terraform.actions.follow import follow
from calamari_py.steps.terraform.actions.hiding import hide_state_after
from calamari_py.steps.terraform.actions.plan_files import sha256_of
from calamari_py.steps.terraform.actions.planning import Planned
from calamari_py.steps.terraform.actions.words import done
from calamari_py.steps.terraform.commands.files import write_variables
from calamari_py.steps.terraform.running.declared import files_with
from calamari_py.steps.terraform.state.errored import rescue
from calamari_py.steps.terraform.state.places import private_leavings
from calamari_py.steps.terraform.state.whose import Overheard
from calamari_py.steps.terraform.values import Followed, Plan
from calamari_py.steps.terraform.work import Work


def apply_planned(
    work: Work,
    planned: Planned,
    *,
    verb: str,
    once_spent: Callable[[bool], None] = lambda _: None,
) -> CalamariError | None:
    """Apply it, say what was done, and do what is due `once_spent`, when the plan cannot be applied
    again, with whether it was applied whole. Whatever ends it early, a state that Terraform could
    not save is looked for. `verb` is ``apply`` or ``destroy``.

    Returns why what is secret in the state is not known, if so: nothing of it may be said then.
    A signal that came too late to end anything is raised once it is said what was done.
    """
    if sha256_of(planned.path) != planned.sha256:
        raise ToolFailed("the plan was changed after it was made and is not applied")
    apply = _Apply(work, planned.path)
    # From here on nobody knows, until it tells of the first change or has ended.
    work.report.changed(None)
    is_applied = False
    try:
        follow(
            work,
            verb,
            apply.run,
            total=_steps(planned.plan),
            known=planned.told,
            before_telling=apply.hide,
            at_end=apply.followed.append,
        )
    except BaseException as error:
        # A defect of ours is no reason to lose it.
        is_lost = rescue(work, apply.overheard)
        is_applied = isinstance(error, Stopped) and error.is_done and not is_lost
        raise
    else:
        if rescue(work, apply.overheard):
            raise ToolFailed(f"{work.spec.program} {verb} ended with 0 and did not save its state")
        is_applied = True
    finally:
        if is_applied:
            _tell_done(work, planned, verb)
        if is_applied or any(each.ended for each in apply.followed):
            once_spent(is_applied)
    if isinstance(apply.unknown, Cancelled):
        raise apply.unknown
    return apply.unknown


class _Apply:
    """The command, and what is learnt of it: what it told (`followed`), what it said of its state
    (`overheard`), and why what is secret in that is not known, if so (`unknown`)."""

    def __init__(self, work: Work, plan: Path) -> None:
        self.followed: list[Followed] = []
        self.overheard = Overheard(plan)
        self.unknown: CalamariError | Cancelled | None = None
        self._work = work
        self._plan = plan
        self._variable_files = _ephemeral_files(work)

    def run(self, reader: LineReader) -> ProcessExit:
        """Run it to its end; the state that it may leave is nobody else's to read."""
        with private_leavings(self._work.spec):
            ended = self._work.tool.apply(
                self.overheard.around(reader), self._plan, variable_files=self._variable_files
            )
        self.overheard.ended(ended)
        return ended

    def hide(self, ended: ProcessExit | None) -> None:
        """Mask what it has made up, before anything is told of its end."""
        try:
            hide_state_after(self._work, ended)
        except (CalamariError, Cancelled) as error:
            self.unknown = self.unknown or error


def _tell_done(work: Work, planned: Planned, verb: str) -> None:
    work.report.changed(planned.has_changes)
    work.report.ending(done(planned.plan, verb) if planned.has_changes else "applied")


def _ephemeral_files(work: Work) -> tuple[Path, ...]:
    """What gives the ephemeral variables once more. Those that Terraform finds by itself it finds
    again."""
    given = {key: value for key, value in work.spec.variables.items() if key in work.ephemeral}
    files = files_with(work.ephemeral, work.spec.variable_files)
    return (*files, write_variables(work.files, given)) if given else files


def _steps(plan: Plan) -> int:
    """How many resources it will begin something on."""
    kinds = ("create", "update", "replace", "destroy")
    return sum(change.kind in kinds for change in plan.changes)
