"""Strays: whose a process is when its number, or its session's, was somebody else's before."""

from __future__ import annotations

import os

import pytest

from calamari_py.process.proc import Entry
from calamari_py.process.strays import Strays
from calamari_py.process.usage import Usage

LEADER, STRAY, OTHER, SOMEBODY = 5_000_001, 5_000_002, 5_000_003, 5_000_004
"""Numbers that no system gives."""
BEGAN = 1000


def entry(
    pid: int, *, session: int, parent: int | None = None, started: int = BEGAN, ended: bool = False
) -> Entry:
    """A process, by default a child of ours."""
    return Entry(
        pid=pid,
        parent=os.getpid() if parent is None else parent,
        group=session,
        session=session,
        started=started,
        ended=ended,
        forked=False,
        name="sh",
    )


def strays(began: int | None = BEGAN) -> Strays:
    return Strays(LEADER, began=began, marker=b"MARK=x", outputs=frozenset(), usage=Usage())


def pids(entries: tuple[Entry, ...]) -> set[int]:
    return {found.pid for found in entries}


THE_LEADER = entry(LEADER, session=LEADER)
THE_STRAY = entry(STRAY, session=STRAY, parent=LEADER)
OF_ITS_SESSION = entry(OTHER, session=STRAY, started=BEGAN + 5)


@pytest.mark.parametrize(
    ("looks", "found"),
    [
        pytest.param([[THE_STRAY], [OF_ITS_SESSION]], {LEADER, OTHER}, id="its leader ended"),
        pytest.param(
            [[THE_STRAY], [entry(STRAY, session=STRAY), OF_ITS_SESSION]],
            {LEADER, STRAY, OTHER},
            id="its leader lives",
        ),
        pytest.param([[THE_STRAY], [], [OF_ITS_SESSION]], {LEADER}, id="was over meanwhile"),
        pytest.param(
            [[THE_STRAY], [entry(STRAY, session=STRAY, started=BEGAN + 9)]],
            {LEADER},
            id="another leads it",
        ),
        pytest.param(
            [
                [entry(OTHER, session=STRAY, parent=LEADER)],
                [entry(STRAY, session=STRAY, started=BEGAN + 9)],
            ],
            {LEADER},
            id="another leads it, the first was never seen",
        ),
    ],
)
def test_a_session_lasts_as_long_as_it_does(looks: list[list[Entry]], found: set[int]) -> None:
    """The session of a stray makes its members the command's, and its number alone does not."""
    known = strays()
    for look in looks:
        seen = known.among([THE_LEADER, *look])
    assert pids(seen) == found


@pytest.mark.parametrize(("began", "found"), [(BEGAN, {OTHER}), (None, set())])
def test_orphans_of_a_leader_that_was_never_seen(began: int | None, found: set[int]) -> None:
    """When the command began is known from its start; who says nothing of it has no orphans."""
    known = strays(began)
    known.among([THE_STRAY, entry(LEADER, session=LEADER, started=BEGAN, ended=True)])
    assert pids(known.among([OF_ITS_SESSION])) == found


@pytest.mark.process
@pytest.mark.parametrize(
    ("began", "is_left"),
    [
        pytest.param(-1, False, id="began after the command"),
        pytest.param(1, True, id="began before the command"),
        pytest.param(None, True, id="nobody knows when the command began"),
    ],
)
def test_what_began_before_is_not_collected(began: int | None, is_left: bool) -> None:
    """Who is older than the command is none of its orphans: somebody here waits for it."""
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    known = strays(None if began is None else BEGAN + began)
    # As if we had moved to another session since we started it.
    known.among([entry(pid, session=SOMEBODY, ended=True)])
    try:
        left = os.waitpid(pid, 0)[0] == pid
    except ChildProcessError:
        left = False
    assert left is is_left
