"""A browser gets the sign-in URL without any command line holding it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from calamari_py.errors import ToolMissing
from calamari_py.masking import Secret
from calamari_py.runner.handover import hand_over

URL = Secret("https://signin.example/federation?SigninToken=canary-sign-in-token")


def get(url: str) -> tuple[int, str | None]:
    """The status, and where the page sends on to."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request("GET", parts.path)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, response.getheader("Location")


def browser(answers: list[tuple[int, str | None]], *paths: str) -> Callable[[str], bool]:
    """A browser that comes back when it is closed; it asks for other `paths` before."""

    def open_browser(url: str) -> bool:
        assert "canary" not in url
        answers.extend(get(url.rpartition("/")[0] + path) for path in paths)
        answers.append(get(url))
        return True

    return open_browser


def test_the_browser_is_sent_on() -> None:
    """What is opened is a page on this machine; a browser in the terminal works, too."""
    answers: list[tuple[int, str | None]] = []
    hand_over(URL, browser(answers))
    assert answers == [(303, URL.reveal())]


def test_only_the_page_that_was_told() -> None:
    """Another path tells nothing, and does not use the page up."""
    answers: list[tuple[int, str | None]] = []
    hand_over(URL, browser(answers, "/", "/guess"))
    assert answers == [(404, None), (404, None), (303, URL.reveal())]


def test_the_page_answers_once() -> None:
    """Who reads the address from the browser's command line comes too late."""
    answers: list[tuple[int, str | None]] = []

    def twice(url: str) -> bool:
        answers.extend([get(url), get(url)])
        return True

    hand_over(URL, twice)
    assert answers == [(303, URL.reveal()), (404, None)]


def test_a_browser_that_returns_at_once() -> None:
    """The page waits for the browser that comes up later."""
    answers: list[tuple[int, str | None]] = []
    threads: list[threading.Thread] = []

    def later(url: str) -> bool:
        threads.append(threading.Thread(target=lambda: answers.append(get(url))))
        threads[0].start()
        return True

    hand_over(URL, later)
    threads[0].join()
    assert answers == [(303, URL.reveal())]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(False, "no browser can be started", id="no browser"),
        pytest.param(True, "no browser asked for the page within 0.05 s", id="it does not ask"),
    ],
)
def test_no_browser(found: bool, words: str) -> None:
    """It is said, with what to do instead; never the URL."""
    with pytest.raises(ToolMissing, match=words) as raised:
        hand_over(URL, lambda _: found, timeout=0.05)
    assert "--open" in (raised.value.hint or "")
    assert "canary" not in f"{raised.value!r} {raised.value.hint}"
