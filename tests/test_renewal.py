"""Renewable: credentials that never expire in a client's hand, and what failed renewals do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamari_py.errors import CalamariError, ExpectationNotMet, RoleNotAssumable
from calamari_py.identity import AwsCredentials, DeploymentCredentials
from calamari_py.masking import Secret
from calamari_py.renewal import (
    COMFORT,
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MARGIN,
    PAUSE_WITHOUT,
    Renewable,
)
from tests.delivery.support import until
from tests.fakes import FrozenClock

MINUTE, HOUR = 60.0, 3600.0
WAIT = 20.0
"""Seconds after which a test gives up; nothing waits for them where all is well."""


@dataclass
class Role:
    """What a `Renewable` asks. `error` is what renewals raise while it is set."""

    life: float | None = 15 * MINUTE
    clock: FrozenClock = field(default_factory=FrozenClock)
    error: Exception | None = None
    renewals: int = 0
    told: list[str] = field(default_factory=list)
    during: Callable[[], None] = lambda: None

    def credentials(self, life: float | None = None) -> DeploymentCredentials:
        number, life = self.renewals, self.life if life is None else life
        keys = AwsCredentials(
            access_key_id=f"ASIA{number}",
            secret_access_key=Secret(f"secret-{number}"),
            session_token=Secret(f"token-{number}"),
            expires_at=None if life is None else self.clock() + timedelta(seconds=life),
        )
        return DeploymentCredentials(credentials=keys, principal=None)

    def renew(self) -> DeploymentCredentials:
        self.renewals += 1
        self.during()
        if self.error is not None:
            raise self.error
        return self.credentials()

    def renewable(self, jitter: float = 0.0) -> Renewable:
        return Renewable(
            self.credentials(),
            self.renew,
            now=self.clock,
            tell=self.told.append,
            jitter=lambda: jitter,
        )


def number_of(credentials: DeploymentCredentials) -> int:
    """Which renewal they came from; parts of two of them are a failure."""
    keys = credentials.credentials
    number = int(keys.access_key_id.removeprefix("ASIA"))
    assert keys.session_token is not None
    assert keys.secret_access_key.reveal() == f"secret-{number}"
    assert keys.session_token.reveal() == f"token-{number}"
    return number


# --- when ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("life", "due_below"),
    [
        pytest.param(15 * MINUTE, 7.5 * MINUTE, id="15m-half-of-it"),
        pytest.param(30 * MINUTE, 15 * MINUTE, id="30m-half-of-it"),
        pytest.param(HOUR, 20 * MINUTE, id="1h-20m"),
        pytest.param(2 * HOUR, 30 * MINUTE, id="2h-a-quarter"),
        pytest.param(12 * HOUR, 3 * HOUR, id="12h-a-quarter"),
        pytest.param(4 * MINUTE, 2 * MINUTE, id="4m-of-a-launcher"),
    ],
)
@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_when_credentials_are_renewed(life: float, due_below: float, jitter: float) -> None:
    """Not a second before, and the second after."""
    role = Role(life)
    renewable = role.renewable(jitter)
    role.clock.advance(life - due_below * (1 + jitter / 10) - 1)
    assert number_of(renewable.current()) == 0
    role.clock.advance(2)
    assert number_of(renewable.current()) == 1
    assert number_of(renewable.current()) == 1
    assert role.told == []


def test_keys_without_an_end_are_never_renewed() -> None:
    """Nor is there anything to ask for."""
    role = Role(None)
    renewable = role.renewable()
    role.clock.advance(1000 * HOUR)
    assert number_of(renewable.current(at_least=HOUR)) == 0
    assert role.renewals == 0


@pytest.mark.parametrize(
    ("at_least", "renewals"), [(0, 0), (30 * MINUTE, 0), (50 * MINUTE, 1), (5 * HOUR, 1)]
)
def test_a_caller_may_want_more(at_least: float, renewals: int) -> None:
    """What is left may be too little for what comes; one renewal gives what there is to have."""
    role = Role(HOUR)
    renewable = role.renewable()
    role.clock.advance(25 * MINUTE)
    assert number_of(renewable.current(at_least=at_least)) == renewals
    assert role.renewals == renewals


def test_many_runs_do_not_renew_at_once() -> None:
    """Without being told otherwise, each set of credentials has its own moment."""
    role = Role(HOUR)
    runs = [
        Renewable(role.credentials(), role.renew, now=role.clock, tell=role.told.append)
        for _ in range(50)
    ]
    role.clock.advance(39 * MINUTE)
    for run in runs:
        run.current()
    assert 0 < role.renewals < 50


# --- when it fails ------------------------------------------------------------------------------


def test_while_the_old_ones_live_they_serve_on() -> None:
    """An outage is told once, then its end; between the two nobody is kept waiting."""
    role = Role(15 * MINUTE, error=RoleNotAssumable("cannot assume role 'x'"))
    renewable = role.renewable()
    role.clock.advance(8 * MINUTE)
    for _ in range(20):
        assert number_of(renewable.current()) == 0
        role.clock.advance(10)
    assert role.told == [
        (
            "the step's credentials could not be renewed: cannot assume role 'x'; it goes on with "
            "the old ones, valid for 7m"
        )
    ]
    role.error = None
    role.clock.advance(LONGEST_PAUSE)
    assert number_of(renewable.current()) == role.renewals
    assert role.told[1:] == ["the step's credentials were renewed after all, valid for 15m"]
    role.clock.advance(8 * MINUTE)
    role.error = RoleNotAssumable("cannot assume role 'x'")
    renewable.current()
    assert len(role.told) == 3, "the next outage is another one"


def test_failed_renewals_are_paused() -> None:
    """15 s, then longer each time, two minutes at most; the last pause ends with the old ones."""
    role = Role(HOUR, error=RoleNotAssumable("no"))
    renewable = role.renewable()
    role.clock.advance(40 * MINUTE + 1)
    asked = []
    for second in range(19 * 60 - 1):
        before = role.renewals
        assert number_of(renewable.current()) == 0
        if role.renewals > before:
            asked.append(second)
        role.clock.advance(1)
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[:4] == [FIRST_PAUSE, 30, 60, LONGEST_PAUSE]
    assert set(pauses[4:-1]) == {LONGEST_PAUSE}
    role.error = None
    assert number_of(renewable.current()) == role.renewals


def test_nobody_gets_credentials_that_die_in_his_hand() -> None:
    """With a minute left they are gone: the error of the renewal is the caller's."""
    error = RoleNotAssumable("cannot assume role 'x'", hint="look there")
    role = Role(15 * MINUTE, error=error)
    renewable = role.renewable()
    role.clock.advance(15 * MINUTE - MARGIN - 1)
    assert number_of(renewable.current()) == 0
    role.clock.advance(1)
    with pytest.raises(RoleNotAssumable) as caught:
        renewable.current()
    assert caught.value is error


