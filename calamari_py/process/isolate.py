"""Isolation: a step in namespaces of its own, where no process above it exists."""

from __future__ import annotations

import errno
import marshal
import os
import struct
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from calamari_py.errors import ToolMissing
from calamari_py.process.base import Isolation
from calamari_py.process.spawn import Child

if TYPE_CHECKING:
    import subprocess
    from resource import struct_rusage

_PROGRAM = Path(__file__).with_name("isolate_init.py")
_PATIENCE = 30.0
"""Seconds in which the namespaces must be ready."""
_END = 2.0
"""Seconds in which what was killed must be gone."""
_GLANCE = 0.005
"""Seconds between two looks whether it is."""
_HINT = (
    "run it on a Linux machine that allows user namespaces, as root with CAP_SYS_ADMIN, or "
    "without isolation"
)
_SETTINGS = (
    ("/proc/sys/user/max_user_namespaces", "0"),
    ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
    ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"),
)
"""What turns user namespaces off for users, and the value that does."""


def isolation_problem() -> str | None:
    """Why no step can be isolated here, as the rest of a sentence; None when it can be.

    It is tried, with a process that does nothing: takes some 50 ms.
    """
    import subprocess

    try:
        with Enclosure(Isolation(), argv=[], environment={}, directory=b"/") as enclosure:
            process = subprocess.Popen(
                enclosure.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
                pass_fds=enclosure.descriptors,
            )
            enclosure.join(process, -1, None).reap()
    except Unavailable as problem:
        return problem.reason
    except OSError as error:
        return f"no process can be started ({(error.strerror or 'unknown error').lower()})"
    return None


def require_isolation() -> None:
    """Raise ToolMissing where no step can be isolated: to be known before anything runs."""
    if problem := isolation_problem():
        raise Unavailable(problem)


class Unavailable(ToolMissing):
    """The system does not let us isolate. `reason` is the rest of a sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the step cannot be isolated: {reason}", hint=_HINT)
        self.reason = reason


class Enclosure:
    """The two sockets between us and the processes of isolate_init.py, see there.

    `argv` and `descriptors` are what to start, and what to pass to it, instead of the command
    itself, with an empty environment in ``/``.
    """

    def __init__(
        self,
        isolation: Isolation,
        *,
        argv: list[bytes],
        environment: dict[bytes, bytes],
        directory: bytes,
        terminal: bool = False,
    ) -> None:
        if sys.platform != "linux":
            raise Unavailable("only Linux can do that")
        import socket

        self._spec = marshal.dumps(
            {
                "argv": argv,
                "environment": environment,
                "directory": directory,
                "terminal": terminal,
                "kill_delay": isolation.kill_delay,
                "hidden": [os.fsencode(path) for path in isolation.hidden],
            }
        )
        with ExitStack() as undo:
            self._report, report = (undo.enter_context(end) for end in socket.socketpair())
            self._tether, tether = (undo.enter_context(end) for end in socket.socketpair())
            self._report.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._theirs = (report, tether)
            self._ends = undo.pop_all()
        self.descriptors = (report.fileno(), tether.fileno())
        self.argv = [sys.executable, "-I", "-S", str(_PROGRAM), *map(str, self.descriptors)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.close()

    def join(
        self, process: subprocess.Popen[bytes], stdout: int, stderr: int | None
    ) -> IsolatedChild:
        """The command's own process, started by `process`, which runs `argv`.

        Raises OSError when the program cannot be executed, as Popen would, and Unavailable. Then
        nothing of it is left.
        """
        for end in self._theirs:
            end.close()
        try:
            pid = self._handshake()
            tether = self._tether.detach()
        except BaseException:
            self._ends.close()
            _await(process)
            raise
        return IsolatedChild(pid, stdout, stderr, tether=tether, init=process)

    def _handshake(self) -> int:
        import socket

        self._report.settimeout(_PATIENCE)
        try:
            self._report.sendall(self._spec)
            self._report.shutdown(socket.SHUT_WR)
            said, pid = self._hear()
        except TimeoutError:
            raise Unavailable(f"the system did not answer for {_PATIENCE:.0f} s") from None
        except (BrokenPipeError, ConnectionResetError):
            said, pid = b"", 0
        if said.startswith(b"F"):
            number, _, stage = said[1:].partition(b" ")
            raise Unavailable(_reason(stage, int(number)))
        if said.startswith(b"RE"):
            raise OSError(int(said[2:]), os.strerror(int(said[2:])))
        if said != b"R":
            raise Unavailable(f"'{sys.executable}' did not run")
        return pid

    def _hear(self) -> tuple[bytes, int]:
        """All that is said, and the pid of who spoke first, as it is called here."""
        import socket

        said, speaker = b"", 0
        while True:
            data, extra, _, _ = self._report.recvmsg(4096, socket.CMSG_SPACE(12))
            if not data:
                return said, speaker
            for level, kind, content in extra:
                if not said and (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    speaker = struct.unpack("=iII", content)[0]
            said += data


class IsolatedChild(Child):
    """The step's own process. Its exit code comes from pid 1 of its namespace; `init` is the
    process that we started and have to wait for.
    """

    def __init__(
        self,
        pid: int,
        stdout: int,
        stderr: int | None,
        *,
        tether: int,
        init: subprocess.Popen[bytes],
    ) -> None:
        super().__init__(pid, stdout, stderr)
        if self.exit_fd is not None:
            os.close(self.exit_fd)
        os.set_blocking(tether, False)
        self.exit_fd = tether
        self._init = init
        self.keeper = init.pid

    def poll(self) -> int | None:
        """As for every child. 137 when pid 1 was killed: then so was everything else."""
        if self._code is None and self.exit_fd is not None:
            try:
                said = os.read(self.exit_fd, 1)
            except BlockingIOError:
                return None
            except ConnectionResetError:
                said = b""
            self._code = said[0] if said else 137
        return self._code

    def reap(self) -> None:
        """End what is left in the namespace, setsid or not, and let the system forget it."""
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None
            if (used := _await(self._init)) is not None:
                self.usage.add(used)


def _reason(stage: bytes, number: int) -> str:
    """Why a stage of isolate_init.py failed, as the rest of a sentence."""
    said = os.strerror(number).lower()
    if stage.startswith(b"hide "):
        return f"'{os.fsdecode(stage[5:])}' cannot be hidden ({said})"
    for path, value in _SETTINGS:
        with suppress(OSError):
            if Path(path).read_text("ascii").strip() == value:
                name = path.removeprefix("/proc/sys/").replace("/", ".")
                return f"this system keeps user namespaces from users ({name} is {value})"
    if stage == b"proc" and number == errno.EPERM:
        return "this container covers parts of /proc, and so no other one can be mounted"
    return (
        "the system, or the container that this is, refuses namespaces "
        f"({stage.decode('ascii', 'replace')}: {said})"
    )


def _await(init: subprocess.Popen[bytes]) -> struct_rusage | None:
    """Collect the namespace's outer process: what it and everything inside used."""
    until = time.monotonic() + _END
    # Without a code Popen would warn, also when something hangs in the system.
    init.returncode = 0
    while time.monotonic() < until:
        with suppress(ChildProcessError):
            pid, _, used = os.wait4(init.pid, os.WNOHANG)
            if pid == 0:
                time.sleep(_GLANCE)
                continue
            return used
        return None
    return None
