"""ApplySets: what was applied before and is in no file any more.

The work is kubectl's own (``--prune --applyset``); here is known beforehand what that will be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.applying.definitions import holds_others
from calamari_py.steps.kubernetes.applying.lines import Spoken, spoken
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool import argv
from calamari_py.steps.kubernetes.tool.argv import is_namespaced_parent
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.tool.listed import matched, read_items
from calamari_py.steps.kubernetes.values import KubeObject, ObjectRef, ObjectResult, ref_of

PART_OF = "applyset.kubernetes.io/part-of"
"""The label of an ApplySet's members. kubectl sets it."""
ALLOWED = {"KUBECTL_APPLYSET": "true"}
"""What kubectl wants to see in its environment: ApplySets are still alpha."""
_ID = "applyset.kubernetes.io/id"
_TYPES = "applyset.kubernetes.io/contains-group-kinds"


def check_applyset(kubectl: Kubectl, objects: Sequence[KubeObject], spec: KubectlSpec) -> None:
    """Raises ToolFailed for what kubectl cannot do: an ApplySet whose parent lies in a namespace
    has objects of that namespace, and of the cluster, only."""
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


def left_over(
    kubectl: Kubectl, objects: Sequence[KubeObject], spec: KubectlSpec
) -> list[Mapping[str, Any]]:
    """The objects of the spec's ApplySet that are in no file any more: what kubectl will prune.
    Raises ToolFailed for a namespace or a definition among them that must not be deleted."""
    doing = f"look at what ApplySet '{spec.applyset}' has"
    members = _members(kubectl, spec, doing)
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
    return gone


def pruned_results(
    lines: Sequence[Spoken], expected: Sequence[Mapping[str, Any]]
) -> list[ObjectResult]:
    """What kubectl says that it pruned, with what was known of it before."""
    known: dict[Spoken, list[Mapping[str, Any]]] = {}
    for body in expected:
        known.setdefault(spoken(ref_of(body)), []).append(body)
    results = []
    for line in lines:
        bodies = known.get(line)
        if bodies:
            body = bodies.pop(0)
            uid = str(body["metadata"].get("uid", ""))
            results.append(ObjectResult(ref=ref_of(body), action="pruned", uid=uid))
        else:
            kind, _, group = line[0].partition(".")
            ref = ObjectRef(group=group, version="", kind=kind, name=line[1])
            results.append(ObjectResult(ref=ref, action="pruned"))
    return results


def _members(kubectl: Kubectl, spec: KubectlSpec, doing: str) -> list[Mapping[str, Any]]:
    """What has the label of the set, of the types that its parent says it has."""
    namespaced = is_namespaced_parent(spec.applyset)
    namespace = kubectl.access.namespace if namespaced else ""
    name = spec.applyset if "/" in spec.applyset else f"secrets/{spec.applyset}"
    parents = read_items(kubectl.succeed(*argv.get_named(name, namespace=namespace), doing=doing))
    metadata = parents[0].get("metadata", {}) if parents else {}
    types = [one for one in (metadata.get("annotations") or {}).get(_TYPES, "").split(",") if one]
    identity = (metadata.get("labels") or {}).get(_ID, "")
    if not types or not identity:
        return []
    listed = kubectl.list(
        types,
        namespace=namespace if namespaced else None,
        selector=f"{PART_OF}={identity}",
        doing=doing,
    )
    for failure in listed.failures:
        if failure.kind != "unknown-type":
            raise kubectl.failed(doing, failure)
    return listed.items
