"""``client.py SOCKET ARGUMENT…``: have the server run calamari with all that is ours."""

from __future__ import annotations

import os
import signal
import socket
import sys


def main(path: str, arguments: list[str]) -> int:
    """The exit code; does not return where calamari was ended by a signal."""
    words = [os.getcwdb(), b"%d" % len(arguments), *map(os.fsencode, arguments)]
    words += [name + b"=" + value for name, value in os.environb.items()]
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [b"\0".join(words)], [0, 1, 2])
        server.shutdown(socket.SHUT_WR)
        code = int(server.recv(16))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
