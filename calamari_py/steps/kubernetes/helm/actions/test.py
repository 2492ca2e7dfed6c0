"""Action ``test``: the chart's tests, with what they wrote."""

from __future__ import annotations

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.outcome import tell_release
from calamari_py.steps.kubernetes.helm.planning import refuse_pending
from calamari_py.steps.kubernetes.helm.rendered import stored
from calamari_py.steps.kubernetes.helm.work import Work


def test(work: Work) -> StepOutcome:
    """Run them. They are told as they end; their logs after all of them."""
    spec = work.spec
    revisions = work.helm.history()
    if not revisions:
        raise ToolFailed(
            f"there is no release '{spec.release}' in {work.access.name}",
            hint="correct 'release' or 'namespace', or install it first",
        )
    refuse_pending(work, revisions)
    current = revisions[-1]
    stored(work.helm, current, work.report, namespace=work.access.namespace)
    if spec.dry_run:
        tell_release(work, current, f"would test release '{spec.release}'")
        return StepOutcome(code=0, changed=False)
    work.report.changed(None)
    told = follow(
        work,
        "test",
        argv.test(spec),
        doing=f"test release '{spec.release}'",
        shows_stdout=True,
    )
    if b"TEST SUITE:     None" in told:
        work.report.warn(f"release '{spec.release}' has no tests")
        tell_release(work, current, "")
        return StepOutcome(code=0, changed=False)
    tell_release(work, current, f"release '{spec.release}' has passed its tests", tone="good")
    work.report.ending(f"{spec.release}: tested")
    return StepOutcome(code=0, changed=False)