def test_without_any_left_it_is_tried_again_soon() -> None:
    """Not at every call of an SDK that repeats itself, but every 10 s; told once all the same."""
    role = Role(15 * MINUTE, error=RoleNotAssumable("no"))
    renewable = role.renewable()
    role.clock.advance(HOUR)
    for _ in range(30):
        with pytest.raises(RoleNotAssumable):
            renewable.current()
        role.clock.advance(1)
    assert role.renewals == 30 / PAUSE_WITHOUT
    assert role.told == ["the step's credentials could not be renewed: no"]
    role.error = None
    role.clock.advance(PAUSE_WITHOUT)
    assert number_of(renewable.current()) == role.renewals
    assert len(role.told) == 2


@pytest.mark.parametrize("life", [0.0, -5.0, -HOUR])
def test_what_has_expired_already_is_no_renewal(life: float) -> None:
    """A clock that is off, or a launcher's stale cache."""
    role = Role(15 * MINUTE)
    renewable = role.renewable()
    role.clock.advance(8 * MINUTE)
    role.life = life
    assert number_of(renewable.current()) == 0
    assert "have expired already" in role.told[0]
    role.clock.advance(HOUR)
    with pytest.raises(CalamariError, match="have expired already"):
        renewable.current()


def test_a_renewal_that_gives_another_identity_is_a_failed_one() -> None:
    """The guard's refusal keeps the old ones, which were what was expected."""
    role = Role(15 * MINUTE, error=ExpectationNotMet("account is 2, expected 1"))
    renewable = role.renewable()
    role.clock.advance(8 * MINUTE)
    assert number_of(renewable.current()) == 0
    assert "account is 2, expected 1" in role.told[0]


def test_a_defect_goes_to_its_caller_and_blocks_nobody() -> None:
    """Whatever a renewal raises, the next caller tries for itself."""
    role = Role(15 * MINUTE, error=KeyError("defect"))
    renewable = role.renewable()
    role.clock.advance(8 * MINUTE)
    with pytest.raises(KeyError):
        renewable.current()
    role.error = None
    assert number_of(renewable.current()) == 2


