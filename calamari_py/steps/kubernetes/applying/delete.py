"""Objects are deleted, and it is known when they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.causes import cause_of
from calamari_py.steps.kubernetes.applying.definitions import holds_others
from calamari_py.steps.kubernetes.applying.endeavour import Endeavour
from calamari_py.steps.kubernetes.applying.failed import none_failed
from calamari_py.steps.kubernetes.applying.gone import not_gone, wait_until_gone
from calamari_py.steps.kubernetes.applying.lines import Confirmations
from calamari_py.steps.kubernetes.applying.outcome import Body, result_of
from calamari_py.steps.kubernetes.applying.tell import counted, named, report_results
from calamari_py.steps.kubernetes.diffing.difference import compare
from calamari_py.steps.kubernetes.diffing.tell import report_differences
from calamari_py.steps.kubernetes.objects.order import for_deletion
from calamari_py.steps.kubernetes.objects.scope import placed
from calamari_py.steps.kubernetes.spec import KubectlSpec, WaitSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.files import as_reference
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject, ObjectAction, ObjectRef, ObjectResult

DOING = "delete the objects"
_KEPT = "what is in it would go with it: 'delete_namespaces: true' deletes it"
_NAMELESS = "the server has named it: nobody knows which ones are meant"
_PARENT = "kubectl made it as the parent of the ApplySet: delete it with 'kubectl delete'"
_MOST_ALONE = 10


def delete_objects(
    kubectl: Kubectl, objects: Sequence[KubeObject], spec: KubectlSpec, report: StepReport
) -> tuple[ObjectResult, ...]:
    """Delete `objects`, what needs others first, and wait until they are gone as long as the spec
    waits: one result for each in their order. Namespaces and definitions are kept unless the spec
    says otherwise. In a dry run nothing is changed, and what would go is told as differences; the
    results are what would be. Raises ToolFailed once all is told, when any could not be deleted or
    is not gone in time."""
    deletion = _Deletion(kubectl, objects, spec, report)
    deletion.prepare()
    if spec.dry_run:
        return deletion.rehearse()
    report.changed(None)
    results: tuple[ObjectResult, ...] = ()
    left: ToolFailed | None = None
    try:
        deletion.carry_out()
        if spec.wait is not None:
            left = deletion.wait(spec.wait)
    finally:
        results = deletion.tell()
        report.changed(deletion.is_changed)
        report.ending(counted(results))
    if left is not None:
        raise left
    none_failed(kubectl, objects, results, spec, deletion.first, verb="delete")
    return results


class _Deletion(Endeavour):
    """One deletion, and what is known of it so far."""

    def __init__(
        self,
        kubectl: Kubectl,
        objects: Sequence[KubeObject],
        spec: KubectlSpec,
        report: StepReport,
    ) -> None:
        super().__init__(kubectl, objects, spec, report)
        self._there: dict[ObjectRef, Body] = {}
        self._unseen: set[ObjectRef] = set()
        self._done: set[ObjectRef] = set()
        self._gone: set[ObjectRef] = set()
        self._absent: set[ObjectRef] = set()
        self._failed: dict[ObjectRef, str] = {}
        self.first: ApiFailure | None = None

    def prepare(self) -> None:
        """What is there. Nothing is changed yet."""
        unseen: dict[ObjectRef, ApiFailure] = {}
        self._there = self._kubectl.get_objects(
            [*(each.ref for each in self._objects), *self._parents],
            doing="look at what is there",
            refused=unseen,
        )
        self._unseen = set(unseen)

    @property
    def is_changed(self) -> bool | None:
        """Whether anything was deleted; None where nobody knows."""
        if self._done:
            return True
        return None if self._failed or self._going() - self._absent else False

    def wait(self, wait: WaitSpec) -> ToolFailed | None:
        """Wait until all that was deleted is gone: the error when it is not in time."""
        refs = [each.ref for each in self._objects if each.ref in self._done]
        deleted = {ref: self._there.get(ref) for ref in refs}
        left = wait_until_gone(self._kubectl, deleted, wait, self._report, self._gone)
        self._failed.update(left)
        return not_gone(left, wait) if left else None

    def carry_out(self) -> None:
        """Delete what is there and may go."""
        ordered = for_deletion(self._objects)
        going = [each.ref for each in ordered if each.ref in self._going()]
        if not going:
            return
        told = Confirmations(self._warnings, lambda done: self._progress(done, len(going)))
        code: int | None = None
        try:
            with self._kubectl.files(map(as_reference, going)) as files:
                code = self._kubectl.read(*argv.delete(files), reader=told).code
        finally:
            self._done |= told.confirmed(going)
            if code == 0:
                for ref in going:
                    self._silent(ref, told)
        if code != 0:
            self._kubectl.survivable(DOING, told.stderr)
            for ref in going:
                if ref not in self._done:
                    self._delete_alone(ref, told)

    def tell(self) -> tuple[ObjectResult, ...]:
        """Tell what became of each, or would."""
        results = self._results()
        report_results(self._report, results, namespace=self._kubectl.access.namespace)
        return results

    def rehearse(self) -> tuple[ObjectResult, ...]:
        """Tell what would go, as differences; the results are those of a deletion that worked."""
        self._done = self._gone = self._going()
        results = self._results()
        going = [each.ref for each in self._objects if each.ref in self._done]
        differences = [compare(ref, self._there.get(ref), None) for ref in going]
        report_differences(self._report, differences)
        for result in results:
            if result.action == "kept":
                self._report.line(f"{named(result.ref)} would be kept: {result.message}")
        return results

    def _results(self) -> tuple[ObjectResult, ...]:
        parents = [self._there[ref] for ref in self._parents if ref in self._there]
        kept = [result_of(body, "kept", _PARENT) for body in parents]
        return (*map(self._result, self._objects), *kept)

    def _going(self) -> set[ObjectRef]:
        return {each.ref for each in self._objects if self._is_going(each.ref)}

    def _is_going(self, ref: ObjectRef) -> bool:
        is_kept = holds_others(ref) and not self._spec.delete_namespaces
        return bool(ref.name) and not is_kept and (ref in self._there or ref in self._unseen)

    def _silent(self, ref: ObjectRef, told: Confirmations) -> None:
        """kubectl found no `ref`: it has gone by itself meanwhile, unless it is one of several that
        kubectl speaks of alike, and did delete."""
        is_deleted = ref in self._there and told.says(ref)
        (self._done if ref in self._done or is_deleted else self._absent).add(ref)

    def _delete_alone(self, ref: ObjectRef, told: Confirmations) -> None:
        """Once more, so that what the server has against it is known as its own."""
        if len(self._failed) >= _MOST_ALONE:
            self._failed[ref] = "not deleted; the first failures say why"
            return
        with self._kubectl.files([as_reference(ref)]) as files:
            ended = self._kubectl.capture(*argv.delete(files))
        stderr = self._warnings.take(ended.stderr.splitlines())
        if ended.exit.code == 0:
            if ended.stdout.strip():
                self._done.add(ref)
            self._silent(ref, told)
            return
        failure = self._kubectl.survivable(f"delete '{named(ref)}'", stderr)[0]
        self.first = self.first or failure
        self._failed[ref] = cause_of(failure, stderr)

    def _result(self, each: KubeObject) -> ObjectResult:
        ref = each.ref
        action, message = self._ended(ref)
        body = self._there.get(ref)
        uid = ""
        if body is not None:
            uid = str(body["metadata"].get("uid", ""))
            ref = replace(ref, namespace=str(body["metadata"].get("namespace", "")))
        ref = placed(ref, self._kubectl.access.namespace)
        return ObjectResult(ref=ref, action=action, uid=uid, message=message)

    def _ended(self, ref: ObjectRef) -> tuple[ObjectAction, str]:
        if not ref.name:
            return "kept", _NAMELESS
        if ref in self._failed:
            return "failed", self._failed[ref]
        if ref in self._absent or (ref not in self._there and ref not in self._unseen):
            return "absent", ""
        if not self._is_going(ref):
            return "kept", _KEPT
        if ref not in self._done:
            return "unknown", ""
        return ("deleted" if ref in self._gone else "deleting"), ""

    def _progress(self, done: int, total: int) -> None:
        self._report.progress(None, f"{done} of {total} objects deleted")
