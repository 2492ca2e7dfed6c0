"""The error of a run in which objects failed."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.access.failures import ApiFailure
from calamari_py.steps.kubernetes.applying.tell import named
from calamari_py.steps.kubernetes.spec import KubectlSpec
from calamari_py.steps.kubernetes.tool.kubectl import Kubectl
from calamari_py.steps.kubernetes.values import KubeObject, ObjectResult

_MOST_ROWS = 10
_CONFLICT = (
    "say 'force_conflicts: true' to take these fields over, or leave them out of the file:"
    " then their owner keeps them. What 'kubectl apply' made without --server-side needs it once"
)


def none_failed(
    kubectl: Kubectl,
    objects: Sequence[KubeObject],
    results: Sequence[ObjectResult],
    spec: KubectlSpec,
    first: ApiFailure | None,
    *,
    verb: str = "apply",
) -> None:
    """Raises ToolFailed when any of `results`, which begin with those of `objects`, is failed, with
    a row for each. `first` is the first failure, as the server put it; `verb` says what was
    tried."""
    failed = [
        (each, result)
        for each, result in zip(objects, results, strict=False)
        if result.action == "failed"
    ]
    if not failed:
        return
    first_object, first_result = failed[0]
    file, line = place_of(first_object, spec)
    if len(failed) == 1:
        message = (
            f"could not {verb} '{named(first_result.ref)}' ({first_object.place}):"
            f" {first_result.message}"
        )
    else:
        message = f"could not {verb} {len(failed)} of {len(objects)} objects"
    rows = [
        f"{named(result.ref)} ({each.place}): {result.message}"
        for each, result in failed[:_MOST_ROWS]
    ]
    if len(failed) > _MOST_ROWS:
        rows.append(f"and {len(failed) - _MOST_ROWS} more")
    raise ToolFailed(
        message,
        hint=_hint(kubectl, first),
        evidence=rows if len(failed) > 1 else (),
        file=file,
        line=line,
    )


def place_of(each: KubeObject, spec: KubectlSpec) -> tuple[str, int | None]:
    """The absolute path and the line of the file that `each` stands in; "" for one from elsewhere,
    such as kustomize."""
    name, _, line = each.place.rpartition(":")
    path = spec.folder / name
    if not name or not line.isdecimal() or not path.is_file():
        return "", None
    return str(path), int(line)


def _hint(kubectl: Kubectl, failure: ApiFailure | None) -> str | None:
    if failure is None:
        return None
    if failure.kind == "conflict":
        return _CONFLICT
    return kubectl.failed("go on", failure).hint
