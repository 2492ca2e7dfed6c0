"""What became of the objects of a release, and of the release itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from calamari_py.steps.base import Tone
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.outcome import is_same
from calamari_py.steps.kubernetes.applying.tell import report_results
from calamari_py.steps.kubernetes.helm.history import Revision
from calamari_py.steps.kubernetes.helm.rendered import Rendered, identity, is_kept
from calamari_py.steps.kubernetes.helm.work import Work
from calamari_py.steps.kubernetes.objects.secrets import secret_keys
from calamari_py.steps.kubernetes.rollout.rules.jobs import removes_itself
from calamari_py.steps.kubernetes.values import ObjectAction, ObjectRef, ObjectResult, ref_of

Bodies = Mapping[ObjectRef, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """How the objects of a release were before it was changed: of all that it had or is to have,
    those that were there. `wanted` are those that it is to have, as the chart says them, `unseen`
    those that nobody may look at. `made` is what the step had to make first, and has been told."""

    refs: tuple[ObjectRef, ...]
    wanted: Bodies = field(default_factory=dict, repr=False)
    unseen: frozenset[ObjectRef] = frozenset()
    made: tuple[ObjectResult, ...] = ()
    bodies: Bodies = field(default_factory=dict, repr=False)

    @property
    def missing(self) -> frozenset[ObjectRef]:
        """Those of `wanted` that are not there, but for what goes by itself when it is done."""
        stays = {ref for ref, body in self.wanted.items() if not removes_itself(body)}
        return frozenset(stays - self.unseen - self.bodies.keys())


def look_before(work: Work, had: Rendered | None, wanted: Rendered | None) -> Before:
    """Look now, with one process. An object that changes the version of its type is one."""
    namespace = work.access.namespace
    bodies_wanted = {each.ref: each.body for each in wanted.objects} if wanted else {}
    refs: dict[tuple[str, ...], ObjectRef] = {}
    for ref in (*bodies_wanted, *(had.refs if had else ())):
        refs.setdefault(identity(ref, namespace), ref)
    unseen: dict[ObjectRef, ApiFailure] = {}
    bodies = work.kubectl.get_objects(
        tuple(refs.values()),
        doing=f"look at the objects of release '{work.spec.release}'",
        refused=unseen,
    )
    return Before(
        refs=tuple(refs.values()),
        wanted=bodies_wanted,
        unseen=frozenset(unseen),
        bodies=bodies,
    )


def tell_objects(work: Work, before: Before, *, last_words: float | None = None) -> None:
    """Look again, and tell what became of each. `last_words` are those of ``Kubectl.capture``."""
    unseen: dict[ObjectRef, ApiFailure] = {}
    after = work.kubectl.get_objects(
        before.refs,
        doing=f"look at what became of release '{work.spec.release}'",
        refused=unseen,
        last_words=last_words,
    )
    unknown = before.unseen | unseen.keys()
    results = [
        ObjectResult(ref=ref, action="unknown") if ref in unknown else _result(ref, before, after)
        for ref in before.refs
    ]
    found = [each for each in results if each is not None]
    namespace = work.access.namespace
    report_results(work.report, found, already=before.made, namespace=namespace)


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
        return None
    return ObjectResult(
        ref=ref_of(body),
        action=_action(old, new, before.wanted.get(ref)),
        uid=str(_metadata(body).get("uid") or ""),
        keys=secret_keys(body),
    )


def _action(
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    wanted: Mapping[str, Any] | None,
) -> ObjectAction:
    if new is None or _metadata(new).get("deletionTimestamp"):
        return "deleted"
    if old is None or _metadata(old).get("uid") != _metadata(new).get("uid"):
        return "created"
    if wanted is None and is_kept(new):
        return "kept"
    return "unchanged" if is_same(old, new, wanted or old) else "configured"


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return body.get("metadata") or {}
