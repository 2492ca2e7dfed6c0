"""Where a command is: ``2/5 resources, 1m10s: creating 50s aws_db_instance.main (+2 more)``."""

from __future__ import annotations

from dataclasses import dataclass

from calamari_py.identity import count_text, elapsed_text
from calamari_py.steps.terraform.following.events import Hook

_DOING = {
    "create": "creating",
    "update": "updating",
    "delete": "destroying",
    "replace": "replacing",
    "read": "reading",
    "import": "importing",
    "open": "opening",
    "renew": "renewing",
    "close": "closing",
    "refresh": "refreshing",
}
_DONE = {
    "create": "created",
    "update": "updated",
    "delete": "destroyed",
    "replace": "replaced",
    "read": "read",
    "import": "imported",
}
_LOOKING = frozenset({"read", "refresh", "open", "renew", "close"})
"""What is no change of a resource, whatever else there may be one day."""


def is_change(action: str) -> bool:
    """Whether something is done to a resource, as against a look at it."""
    return bool(action) and action not in _LOOKING


def doing(action: str) -> str:
    """``creating``."""
    return _DOING.get(action, f"at work ({action})" if action else "at work")


def done(action: str) -> str:
    """``created``."""
    return _DONE.get(action, f"done ({action})" if action else "done")


@dataclass(slots=True, kw_only=True)
class Running:
    """A resource that something is done to, since `since` of the clock; `announced` says that
    people were told that it takes long."""

    address: str
    action: str
    since: float
    announced: bool = False


class Progress:
    """Counts resources and knows which ones are being worked on. Of those that have ended it keeps
    the number alone: something was begun on `touched`, and `ended` are as they should be. `total`
    is how many are expected, None where nobody knows; `verb` is said as long as nothing is
    counted."""

    def __init__(self, total: int | None, *, verb: str, began: float) -> None:
        self.touched = 0
        self.ended = 0
        self._verb = verb
        self._total = total
        self._began = began
        self._refreshed = 0
        self._refreshing: set[str] = set()
        self._running: dict[str, Running] = {}
        self._replacing: set[str] = set()
        self._waiting = False

    def plan(self, address: str, action: str) -> None:
        """A resource that is replaced is begun on twice, and counts once."""
        if action == "replace":
            self._replacing.add(address)

    def wait(self) -> None:
        """The state's lock is waited for, until something else is heard of."""
        self._waiting = True

    def start(self, hook: Hook, now: float) -> None:
        """Something is begun on a resource."""
        self._waiting = False
        if is_change(hook.action):
            self.touched += 1
        self._running[hook.address] = Running(address=hook.address, action=hook.action, since=now)

    def running(self, address: str) -> Running | None:
        """What is being done to the resource, as far as anybody said."""
        return self._running.get(address)

    def complete(self, hook: Hook) -> Running | None:
        """It has ended well; what was known of it."""
        running = self.fail(hook)
        if hook.address in self._replacing:
            self._replacing.remove(hook.address)
        elif is_change(running.action if running else hook.action):
            self.ended += 1
        return running

    def fail(self, hook: Hook) -> Running | None:
        """It has ended badly; what was known of it."""
        return self._running.pop(hook.address, None)

    def refresh(self, address: str) -> None:
        """A resource is looked at."""
        self._waiting = False
        self._refreshing.add(address)

    def refreshed(self, address: str) -> None:
        """It was looked at."""
        self._refreshing.discard(address)
        self._refreshed += 1

    def unfinished(self) -> tuple[str, ...]:
        """The addresses that something was begun on and that nobody has told the end of."""
        return tuple(one.address for one in self._running.values() if is_change(one.action))

    def shown(self, now: float) -> tuple[float | None, str]:
        """Percent, None where nobody knows, and the text."""
        elapsed = elapsed_text(now - self._began)
        if self._waiting:
            return None, f"waiting for the lock of the state, {elapsed}"
        percent, counted = self._counted()
        busy = self._busy(now)
        return percent, f"{counted}, {elapsed}" + (f": {busy}" if busy else "")

    def _counted(self) -> tuple[float | None, str]:
        if self._total:
            total = max(self._total, self.ended)
            return 100 * self.ended / total, f"{self.ended}/{count_text(total, 'resource')}"
        if self.ended:
            return None, count_text(self.ended, "resource")
        if self._refreshed:
            return None, f"{count_text(self._refreshed, 'resource')} refreshed"
        return None, f"terraform {self._verb}"

    def _busy(self, now: float) -> str:
        if not self._running:
            return f"refreshing {min(self._refreshing)}" if self._refreshing else ""
        longest = min(self._running.values(), key=lambda one: one.since)
        # A long address is cut off at its end, and with it what comes after.
        said = f"{doing(longest.action)} {elapsed_text(now - longest.since)} {longest.address}"
        others = len(self._running) - 1
        return f"{said} (+{others} more)" if others else said
