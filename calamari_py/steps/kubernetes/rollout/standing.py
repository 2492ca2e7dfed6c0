"""Standing: how far a rollout is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from calamari_py.steps.kubernetes.objects.scope import placed
from calamari_py.steps.kubernetes.rollout.rules.fields import Body
from calamari_py.steps.kubernetes.rollout.rules.judgement import Judgement
from calamari_py.steps.kubernetes.rollout.rules.signs import Sign
from calamari_py.steps.kubernetes.values import ObjectRef, ref_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One object. `signs` are what may keep it from getting there, none for one that is ready;
    `body` is None where it is not there, or was not asked for. One that `is_as_before` was not
    changed, and what is wrong with it was so already."""

    ref: ObjectRef
    judgement: Judgement
    signs: tuple[Sign, ...] = ()
    body: Body | None = field(default=None, repr=False)
    is_as_before: bool = False

    def fields(self, namespace: str = "") -> dict[str, Any]:
        """JSON values for the event ``kube_rollout``. `namespace` is that of objects that name
        none."""
        sign = next(iter(self.signs), None)
        seen = ref_of(self.body).namespace if self.body else ""
        return {
            "api_version": self.ref.api_version,
            "kind": self.ref.kind,
            "name": self.ref.name,
            "namespace": placed(self.ref, namespace).namespace or seen or None,
            "status": self.judgement.status,
            "reason": (sign.reason if sign else self.judgement.reason) or None,
            "message": self.judgement.message,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All objects, in the order they were named. One that is not `fresh` is an earlier one: the
    API server has not answered since."""

    rows: tuple[Row, ...]
    fresh: bool = True

    @property
    def waiting(self) -> tuple[Row, ...]:
        """Those that are not ready."""
        return tuple(row for row in self.rows if row.judgement.status != "ready")

    @property
    def is_ready(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.fresh and not self.waiting

    @property
    def counted(self) -> str:
        """``3 of 5 ready``."""
        return f"{len(self.rows) - len(self.waiting)} of {len(self.rows)} ready"


class Labels:
    """How objects are called: ``deployment/web``, with the namespace where there are several. Those
    that name none are in `namespace`."""

    def __init__(self, refs: Sequence[ObjectRef], *, namespace: str) -> None:
        self.namespace = namespace
        self._several = len({ref.namespace or namespace for ref in refs}) > 1

    def of(self, ref: ObjectRef) -> str:
        """The object's."""
        label = f"{ref.kind.lower()}/{ref.name}"
        return f"{label} in {ref.namespace}" if self._several and ref.namespace else label
