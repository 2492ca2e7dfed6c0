"""``client.py SOCKET ARGUMENT…``: have the server run calamari with all that is ours.

Only what is part of the interpreter is imported: this starts for nearly every run of the tests.
"""

from __future__ import annotations

import posix
import sys
from _socket import AF_UNIX, SCM_RIGHTS, SHUT_WR, SOL_SOCKET, socket


def main(path: str, arguments: list[str]) -> int:
    """The exit code; does not return where calamari was ended by a signal."""
    words = [posix.getcwdb(), b"%d" % len(arguments)]
    words += [word.encode("utf-8", "surrogateescape") for word in arguments]
    words += [name + b"=" + value for name, value in posix.environ.items()]
    standard = b"".join(descriptor.to_bytes(4, sys.byteorder) for descriptor in (0, 1, 2))
    server = socket(AF_UNIX)
    server.connect(path)
    server.sendmsg([b"\0".join(words)], [(SOL_SOCKET, SCM_RIGHTS, standard)])
    server.shutdown(SHUT_WR)
    code = int(server.recv(16))
    if code < 0:
        _end_by(-code)
    return code


def _end_by(number: int) -> None:
    import signal

    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    posix.kill(posix.getpid(), number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
