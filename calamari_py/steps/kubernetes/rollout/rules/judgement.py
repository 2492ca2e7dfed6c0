"""Judgement: what a rule says of one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ready", "progressing", "failed"]
Told = Literal["", "note", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`message` is what people read behind the object's name (``2 of 3 updated, 1 available``),
    `reason` Kubernetes' own word for what holds it up or broke it (``ProgressDeadlineExceeded``),
    "" where there is none. ``failed`` is certain: it does not get better by waiting. What is
    `told` people hear when all is over, a ``warning`` since they would not call it ready."""

    status: Status
    reason: str = ""
    message: str = ""
    told: Told = ""


def ready(message: str = "ready", *, told: Told = "") -> Judgement:
    """It is as it was asked for, or as far as it comes."""
    return Judgement(status="ready", message=message, told=told)


def progressing(message: str, reason: str = "") -> Judgement:
    """It is on its way, as far as anybody knows."""
    return Judgement(status="progressing", reason=reason, message=message)


def failed(reason: str, message: str) -> Judgement:
    """It will not get there."""
    return Judgement(status="failed", reason=reason, message=message)
