"""Renewable: deployment credentials that are replaced before they expire."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Condition

from calamari_py.errors import CalamariError, IdentityError
from calamari_py.identity import DeploymentCredentials, duration_text

MARGIN = 60.0
"""Seconds before their end in which credentials count as gone: none may die in a client's hand."""

COMFORT = 300.0
"""Seconds that credentials must still live for a caller not to wait for a renewal under way."""

PATIENCE = 1.5
"""Seconds that a caller with usable credentials waits for better ones: SDKs give up after 2."""

FIRST_PAUSE, LONGEST_PAUSE, PAUSE_WITHOUT = 15.0, 120.0, 10.0
"""Seconds after a failed renewal in which none is tried: at first, at most, and with none left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """One set of credentials, and when what is due. Replaced as a whole, never changed.

    All in seconds of life left: below `renew_below` new ones are fetched, below `comfort` callers
    wait for them, and from `margin` on these count as gone.
    """

    credentials: DeploymentCredentials
    expires_at: datetime | None
    renew_below: float = 0.0
    comfort: float = 0.0
    margin: float = 0.0

    def left(self, now: datetime) -> float:
        """Seconds left to live."""
        if self.expires_at is None:
            return float("inf")
        return (self.expires_at - now).total_seconds()

    def is_usable(self, now: datetime) -> bool:
        """Whether a client that gets them now can still work with them."""
        return self.left(now) > self.margin


class Renewable:
    """The deployment credentials of a step for as long as it runs. Any thread may ask.

    `first` was obtained just now; `renew` fetches new ones, registers their secrets and raises a
    CalamariError when it cannot. `now` is the wall clock in UTC, which is what `expires_at` is
    about. `tell` takes a sentence for the log, from the thread that asked. `jitter` gives a number
    from 0 to 1 for each set of credentials, so that many runs do not renew at once.

    Credentials are renewed when less is left than a quarter of their life, or than 20 minutes (but
    at most half their life) where that is more; the jitter adds up to a tenth to it. One thread
    renews while the others wait or, where their credentials live for some minutes yet, go on.
    """

    def __init__(
        self,
        first: DeploymentCredentials,
        renew: Callable[[], DeploymentCredentials],
        *,
        now: Callable[[], datetime],
        tell: Callable[[str], None],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._renew = renew
        self._now = now
        self._tell = tell
        self._jitter = jitter
        self._changed = Condition()
        self._held = self._hold(first)
        self._renewing = False
        self._failure: CalamariError | None = None
        self._failures = 0
        self._not_before = now()

    def current(self, *, at_least: float = 0.0) -> DeploymentCredentials:
        """Credentials that are valid for longer than a client needs to use them once.

        With less than `at_least` seconds left they are renewed too; what that gives is returned
        even where it lives shorter. A failed renewal is told, once an outage, and the old
        credentials serve on; when those are gone its CalamariError is raised, to every caller that
        waited for it.
        """
        waited = False
        with self._changed:
            while True:
                now, held = self._now(), self._held
                left, usable = held.left(now), held.is_usable(now)
                if usable and (waited or left >= max(held.renew_below, at_least)):
                    return held.credentials
                if self._failure is not None and now < self._not_before:
                    if usable:
                        return held.credentials
                    # Without its traceback: every raise would lengthen that of the one error.
                    raise self._failure.with_traceback(None)
                if not self._renewing:
                    self._renewing = True
                    break
                if usable and left >= max(held.comfort, at_least):
                    return held.credentials
                if usable and waited:
                    return held.credentials
                # Who has nothing waits for the flight, which has a limit of its own.
                self._changed.wait(PATIENCE if usable else None)
                waited = True
        return self._fetch()

    def _fetch(self) -> DeploymentCredentials:
        """The one renewal under way, in the thread of the caller that found it due."""
        fetched: _Held | None = None
        failure: CalamariError | None = None
        try:
            fetched = self._hold(self._renew())
            if not fetched.is_usable(self._now()):
                failure = IdentityError(
                    "the renewed credentials have expired already",
                    hint="check the clock of this machine",
                )
        except CalamariError as error:
            failure = error
        finally:
            # Whatever else was raised goes to this caller alone; another one tries for itself.
            with self._changed:
                if failure is not None:
                    sentence = self._note_failure(failure)
                elif fetched is not None:
                    sentence = self._note_success(fetched)
                else:
                    sentence = None
                held = self._held
                self._renewing = False
                self._changed.notify_all()
        if sentence is not None:
            self._tell(sentence)
        if failure is not None and not held.is_usable(self._now()):
            raise failure
        return held.credentials

    def _note_success(self, fetched: _Held) -> str | None:
        was_out = self._failure is not None
        self._held, self._failure, self._failures = fetched, None, 0
        if not was_out:
            return None
        return f"the step's credentials were renewed after all{_lifetime(fetched, self._now())}"

    def _note_failure(self, failure: CalamariError) -> str | None:
        now, held, is_first = self._now(), self._held, self._failure is None
        self._failure = failure
        self._failures += 1
        pause = PAUSE_WITHOUT
        if held.is_usable(now):
            grown = FIRST_PAUSE * 2.0 ** min(self._failures - 1, 10)
            # Not past the end of the old ones: the first caller after it may try at once.
            pause = min(grown, LONGEST_PAUSE, held.left(now) - held.margin)
        self._not_before = now + timedelta(seconds=pause)
        if not is_first:
            return None
        remedy = "; it goes on with the old ones" if held.is_usable(now) else ""
        return (
            f"the step's credentials could not be renewed: {failure.message}{remedy}"
            f"{_lifetime(held, now) if remedy else ''}"
        )

    def _hold(self, credentials: DeploymentCredentials) -> _Held:
        expires_at = credentials.credentials.expires_at
        if expires_at is None:
            return _Held(credentials=credentials, expires_at=None)
        life = max((expires_at - self._now()).total_seconds(), 0.0)
        due = max(life / 4, min(1200.0, life / 2))
        return _Held(
            credentials=credentials,
            expires_at=expires_at,
            renew_below=due * (1 + self._jitter() / 10),
            comfort=min(COMFORT, life / 3),
            margin=min(MARGIN, life / 10),
        )


def _lifetime(held: _Held, now: datetime) -> str:
    """A clause on how long `held` is valid, in whole minutes where there are any."""
    if held.expires_at is None:
        return ""
    seconds = int(held.left(now))
    return f", valid for {duration_text(seconds - seconds % 60 if seconds >= 60 else seconds)}"
