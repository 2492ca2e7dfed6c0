"""Objects are applied, phase by phase, and what became of each is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calamari_py.errors import Cancelled, TimedOut, ToolFailed
from calamari_py.steps._stopped import Stopped
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.alone import Alone
from calamari_py.steps.kubernetes.applying.applyset import (
    ALLOWED,
    ApplySet,
    look_at_applyset,
    pruned_results,
    warn_of_others,
)
from calamari_py.steps.kubernetes.applying.definitions import (
    holds_others,
    is_definition,
    wait_for_definitions,
)
from calamari_py.steps.kubernetes.applying.endeavour import Endeavour
from calamari_py.steps.kubernetes.applying.failed import none_failed
from calamari_py.steps.kubernetes.applying.gone import not_gone, wait_until_gone
from calamari_py.steps.kubernetes.applying.lines import Confirmations, lots_of
from calamari_py.steps.kubernetes.applying.outcome import Body, Known, result_of
from calamari_py.steps.kubernetes.applying.tell import counted, report_results
from calamari_py.steps.kubernetes.applying.terminating import refuse_terminating
from calamari_py.steps.kubernetes.objects.order import phases
from calamari_py.steps.kubernetes.spec import KubectlSpec, WaitSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.failed import ApiFailed
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult, ref_of

DOING = "apply the objects"
_LOOK_SECONDS = 10.0
_GLANCE = WaitSpec(timeout=0)


def apply_objects(
    kubectl: Kubectl,
    objects: Sequence[KubeObject],
    spec: KubectlSpec,
    report: StepReport,
    *,
    before: dict[ObjectRef, Body] | None = None,
    already: Sequence[ObjectResult] = (),
) -> tuple[ObjectResult, ...]:
    """Apply `objects` and tell what became of each: one result for each in their order, then what
    was pruned, and the parent of the ApplySet where it was made. Raises ToolFailed once all that is
    told, when any of them failed, or what was pruned is not gone in time; one that makes it useless
    to go on ends all at once. Whatever else ends it leaves as much told as is known. What was there
    before anything was applied is put in `before`; `already` was changed by the step before, and
    has been told."""
    application = _Application(kubectl, objects, spec, report)
    found = application.prepare()
    if before is not None:
        before.update(found)
    results: tuple[ObjectResult, ...] = ()
    left: dict[ObjectRef, str] = {}
    try:
        application.carry_out()
        application.look_back()
        left = application.wait_for_pruned()
    except (Stopped, TimedOut, Cancelled, ToolFailed) as ended:
        if not _is_no_access(ended):
            application.look_back(last_words=_LOOK_SECONDS)
        raise
    finally:
        results = application.results()
        report_results(report, results, already=already, namespace=kubectl.access.namespace)
        report.changed(is_changed((*already, *results)))
        report.ending(f"applied: {counted((*already, *results))}")
    none_failed(kubectl, objects, results, spec, application.alone.first)
    if left:
        raise not_gone(left, spec.wait or _GLANCE)
    return results


def is_changed(results: Sequence[ObjectResult]) -> bool | None:
    """Whether anything was changed; None where nobody knows."""
    actions = {result.action for result in results}
    if actions & {"created", "configured", "pruned", "deleting"}:
        return True
    return None if actions & {"applied", "failed", "unknown"} else False


def _is_no_access(ended: BaseException) -> bool:
    """Whether there is no use in looking."""
    failure = ended.failure if isinstance(ended, ApiFailed) else None
    return failure is not None and failure.is_access


class _Application(Endeavour):
    """One application of objects, and what is known of it so far."""

    def __init__(
        self,
        kubectl: Kubectl,
        objects: Sequence[KubeObject],
        spec: KubectlSpec,
        report: StepReport,
    ) -> None:
        super().__init__(kubectl, objects, spec, report)
        self._known = Known(namespace=kubectl.access.namespace)
        self._set = ApplySet()
        self._done = 0
        self.alone = Alone(kubectl, self._objects, spec, self._warnings)

    def prepare(self) -> Mapping[ObjectRef, Body]:
        """What is there before. Nothing is changed yet."""
        refs = [*(each.ref for each in self._objects), *self._parents]
        unseen: dict[ObjectRef, ApiFailure] = {}
        if self._spec.applyset:
            self._set = look_at_applyset(self._kubectl, self._objects, self._spec)
        self._known.before = self._kubectl.get_objects(
            refs, doing="look at what is there", refused=unseen
        )
        self._known.unseen = set(unseen)
        refuse_terminating(self._known.before.values())
        if self._spec.applyset:
            warn_of_others(self._known.before.values(), self._set, self._report)
        self._warn()
        return self._known.before

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
        found = self._kubectl.get_objects(
            [*applied, *self._parents],
            doing="look at what was applied",
            refused={},
            last_words=last_words,
        )
        # A later look that fails takes nothing from what was seen.
        self._known.after = {**self._known.after, **found}

    def wait_for_pruned(self) -> dict[ObjectRef, str]:
        """Wait until what was pruned is gone, as long as the spec waits: what is not, and why."""
        bodies = {ref_of(body): body for body in self._set.left_over}
        pruned = [result.ref for result in self._known.pruned if result.ref in bodies]
        deleted = {ref: bodies[ref] for ref in pruned}
        wait = self._spec.wait or _GLANCE
        left = wait_until_gone(self._kubectl, deleted, wait, self._report, self._known.gone)
        if self._spec.wait is None:
            return {}
        self._known.failed.update(left)
        return left

    def results(self) -> tuple[ObjectResult, ...]:
        """As far as they are known."""
        made = [
            result_of(self._known.after[ref], "created")
            for ref in self._parents
            if ref in self._known.after
            and ref not in self._known.before
            and ref not in self._known.unseen
        ]
        return (*self._known.results(self._objects), *made)

    def _is_needed(self, ref: ObjectRef) -> bool:
        is_absent = ref not in self._known.before and ref not in self._known.unseen
        return is_absent and holds_others(ref)

    def _apply(self, objects: Sequence[KubeObject], *, prune: bool = False) -> None:
        if not objects:
            return
        told = self._hand_over(objects, prune=prune)
        self._done += len(objects)
        if told is not None:
            self._failed(objects, told, prune=prune)

    def _hand_over(
        self, objects: Sequence[KubeObject], *, prune: bool = False
    ) -> Confirmations | None:
        """One kubectl for all `objects`: what it said where it did not succeed."""
        namespace = self._kubectl.access.namespace
        known, refs = self._known, {each.ref for each in objects}
        known.tried |= refs
        told = Confirmations(self._warnings, self._progress)
        code: int | None = None
        try:
            with self._kubectl.files(each.text for each in objects) as files:
                words = argv.apply(files, self._spec, prunes_in=namespace if prune else None)
                ended = self._kubectl.read(*words, reader=told, also=ALLOWED if prune else {})
                code = ended.code
        finally:
            known.confirm(refs if code == 0 else told.confirmed(refs))
            known.pruned += pruned_results(told.pruned, self._set.left_over)
        if code == 0:
            return None
        self._kubectl.survivable(DOING, told.stderr)
        return told

    def _missing(self, objects: Sequence[KubeObject]) -> list[KubeObject]:
        return [each for each in objects if each.ref not in self._known.applied]

    def _failed(self, objects: Sequence[KubeObject], told: Confirmations, *, prune: bool) -> None:
        """Second chances for what is missing: together, in lots in which no two sound alike, then
        alone. By itself a member of an ApplySet would not be one."""
        missing = self._missing(objects)
        if not missing:
            doing = f"prune what ApplySet '{self._spec.applyset}' has no file for any more"
            raise self._kubectl.failed(doing if self._spec.applyset else DOING, told.stderr)
        if self._set.left_over and prune:
            self._report.line("nothing is pruned, as not all could be applied", tone="warn")
        for lot in lots_of(missing) if not self._spec.applyset else ():
            if len(lot) > 1:
                self._hand_over(lot)
        for each in self._missing(objects):
            message = self.alone.apply(each)
            if message:
                self._known.failed[each.ref] = message
            else:
                self._known.confirm({each.ref})

    def _create(self, place: int, each: KubeObject) -> None:
        self._known.tried.add(place)
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
