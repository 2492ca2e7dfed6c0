"""Telling: a rollout as people and programs follow it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from calamari_py.identity import elapsed_text
from calamari_py.steps.base import StepClock, StepReport, Tone
from calamari_py.steps.kubernetes.rollout.endurance import Endurance
from calamari_py.steps.kubernetes.rollout.rules.judgement import Status
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign
from calamari_py.steps.kubernetes.rollout.standing import Labels, Row, Standing
from calamari_py.steps.kubernetes.values import ObjectRef

QUIET = 15.0
"""Seconds at least between two lines about one object that differ in its numbers alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What people were told of an object last, and when."""

    status: Status
    reason: str
    message: str
    when: float


class Telling:
    """One line for each change that matters, a live table for those who watch, and an event
    ``kube_rollout`` for each change."""

    def __init__(self, report: StepReport, clock: StepClock, labels: Labels) -> None:
        self._report = report
        self._clock = clock
        self._labels = labels
        self._began = clock.monotonic()
        self._told: dict[ObjectRef, dict[str, Any]] = {}
        self._said: dict[ObjectRef, _Said] = {}

    def tell(self, standing: Standing, endurance: Endurance, fail_after: float) -> None:
        """Say what is new."""
        for row in standing.rows:
            before = self._told.get(row.ref)
            fields = row.fields(self._labels.namespace)
            is_news = before != fields
            text, tone = self._line(row, endurance, fail_after)
            if is_news:
                self._report.line(text, event="kube_rollout", fields=fields, tone=tone)
            elif text:
                self._report.line(text, tone=tone)
            self._told[row.ref] = fields
        ready = len(standing.rows) - len(standing.waiting)
        passed = elapsed_text(self._clock.monotonic() - self._began)
        self._report.progress(
            100 * ready / len(standing.rows) if standing.rows else None,
            f"{standing.counted}, {passed}",
            rows=self._table(standing),
        )

    def end(self, standing: Standing) -> None:
        """It is over, and went well: what is not as ready as one may think comes first."""
        for row in standing.rows:
            text = f"{self._labels.of(row.ref)}: {row.judgement.message}"
            if row.judgement.told == "warning":
                self._report.warn(text)
            elif row.judgement.told:
                self._report.line(text)
        if standing.rows:
            self._report.line(self._last_line(standing.rows), tone="good")

    def _last_line(self, rows: Sequence[Row]) -> str:
        """``deployment/web is ready after 3s``, ``all 3 objects are ready after 3s``."""
        passed = elapsed_text(self._clock.monotonic() - self._began)
        odd = sum(row.judgement.told == "warning" for row in rows)
        if len(rows) == 1:
            how = "as far as it comes" if odd else "ready"
            return f"{self._labels.of(rows[0].ref)} is {how} after {passed}"
        if odd:
            return f"{len(rows) - odd} of {len(rows)} ready after {passed}, the others as warned"
        return f"all {len(rows)} objects are ready after {passed}"

    def _line(self, row: Row, endurance: Endurance, fail_after: float) -> tuple[str, Tone]:
        """ "" where there is nothing for people: nothing is new, or they were told a moment ago. Of
        an object that was ready from the beginning only programs hear; what is `told` waits for the
        end."""
        now, label = self._clock.monotonic(), self._labels.of(row.ref)
        status, message = row.judgement.status, row.judgement.message
        if status == "ready" and row.judgement.told:
            return "", ""
        sign = next((one for one in row.signs if not one.doubt), None)
        # ErrImagePull and ImagePullBackOff take turns, and are one trouble.
        reason = sign.trouble if sign is not None else row.judgement.reason
        before = self._said.get(row.ref)
        is_new = before is None or (status, reason) != (before.status, before.reason)
        is_old = before is not None and (message == before.message or now - before.when < QUIET)
        if is_old and not is_new:
            return "", ""
        self._said[row.ref] = _Said(status=status, reason=reason, message=message, when=now)
        if status == "ready":
            return (f"{label}: {message}" if before else ""), "good"
        if status == "failed":
            return f"{label}: {row.judgement.reason}: {message}", "bad"
        if sign is not None and sign.is_now and is_new:
            left = max(sign.grace(fail_after) - endurance.lasted(row.ref, sign, now), 0.0)
            end = f" (fails in {elapsed_text(math.ceil(left))} unless it passes)"
            # A verdict says what the message says.
            told = "" if sign.trouble == "verdict" else f"{message}: "
            return f"{label}: {told}{_sign_text(sign)}{end}", "warn"
        reason = sign.reason if sign is not None else reason
        held = f" ({reason})" if reason and reason not in message else ""
        return f"{label}: {message}{held}", ""

    def _table(self, standing: Standing) -> list[str]:
        """What is not ready comes first: a terminal may have no room for the others."""
        order = sorted(standing.rows, key=lambda row: row.judgement.status == "ready")
        labels = [self._labels.of(row.ref) for row in order]
        width = max(map(len, labels), default=0)
        return [
            f"  {label.ljust(width)}  {row.judgement.message}{_short(row)}"
            for label, row in zip(labels, order, strict=True)
        ]


def _sign_text(sign: Sign) -> str:
    place = f" in {sign.place}" if sign.place else ""
    return f"{sign.reason}{place}: {sign.message}" if sign.message else f"{sign.reason}{place}"


def _short(row: Row) -> str:
    """The first sign in a word."""
    sign = next((one for one in row.signs if not one.doubt), None)
    return f", {sign.reason}" if sign else ""
