"""A dry run: the server says what would become of each object, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.adopted import without_dropped
from calamari_py.steps.kubernetes.applying.applyset import (
    PART_OF,
    ApplySet,
    look_at_applyset,
    warn_of_others,
)
from calamari_py.steps.kubernetes.applying.causes import cause_of
from calamari_py.steps.kubernetes.applying.definitions import new_types
from calamari_py.steps.kubernetes.applying.endeavour import Endeavour
from calamari_py.steps.kubernetes.applying.failed import none_failed
from calamari_py.steps.kubernetes.applying.namespace import foreseen, namespace_ref
from calamari_py.steps.kubernetes.applying.outcome import Body
from calamari_py.steps.kubernetes.applying.terminating import refuse_terminating
from calamari_py.steps.kubernetes.diffing.difference import Difference, compare
from calamari_py.steps.kubernetes.diffing.tell import report_differences
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.tool.listed import matched, read_items
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult, ref_of

_DOING = "rehearse applying the objects"
_MOST_FAILURES = 20
_PARENT = "the parent of the ApplySet: kubectl makes it"
_TAKEN_OVER = "what a client-side 'kubectl apply' gave it and no file has any more goes, too"


def dry_run(
    kubectl: Kubectl, objects: Sequence[KubeObject], spec: KubectlSpec, report: StepReport
) -> tuple[Difference, ...]:
    """What applying `objects` would change: what is in no file and made for them, then one
    difference for each in their order, then those of what would be pruned. They are the caller's to
    tell, except where the server refuses any of them: then they are told here and ToolFailed says
    why."""
    return _Rehearsal(kubectl, objects, spec, report).carry_out()


class _Rehearsal(Endeavour):
    """One dry run."""

    def __init__(
        self,
        kubectl: Kubectl,
        objects: Sequence[KubeObject],
        spec: KubectlSpec,
        report: StepReport,
    ) -> None:
        super().__init__(kubectl, objects, spec, report)
        self._namespace = kubectl.access.namespace
        self._live: dict[ObjectRef, Body] = {}
        self._wanted: dict[ObjectRef, Body] = {}
        self._failed: dict[ObjectRef, str] = {}
        self._first: ApiFailure | None = None

    def carry_out(self) -> tuple[Difference, ...]:
        """See `dry_run`."""
        applyset = ApplySet()
        if self._spec.applyset:
            applyset = look_at_applyset(self._kubectl, self._objects, self._spec)
        absent = self._look()
        if self._spec.applyset:
            warn_of_others(self._live.values(), applyset, self._report)
        later = dict(self._later(absent))
        self._rehearse([each for each in self._objects if each.ref.name and each.ref not in later])
        differences = (
            *self._made(absent),
            *(self._difference(each, later.get(each.ref, "")) for each in self._objects),
            *(compare(self._shown(ref_of(body)), body, None) for body in applyset.left_over),
        )
        self._fail_if_any(differences)
        return differences

    def _look(self) -> set[ObjectRef]:
        """What is there; returns what is not of the namespaces that are named and of the
        parents."""
        names = {each.ref.namespace for each in self._objects} | {self._namespace}
        namespaces = [namespace_ref(name) for name in sorted(names) if name]
        others = [*namespaces, *self._parents]
        refs = list(dict.fromkeys([*(each.ref for each in self._objects), *others]))
        unseen: dict[ObjectRef, ApiFailure] = {}
        self._live = self._kubectl.get_objects(refs, doing="look at what is there", refused=unseen)
        refuse_terminating(self._live.values())
        return {ref for ref in others if ref not in self._live and ref not in unseen}

    def _made(self, absent: set[ObjectRef]) -> Iterator[Difference]:
        """The step's namespace and the parent of its ApplySet, where they are to be made."""
        namespace = namespace_ref(self._namespace)
        is_in_files = any(each.ref == namespace for each in self._objects)
        if self._spec.create_namespace and namespace in absent and not is_in_files:
            yield foreseen(namespace)
        for ref in self._parents:
            if ref in absent:
                yield replace(foreseen(self._shown(ref)), note=_PARENT)

    def _shown(self, ref: ObjectRef) -> ObjectRef:
        """`ref` without the step's namespace, which goes without saying."""
        return replace(ref, namespace="") if ref.namespace == self._namespace else ref

    def _later(self, absent: set[ObjectRef]) -> Iterator[tuple[ObjectRef, str]]:
        """Objects that no server can check yet, as what they need is made by the same step."""
        made = {each.ref for each in self._objects if each.ref == namespace_ref(each.ref.name)}
        if self._spec.create_namespace:
            made.add(namespace_ref(self._namespace))
        coming = absent & made
        types = set(new_types(self._objects, self._live))
        for each in self._objects:
            ref = each.ref
            if (ref.group, ref.kind, "") in types:
                yield ref, "not checked by the server: its kind does not exist yet"
            elif (ref.group, ref.kind, ref.version) in types:
                yield ref, "not checked by the server: its version does not exist yet"
            elif namespace_ref(ref.namespace or self._namespace) in coming and ref.kind not in (
                "Namespace",
                "CustomResourceDefinition",
            ):
                yield ref, "not checked by the server: its namespace does not exist yet"

    def _rehearse(self, objects: Sequence[KubeObject]) -> None:
        """Ask for all at once; kubectl writes nothing where one is refused, so then in halves."""
        if not objects or len(self._failed) >= _MOST_FAILURES:
            return
        with self._kubectl.files(each.text for each in objects) as files:
            ended = self._kubectl.capture(*argv.apply(files, self._spec, dry_run=True))
        stderr = self._warnings.take(ended.stderr.splitlines())
        if ended.exit.code == 0:
            refs = [each.ref for each in objects]
            self._wanted.update(matched(refs, read_items(ended.stdout)))
            return
        failures = self._kubectl.survivable(_DOING, stderr)
        if len(objects) > 1:
            half = len(objects) // 2
            self._rehearse(objects[:half])
            self._rehearse(objects[half:])
            return
        self._first = self._first or failures[0]
        self._failed[objects[0].ref] = cause_of(failures[0], stderr)

    def _difference(self, each: KubeObject, later: str) -> Difference:
        ref = each.ref
        if not ref.name:
            made = compare(ref, None, each.body)
            return replace(made, note="not checked by the server, which names it: made by each run")
        if later:
            return replace(compare(ref, None, each.body), note=later)
        if ref in self._failed:
            return _unknown(ref, self._failed[ref])
        if ref not in self._wanted:
            return _unknown(ref, "not checked: too many others were refused")
        live, wanted = self._live.get(ref), self._wanted[ref]
        if self._spec.applyset:
            live, wanted = _unlabelled(live), _unlabelled(wanted)
        rest = without_dropped(wanted, live, each.body) if self._spec.server_side else wanted
        note = "" if rest == wanted else _TAKEN_OVER
        return replace(compare(ref, live, rest), note=note)

    def _fail_if_any(self, differences: Sequence[Difference]) -> None:
        if not self._failed:
            return
        report_differences(self._report, differences)
        results = [
            ObjectResult(ref=each.ref, action="failed", message=self._failed[each.ref])
            if each.ref in self._failed
            else ObjectResult(ref=each.ref, action="unknown")
            for each in self._objects
        ]
        none_failed(self._kubectl, self._objects, results, self._spec, self._first)


def _unknown(ref: ObjectRef, note: str) -> Difference:
    return Difference(ref=ref, kind="unknown", lines=(), note=note)


def _unlabelled(body: Any) -> Any:
    """`body` without the label that kubectl gives to what is in an ApplySet."""
    if body is None:
        return None
    metadata = dict(body.get("metadata") or {})
    labels = {
        name: value for name, value in (metadata.get("labels") or {}).items() if name != PART_OF
    }
    metadata.pop("labels", None)
    return {**body, "metadata": {**metadata, **({"labels": labels} if labels else {})}}