# --- many at once -------------------------------------------------------------------------------


@dataclass
class Flight:
    """A renewal that lasts until it is let go."""

    begun: threading.Event = field(default_factory=threading.Event)
    landing: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        self.begun.set()
        assert self.landing.wait(WAIT)


def _outcome(future: Future[DeploymentCredentials]) -> object:
    error = future.exception(WAIT)
    return error if error is not None else number_of(future.result())


@dataclass
class CountingClock(FrozenClock):
    """Counts who looked at it: a caller does so once before it waits."""

    looks: int = 0

    def __call__(self) -> datetime:
        self.looks += 1
        return super().__call__()


@pytest.mark.parametrize("error", [None, RoleNotAssumable("no")], ids=["granted", "refused"])
@pytest.mark.parametrize("at_least", [0.0, 5 * HOUR], ids=["any", "more-than-there-is"])
def test_one_renews_for_all(error: Exception | None, at_least: float) -> None:
    """Those who need it wait for the one flight and share what it brings, an error too."""
    clock, flight = CountingClock(), Flight()
    role = Role(15 * MINUTE, clock=clock, error=error, during=flight)
    renewable = role.renewable()
    clock.advance(15 * MINUTE)
    with ThreadPoolExecutor(20) as pool:
        first = pool.submit(renewable.current, at_least=at_least)
        assert flight.begun.wait(WAIT)
        looks = clock.looks
        others = [pool.submit(renewable.current, at_least=at_least) for _ in range(19)]
        until(lambda: clock.looks == looks + 19, "all to wait")
        flight.landing.set()
        outcomes = [_outcome(future) for future in (first, *others)]
    assert role.renewals == 1
    assert outcomes == [error or 1] * 20


def test_who_has_time_does_not_wait() -> None:
    """While one renews, others go on with credentials that live for minutes yet."""
    flight = Flight()
    role = Role(HOUR, during=flight)
    renewable = role.renewable()
    role.clock.advance(45 * MINUTE)
    with ThreadPoolExecutor(2) as pool:
        renewing = pool.submit(renewable.current)
        assert flight.begun.wait(WAIT)
        assert number_of(pool.submit(renewable.current).result(WAIT)) == 0
        role.clock.advance(15 * MINUTE - COMFORT + 1)
        waiting = pool.submit(renewable.current)
        flight.landing.set()
        assert number_of(waiting.result(WAIT)) == 1
        assert number_of(renewing.result(WAIT)) == 1


@pytest.mark.parametrize(
    ("life", "minutes", "renewals"),
    [
        # One each 7.5 minutes, noticed at the next look, ten seconds later at most.
        pytest.param(15 * MINUTE, 90, 11, id="90m-of-15m"),
        pytest.param(HOUR, 180, 4, id="3h-of-1h"),
    ],
)
def test_a_long_step_with_many_threads(life: float, minutes: int, renewals: int) -> None:
    """Never expired, never mixed, and no more renewals than are due."""
    role = Role(life)
    renewable = role.renewable()
    threads = 8
    # The clock moves between two looks, when no thread is looking.
    tick = threading.Barrier(threads, action=lambda: role.clock.advance(10), timeout=WAIT)

    def look() -> None:
        for _ in range(minutes * 6):
            keys = renewable.current()
            number_of(keys)
            assert keys.credentials.expires_at is not None
            assert (keys.credentials.expires_at - role.clock()).total_seconds() > MARGIN
            tick.wait()

    with ThreadPoolExecutor(threads) as pool:
        for future in [pool.submit(look) for _ in range(threads)]:
            future.result(2 * WAIT)
    assert role.renewals == renewals
    assert role.told == []


@settings(max_examples=200)
@given(
    life=st.floats(5, 12 * HOUR),
    jitter=st.floats(0, 1),
    steps=st.lists(st.tuples(st.floats(0, HOUR), st.booleans()), max_size=40),
)
def test_whatever_happens_nothing_expired_is_given(
    life: float, jitter: float, steps: list[tuple[float, bool]]
) -> None:
    """Through outages and sleeps of any length: living credentials, or the renewal's error."""
    role = Role(life)
    renewable = role.renewable(jitter)
    for pause, works in steps:
        role.clock.advance(pause)
        role.error = None if works else RoleNotAssumable("no")
        with suppress(RoleNotAssumable):
            keys = renewable.current()
            number_of(keys)
            assert keys.credentials.expires_at is not None
            assert keys.credentials.expires_at > role.clock()
