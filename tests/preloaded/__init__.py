"""`calamari` as a process of its own, without the time of its imports: most of a short run.

One process imports what nearly every command imports, and does nothing else (server.py). Whoever
starts `command()` (client.py, no import to speak of) has a fork of it made that takes on his
arguments, environment, folder and standard streams, waits for it and ends as it does. What others
see of a process from outside differs, ``/proc/PID/cmdline`` and ``environ``, it is not reached by a
signal to the client, and it has no other descriptors: where that matters, and for what the
interpreter reads from the environment, a test starts a real one.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parent


def calamari_command(environment: Mapping[str, str]) -> list[str]:
    """What comes before calamari's own arguments. ``python -m calamari_py`` where `environment`
    tells the interpreter how to work."""
    if environment.get("LANG") != "C.UTF-8" or any(
        name.startswith(("PYTHON", "LC_", "LD_")) for name in environment
    ):
        return [sys.executable, "-m", "calamari_py"]
    return [sys.executable, "-I", "-S", str(_FOLDER / "client.py"), _server()]


@functools.cache
def _server() -> str:
    """The path of the server's socket. One server for each process of the tests, to its end."""
    folder = tempfile.mkdtemp(prefix="preloaded-", dir="/tmp")
    path = f"{folder}/socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, str(_FOLDER / "server.py"), str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            cwd="/",
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        )
    atexit.register(_end, server, folder)
    return path


def _end(server: subprocess.Popen[bytes], folder: str) -> None:
    server.communicate()
    shutil.rmtree(folder)
