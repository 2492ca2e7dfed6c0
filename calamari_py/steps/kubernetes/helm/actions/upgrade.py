"""Action ``upgrade``: the release becomes what the chart and the values say, or is what it was."""

from __future__ import annotations

from dataclasses import replace

from calamari_py.errors import Cancelled, TimedOut, ToolFailed
from calamari_py.identity import count_text
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.applying.namespace import ensure_namespace
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.fetch import fetch_chart
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.holder import LABEL, ourselves
from calamari_py.steps.kubernetes.helm.outcome import (
    Before,
    look_before,
    tell_objects,
    tell_release,
)
from calamari_py.steps.kubernetes.helm.planning import Planned, only_looked, plan
from calamari_py.steps.kubernetes.helm.recover import recover
from calamari_py.steps.kubernetes.helm.restore import after_failure, after_forced_end
from calamari_py.steps.kubernetes.helm.rollouts import Rollouts, rollouts_of
from calamari_py.steps.kubernetes.helm.work import Work


def upgrade(work: Work) -> StepOutcome:
    """Tell what changes, change it, and follow it until all is ready."""
    spec = work.spec
    chart = fetch_chart(work.helm, work.context)
    if spec.dry_run:
        return only_looked(work, plan(work, chart, work.helm.history()), "would upgrade")
    if spec.namespace:
        ensure_namespace(
            work.kubectl, spec.namespace, create=spec.create_namespace, report=work.report
        )
    planned = plan(work, chart, recover(work))
    had = planned.had.refs if planned.had is not None else []
    before = look_before(work, had, planned.wanted.refs)
    if not planned.is_needed and all(ref in before.bodies for ref in planned.wanted.refs):
        return _nothing_to_do(work, planned, before)
    return _change(work, planned, before)


def _nothing_to_do(work: Work, planned: Planned, before: Before) -> StepOutcome:
    """The same chart, values and manifest make no new revision. It has to be well all the same."""
    assert planned.deployed is not None
    work.report.line(
        f"release '{work.spec.release}' is revision {planned.deployed.number} already:"
        " chart, values and manifest are the same, and nothing is upgraded"
    )
    rollouts = rollouts_of(work, planned.wanted, before, anything_changed=False)
    if rollouts.objects is not None:
        rollouts.objects.wait_until_ready()
    tell_objects(work, before)
    tell_release(work, planned.deployed, "", was=planned.deployed)
    return StepOutcome(code=0, changed=False)


def _change(work: Work, planned: Planned, before: Before) -> StepOutcome:
    spec = work.spec
    rollouts = rollouts_of(work, planned.wanted, before)
    work.report.line(f"upgrading release '{spec.release}' to {planned.wanted.chart}")
    work.report.changed(None)
    try:
        _run(work, planned, rollouts)
    except ToolFailed as error:
        after_failure(work, error, planned.last, planned.deployed, before)
        raise
    except (Stopped, TimedOut, Cancelled):
        after_forced_end(work, planned.last, before)
        raise
    work.report.changed()
    made = _made(work, planned)
    tell_objects(work, before)
    number = count_text(len(planned.wanted.objects), "object")
    tell_release(
        work,
        made,
        f"release '{spec.release}' is {made.status}: revision {made.number}, {made.chart}",
        tone="good",
        was=planned.deployed,
    )
    work.report.ending(f"{spec.release}: revision {made.number} {made.status}, {number}")
    return StepOutcome(code=0, changed=True)


def _run(work: Work, planned: Planned, rollouts: Rollouts) -> None:
    spec = work.spec
    limit = spec.wait.timeout if spec.wait is not None else 0.0
    holder = ourselves(planned.wanted.revision, limit=limit)
    labels = [] if holder is None else [f"{LABEL}={holder.label}"]
    follow(
        work,
        "upgrade",
        argv.upgrade(spec, work.files, planned.chart, labels=labels),
        objects=rollouts.objects,
        hooks=rollouts.hooks,
        doing=f"upgrade release '{spec.release}'",
    )
    if rollouts.objects is not None:
        rollouts.objects.wait_until_ready()


def _made(work: Work, planned: Planned) -> Revision:
    """The revision that is there now, as Helm keeps it."""
    revisions = work.helm.history()
    if not revisions:
        raise ToolFailed(f"release '{work.spec.release}' was upgraded, and is not there any more")
    return replace(revisions[-1], chart=revisions[-1].chart or planned.wanted.chart)
