"""How far an operation has come: ``12/34 resources, 2m10s``."""

from __future__ import annotations

from calamari_py.identity import count_text, elapsed_text
from calamari_py.steps.cloudformation.values import StackEvent


class Progress:
    """Counts the resources of one operation that have ended, nested ones included. `total` is how
    many are expected, None where nobody knows."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._ended: dict[tuple[str, str], bool] = {}
        self._going_back = False

    def count(self, event: StackEvent) -> None:
        """Take one event into account."""
        if not event.is_of_stack:
            key = (event.stack_id, event.logical_id)
            self._ended[key] = not event.status.endswith("_IN_PROGRESS")
        elif not event.path and "ROLLBACK_IN_PROGRESS" in event.status and not self._going_back:
            # The way back has its own end, and nobody knows how many resources it takes.
            self._going_back = True
            self._total = None
            self._ended.clear()

    def shown(self, seconds: float) -> tuple[float | None, str]:
        """Percent, None where nobody knows, and the text."""
        ended = sum(self._ended.values())
        if not self._total:
            way = "rolling back, " if self._going_back else ""
            return None, f"{way}{count_text(ended, 'resource')}, {elapsed_text(seconds)}"
        total = max(self._total, len(self._ended))
        counted = f"{ended}/{count_text(total, 'resource')}"
        return 100 * ended / total, f"{counted}, {elapsed_text(seconds)}"
