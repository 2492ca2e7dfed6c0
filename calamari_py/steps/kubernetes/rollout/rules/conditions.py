"""Any other object, by the conditions that Kubernetes' API conventions and kstatus name."""

from __future__ import annotations

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    condition,
    mapping,
    rows,
    said,
    text,
    unseen,
)
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)
from calamari_py.steps.kubernetes.values import ref_of

_GOOD = ("Ready", "Available")


def by_conditions(body: Body, _: Family) -> Judgement:
    """Stalled has failed, Reconciling goes on, Ready (or else Available) decides; what has none of
    them is done when it exists. Of a definition's own one without a status nobody knows more: that
    is told."""
    if behind := unseen(body, required=False):
        return behind
    stalled = condition(body, "Stalled")
    if stalled is not None and stalled.get("status") == "True":
        return failed(text(stalled, "reason") or "Stalled", said(stalled, "it is stalled"))
    busy = condition(body, "Reconciling")
    if busy is not None and busy.get("status") == "True":
        return progressing(said(busy, "its controller works on it"), text(busy, "reason"))
    named = {row.get("type") for row in rows(body, "status", "conditions")}
    for type_ in _GOOD:
        if type_ in named:
            return _decided(condition(body, type_), type_)
    if "." in ref_of(body).group and not mapping(body, "status"):
        return ready("exists; no controller has written a status", told="note")
    return ready("exists")


def _decided(found: Body | None, type_: str) -> Judgement:
    if found is None:
        return progressing("its controller has not seen the change yet")
    if found.get("status") == "True":
        return ready(type_.lower())
    return progressing(said(found, f"not {type_.lower()}"), text(found, "reason"))
