"""Objects are applied, phase by phase, and what became of each is known."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.errors import Cancelled, TimedOut
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.alone import Alone
from calamari_py.steps.kubernetes.applying.applyset import (
    ALLOWED,
    check_applyset,
    left_over,
    pruned_results,
)
from calamari_py.steps.kubernetes.applying.definitions import (
    holds_others,
    is_definition,
    wait_for_definitions,
)
from calamari_py.steps.kubernetes.applying.failed import none_failed
from calamari_py.steps.kubernetes.applying.lines import Confirmations, Warnings
from calamari_py.steps.kubernetes.applying.outcome import Body, Known
from calamari_py.steps.kubernetes.applying.tell import report_results
from calamari_py.steps.kubernetes.applying.terminating import refuse_terminating
from calamari_py.steps.kubernetes.objects.order import phases
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult

DOING = "apply the objects"
_LOOK_SECONDS = 10.0


def apply_objects(
    kubectl: Kubectl, objects: Sequence[KubeObject], spec: KubectlSpec, report: StepReport
) -> tuple[ObjectResult, ...]:
    """Apply `objects` and tell what became of each: one result for each in their order, then what
    was pruned. Raises ToolFailed once all that is told, when any of them failed; one that makes it
    useless to go on ends all at once. Whatever else ends it leaves as much told as is known."""
    application = _Application(kubectl, objects, spec, report)
    application.prepare()
    results: tuple[ObjectResult, ...] = ()
    try:
        application.carry_out()
        application.look_back()
    except (Stopped, TimedOut, Cancelled):
        application.look_back(last_words=_LOOK_SECONDS)
        raise
    finally:
        results = application.results()
        report_results(report, results)
        report.changed(_is_changed(results))
    none_failed(kubectl, objects, results, spec, application.alone.first)
    return results


def _is_changed(results: Sequence[ObjectResult]) -> bool | None:
    actions = {result.action for result in results}
    if actions & {"created", "configured", "pruned"}:
        return True
    return None if actions & {"failed", "unknown"} else False


class _Application:
    """One application of objects, and what is known of it so far."""

    def __init__(
        self,
        kubectl: Kubectl,
        objects: Sequence[KubeObject],
        spec: KubectlSpec,
        report: StepReport,
    ) -> None:
        self._kubectl = kubectl
        self._objects = tuple(objects)
        self._spec = spec
        self._report = report
        self._known = Known()
        self._warnings = Warnings(report)
        self._expected: list[Body] = []
        self._done = 0
        self.alone = Alone(kubectl, self._objects, spec, self._warnings)

    def prepare(self) -> None:
        """What is there before. Nothing is changed yet."""
        refs = [each.ref for each in self._objects]
        unseen: dict[ObjectRef, ApiFailure] = {}
        if self._spec.applyset:
            check_applyset(self._kubectl, self._objects, self._spec)
            self._expected = left_over(self._kubectl, self._objects, self._spec)
        self._known.before = self._kubectl.get_objects(
            refs, doing="look at what is there", refused=unseen
        )
        self._known.unseen = set(unseen)
        refuse_terminating(self._known.before.values())
        self._warn()

    def carry_out(self) -> None:
        """Apply all, phase by phase."""
        self._report.changed(None)
        for phase in phases(self._objects):
            objects = [each for each in phase if each.ref.name]
            if self._spec.applyset:
                # They are all applied together then. Only what others need comes before.
                objects = [each for each in objects if self._is_needed(each.ref)]
            self._apply(objects)
            definitions = [each.ref for each in objects if is_definition(each.ref)]
            wait_for_definitions(
                self._kubectl,
                [ref for ref in definitions if ref in self._known.applied],
                self._kubectl.context.clock,
            )
        if self._spec.applyset:
            self._apply([each for each in self._objects if each.ref.name], prune=True)
        for place, each in enumerate(self._objects):
            if not each.ref.name:
                self._create(place, each)

    def look_back(self, last_words: float | None = None) -> None:
        """What is there after."""
        applied = [each.ref for each in self._objects if each.ref in self._known.applied]
        self._known.after = self._kubectl.get_objects(
            applied, doing="look at what was applied", refused={}, last_words=last_words
        )

    def results(self) -> tuple[ObjectResult, ...]:
        """As far as they are known."""
        return tuple(self._known.results(self._objects))

    def _is_needed(self, ref: ObjectRef) -> bool:
        is_absent = ref not in self._known.before and ref not in self._known.unseen
        return is_absent and holds_others(ref)

    def _apply(self, objects: Sequence[KubeObject], *, prune: bool = False) -> None:
        if not objects:
            return
        namespace = self._kubectl.access.namespace
        known, refs = self._known, {each.ref for each in objects}
        told = Confirmations(self._warnings, self._progress)
        code: int | None = None
        try:
            with self._kubectl.files(each.text for each in objects) as files:
                words = argv.apply(files, self._spec, prunes_in=namespace if prune else None)
                ended = self._kubectl.read(*words, reader=told, also=ALLOWED if prune else {})
                code = ended.code
        finally:
            known.applied |= refs if code == 0 else told.confirmed(refs)
            known.pruned += pruned_results(told.pruned, self._expected)
            self._done += len(objects)
        if code != 0:
            self._failed(objects, told, prune=prune)

    def _failed(self, objects: Sequence[KubeObject], told: Confirmations, *, prune: bool) -> None:
        self._kubectl.survivable(DOING, told.stderr)
        missing = [each for each in objects if each.ref not in self._known.applied]
        if not missing:
            doing = f"prune what ApplySet '{self._spec.applyset}' has no file for any more"
            raise self._kubectl.failed(doing if self._spec.applyset else DOING, told.stderr)
        if self._expected and prune:
            self._report.line("nothing is pruned, as not all could be applied", tone="warn")
        for each in missing:
            message = self.alone.apply(each)
            if message:
                self._known.failed[each.ref] = message
            else:
                self._known.applied.add(each.ref)

    def _create(self, place: int, each: KubeObject) -> None:
        made, message = self.alone.create(each)
        if made is None:
            self._known.not_made[place] = message
        else:
            self._known.made[place] = made

    def _progress(self, done: int) -> None:
        total = len(self._objects)
        self._report.progress(None, f"{min(self._done + done, total)} of {total} objects applied")

    def _warn(self) -> None:
        if any(not each.ref.name for each in self._objects):
            self._report.note("the server names objects with generateName: each run makes new ones")
        is_plain = not self._spec.server_side
        if is_plain and any(each.ref.kind == "Secret" for each in self._objects):
            self._report.warn(
                "the values of Secrets are written to an annotation of theirs, too",
                hint="apply on the server's side: remove 'server_side: false'",
            )
