"""Rows: what a look makes of each object, in the light of the looks before it."""

from __future__ import annotations

from collections.abc import Sequence

from calamari_py.steps.kubernetes.rollout.baseline import Baseline
from calamari_py.steps.kubernetes.rollout.looking import Seen
from calamari_py.steps.kubernetes.rollout.rules.fields import Body, mapping, unseen
from calamari_py.steps.kubernetes.rollout.rules.judge import judge
from calamari_py.steps.kubernetes.rollout.rules.judgement import (
    Judgement,
    failed,
    progressing,
)
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign, settle_doubt, signs_of
from calamari_py.steps.kubernetes.rollout.standing import Row
from calamari_py.steps.kubernetes.values import ObjectRef

_OBSERVED = frozenset({"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"})


class Rows:
    """Judges `refs`. `is_changed` says that nobody changes them any more: until then what is not
    there may come, or come back. An object that is as in `baseline` has not failed by it."""

    def __init__(self, refs: Sequence[ObjectRef], *, baseline: Baseline | None) -> None:
        self.is_changed = False
        self._refs = refs
        self._baseline = baseline or Baseline()
        self._last: dict[ObjectRef, Row] = {}

    def take(self, seen: Seen, *, since: str = "") -> tuple[Row, ...]:
        """A row for each; events before `since` are of another rollout."""
        rows = []
        for ref in self._refs:
            body = seen.bodies.get(ref)
            row = self._absent(ref) if body is None else self._row(ref, body, seen, since)
            if body is not None:
                self._last[ref] = row
            rows.append(row)
        return tuple(rows)

    def _row(self, ref: ObjectRef, body: Body, seen: Seen, since: str) -> Row:
        judgement = judge(body, seen.family)
        if judgement.status == "ready":
            return Row(ref=ref, judgement=judgement, body=body)
        if self._baseline.is_as_before(ref, body):
            return Row(ref=ref, judgement=_excused(judgement), body=body)
        if ref.kind in _OBSERVED and unseen(body):
            return Row(ref=ref, judgement=judgement, body=body)
        signs = _settled(signs_of(body, seen.family), body, seen, since)
        return Row(ref=ref, judgement=judgement, signs=signs, body=body)

    def _absent(self, ref: ObjectRef) -> Row:
        before = self._last.get(ref)
        if before is not None and _removes_itself(before):
            return before
        if before is None or not self.is_changed:
            absent = Sign(trouble="absent", reason="NotFound", message="it is not there")
            signs = (absent,) if self.is_changed else ()
            return Row(ref=ref, judgement=progressing("not there yet"), signs=signs)
        return Row(ref=ref, judgement=failed("NotFound", "it was deleted meanwhile"))


def _removes_itself(row: Row) -> bool:
    """A job that is done may be gone the next moment (ttlSecondsAfterFinished)."""
    if row.ref.kind != "Job" or row.judgement.status != "ready" or row.body is None:
        return False
    return "ttlSecondsAfterFinished" in mapping(row.body, "spec")


def _excused(judgement: Judgement) -> Judgement:
    """It was so before: nothing that was done now has failed by it."""
    if judgement.status != "failed":
        return judgement
    return progressing(f"{judgement.message} (as before)", judgement.reason)


def _settled(signs: Sequence[Sign], body: Body, seen: Seen, since: str) -> tuple[Sign, ...]:
    """With what the events say of the doubtful ones."""
    found = [
        (settle_doubt(sign, body, seen.events, since=since) or sign) if sign.doubt else sign
        for sign in signs
    ]
    return tuple(found)
