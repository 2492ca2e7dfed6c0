"""Action ``watch``: the operation that runs on the set, or ran last, to its true outcome."""

from __future__ import annotations

from calamari_py.steps.base import StepOutcome
from calamari_py.steps.cloudformation.actions.endings import only_looked
from calamari_py.steps.cloudformation.links import resume_command
from calamari_py.steps.cloudformation.sets.conclude import judge
from calamari_py.steps.cloudformation.sets.failure import set_failed
from calamari_py.steps.cloudformation.sets.follow import follow, latest_operation
from calamari_py.steps.cloudformation.sets.look import find, instances_of, warn_of_behind
from calamari_py.steps.cloudformation.sets.outputs import publish, summary
from calamari_py.steps.cloudformation.sets.targets import named
from calamari_py.steps.cloudformation.sets.values import SetOperation
from calamari_py.steps.cloudformation.sets.work import SetWork

_VERBS = {"CREATE": "creation", "UPDATE": "update", "DELETE": "deletion"}


def watch(work: SetWork) -> StepOutcome:
    """Follow it, whoever began it; its outcome is the step's, and it is only a success when the
    instances that the manifest names are there: a deployment may have had more to do than this
    operation. Nobody can say whether it was this step's, so `changed` is not known."""
    there = find(work)
    if there is None:
        raise work.missing()
    work.tell_set(there)
    latest = latest_operation(work)
    if latest is None:
        work.report.line(f"no operation ever ran on {work.shown}")
    elif work.spec.dry_run:
        work.report.line(f"{work.shown}: operation '{latest.id}' is {latest.status}: only looked")
        return only_looked(work, work.spec.name, latest.status, pending=False)
    else:
        _follow(work, latest)
    _say_state(work, is_deletion=latest is not None and latest.action == "DELETE")
    return StepOutcome(code=0, changed=None)


def _follow(work: SetWork, latest: SetOperation) -> None:
    begun = f", begun {latest.created:%Y-%m-%d %H:%M:%S}Z" if latest.created else ""
    what = _VERBS.get(latest.action, latest.action.lower().replace("_", " "))
    title = f"the {what} '{latest.id}' of {work.shown}"
    work.report.line(f"following {title}{begun}")
    ended = follow(work, latest.id, title)
    if not ended.has_succeeded:
        raise set_failed(work, ended)


def _say_state(work: SetWork, *, is_deletion: bool) -> None:
    """What the set is now."""
    there = find(work)
    if there is None:
        work.report.line(f"{work.shown} is gone")
        work.report.ending(f"{work.spec.name}: deleted")
        return
    instances = instances_of(work)
    work.report.line(f"{work.shown}: {summary(instances)}")
    if not is_deletion:
        judge(work, there, instances)
        return
    ours = named(work.spec.instances, instances)
    publish(work, there, instances, ours)
    warn_of_behind(work, instances)
    if ours or not instances:
        what = f"{len(ours)} of the instances that the manifest names" if ours else "no instances"
        delete = resume_command(work.context.rerun, "delete")
        work.report.warn(f"{work.shown} is still there, with {what}", f"if it is to go: {delete}")
