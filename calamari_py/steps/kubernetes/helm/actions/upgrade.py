"""Action ``upgrade``: the release becomes what the chart and the values say, or is what it was."""

from __future__ import annotations

from dataclasses import replace

from calamari_py.errors import Cancelled, TimedOut, ToolFailed
from calamari_py.identity import count_text
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.applying.namespace import ensure_namespace
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.actions.diff import diff
from calamari_py.steps.kubernetes.helm.fetch import fetch_chart
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.holder import LABEL, ourselves
from calamari_py.steps.kubernetes.helm.ours import Attempt, made_by
from calamari_py.steps.kubernetes.helm.outcome import tell_objects, tell_release
from calamari_py.steps.kubernetes.helm.planning import Planned, plan
from calamari_py.steps.kubernetes.helm.recover import recover
from calamari_py.steps.kubernetes.helm.rendered import notes_of
from calamari_py.steps.kubernetes.helm.restore import after_failure, leave_free
from calamari_py.steps.kubernetes.helm.rollouts import Rollouts, rollouts_of, wait_until_ready
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.spec import HelmSpec


def upgrade(work: Work) -> StepOutcome:
    """Tell what changes, change it, and follow it until all is ready."""
    spec = work.spec
    if spec.dry_run:
        return diff(work)
    chart = fetch_chart(work.helm, work.context)
    made = (
        ensure_namespace(
            work.kubectl, spec.namespace, create=spec.create_namespace, report=work.report
        )
        if spec.namespace
        else None
    )
    planned = plan(work, chart, recover(work), made=[made] if made else [])
    if not planned.is_needed:
        return _nothing_to_do(work, planned)
    return _change(work, planned)


def _nothing_to_do(work: Work, planned: Planned) -> StepOutcome:
    """The same chart, values and manifest make no new revision. It has to be well all the same."""
    assert planned.deployed is not None
    work.report.line(
        f"release '{work.spec.release}' is revision {planned.deployed.number} already:"
        " chart, values and manifest are the same, and nothing is upgraded"
    )
    rollouts = rollouts_of(work, planned.wanted, planned.before, anything_changed=False)
    if rollouts.objects is not None:
        rollouts.objects.wait_until_ready()
    tell_objects(work, planned.before)
    tell_release(work, planned.deployed, "", was=planned.deployed)
    return StepOutcome(code=0, changed=False)


def _change(work: Work, planned: Planned) -> StepOutcome:
    spec, before = work.spec, planned.before
    rollouts = rollouts_of(work, planned.wanted, before)
    attempt = _attempt(spec, planned)
    work.report.line(f"upgrading release '{spec.release}' to {planned.wanted.chart}")
    work.report.changed(None)
    try:
        notes = _run(work, planned, attempt, rollouts)
    except ToolFailed as error:
        after_failure(work, error, attempt, planned.deployed, before)
        raise
    except (Stopped, TimedOut, Cancelled):
        leave_free(work, attempt, planned.last, before)
        raise
    work.report.changed()
    tell_objects(work, before)
    made = _made(work, planned, attempt)
    number = count_text(len(planned.wanted.objects), "object")
    tell_release(
        work,
        made,
        f"release '{spec.release}' is {made.status}: revision {made.number}, {made.chart}",
        tone="good",
        was=planned.deployed,
    )
    if notes:
        work.report.text(notes)
        work.report.settle()
    work.report.ending(f"{spec.release}: revision {made.number} {made.status}, {number}")
    return StepOutcome(code=0, changed=True)


def _attempt(spec: HelmSpec, planned: Planned) -> Attempt:
    hooks = len(planned.wanted.hooks) if spec.hooks else 0
    holder = ourselves(planned.wanted.revision, limit=argv.limit(spec, hooks))
    return Attempt(after=planned.last.number if planned.last else 0, holder=holder)


def _run(work: Work, planned: Planned, attempt: Attempt, rollouts: Rollouts) -> bytes:
    """Upgrade it, and follow it; the chart's notes."""
    spec = work.spec
    assert attempt.holder is not None
    label = f"{LABEL}={attempt.holder.label}"
    told = follow(
        work,
        "upgrade",
        argv.upgrade(spec, work.files, planned.chart, label=label),
        objects=rollouts.objects,
        hooks=rollouts.hooks,
        doing=f"upgrade release '{spec.release}'",
    )
    wait_until_ready(rollouts)
    return notes_of(told)


def _made(work: Work, planned: Planned, attempt: Attempt) -> Revision:
    """The revision that was made, as Helm keeps it."""
    revisions = work.helm.history()
    name = f"release '{work.spec.release}'"
    if not revisions:
        raise ToolFailed(f"{name} was upgraded, and is not there any more")
    made = made_by(work, attempt, revisions)
    if made != revisions[-1]:
        raise ToolFailed(
            f"{name} was upgraded, and another run changed it meanwhile: revision"
            f" {revisions[-1].number} is not ours",
            hint="see: " + argv.by_hand(work.spec, "history", work.spec.release),
        )
    return replace(revisions[-1], chart=revisions[-1].chart or planned.wanted.chart)
