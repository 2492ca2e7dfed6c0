"""ApplySets: what was applied before and is in no file any more.

The work is kubectl's own (``--prune --applyset``); here is known beforehand what that will be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.applying.definitions import holds_others
from calamari_py.steps.kubernetes.applying.lines import Spoken, spoken
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.objects.scope import placed
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.argv import TYPE, is_namespaced_parent
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.tool.listed import matched, read_items
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult, ref_of

PART_OF = "applyset.kubernetes.io/part-of"
"""The label of an ApplySet's members. kubectl sets it."""
ALLOWED = {"KUBECTL_APPLYSET": "true"}
"""What kubectl wants to see in its environment: ApplySets are still alpha."""
_MOST_NAMED = 5
_ID = "applyset.kubernetes.io/id"
_TYPES = "applyset.kubernetes.io/contains-group-kinds"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplySet:
    """What there is of one. `identity` is the label of its members, "" before its first time;
    `left_over` are those that are in no file any more: kubectl will prune them."""

    identity: str = ""
    left_over: Sequence[Mapping[str, Any]] = field(default=(), repr=False)


def look_at_applyset(
    kubectl: Kubectl, objects: Sequence[KubeObject], spec: KubectlSpec
) -> ApplySet:
    """The spec's, which is to have `objects`. Raises ToolFailed for what kubectl cannot do, and for
    a namespace or a definition among what is left over that must not be deleted."""
    _check_namespaces(kubectl, objects, spec)
    identity, members = _members(kubectl, spec)
    kept = matched([each.ref for each in objects], members).values()
    still_wanted = {id(body) for body in kept}
    gone = [body for body in members if id(body) not in still_wanted]
    for body in gone:
        ref = ref_of(body)
        if holds_others(ref) and not spec.delete_namespaces:
            raise ToolFailed(
                f"{named(ref)} is in no file any more, and to prune it takes all that is in it",
                hint="keep it in the files, or say 'delete_namespaces: true'",
            )
    return ApplySet(identity=identity, left_over=gone)


def parents_of(
    spec: KubectlSpec, objects: Sequence[KubeObject], namespace: str
) -> tuple[ObjectRef, ...]:
    """The parent of the spec's ApplySet where kubectl makes it: one that is no custom object, and
    in none of the files. None without an ApplySet. Pure."""
    if not spec.applyset or not is_namespaced_parent(spec.applyset):
        return ()
    kind, _, name = spec.applyset.rpartition("/")
    is_config = kind.lower().partition(".")[0] in ("configmap", "configmaps", "cm")
    ref = ObjectRef(kind="ConfigMap" if is_config else "Secret", name=name, namespace=namespace)
    is_in_files = any(placed(each.ref, namespace) == ref for each in objects)
    return () if is_in_files else (ref,)


def warn_of_others(
    live: Iterable[Mapping[str, Any]], applyset: ApplySet, report: StepReport
) -> None:
    """Say which of `live` are of another ApplySet: kubectl takes them over without a word."""
    theirs = []
    for body in live:
        of = (body["metadata"].get("labels") or {}).get(PART_OF)
        if of and of != applyset.identity:
            theirs.append(named(ref_of(body)))
    if theirs:
        more = f" and {len(theirs) - _MOST_NAMED} more" if len(theirs) > _MOST_NAMED else ""
        report.warn(
            f"another ApplySet loses what this one takes: {', '.join(theirs[:_MOST_NAMED])}{more}",
            hint="keep an object in the files of one ApplySet only",
        )


def _check_namespaces(kubectl: Kubectl, objects: Sequence[KubeObject], spec: KubectlSpec) -> None:
    """An ApplySet whose parent lies in a namespace has objects of that namespace, and of the
    cluster, only."""
    if not is_namespaced_parent(spec.applyset):
        return
    namespace = kubectl.access.namespace
    for each in objects:
        if each.ref.namespace not in ("", namespace):
            raise ToolFailed(
                f"'prune' works in one namespace, '{namespace}', and {named(each.ref)} is in"
                f" '{each.ref.namespace}'",
                hint="make a step of each namespace, or name a parent that is an object of the"
                " cluster",
            )


def pruned_results(
    lines: Sequence[Spoken], expected: Sequence[Mapping[str, Any]]
) -> list[ObjectResult]:
    """What kubectl says that it pruned, with what was known of it before. That the server has
    taken its deletion does not say that it is gone."""
    known: dict[Spoken, list[Mapping[str, Any]]] = {}
    for body in expected:
        known.setdefault(spoken(ref_of(body)), []).append(body)
    results = []
    for line in lines:
        bodies = known.get(line)
        if bodies:
            body = bodies.pop(0)
            uid = str(body["metadata"].get("uid", ""))
            results.append(ObjectResult(ref=ref_of(body), action="deleting", uid=uid))
        else:
            kind, _, group = line[0].partition(".")
            ref = ObjectRef(group=group, version="", kind=kind, name=line[1])
            results.append(ObjectResult(ref=ref, action="pruned"))
    return results


def _members(kubectl: Kubectl, spec: KubectlSpec) -> tuple[str, list[Mapping[str, Any]]]:
    """The label of the set, and what has it of the types that its parent says it has."""
    doing = f"look at what ApplySet '{spec.applyset}' has"
    namespaced = is_namespaced_parent(spec.applyset)
    namespace = kubectl.access.namespace if namespaced else ""
    name = spec.applyset if "/" in spec.applyset else f"secrets/{spec.applyset}"
    parents = read_items(kubectl.succeed(*argv.get_named(name, namespace=namespace), doing=doing))
    metadata = parents[0].get("metadata", {}) if parents else {}
    types = [one for one in (metadata.get("annotations") or {}).get(_TYPES, "").split(",") if one]
    if not all(TYPE.fullmatch(one) for one in types):
        raise ToolFailed(
            f"could not {doing}: its parent names what is no type in {_TYPES}",
            hint="somebody has changed that annotation: write it as 'kubectl apply' does, "
            "ConfigMap,Deployment.apps",
        )
    identity = (metadata.get("labels") or {}).get(_ID, "")
    if not types or not identity:
        return identity, []
    listed = kubectl.list(
        types,
        namespace=namespace if namespaced else None,
        selector=f"{PART_OF}={identity}",
        doing=doing,
    )
    for failure in listed.failures:
        if failure.kind != "unknown-type":
            raise kubectl.failed(doing, failure)
    return identity, listed.items
