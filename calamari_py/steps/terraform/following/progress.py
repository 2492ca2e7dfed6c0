"""Where a command is: ``2/5 resources, 1m10s: aws_db_instance.main creating 50s (+2 more)``."""

from __future__ import annotations

from dataclasses import dataclass

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
CHANGING = frozenset({"create", "update", "delete"})
"""What is done to a resource, as against a look at it."""


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
    the number alone. `total` is how many are expected, None where nobody knows; `verb` is said as
    long as nothing is counted."""

    def __init__(self, total: int | None, *, verb: str, began: float) -> None:
        self.touched = 0
        self._verb = verb
        self._total = total
        self._began = began
        self._ended = 0
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
        if hook.action in CHANGING:
            self.touched += 1
        self._running[hook.address] = Running(address=hook.address, action=hook.action, since=now)

    def running(self, address: str) -> Running | None:
        """What is being done to the resource, as far as anybody said."""
        return self._running.get(address)

    def complete(self, hook: Hook) -> Running | None:
        """It has ended well; what was known of it."""
        if hook.address in self._replacing:
            self._replacing.remove(hook.address)
        elif hook.action in CHANGING:
            self._ended += 1
        return self.fail(hook)

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
        changing = (one for one in self._running.values() if one.action not in {"read", "open"})
        return tuple(one.address for one in changing)

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
            total = max(self._total, self._ended)
            return 100 * self._ended / total, f"{self._ended}/{resources(total)}"
        if self._ended:
            return None, resources(self._ended)
        if self._refreshed:
            return None, f"{resources(self._refreshed)} refreshed"
        return None, f"terraform {self._verb}"

    def _busy(self, now: float) -> str:
        if not self._running:
            return f"refreshing {min(self._refreshing)}" if self._refreshing else ""
        longest = min(self._running.values(), key=lambda one: one.since)
        said = f"{longest.address} {doing(longest.action)} {elapsed_text(now - longest.since)}"
        others = len(self._running) - 1
        return f"{said} (+{others} more)" if others else said


def resources(number: int) -> str:
    """``1 resource``, ``5 resources``."""
    return f"{number} resource{'' if number == 1 else 's'}"


def elapsed_text(seconds: float) -> str:
    """``45s``, ``2m10s``, ``1h05m``."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m"
