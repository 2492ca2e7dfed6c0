"""Rollout: objects that were told to a cluster are followed until they are as they should be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from calamari_py.errors import TimedOut, ToolFailed
from calamari_py.identity import duration_text
from calamari_py.steps._stopped import Stopped, is_time_over
from calamari_py.steps.base import StepClock, StepReport
from calamari_py.steps.kubernetes.rollout.baseline import Baseline
from calamari_py.steps.kubernetes.rollout.contact import Contact
from calamari_py.steps.kubernetes.rollout.endurance import Endurance
from calamari_py.steps.kubernetes.rollout.failed import RolloutFailed, Witness, main_sign
from calamari_py.steps.kubernetes.rollout.looking import Looking, Seen
from calamari_py.steps.kubernetes.rollout.rows import Rows
from calamari_py.steps.kubernetes.rollout.rules.judge import has_state
from calamari_py.steps.kubernetes.rollout.rules.judgement import progressing
from calamari_py.steps.kubernetes.rollout.standing import Labels, Row, Standing
from calamari_py.steps.kubernetes.rollout.telling import Telling
from calamari_py.steps.kubernetes.spec import WaitSpec
from calamari_py.steps.kubernetes.values import ObjectRef

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

__all__ = ["Baseline", "Rollout", "RolloutFailed", "Standing"]

FIRST_PAUSE = 2.0
LONGEST_PAUSE = 5.0
DOUBT = 10.0
"""Seconds that a controller gets to make its pods, and a pod to start, before events are asked."""


class Rollout:
    """The objects `refs`, followed from now on: ``wait.timeout`` counts from here.

    `look` is for while something still changes them, `wait_until_ready` for afterwards. Both raise
    RolloutFailed, with all that explains it shown before, once something is certain to fail or a
    bad sign has lasted ``wait.fail_after``; ToolFailed where the cluster cannot be asked. With a
    `baseline`, an object that is as it was is never the reason for `look`; `wait_until_ready` takes
    it for one when it is all that is left. Where nothing was changed it is like any other.
    `anything_changed` False says that a set that is ready needs no proof that it stays so.
    `fleeting` are those that may be gone when they are done, before anybody looks.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        refs: Sequence[ObjectRef],
        wait: WaitSpec,
        *,
        report: StepReport,
        clock: StepClock,
        baseline: Baseline | None = None,
        anything_changed: bool = True,
        fleeting: Collection[ObjectRef] = (),
    ) -> None:
        refs = [ref for ref in dict.fromkeys(refs) if ref.name and has_state(ref)]
        labels = Labels(refs, namespace=kubectl.access.namespace)
        self._wait = wait
        self._clock = clock
        self._anything_changed = anything_changed
        self._deadline = clock.monotonic() + wait.timeout
        self._looking = Looking(kubectl, refs, report)
        self._witness = Witness(
            kubectl=kubectl, looking=self._looking, report=report, labels=labels
        )
        self._rows = Rows(refs, baseline=baseline if anything_changed else None, fleeting=fleeting)
        self._contact = Contact(kubectl, report, clock)
        self._endurance = Endurance(wait.fail_after)
        self._telling = Telling(report, clock, labels)
        self._events_of: set[ObjectRef] = set()
        # What made the objects came a moment before, and clocks differ.
        self._since = f"{clock.now() - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
        self._seen: Seen | None = None
        unknown = progressing("not looked at yet")
        self._standing = Standing(rows=tuple(Row(ref=ref, judgement=unknown) for ref in refs))

    def begin(self) -> None:
        """The time counts from here anew: what made the objects took some of its own."""
        self._deadline = self._clock.monotonic() + self._wait.timeout

    def look(self) -> Standing:
        """How far it is now: one process per namespace. While the API server does not answer it is
        the last one, not `fresh`."""
        if not self._standing.rows:
            return self._standing
        try:
            seen = self._looking.look(events_of=self._events_of)
        except ToolFailed as error:
            self._contact.failed(error)
            self._standing = Standing(rows=self._standing.rows, fresh=False)
            return self._standing
        self._contact.answered()
        self._seen = seen
        rows = self._rows.take(seen, since=self._since if self._anything_changed else "")
        now = self._clock.monotonic()
        self._endurance.take(rows, now)
        self._events_of = self._in_doubt(rows, now)
        self._standing = Standing(rows=rows)
        self._telling.tell(self._standing, self._endurance, self._wait.fail_after)
        self._raise_if_bad(rows, now)
        return self._standing

    def look_once(self) -> None:
        """Look, and be done: RolloutFailed for whatever is not ready, as at the deadline."""
        standing = self.look()
        if standing.fresh and standing.waiting:
            raise self._shortfall(standing)

    def tell_unfinished(self) -> None:
        """Show what was not ready at the last look. Nothing is asked: the step's time is over."""
        if self._seen is not None and self._standing.waiting:
            self._witness.tell_unfinished(self._standing.waiting, self._seen.family)

    def wait_until_ready(self) -> None:
        """Look until all is ready and has stayed so for ``stable_for``; RolloutFailed when that has
        not come by the deadline. A set that is ready and was not changed is done at once."""
        try:
            self._wait_until_ready()
        except (Stopped, TimedOut) as over:
            if is_time_over(over):
                self.tell_unfinished()
            raise

    def _wait_until_ready(self) -> None:
        self._rows.is_changed = True
        pause, steady, proof = FIRST_PAUSE, None, self._anything_changed
        while True:
            standing = self.look()
            now = self._clock.monotonic()
            if standing.is_ready:
                steady = now if steady is None else steady
                rest = self._wait.stable_for - (now - steady) if proof and standing.rows else 0.0
                if rest <= 0:
                    self._telling.end(standing)
                    return
            else:
                steady, proof, rest = None, True, self._wait.timeout
            if now >= self._deadline:
                raise self._late(standing)
            seconds = pause * (0.8 + 0.4 * self._clock.jitter())
            self._clock.sleep(min(seconds, rest, self._deadline - now))
            pause = min(pause * 1.25, LONGEST_PAUSE)

    def _in_doubt(self, rows: Sequence[Row], now: float) -> set[ObjectRef]:
        """Those of which only events tell what is wrong, or tell it still."""
        least = min(DOUBT, self._wait.fail_after)
        return {
            row.ref
            for row in rows
            for sign in row.signs
            if sign.asks_events
            and (not sign.doubt or self._endurance.lasted(row.ref, sign, now) >= least)
        }

    def _raise_if_bad(self, rows: Sequence[Row], now: float) -> None:
        """What is certain comes before what only lasts. What was wrong before has to wait until it
        is all that is left."""
        waiting = [row for row in rows if row.judgement.status != "ready"]
        changed = [row for row in waiting if not row.is_as_before]
        rows = changed or waiting
        certain = [row for row in rows if row.judgement.status == "failed"]
        lasting = [
            row
            for row in rows
            if row not in certain
            and any(self._endurance.is_over(row.ref, sign, now) for sign in row.signs)
        ]
        if certain or lasting:
            raise self._failure([*certain, *lasting])

    def _failure(self, bad: Sequence[Row], *, limit: str = "") -> RolloutFailed:
        assert self._seen is not None
        return self._witness.failure(bad, self._standing, self._seen.family, limit=limit)

    def _late(self, standing: Standing) -> RolloutFailed:
        """The deadline is over."""
        limit = duration_text(round(self._wait.timeout))
        if not standing.fresh or self._seen is None:
            return RolloutFailed(
                f"the rollout was not seen to end within {limit}: the API server does not answer",
                standing=standing,
                hint="run the step again, or see: kubectl get events",
                evidence=(),
            )
        if not standing.waiting:
            return RolloutFailed(
                f"the rollout was ready, but not for {duration_text(round(self._wait.stable_for))} "
                f"within {limit}",
                standing=standing,
                hint="give wait.timeout more time, or wait.stable_for less",
                evidence=(),
            )
        return self._shortfall(standing)

    def _shortfall(self, standing: Standing) -> RolloutFailed:
        bad = sorted(standing.waiting, key=lambda row: main_sign(row) is None)
        return self._failure(bad, limit=duration_text(round(self._wait.timeout)))
