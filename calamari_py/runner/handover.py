"""Giving a browser the sign-in URL, which no command line may hold: argv is readable by all users.

The browser is told a page on this machine, once, which sends it on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from secrets import token_urlsafe
from socket import socket
from socketserver import ThreadingTCPServer
from typing import Any

from calamari_py.delivery._peer import peer_of
from calamari_py.errors import ToolMissing
from calamari_py.masking.secret import Secret

_USE_THE_URL = "leave out --open, and open the printed URL where there is a browser"


def hand_over(url: Secret, open_browser: Callable[[str], bool], *, timeout: float = 60.0) -> None:
    """Have `open_browser` open `url` by way of a page on 127.0.0.1 that answers once.

    ToolMissing when there is no browser, or none that asks for the page within `timeout` seconds.
    """
    path = f"/{token_urlsafe(24)}"
    fetched = threading.Event()
    with _Server(("127.0.0.1", 0), _page(path, url, fetched)) as server:
        # A browser that runs in the terminal returns when it is closed: the page comes before.
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        thread.start()
        try:
            if not open_browser(f"http://127.0.0.1:{server.server_address[1]}{path}"):
                raise ToolMissing("no browser can be started here", hint=_USE_THE_URL)
            if not fetched.wait(timeout):
                raise ToolMissing(
                    f"no browser asked for the page within {timeout:.3g} s", hint=_USE_THE_URL
                )
        finally:
            server.shutdown()
            thread.join()


class _Server(ThreadingTCPServer):
    # A connection that a browser opens and does not use must not keep the other waiting.
    daemon_threads = True

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Nobody else on this machine is answered."""
        assert isinstance(request, socket)
        try:
            return peer_of(request) in {"own", "unknown"}
        except OSError:  # it is gone already
            return False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no news."""


def _page(path: str, url: Secret, fetched: threading.Event) -> type[BaseHTTPRequestHandler]:
    first = threading.Lock()

    class Page(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            # Two that ask at once are two threads: the lock, never given back, is for one of them.
            if self.path != path or not first.acquire(blocking=False):
                self.send_error(404)
                return
            self.send_response(303)
            self.send_header("Location", url.reveal())
            self.send_header("Referrer-Policy", "no-referrer")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Length", "0")
            self.end_headers()
            fetched.set()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its base's name
            """The path is a secret for as long as it works."""

    return Page
