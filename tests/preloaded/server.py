"""``server.py DESCRIPTOR``: a calamari for each who connects, until standard input ends."""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

MODULES = (
    "calamari_py.__main__",
    "calamari_py.aws.wire",
    "calamari_py.cli._answer",
    "calamari_py.cli._invocation",
    "calamari_py.cli.exec",
    "calamari_py.cli.explain",
    "calamari_py.cli.mask",
    "calamari_py.cli.run",
    "calamari_py.cli.validate",
)
ROOMS = ("credentials", "delivery", "manifest", "output", "process", "steps")
"""Loaded whole: what one run has no use for the next one imports."""
LIBRARIES = ("ctypes", "difflib", "encodings.idna", "encodings.utf_16_le", "subprocess", "yaml")
SANDBOX = (
    "calamari_py.sandbox.seed",
    "calamari_py.sandbox.server",
    "moto.iam.responses",
    "moto.sts.responses",
    "requests",
)


def serve(listener: socket.socket) -> None:
    """Returns in a process that is to be calamari."""
    while listener.fileno() in select.select([listener.fileno(), 0], [], [])[0]:
        client, _ = listener.accept()
        request, descriptors, _, _ = socket.recv_fds(client, 1 << 20, 3)
        while more := client.recv(1 << 20):
            request += more
        if b"--sandbox" in request.split(b"\0"):
            _load(SANDBOX)
        if os.fork() == 0:
            listener.close()
            _attend(client, request, descriptors)
            return
        for descriptor in (client.detach(), *descriptors):
            os.close(descriptor)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    os._exit(0)


def _load_rooms() -> None:
    """All that can be: what cannot fails in the run that needs it, and says why."""
    for room in ROOMS:
        package = import_module(f"calamari_py.{room}")
        inside = walk_packages(package.__path__, f"{package.__name__}.", onerror=lambda _: None)
        for found in inside:
            with suppress(ImportError, SyntaxError):
                import_module(found.name)


def _load(modules: Iterable[str]) -> None:
    """What is loaded is no garbage, here and in every fork."""
    for module in modules:
        import_module(module)
    gc.freeze()


def _attend(client: socket.socket, request: bytes, descriptors: list[int]) -> None:
    """Start calamari and tell the client how it ended; who has gone away wants it no more.

    Returns in calamari.
    """
    child = os.fork()
    if child == 0:
        client.close()
        _become(request, descriptors)
        return
    for descriptor in (0, *descriptors):
        os.close(descriptor)
    ended = os.pidfd_open(child)
    watch = select.poll()
    watch.register(client, select.POLLHUP)
    watch.register(ended, select.POLLIN)
    if ended not in dict(watch.poll()):
        os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(OSError):
        client.send(b"%d" % code)
    os._exit(0)


def _become(request: bytes, descriptors: list[int]) -> None:
    """Take on what the client has."""
    for standard, theirs in enumerate(descriptors):
        os.dup2(theirs, standard)
        os.close(theirs)
    folder, count, *words = request.split(b"\0")
    os.chdir(folder)
    sys.path[0] = os.fsdecode(folder)
    sys.argv[1:] = map(os.fsdecode, words[: int(count)])
    os.environb.clear()
    for word in words[int(count) :]:
        name, _, value = word.partition(b"=")
        os.environb[name] = value
    time.tzset()
    for descriptor, stream, mode, errors in (
        (0, "stdin", "r", "surrogateescape"),
        (1, "stdout", "w", "surrogateescape"),
        (2, "stderr", "w", "backslashreplace"),
    ):
        lines = 1 if stream == "stderr" or os.isatty(descriptor) else -1
        opened = open(  # noqa: SIM115
            descriptor, mode, lines, encoding="utf-8", errors=errors, closefd=False
        )
        setattr(sys, stream, opened)


if __name__ == "__main__":
    del sys.path[0]
    _load_rooms()
    _load((*MODULES, *LIBRARIES))
    sys.path.insert(0, "")
    with suppress(KeyboardInterrupt):
        serve(socket.socket(fileno=int(sys.argv[1])))
    sys.modules["calamari_py.__main__"].main()
