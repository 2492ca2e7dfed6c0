"""Rows: what a look makes of each object, in the light of the looks before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from calamari_py.steps.kubernetes.rollout.baseline import Baseline
from calamari_py.steps.kubernetes.rollout.looking import Seen
from calamari_py.steps.kubernetes.rollout.rules.fields import (
    Body,
    mapping,
    text,
    uid_of,
    unseen,
    when,
)
from calamari_py.steps.kubernetes.rollout.rules.jobs import end_by_events, removes_itself
from calamari_py.steps.kubernetes.rollout.rules.judge import judge
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
    ready,
)
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign, settle_doubt, signs_of
from calamari_py.steps.kubernetes.rollout.standing import Row
from calamari_py.steps.kubernetes.values import ObjectRef

LOOKS_FOR_END = 3
"""Looks at the events of a job that is gone: they may come a moment after it went."""
_OBSERVED = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"})
_LATE = "ProgressDeadlineExceeded"
_ABSENT = Sign(trouble="absent", reason="NotFound", message="it is not there")


class Rows:
    """Judges `refs`. `is_changed` says that nobody changes them any more: until then what is not
    there may come, or come back. An object that is as in `baseline` has not failed by it, and
    `fleeting` ones may be gone when they are done."""

    def __init__(
        self,
        refs: Sequence[ObjectRef],
        *,
        baseline: Baseline | None,
        fleeting: Collection[ObjectRef] = (),
    ) -> None:
        self.is_changed = False
        self._refs = refs
        self._baseline = baseline or Baseline()
        self._fleeting = fleeting
        self._last: dict[ObjectRef, Row] = {}
        self._gone: dict[ObjectRef, Row] = {}
        self._ours: dict[ObjectRef, Body] = {}
        self._searches: Counter[ObjectRef] = Counter()

    def take(self, seen: Seen, *, since: str = "") -> tuple[Row, ...]:
        """A row for each; events before `since` are of another rollout."""
        rows = []
        for ref in self._refs:
            body = seen.bodies.get(ref)
            row = (
                self._absent(ref, seen, since)
                if body is None
                else self._row(ref, body, seen, since)
            )
            if body is not None:
                self._last[ref] = row
                self._gone.pop(ref, None)
            rows.append(row)
        return tuple(rows)

    def _row(self, ref: ObjectRef, body: Body, seen: Seen, since: str) -> Row:
        ours = self._ours.setdefault(ref, body) if self.is_changed else body
        if uid_of(ours) != uid_of(body):
            replaced = failed("Replaced", "it was deleted and made anew by somebody else meanwhile")
            return Row(ref=ref, judgement=replaced, body=body)
        judgement = judge(body, seen.family)
        if _pod_of(ours) != _pod_of(body):
            message = f"{judgement.message}; somebody else has changed its template meanwhile"
            judgement = replace(judgement, message=message, told="warning")
        if judgement.status == "ready":
            return Row(ref=ref, judgement=judgement, body=body)
        if self._baseline.is_as_before(ref, body):
            return self._row_as_before(ref, judgement, body, seen)
        if ref.kind in _OBSERVED and unseen(body):
            return Row(ref=ref, judgement=judgement, body=body)
        signs = [*_settled(body, seen, since)]
        if judgement.reason == _LATE and self._baseline.was_late(ref, body):
            signs.append(_verdict(judgement))
            judgement = progressing(judgement.message)
        return Row(ref=ref, judgement=judgement, signs=tuple(signs), body=body)

    def _row_as_before(self, ref: ObjectRef, judgement: Judgement, body: Body, seen: Seen) -> Row:
        """Nothing that was done now has failed by it, yet. While others change things nobody says
        what is wrong with it: it may be changed next."""
        signs = [*_settled(body, seen, "")] if self.is_changed else []
        signs = [replace(sign, as_before=True) for sign in signs]
        if judgement.status == "failed":
            if self.is_changed:
                # What is over stays so; a rollout that was given up goes on when it can.
                signs.append(replace(_verdict(judgement), as_before=judgement.reason == _LATE))
            judgement = progressing(f"{judgement.message} (as before)", judgement.reason)
        return Row(ref=ref, judgement=judgement, signs=tuple(signs), body=body, is_as_before=True)

    def _absent(self, ref: ObjectRef, seen: Seen, since: str) -> Row:
        if ref in self._gone:
            return self._gone[ref]
        before = self._last.get(ref)
        is_fleeting = ref in self._fleeting or _removes_itself(before)
        if before is not None and before.judgement.status == "ready" and is_fleeting:
            return before
        if not self.is_changed:
            return Row(ref=ref, judgement=progressing("not there yet"))
        if before is not None and not is_fleeting:
            return Row(ref=ref, judgement=failed("NotFound", "it was deleted meanwhile"))
        if (ref.group, ref.kind) != ("batch", "Job"):
            return Row(ref=ref, judgement=progressing("not there yet"), signs=(_ABSENT,))
        return self._gone_job(ref, before, seen, since, is_fleeting=is_fleeting)

    def _gone_job(
        self, ref: ObjectRef, before: Row | None, seen: Seen, since: str, *, is_fleeting: bool
    ) -> Row:
        """A job that removes itself (ttlSecondsAfterFinished) may be gone before its end was seen:
        its events outlive it."""
        judgement = None
        if ref in seen.asked:
            self._searches[ref] += 1
            uid = uid_of(before.body) if before is not None and before.body is not None else ""
            judgement = end_by_events([*_events_of(ref, uid, seen, since)])
        if judgement is None and is_fleeting and self._searches[ref] >= LOOKS_FOR_END:
            judgement = ready("it has removed itself; its end was not seen", told="warning")
        if judgement is not None:
            self._gone[ref] = Row(ref=ref, judgement=judgement)
            return self._gone[ref]
        waiting = progressing("it is gone: its events are asked" if before else "not there yet")
        sign = replace(_ABSENT, asks_events=True, is_now=not is_fleeting)
        return Row(ref=ref, judgement=waiting, signs=(sign,))


def _removes_itself(row: Row | None) -> bool:
    return row is not None and row.body is not None and removes_itself(row.body)


def _pod_of(body: Body) -> Body:
    """What it says of its pods, beside what is written on them."""
    return mapping(body, "spec", "template", "spec")


def _verdict(judgement: Judgement) -> Sign:
    """What Kubernetes said before, as a sign: it may have been wrong about what is there now."""
    return Sign(trouble="verdict", reason=judgement.reason, message=judgement.message)


def _events_of(ref: ObjectRef, uid: str, seen: Seen, since: str) -> Iterator[Body]:
    """Those of an object that is gone: by its uid, or where that was never seen by its name."""
    for event in seen.family.events:
        about = mapping(event, "involvedObject")
        if uid and text(about, "uid") == uid:
            yield event
        elif not uid and when(event) >= since:
            place = (text(about, "kind"), text(about, "name"), text(about, "namespace"))
            if place == (ref.kind, ref.name, seen.asked[ref]):
                yield event


def _settled(body: Body, seen: Seen, since: str) -> Iterator[Sign]:
    """Its signs, with what the events say of the doubtful ones."""
    for sign in signs_of(body, seen.family):
        found = settle_doubt(sign, body, seen.family.events, since=since) if sign.doubt else None
        yield found or sign
