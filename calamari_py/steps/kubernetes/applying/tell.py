"""What became of objects, told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.kubernetes.values import ObjectRef, ObjectResult

NOT_REACHED = "not applied: the run ended before"
"""The message of an object that nobody came to."""
_TONES: Mapping[str, Tone] = {
    "created": "good",
    "configured": "good",
    "applied": "good",
    "pruned": "warn",
    "deleted": "warn",
    "deleting": "warn",
    "failed": "bad",
}


def named(ref: ObjectRef) -> str:
    """``deployment/web``, and ``mouse.example.com/jerry`` for what is none of Kubernetes' own."""
    is_custom = "." in ref.group and not ref.group.endswith(".k8s.io")
    kind = f"{ref.kind.lower()}.{ref.group}" if is_custom else ref.kind.lower()
    return f"{kind}/{ref.name or '(named by the server)'}"


def counted(results: Sequence[ObjectResult]) -> str:
    """``2 created, 1 unchanged``."""
    number = Counter(result.action for result in results)
    return ", ".join(f"{count} {action}" for action, count in number.items())


def report_results(
    report: StepReport,
    results: Sequence[ObjectResult],
    *,
    already: Sequence[ObjectResult] = (),
    namespace: str = "",
) -> None:
    """A line and an event ``kube_object`` for each of `results`, and all of them as the fact
    ``objects``, after those that have been told `already`. Those of which nothing is known share a
    line, and so do those that nobody came to. `namespace` is the step's: where one has another,
    all say where they are."""
    namespaces = {namespace, *(result.ref.namespace for result in results)} - {""}
    unknown = [result for result in results if result.action == "unknown"]
    unreached = [result for result in results if result.message == NOT_REACHED]
    for result in results:
        is_shared = result.action == "unknown" or result.message == NOT_REACHED
        text = "" if is_shared else _line(result, says_where=len(namespaces) > 1)
        report.line(
            text,
            event="kube_object",
            fields=result.fields(),
            tone=_TONES.get(result.action, ""),
        )
    if unreached:
        report.line(f"not applied, as the run ended before: {_some(unreached)}", tone="bad")
    if unknown:
        report.line(f"not known what became of {_some(unknown)}", tone="bad")
    report.fact("objects", [result.fields() for result in (*already, *results)])


def _some(results: Sequence[ObjectResult]) -> str:
    first = ", ".join(named(result.ref) for result in results[:3])
    return f"{first} and {len(results) - 3} more" if len(results) > 3 else first


def _line(result: ObjectResult, *, says_where: bool) -> str:
    where = f" (namespace {result.ref.namespace})" if says_where and result.ref.namespace else ""
    message = f": {result.message}" if result.message else ""
    action = "is being deleted" if result.action == "deleting" else result.action
    return f"{named(result.ref)} {action}{where}{message}"
