"""CustomResourceDefinition, APIService and Namespace: what others stand on."""

from __future__ import annotations

from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    condition,
    is_true,
    said,
    text,
)
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)


def definition(body: Body, _: Family) -> Judgement:
    """Its names are accepted and it is served."""
    names = condition(body, "NamesAccepted")
    if names is not None and names.get("status") == "False":
        return failed(text(names, "reason") or "NamesNotAccepted", said(names))
    if is_true(body, "Established") and names is not None and names.get("status") == "True":
        return ready("established")
    found = condition(body, "Established")
    return progressing(said(found or {}, "not established yet"), text(found or {}, "reason"))


def api_service(body: Body, _: Family) -> Judgement:
    """Who serves it answers."""
    found = condition(body, "Available")
    if found is not None and found.get("status") == "True":
        return ready("available")
    return progressing(said(found or {}, "not available yet"), text(found or {}, "reason"))


def namespace(body: Body, _: Family) -> Judgement:
    """It is active. One that goes is judged before any rule is asked."""
    phase = text(body, "status", "phase")
    return ready("active") if phase in {"", "Active"} else progressing(phase)
