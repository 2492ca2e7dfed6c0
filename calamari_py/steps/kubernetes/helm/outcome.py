"""What became of the objects of a release, and of the release itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calamari_py.steps.base import Tone
from calamari_py.steps.kubernetes.applying.tell import report_results
from calamari_py.steps.kubernetes.diffing.difference import compare
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.rendered import annotation
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.objects.secrets import secret_keys
from calamari_py.steps.kubernetes.values import ObjectAction, ObjectRef, ObjectResult, ref_of

Bodies = Mapping[ObjectRef, Mapping[str, Any]]
_POLICY = "helm.sh/resource-policy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """How the objects of a release were before it was changed: of all that it had or is to have,
    those that were there. `wanted` are those that it is to have."""

    refs: tuple[ObjectRef, ...]
    wanted: frozenset[ObjectRef] = frozenset()
    bodies: Bodies = field(default_factory=dict, repr=False)


def look_before(work: Work, had: Sequence[ObjectRef], wanted: Sequence[ObjectRef]) -> Before:
    """Look now, with one process."""
    refs = tuple(dict.fromkeys((*wanted, *had)))
    bodies = work.kubectl.get_objects(
        refs, doing=f"look at the objects of release '{work.spec.release}'", refused={}
    )
    return Before(refs=refs, wanted=frozenset(wanted), bodies=bodies)


def tell_objects(work: Work, before: Before, *, last_words: float | None = None) -> None:
    """Look again, and tell what became of each. `last_words` are those of ``Kubectl.capture``."""
    after = work.kubectl.get_objects(
        before.refs,
        doing=f"look at what became of release '{work.spec.release}'",
        refused={},
        last_words=last_words,
    )
    results = [_result(ref, before, after) for ref in before.refs]
    report_results(work.report, [each for each in results if each is not None])


def tell_release(
    work: Work,
    revision: Revision | None,
    text: str,
    *,
    tone: Tone = "",
    was: Revision | None = None,
) -> None:
    """The line, the event and the fact of the release, and its output variables. None is one that
    is not there; `was` is the revision that it had before."""
    spec = work.spec
    fields = {
        "name": spec.release,
        "namespace": work.access.namespace or None,
        "revision": revision.number if revision else None,
        "status": revision.status if revision else "uninstalled",
        "chart": revision.chart if revision else None,
        "previous": was.number if was else None,
    }
    work.report.line(text, event="helm_release", fields=fields, tone=tone)
    work.report.fact("release", fields)
    work.report.output("ReleaseName", spec.release)
    work.report.output("ReleaseStatus", str(fields["status"]))
    if revision is not None:
        work.report.output("ReleaseRevision", str(revision.number))


def _result(ref: ObjectRef, before: Before, after: Bodies) -> ObjectResult | None:
    old, new = before.bodies.get(ref), after.get(ref)
    body = new if new is not None else old
    if body is None:
        # A hook's, say: it was never there to be seen.
        return ObjectResult(ref=ref, action="unknown") if ref in before.wanted else None
    return ObjectResult(
        ref=ref_of(body),
        action=_action(ref, old, new, is_wanted=ref in before.wanted),
        uid=str(body.get("metadata", {}).get("uid") or ""),
        keys=secret_keys(body),
    )


def _action(
    ref: ObjectRef,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    *,
    is_wanted: bool,
) -> ObjectAction:
    if new is None:
        return "deleted"
    if old is None or old.get("metadata", {}).get("uid") != new.get("metadata", {}).get("uid"):
        return "created"
    if not is_wanted:
        is_gone = bool(new.get("metadata", {}).get("deletionTimestamp"))
        return "deleted" if is_gone or annotation(new, _POLICY) != "keep" else "kept"
    # Whoever else writes a status moves the resource version: what was said of it is compared.
    return "unchanged" if compare(ref, old, new).kind == "none" else "configured"
