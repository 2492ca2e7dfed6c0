"""What became of objects, told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from calamari_py.steps.base import StepReport, Tone
from calamari_py.steps.kubernetes.values import ObjectRef, ObjectResult

_TONES: Mapping[str, Tone] = {
    "created": "good",
    "configured": "good",
    "pruned": "warn",
    "deleted": "warn",
    "failed": "bad",
}


def named(ref: ObjectRef) -> str:
    """``deployment/web``, and ``mouse.example.com/jerry`` for what is none of Kubernetes' own."""
    is_custom = "." in ref.group and not ref.group.endswith(".k8s.io")
    kind = f"{ref.kind.lower()}.{ref.group}" if is_custom else ref.kind.lower()
    return f"{kind}/{ref.name or '(named by the server)'}"


def report_results(report: StepReport, results: Sequence[ObjectResult]) -> None:
    """A line and an event ``kube_object`` for each of `results`, and all of them as the fact
    ``objects``. Those of which nothing is known share a line."""
    namespaces = {result.ref.namespace for result in results if result.ref.namespace}
    unknown = [result for result in results if result.action == "unknown"]
    for result in results:
        text = "" if result.action == "unknown" else _line(result, says_where=len(namespaces) > 1)
        report.line(
            text,
            event="kube_object",
            fields=result.fields(),
            tone=_TONES.get(result.action, ""),
        )
    if unknown:
        first = ", ".join(named(result.ref) for result in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        report.line(f"not known what became of {first}{more}", tone="bad")
    report.fact("objects", [result.fields() for result in results])


def _line(result: ObjectResult, *, says_where: bool) -> str:
    where = f" (namespace {result.ref.namespace})" if says_where and result.ref.namespace else ""
    message = f": {result.message}" if result.message else ""
    return f"{named(result.ref)} {result.action}{where}{message}"
