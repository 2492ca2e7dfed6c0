"""Action ``test``: the chart's tests, with what they wrote."""

from __future__ import annotations

import re

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepOutcome
from calamari_py.steps.kubernetes.helm import argv
from calamari_py.steps.kubernetes.helm.following import follow
from calamari_py.steps.kubernetes.helm.outcome import tell_release
from calamari_py.steps.kubernetes.helm.planning import refuse_pending
from calamari_py.steps.kubernetes.helm.rendered import Rendered, annotation, stored
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.rollout.evidence.logs import log_of

_NONE = re.compile(rb"TEST SUITE:\s+None")
_FAILED = re.compile(r"\b(?:pod|job) (\S+) failed")
_MOST = "--limit-bytes=1000000"


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
    found = stored(work.helm, current, work.report, namespace=work.access.namespace)
    if spec.dry_run:
        tell_release(work, current, f"would test release '{spec.release}'")
        return StepOutcome(code=0, changed=False)
    work.report.changed(None)
    doing = f"test release '{spec.release}'"
    try:
        told = follow(work, "test", argv.test(spec), doing=doing, shows_stdout=True)
    except ToolFailed as error:
        _tell_logs(work, found)
        tell_release(work, current, _failed(work, error), tone="bad")
        work.report.changed(False)
        raise
    _tell_logs(work, found)
    if _NONE.search(told):
        work.report.warn(f"release '{spec.release}' has no tests")
        tell_release(work, current, "")
        return StepOutcome(code=0, changed=False)
    tell_release(work, current, f"release '{spec.release}' has passed its tests", tone="good")
    work.report.ending(f"{spec.release}: tested")
    return StepOutcome(code=0, changed=False)


def _failed(work: Work, error: ToolFailed) -> str:
    """The line that names what failed; empty where Helm says none, and it may be no test at all."""
    names = ", ".join(f"'{name}'" for name in _FAILED.findall(error.message))
    return f"release '{work.spec.release}' has failed its test {names}" if names else ""


def _tell_logs(work: Work, found: Rendered) -> None:
    """What the tests wrote, of those whose pods are still there."""
    for each in (*found.hooks, *found.tests):
        ref, moments = each.ref, annotation(each.body, "helm.sh/hook")
        if ref.kind != "Pod" or "test" not in moments or not ref.name:
            continue
        log = log_of(work.kubectl, ref.name, ref.namespace, "--all-containers", _MOST)
        if log:
            work.report.text(log, of=f"pod/{ref.name}")
            work.report.settle()
