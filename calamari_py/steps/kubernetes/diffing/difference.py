"""How an object differs from what it is to be, in lines that hold no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from calamari_py.steps.kubernetes.diffing.clean import cleaned, secret_values
from calamari_py.steps.kubernetes.diffing.lines import Line, Numbers, lines_of, scalar
from calamari_py.steps.kubernetes.objects.secrets import is_secret
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of

DifferenceKind = Literal["create", "change", "none", "delete", "unknown"]

MOST_LINES = 200
"""Lines that are kept of one object."""
_CONTEXT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What would become of an object. `lines` begin with ``+``, ``-``, ``~``, a blank or ``@@``;
    `note` says what is to know beside, as why it is ``unknown``."""

    ref: ObjectRef
    kind: DifferenceKind
    lines: tuple[str, ...] = field(default=(), repr=False)
    note: str = ""

    def fields(self) -> dict[str, Any]:
        """JSON values for the event ``kube_difference``."""
        return {
            "api_version": self.ref.api_version,
            "kind": self.ref.kind,
            "name": self.ref.name,
            "namespace": self.ref.namespace or None,
            "change": self.kind,
            "note": self.note or None,
        }


def compare(
    ref: ObjectRef,
    live: Mapping[str, Any] | None,
    wanted: Mapping[str, Any] | None,
    *,
    without_helm: bool = False,
) -> Difference:
    """What would become of `live` (None: it is not there) if it were to be `wanted` (None: it is to
    go). What the server makes up is no difference; `without_helm` leaves out what Helm adds to the
    objects of a release, too. Of a Secret there are the keys whose values differ, never a value.
    """
    if live is None and wanted is None:
        return Difference(ref=ref, kind="none")
    numbers = Numbers()
    # One that names no namespace is in that of the step.
    namespace = ref.namespace or ref_of(live or wanted or {}).namespace
    sides = [
        cleaned(body, numbers, namespace=namespace, without_helm=without_helm) if body else {}
        for body in (live, wanted)
    ]
    lines: list[str] = []
    if not _is_equal(*sides):
        before, after = (lines_of(side, numbers) for side in sides)
        lines += _unified(before, after)
    if any(body is not None and is_secret(body) for body in (live, wanted)):
        lines += _keys(secret_values(live), secret_values(wanted), numbers)
    kind: DifferenceKind = "change" if lines else "none"
    if live is None or wanted is None:
        kind = "create" if live is None else "delete"
    return Difference(ref=ref, kind=kind, lines=_capped(lines))


def _is_equal(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """By text: to Python true is 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _keys(
    before: Mapping[str, bytes], after: Mapping[str, bytes], numbers: Numbers
) -> Iterator[str]:
    found: list[str] = []
    for key in sorted({*before, *after}):
        if key not in after:
            mark, word = "-", "removed"
        elif key not in before:
            mark, word = "+", "added"
        elif before[key] != after[key]:
            mark, word = "~", "changed"
        else:
            continue
        found.append(f"{mark}  {scalar(key, numbers)}: *** ({word})")
    if found:
        yield " data:"
        yield from found


def _unified(before: Sequence[Line], after: Sequence[Line]) -> Iterator[str]:
    """Lines that differ, with what stands around them. Each part begins with the path that its
    first difference stands in: numbers of lines would mean nothing."""
    from difflib import SequenceMatcher

    start, end = _ends([line.text for line in before], [line.text for line in after])
    before, after = before[start : len(before) - end], after[start : len(after) - end]
    matcher = SequenceMatcher(None, [line.text for line in before], [line.text for line in after])
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        changed = next(code for code in group if code[0] != "equal")
        first = after[changed[3]] if changed[4] > changed[3] else before[changed[1]]
        if before and after:
            yield f"@@ {first.path} @@" if first.path else "@@"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (f" {line.text}" for line in before[i1:i2])
            else:
                yield from (f"-{line.text}" for line in before[i1:i2])
                yield from (f"+{line.text}" for line in after[j1:j2])


def _ends(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """How many lines both begin and end with, but for those that are shown around a difference:
    large objects differ in few."""
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    end = next((at for at in range(shorter - start) if before[-1 - at] != after[-1 - at]), None)
    end = shorter - start if end is None else end
    return max(start - _CONTEXT, 0), max(end - _CONTEXT, 0)


def _capped(lines: Sequence[str]) -> tuple[str, ...]:
    more = len(lines) - MOST_LINES
    return tuple(lines) if more <= 1 else (*lines[:MOST_LINES], f"… {more:,} more lines")
