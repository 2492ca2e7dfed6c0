"""Whether the set and its instances are what the manifest says, once all operations are over."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.errors import CalamariError, CloudError, Indeterminate, TimedOut
from calamari_py.steps.cloudformation.following.contact import nobody_knows, watch_hint
from calamari_py.steps.cloudformation.sets.failure import not_current, not_there
from calamari_py.steps.cloudformation.sets.follow import operations_of
from calamari_py.steps.cloudformation.sets.look import find, instances_of, warn_of_behind
from calamari_py.steps.cloudformation.sets.outputs import publish
from calamari_py.steps.cloudformation.sets.targets import expected_places, missing_targets, named
from calamari_py.steps.cloudformation.sets.values import Instance, SetOperation, StackSet
from calamari_py.steps.cloudformation.sets.work import SetWork


def conclude(work: SetWork) -> None:
    """The end of a deployment: what AWS says now, whatever the operations came to.

    Raises StackFailed, Indeterminate when AWS does not say, and a CloudError that asks for another
    look (``StaleRequest``) when somebody else has worked on the set meanwhile.
    """
    try:
        there, operations, instances = find(work), operations_of(work), instances_of(work)
    except TimedOut:
        raise
    except CalamariError as error:
        if not work.begun:
            raise
        raise _unseen(work, error) from error
    if there is None:
        raise work.missing()
    _refuse_others(work, operations)
    judge(work, there, instances)


def judge(work: SetWork, there: StackSet, instances: Sequence[Instance]) -> None:
    """Publish what there is. Raises StackFailed when an instance that the manifest names is
    missing, or is not what the set says."""
    ours = named(work.spec.instances, instances)
    publish(work, there, instances, ours)
    behind = [one for one in ours if one.status != "CURRENT" and not one.is_passed_over]
    if behind:
        raise not_current(work, behind)
    places = {one.place for one in instances}
    missing = [place for place in expected_places(work.spec.instances) if place not in places]
    if missing:
        raise not_there(work, missing)
    warn_of_behind(work, instances)
    for target in missing_targets(work.spec.instances, instances):
        work.report.warn(f"{work.shown} has no instance in {target.shown}: is there no account?")


def _refuse_others(work: SetWork, operations: Sequence[SetOperation]) -> None:
    """What was looked at before somebody else's operation is not what is there now."""
    new = [one for one in operations if one.id not in work.seen and one.action != "DETECT_DRIFT"]
    if new:
        raise CloudError(
            f"{work.shown} was changed meanwhile by operation '{new[-1].id}', which is none of "
            "this step's",
            service="cloudformation",
            operation="ListStackSetOperations",
            code="StaleRequest",
            hint="run again when nobody else works on the set",
        )


def _unseen(work: SetWork, error: CalamariError) -> Indeterminate:
    return nobody_knows(
        f"every operation of this step on {work.shown} has succeeded, and nobody could see how its "
        f"instances are now: {error}",
        error,
        operation="ListStackInstances",
        hint=watch_hint(work),
    )
