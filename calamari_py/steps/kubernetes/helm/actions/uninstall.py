"""Action ``uninstall``: all of the release is deleted; one that is not there is no failure."""

from __future__ import annotations

from calamari_py.errors import Cancelled, TimedOut, ToolFailed
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.diffing.tell import report_differences
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.ours import Attempt
from calamari_py.steps.kubernetes.helm.outcome import (
    Before,
    look_before,
    tell_objects,
    tell_release,
)
from calamari_py.steps.kubernetes.helm.planning import differences
from calamari_py.steps.kubernetes.helm.recover import wait_until_free
from calamari_py.steps.kubernetes.helm.rendered import Rendered, stored
from calamari_py.steps.kubernetes.helm.restore import leave_free
from calamari_py.steps.kubernetes.helm.work import Work


def uninstall(work: Work) -> StepOutcome:
    """Tell what goes, and delete it."""
    spec = work.spec
    revisions = work.helm.history() if spec.dry_run else wait_until_free(work)
    name = f"release '{spec.release}'"
    if not revisions or revisions[-1].status == "uninstalled":
        tell_release(work, None, f"{name} is not there")
        work.report.ending("nothing to uninstall")
        return StepOutcome(code=0, changed=False)
    current = revisions[-1]
    had = stored(work.helm, current, work.report, namespace=work.access.namespace)
    nothing = Rendered(namespace=work.access.namespace)
    report_differences(work.report, tuple(differences(had, nothing)))
    if spec.dry_run:
        tell_release(work, current, f"would uninstall {name}, revision {current.number}")
        return StepOutcome(code=0, pending=True)
    return _delete(work, current, look_before(work, had, None))


def _delete(work: Work, current: Revision, before: Before) -> StepOutcome:
    spec = work.spec
    work.report.line(f"uninstalling release '{spec.release}', revision {current.number}")
    work.report.changed(None)
    words = argv.uninstall(spec, keep_history=spec.keep_history)
    try:
        follow(work, "uninstall", words, doing=f"uninstall release '{spec.release}'")
    except (ToolFailed, Stopped, TimedOut, Cancelled):
        leave_free(work, Attempt(after=current.number), current, before)
        raise
    work.report.changed()
    tell_objects(work, before)
    tell_release(work, None, f"release '{spec.release}' is uninstalled", tone="good", was=current)
    work.report.ending(f"{spec.release}: uninstalled")
    return StepOutcome(code=0, changed=True)
