"""The plugin cache belongs to one ``init`` at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from calamari_py.errors import TimedOut, ToolFailed
from tests.steps.terraform.fakes import Answer
from tests.steps.terraform.running.room import Room


def _held(cache: Path) -> int:
    cache.mkdir(exist_ok=True)
    descriptor = os.open(cache / ".calamari.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def _is_free(cache: Path) -> bool:
    descriptor = os.open(cache / ".calamari.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def test_the_cache_is_made_and_locked_while_init_runs(tmp_path: Path) -> None:
    """Nobody else gets the lock before init has ended, and everybody then."""
    cache = tmp_path / "cache"
    room = Room(tmp_path, plugin_cache=cache)
    seen: list[bool] = []
    room.fake.on("init", Answer(act=lambda: seen.append(_is_free(cache))))
    room.tool.init()
    assert seen == [False]
    assert _is_free(cache)


def test_another_run_is_waited_for(tmp_path: Path) -> None:
    """A busy cache is waited for, and said once."""
    cache = tmp_path / "cache"
    descriptor = _held(cache)
    room = Room(tmp_path, plugin_cache=cache)
    room.clock.at(3, lambda: os.close(descriptor))
    room.tool.init()
    assert room.clock.monotonic() == 3
    waits = [text for text in room.report.said("note") if "waiting" in text]
    assert waits == [f"waiting for another run, which fills '{cache}'"]


def test_the_wait_ends_with_the_step(tmp_path: Path) -> None:
    """A cache that stays busy does not hold a step for longer than it may take."""
    cache = tmp_path / "cache"
    descriptor = _held(cache)
    room = Room(tmp_path, plugin_cache=cache, timeout=5)
    with pytest.raises(TimedOut, match="plugin cache"):
        room.tool.init()
    os.close(descriptor)
    assert room.fake.calls == []
    assert _is_free(cache)


@pytest.mark.parametrize("what", ["no-folder", "link", "no-parent"])
def test_a_cache_that_cannot_be_used(what: str, tmp_path: Path) -> None:
    """Terraform would go on without a cache and exit with 0: that is an error here."""
    cache = tmp_path / "cache"
    if what == "no-folder":
        cache.write_text("")
    elif what == "link":
        cache.mkdir()
        (cache / ".calamari.lock").symlink_to(tmp_path / "elsewhere")
    else:
        cache = tmp_path / "none" / "cache"
    room = Room(tmp_path, plugin_cache=cache)
    with pytest.raises(ToolFailed, match="plugin cache"):
        room.tool.init()
    assert room.fake.calls == []
