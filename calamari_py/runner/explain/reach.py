"""What a step could still reach of its launcher, on this machine and by this user."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from calamari_py.manifest import LoadedManifest
from calamari_py.runner.hiding import hidden_paths

METADATA = {
    "EC2 instance metadata": "169.254.169.254",
    "ECS agent": "169.254.170.2",
    "EKS Pod Identity agent": "169.254.170.23",
}
"""Who gives credentials to whoever asks by plain HTTP, and where."""
_SECONDS = 0.3

Answers = Callable[[str], bool]
"""Whether something takes a connection at an address, port 80."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """`files` are the launcher's that this user can read; `answering` the names in `METADATA` that
    take a connection, None when nobody tried; `uid` is who calamari runs as."""

    files: tuple[str, ...]
    answering: tuple[str, ...] | None
    uid: int


def look_around(
    loaded: LoadedManifest, environ: Mapping[str, str], *, answers: Answers | None
) -> Reach:
    """What there is to reach; `answers` None tries no connection."""
    files = [
        path
        for path in hidden_paths(loaded, environ)
        if (path.is_file() or path.is_dir()) and os.access(path, os.R_OK)
    ]
    answering = None
    if answers is not None:
        answering = tuple(name for name, address in METADATA.items() if answers(address))
    return Reach(files=tuple(map(str, files)), answering=answering, uid=os.geteuid())


def takes_connections(address: str, port: int = 80) -> bool:
    """Connects to `port` of `address` and sends nothing; waits 0.3 s at most."""
    try:
        socket.create_connection((address, port), timeout=_SECONDS).close()
    except OSError:
        return False
    return True
