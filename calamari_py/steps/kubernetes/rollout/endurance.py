"""Endurance: how long each sign has lasted."""

from __future__ import annotations

from collections.abc import Iterable

from calamari_py.steps.kubernetes.rollout.rules.signs import Sign
from calamari_py.steps.kubernetes.rollout.standing import Row
from calamari_py.steps.kubernetes.values import ObjectRef

_Key = tuple[ObjectRef, tuple[str, str, str], bool]


class Endurance:
    """Counts per object, pod, container and trouble, in seconds of the step's clock."""

    def __init__(self, fail_after: float) -> None:
        self._fail_after = fail_after
        self._since: dict[_Key, float] = {}
        self._left: dict[_Key, float] = {}

    def take(self, rows: Iterable[Row], now: float) -> None:
        """What is seen now. A sign that is gone begins anew when it comes back; what is left of one
        keeps its time and begins none, until it was well for as long as a sign may last."""
        seen = {_key(row.ref, sign): sign for row in rows for sign in row.signs}
        self._left = {
            key: self._left.get(key, now) for key, sign in seen.items() if not sign.is_now
        }
        self._since = {
            key: self._since.get(key, now)
            for key, sign in seen.items()
            if sign.is_now or (key in self._since and now - self._left[key] < self._fail_after)
        }

    def lasted(self, ref: ObjectRef, sign: Sign, now: float) -> float:
        """Seconds, 0.0 for one that is new."""
        return now - self._since.get(_key(ref, sign), now)

    def is_over(self, ref: ObjectRef, sign: Sign, now: float) -> bool:
        """Whether it has lasted longer than it may."""
        if sign.doubt or not sign.is_now:
            return False
        return self.lasted(ref, sign, now) >= sign.grace(self._fail_after)


def _key(ref: ObjectRef, sign: Sign) -> _Key:
    """Once the object itself is changed, what was wrong before begins anew."""
    return ref, sign.key, sign.as_before
