"""RolloutFailed, and everything that is shown before it: tree, events, log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calamari_py.errors import ToolFailed
from calamari_py.identity import count_text
from calamari_py.steps.base import StepReport
from calamari_py.steps.kubernetes.clip import clip
from calamari_py.steps.kubernetes.rollout.evidence.events import about, event_line
from calamari_py.steps.kubernetes.rollout.evidence.hints import hint_of
from calamari_py.steps.kubernetes.rollout.evidence.logs import last_lines
from calamari_py.steps.kubernetes.rollout.evidence.tree import tree
from calamari_py.steps.kubernetes.rollout.looking import Looking
from calamari_py.steps.kubernetes.rollout.rules.family import Family
from calamari_py.steps.kubernetes.rollout.rules.fields import Body, mapping, number, text, uid_of
from calamari_py.steps.kubernetes.rollout.rules.pod_status import container_states
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign
from calamari_py.steps.kubernetes.rollout.standing import Labels, Row, Standing

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.tool.kubectl import Kubectl

MOST_SHOWN = 5
"""Objects that are shown with all below them; the rest is counted."""
MOST_LOGS = 3
_LONGEST = 300
"""Characters of a message in a sentence: an admission webhook may write a page."""
_MORE_TIME = "see the objects above; wait.timeout gives them more time"


class RolloutFailed(ToolFailed):
    """Objects did not become ready. `standing` is how far all of them came."""

    def __init__(
        self, message: str, *, standing: Standing, hint: str | None, evidence: Sequence[str]
    ) -> None:
        super().__init__(message, hint=hint, evidence=evidence)
        self.standing = standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What evidence is taken with."""

    kubectl: Kubectl
    looking: Looking
    report: StepReport
    labels: Labels

    def failure(
        self, bad: Sequence[Row], standing: Standing, family: Family, *, limit: str = ""
    ) -> RolloutFailed:
        """The failure of the objects `bad`, the worst first, after all that explains it has been
        shown. With a `limit` nothing has failed but to come within that time."""
        shown = bad[:MOST_SHOWN]
        self._tell_trees(shown, family)
        self._tell_events(shown, family)
        self._tell_logs(shown, family)
        if len(bad) > len(shown):
            self.report.line(f"and {count_text(len(bad) - len(shown), 'other object')} not ready")
        first = bad[0]
        return RolloutFailed(
            self._sentence(first, len(bad), limit),
            standing=standing,
            hint=hint_of(first, main_sign(first)) or (_MORE_TIME if limit else None),
            evidence=[*self._evidence(shown)],
        )

    def tell_unfinished(self, waiting: Sequence[Row], family: Family) -> None:
        """Show `waiting` and why they wait, as they were seen last."""
        shown = waiting[:MOST_SHOWN]
        self._tell_trees(shown, family)
        for row in shown:
            text = f"{self.labels.of(row.ref)} was not ready at the last look: {why(row)}"
            self.report.line(text, tone="bad")
        if len(waiting) > len(shown):
            self.report.line(
                f"and {count_text(len(waiting) - len(shown), 'other object')} not ready"
            )

    def _sentence(self, row: Row, count: int, limit: str) -> str:
        others = f"; {count_text(count - 1, 'other object')} not ready" if count > 1 else ""
        what = f"is not done after {limit} (wait.timeout)" if limit else "failed"
        return f"the rollout of '{self.labels.of(row.ref)}' {what}: {why(row)}{others}"

    def _evidence(self, bad: Sequence[Row]) -> Iterator[str]:
        for row in bad:
            yield f"{self.labels.of(row.ref)}\t{row.judgement.message}"
            sign = main_sign(row)
            if sign is not None and sign.place:
                yield f"{sign.place}\t{_clip(f'{sign.reason}: {sign.message}')}"
            if sign is not None and sign.image:
                yield f"image\t{sign.image}"

    def _tell_trees(self, bad: Sequence[Row], family: Family) -> None:
        for row in bad:
            if row.body is not None:
                label, message = self.labels.of(row.ref), row.judgement.message
                for line in tree(row.body, family, label, message):
                    self.report.line(line)

    def _tell_events(self, bad: Sequence[Row], family: Family) -> None:
        """One list per namespace, of what is wrong with the objects and all below them."""
        uids = {uid_of(body) for row in bad for body in _all_below(row, family)}
        for namespace in self.looking.namespaces(row.ref for row in bad):
            try:
                events = about(self.looking.warnings(namespace), uids)
            except ToolFailed as error:
                self.report.note(f"no events: {error.message}")
                continue
            if events:
                self.report.line("last warnings:")
            for event in events:
                self.report.line(f"  {_clip(event_line(event))}")

    def _tell_logs(self, bad: Sequence[Row], family: Family) -> None:
        signs = [sign for row in bad for sign in _with_logs(row, family)]
        for sign in signs[:MOST_LOGS]:
            data = last_lines(self.kubectl, sign)
            if data:
                self.report.text(data, of=sign.place)
                self.report.settle()


def main_sign(row: Row) -> Sign | None:
    """The one that says most; none where only the object itself is in doubt."""
    certain = [sign for sign in row.signs if not sign.doubt]
    return next((sign for sign in certain if sign.is_now), next(iter(certain), None))


def why(row: Row) -> str:
    """In one clause: the sign, or else the rule's own reason."""
    sign = main_sign(row)
    if sign is not None:
        place = f" in {sign.place}" if sign.place else ""
        return _clip(f"{sign.reason}{place}" + (f": {sign.message}" if sign.message else ""))
    reason = f"{row.judgement.reason}: " if row.judgement.reason else ""
    return _clip(f"{reason}{row.judgement.message}")


def _all_below(row: Row, family: Family) -> Iterator[Body]:
    """The object, its newest ReplicaSet and the pods that count."""
    if row.body is None:
        return
    yield row.body
    if row.body.get("kind") == "Deployment" and (newest := family.newest_replica_set(row.body)):
        yield newest
    for pod in family.newest_pods(row.body) + family.blocking_pods(row.body):
        if pod is not row.body:
            yield pod


def _with_logs(row: Row, family: Family) -> Iterator[Sign]:
    """A container of the object whose log may say why: one that crashed, else one that runs and
    does not get ready."""
    crashed = next((sign for sign in row.signs if sign.has_crashed), None)
    if crashed is not None:
        yield crashed
        return
    sign = main_sign(row)
    if row.body is None or (sign is not None and sign.trouble != "verdict"):
        return
    for pod in reversed(family.newest_pods(row.body)):
        for _, state in container_states(pod):
            if state.get("ready") is not True and _has_run(state):
                yield Sign(
                    trouble="crash", reason="", message="", pod=pod, container=text(state, "name")
                )
                return


def _has_run(state: Body) -> bool:
    ended = number(state, "state", "terminated", "exitCode")
    return bool(mapping(state, "state", "running")) or ended != 0


def _clip(message: str) -> str:
    return clip(message, _LONGEST)
