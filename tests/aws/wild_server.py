"""A server on 127.0.0.1 that answers every request with whatever bytes it is given, for as long."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterable, Mapping

from tests.loopback import Loopback

Say = Callable[[threading.Event], Iterable[bytes]]
"""The pieces of an answer; the event is set when the server is closed."""


def whole(
    body: bytes | str, status: int = 200, headers: Mapping[str, str] | None = None
) -> Iterable[bytes]:
    """An answer in one piece."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + content]


class WildServer(Loopback):
    """Says what `say` gives to every request, then hangs up. `sent` counts bytes."""

    def __init__(self, say: Say) -> None:
        self.sent = 0
        self.closed = threading.Event()
        wild = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    self._read_request()
                    for piece in say(wild.closed):
                        self.wfile.write(piece)
                        wild.sent += len(piece)
                except OSError:
                    return

            def _read_request(self) -> None:
                length = 0
                while line := self.rfile.readline().strip():
                    name, _, value = line.decode("latin-1").partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                self.rfile.read(length)

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        super().__init__(server)

    def __exit__(self, *error: object) -> None:
        self.closed.set()
        super().__exit__(*error)
