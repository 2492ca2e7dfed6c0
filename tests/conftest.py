"""What no test may forget: no AWS of the machine, no colour, no home, no network but loopback."""

from __future__ import annotations

import compileall
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import calamari_py

_SELECTING = (
    "AWS_",
    "AMAZON_",
    "BOTO",
    "ECS_",
    "ACTIONS_ID_TOKEN_",
    "CALAMARI_",
    "GITHUB_",
    "CI",
    "GITLAB_",
    "BUILDKITE",
    "JENKINS_",
    "RUNNER_",
)
_EXACT = (
    "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "PYTHONPATH",
    "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "XDG_RUNTIME_DIR",
)  # fmt: skip
THOROUGH = "CALAMARI_SOAK_ROUNDS" in os.environ
"""`make soak`: tests that make up their own cases make up more of them."""
_KEPT = (
    "CALAMARI_REQUIRE_TOOLS",
    "CALAMARI_TEST_KUBECONFIG",
    "CALAMARI_TEST_CONTEXT",
    "CALAMARI_TEST_IMAGE",
)
_TALKING = ("tests/aws/", "tests/credentials/", "tests/delivery/")
_LOOPBACK = ("127.", "::1", "localhost")


_SIGNALS: dict[int, Any] = {
    signal.SIGHUP: signal.SIG_DFL,
    signal.SIGINT: signal.default_int_handler,
    signal.SIGQUIT: signal.SIG_DFL,
}


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once: a thousand processes of the tests would each do it anew where
    PYTHONDONTWRITEBYTECODE is set."""
    for signum, handler in _SIGNALS.items():
        if signal.getsignal(signum) is signal.SIG_IGN:
            # nohup, and a shell that puts us into the background, have it ignored, for all whom
            # we start, too.
            signal.signal(signum, handler)
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(str(Path(calamari_py.__file__).parent), quiet=2)
    # What is not found in 25 examples of a run is found in those of the next ones.
    # Neither a case nor making one up has a time limit: a busy machine is no finding.
    hypothesis.settings.register_profile(
        "suite",
        max_examples=500 if THOROUGH else 25,
        deadline=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("suite")
    # All that is collected stays to the end: nothing of it is garbage to look for.
    gc.disable()


def pytest_collection_finish() -> None:
    """Have later searches for garbage leave out the tests themselves, which are most of it."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """Mark the rooms that talk to servers; begin what is slow first, so that no worker ends alone
    with it. Nothing is left out."""
    for item in items:
        if item.nodeid.startswith(_TALKING):
            item.add_marker("socket")
    yield
    items[:] = _slow_first(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _slow_first(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """Each of `workers` is given a run of neighbours: every such run begins with its share."""
    slow = sorted((item for item in items if _seconds(item)), key=_seconds, reverse=True)
    others = iter([item for item in items if not _seconds(item)])
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)
        first = slow[worker::workers]
        ordered += [*first, *islice(others, max(size - len(first), 0))]
    return [*ordered, *others]


def _seconds(item: pytest.Item) -> float:
    mark = item.get_closest_marker("slow")
    return float(mark.args[0]) if mark else 0.0


@pytest.fixture(scope="session", autouse=True)
def clean_machine() -> Iterator[None]:
    """No AWS_*, proxy or colour variable for any test, no network but loopback, and no shims that
    choose a Python for each `python3` and `aws`: they are shell scripts, some of 0.1 s."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in list(os.environ):
            if (name.startswith(_SELECTING) and name not in _KEPT) or name in _EXACT:
                monkeypatch.delenv(name)
        monkeypatch.setenv("TERM", "dumb")
        chosen = str(Path(sys.base_prefix, "bin"))
        folders = os.environ["PATH"].split(os.pathsep)
        folders = [chosen if Path(folder).name == "shims" else folder for folder in folders]
        monkeypatch.setenv("PATH", os.pathsep.join(dict.fromkeys(folders)))
        monkeypatch.setenv("HOME", "/nonexistent")
        monkeypatch.setattr(socket.socket, "connect", _only_loopback(socket.socket.connect))
        yield


def _only_loopback(connect: Callable[[socket.socket, Any], None]) -> Callable[..., None]:
    """A connection to any other address is a mistake of the test or of the code."""

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if self.family in {socket.AF_INET, socket.AF_INET6} and not str(host).startswith(_LOOPBACK):
            raise AssertionError(f"a test wanted to reach {host}")
        connect(self, address)

    return guarded


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Empty folders. A new one is made when something lies in the last one: few tests look into
    their home, and a `tmp_path` for each would be made and cleared away for nothing."""

    def empty() -> Iterator[Path]:
        base = tmp_path_factory.mktemp("homes")
        for number in count():
            home = base / str(number)
            home.mkdir()
            while home.is_dir() and not any(home.iterdir()):
                yield home

    return empty()


@pytest.fixture(autouse=True)
def clean_environment(homes: Iterator[Path]) -> None:
    """A home of its own. Set anew for each of ten thousand tests: none needs to be undone."""
    os.environ["HOME"] = str(next(homes))
