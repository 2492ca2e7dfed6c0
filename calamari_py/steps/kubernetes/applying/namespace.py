"""The namespace of a step is there, or is made where the manifest says so."""

from __future__ import annotations

from calamari_py.errors import ToolFailed
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.access.failures import ApiFailure, read_failure
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.applying.terminating import refuse_terminating
from calamari_py.steps.kubernetes.diffing.difference import Difference, compare
from calamari_py.steps.kubernetes.tool.argv import WRITE_TIMEOUT
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import ObjectRef, ObjectResult


def namespace_ref(name: str) -> ObjectRef:
    """The namespace `name`."""
    return ObjectRef(kind="Namespace", name=name)


def ensure_namespace(
    kubectl: Kubectl, name: str, *, create: bool, report: StepReport
) -> ObjectResult | None:
    """What became of it when it was made; None when it was there, or may not be looked at: rights
    are often only for what is inside. Raises ToolFailed when it is missing and not to be made."""
    ref = namespace_ref(name)
    missing = _is_missing(kubectl, ref, create=create)
    if missing is False or not create:
        return None
    made = kubectl.capture("create", "namespace", name, WRITE_TIMEOUT)
    if made.exit.code != 0:
        failure = read_failure(made.stderr)
        if b"AlreadyExists" in made.stderr:
            return None
        if missing is None and _is_refusal(failure):
            report.warn(f"may not make namespace '{name}'; going on as if it were there")
            return None
        raise kubectl.failed(f"create namespace '{name}'", failure or made.stderr)
    report.changed()
    result = ObjectResult(ref=ref, action="created")
    report.line(f"{named(ref)} created", event="kube_object", fields=result.fields(), tone="good")
    # Whatever fails before the others are told.
    report.fact("objects", [result.fields()])
    return result


def foresee_namespace(kubectl: Kubectl, name: str, *, create: bool) -> tuple[Difference, ...]:
    """What `ensure_namespace` would change. Raises ToolFailed where that would."""
    ref = namespace_ref(name)
    return (foreseen(ref),) if _is_missing(kubectl, ref, create=create) else ()


def foreseen(ref: ObjectRef) -> Difference:
    """The object `ref`, which is in no file and will be made. Pure."""
    body = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {"name": ref.name}}
    return compare(ref, None, body)


def _is_missing(kubectl: Kubectl, ref: ObjectRef, *, create: bool) -> bool | None:
    """Whether there is no such namespace; None where nobody may look."""
    refused: dict[ObjectRef, ApiFailure] = {}
    found = kubectl.get_objects([ref], doing=f"look for namespace '{ref.name}'", refused=refused)
    refuse_terminating(found.values())
    if refused:
        return None
    if not found and not create:
        raise ToolFailed(
            f"namespace '{ref.name}' does not exist in {kubectl.access.name}",
            hint="make it with 'create_namespace: true', or correct 'namespace'",
        )
    return not found


def _is_refusal(failure: ApiFailure | None) -> bool:
    """Neither look nor make: whoever has rights inside only will see."""
    return failure is not None and failure.kind == "forbidden"
