"""Judgement: what a rule says of one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ready", "progressing", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`message` is what people read behind the object's name (``2 of 3 updated, 1 available``),
    `reason` Kubernetes' own word for what holds it up or broke it (``ProgressDeadlineExceeded``),
    "" where there is none. ``failed`` is certain: it does not get better by waiting."""

    status: Status
    reason: str = ""
    message: str = ""


def ready(message: str = "ready") -> Judgement:
    """It is as it was asked for."""
    return Judgement(status="ready", message=message)


def progressing(message: str, reason: str = "") -> Judgement:
    """It is on its way, as far as anybody knows."""
    return Judgement(status="progressing", reason=reason, message=message)


def failed(reason: str, message: str) -> Judgement:
    """It will not get there."""
    return Judgement(status="failed", reason=reason, message=message)
