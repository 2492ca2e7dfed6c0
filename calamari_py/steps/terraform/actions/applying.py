"""One plan file is applied: that very one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from calamari_py.errors import CalamariError, Cancelled, ToolFailed
from calamari_py.process.base import ProcessExit
from calamari_py.steps.base import LineReader
from calamari_py.steps.terraform.actions.follow import follow
from calamari_py.steps.terraform.actions.hiding import hide_state_after
from calamari_py.steps.terraform.actions.plan_files import sha256_of
from calamari_py.steps.terraform.actions.planning import Planned
from calamari_py.steps.terraform.actions.words import done
from calamari_py.steps.terraform.commands.files import write_variables
from calamari_py.steps.terraform.running.declared import files_with
from calamari_py.steps.terraform.running.ended import Stopped
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
    variable_files = _ephemeral_files(work)
    unknown: list[CalamariError | Cancelled] = []
    heard: list[Followed] = []
    overheard = Overheard(planned.path)
    is_applied = False

    def run(reader: LineReader) -> ProcessExit:
        with private_leavings(work.spec):
            around = overheard.around(reader)
            ended = work.tool.apply(around, planned.path, variable_files=variable_files)
        overheard.ended(ended)
        return ended

    def hide(ended: ProcessExit | None) -> None:
        try:
            hide_state_after(work, ended)
        except (CalamariError, Cancelled) as error:
            unknown.append(error)

    # From here on nobody knows, until it tells of the first change or has ended.
    work.report.changed(None)
    steps = _steps(planned.plan)
    try:
        follow(
            work,
            verb,
            run,
            total=steps,
            known=planned.told,
            before_telling=hide,
            at_end=heard.append,
        )
    except BaseException as error:
        # A defect of ours is no reason to lose it.
        is_lost = rescue(work, overheard)
        is_applied = isinstance(error, Stopped) and error.is_done and not is_lost
        raise
    else:
        if rescue(work, overheard):
            raise ToolFailed(f"{work.spec.program} {verb} ended with 0 and did not save its state")
        is_applied = True
    finally:
        if is_applied:
            _tell_done(work, planned, verb)
        if is_applied or any(each.ended for each in heard):
            once_spent(is_applied)
    for cause in unknown:
        if isinstance(cause, Cancelled):
            raise cause
        return cause
    return None


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
