"""One command becomes one child in its own session, with two pipes or a pty to read."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from calamari_py.errors import CommandNotExecutable, InternalError
from calamari_py.process.base import Command
from calamari_py.process.drain import Drain
from calamari_py.process.harden import (
    PR_SET_PDEATHSIG,
    child_core_limit,
    child_umask,
    find_prctl,
)
from calamari_py.process.refusal import refusal
from calamari_py.process.usage import Usage

if TYPE_CHECKING:
    from calamari_py.process.isolate import Enclosure
    from calamari_py.process.terminal import Terminal


NO_PAGER = {b"PAGER": b"cat", b"GIT_PAGER": b"cat", b"AWS_PAGER": b"", b"SYSTEMD_PAGER": b"cat"}
"""For a terminal that nobody can type at: a pager there would wait for keys, or end half-way."""


class Child:
    """A started process. `stdout` and `stderr` are nonblocking read ends, `stderr` None where one
    pty carries both; whoever reads to the end closes them. `exit_fd` is readable once the process
    has ended (None: `poll` instead). `usage` is complete once it was reaped. `keeper` is the
    process outside of its PID namespace, if it has one; `drain` ends with it.
    """

    keeper: int | None = None
    drain: Drain | None = None

    def __init__(self, pid: int, stdout: int, stderr: int | None) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self.usage = Usage()
        self.exit_fd = _open_pidfd(pid)
        self._code: int | None = None
        self._reaped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Before the number of the process is free again.
        if self.drain is not None:
            self.drain.__exit__(kind, error, trace)
        self.reap()
        if self.exit_fd is not None:
            os.close(self.exit_fd)

    def outlive_us(self, drain: Drain | None) -> None:
        """Let `drain` look after it when we are gone."""
        self.drain = drain
        if drain is not None:
            drain.watch(self.pid)

    def poll(self) -> int | None:
        """The exit code (128 + N for signal N), None while it runs. Does not reap on Linux: the
        number of the session must stay taken while the session is signalled.
        """
        if self._code is not None:
            return self._code
        try:
            if sys.platform == "linux":
                peek = os.WEXITED | os.WNOHANG | os.WNOWAIT
                status = os.waitid(os.P_PID, self.pid, peek)
                if status is not None:
                    killed = status.si_code != os.CLD_EXITED
                    self._code = status.si_status + (128 if killed else 0)
            else:
                pid, raw, used = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    self._reaped = True
                    self.usage.add(used)
                    code = os.waitstatus_to_exitcode(raw)
                    self._code = code if code >= 0 else 128 - code
        except ChildProcessError:
            # Said once: the caller still has to end what is left of the session.
            self._code, self._reaped = 255, True
            raise InternalError(
                f"the exit code of process {self.pid} is lost",
                hint="something else in this process collects children, or SIGCHLD is ignored",
            ) from None
        return self._code

    def reap(self) -> None:
        """Let the system forget the ended process; one that still runs is left alone."""
        if not self._reaped:
            self._reaped = True
            with suppress(ChildProcessError):
                pid, _, used = os.wait4(self.pid, os.WNOHANG)
                if pid:
                    self.usage.add(used)


def spawn(command: Command, terminal: Terminal | None = None) -> Child:
    """Start `command`, on `terminal` if there is one. Raises CommandNotFound, CommandNotExecutable
    or FileMissing, and ToolMissing where it cannot be isolated.
    """
    import subprocess

    argv, environment = _encode(command)
    if terminal is not None and not terminal.keys:
        environment.update(NO_PAGER)
    umask = child_umask()
    with ExitStack() as ends, ExitStack() as undo:
        enclosure = _enclose(command, argv, environment, terminal)
        if enclosure is not None:
            ends.enter_context(enclosure)
        stdin = None if command.stdin == "inherit" else subprocess.DEVNULL
        if terminal is not None:
            stdout, stdout_end = terminal.open_output(), terminal.inner
            undo.callback(os.close, stdout)
            if terminal.keys:
                stdin = terminal.inner
        else:
            stdout, stdout_end = _pipe(undo, ends)
        if terminal is not None and terminal.carries_stderr:
            stderr, stderr_end = None, terminal.inner
        else:
            stderr, stderr_end = _pipe(undo, ends)
        drain = _drain(command, undo, stdout, stderr)
        try:
            process = subprocess.Popen(
                argv if enclosure is None else enclosure.argv,
                stdin=stdin,
                stdout=stdout_end,
                stderr=stderr_end,
                cwd=command.directory if enclosure is None else "/",
                env=environment if enclosure is None else {},
                pass_fds=() if enclosure is None else enclosure.descriptors,
                start_new_session=True,
                umask=-1 if umask is None else umask,
                preexec_fn=_last_acts(  # noqa: PLW1509 - see there
                    command,
                    terminal if enclosure is None else None,
                    is_told=drain is not None and drain.tells,
                ),
            )
            isolated = None if enclosure is None else enclosure.join(process, stdout, stderr)
        except OSError as error:
            raise refusal(error, command) from error
        undo.pop_all()
    os.set_blocking(stdout, False)
    if stderr is not None:
        os.set_blocking(stderr, False)
    child: Child
    if isolated is not None:
        child = isolated
    else:
        # From here on the child is ours to wait for; without a code Popen would warn and wait too.
        process.returncode = 0
        child = Child(process.pid, stdout, stderr)
    child.outlive_us(drain)
    if terminal is not None:
        terminal.follow(child.pid)
    return child


def _pipe(undo: ExitStack, ends: ExitStack) -> tuple[int, int]:
    """Our end, closed by `undo`, and the child's, by `ends`."""
    ours, theirs = os.pipe()
    undo.callback(os.close, ours)
    ends.callback(os.close, theirs)
    return ours, theirs


def _drain(command: Command, undo: ExitStack, stdout: int, stderr: int | None) -> Drain | None:
    """Where the command's output goes when we are gone, if it outlives us."""
    if not command.outlives_us or command.terminal or stderr is None:
        return None
    # An isolated command is told by the first process of its namespace.
    is_alone = command.isolation is not None
    told = (command.translate_signals or {}).get(signal.SIGTERM, signal.SIGTERM)
    return undo.enter_context(Drain(stdout, stderr, signum=None if is_alone else int(told)))


def _enclose(
    command: Command,
    argv: list[bytes],
    environment: dict[bytes, bytes],
    terminal: Terminal | None,
) -> Enclosure | None:
    if command.isolation is None:
        return None
    from calamari_py.process.isolate import Enclosure

    return Enclosure(
        command.isolation,
        argv=argv,
        environment=environment,
        directory=os.fsencode(command.directory),
        terminal=terminal is not None and terminal.keys,
    )


def _last_acts(command: Command, terminal: Terminal | None, *, is_told: bool) -> Callable[[], None]:
    """What the child does between fork and exec. `is_told`: somebody else tells it of our end.

    Everything is imported and bound before the fork: other threads of ours may hold any lock, and
    after the fork nobody is left to give it back.
    """
    parent = os.getpid()
    prctl = None if is_told else find_prctl()
    core = child_core_limit()
    getppid, leave, set_handler = os.getppid, os._exit, signal.signal
    default, terminate = signal.SIG_DFL, int(signal.SIGTERM)
    wanted = {*(command.translate_signals or {}).values(), command.stop_signal} - {None}
    deaf = [
        signum
        for signum in wanted
        if signum is not None and signal.getsignal(signum) is signal.SIG_IGN
    ]
    take_terminal = None if terminal is None else terminal.take
    set_mask, replace_mask = signal.pthread_sigmask, signal.SIG_SETMASK
    from resource import RLIMIT_CORE, setrlimit

    def last_acts() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, terminate)
            # The parent may have died before the line above: then nobody sends that signal.
            if getppid() != parent:
                leave(128 + terminate)
        if core is not None:
            setrlimit(RLIMIT_CORE, core)
        # A background shell ignores SIGINT; a tool that is stopped by it must hear it.
        for signum in deaf:
            set_handler(signum, default)
        # A thread of ours that serves clients blocks signals, and its children would be deaf.
        set_mask(replace_mask, ())
        if take_terminal is not None:
            take_terminal()

    return last_acts


def _encode(command: Command) -> tuple[list[bytes], dict[bytes, bytes]]:
    """argv and environment as the system takes them, whatever the locale is."""
    if not os.path.isabs(command.argv[0]):
        raise InternalError(
            f"command '{command.argv[0]}' was not resolved", hint="resolve_tool() comes first"
        )
    argv = [_bytes(word, f"argument {index}") for index, word in enumerate(command.argv)]
    environment = {}
    for name, value in command.environment.items():
        if not name or "=" in name:
            raise CommandNotExecutable(
                f"'{name}' cannot be the name of an environment variable",
                hint="names are not empty and hold no '='",
            )
        key = _bytes(name, f"the name {name!a}")
        environment[key] = _bytes(value, f"the variable '{name}'")
    return argv, environment


def _bytes(text: str, what: str) -> bytes:
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise CommandNotExecutable(
            f"{what} holds half a surrogate pair and cannot be handed to a process",
            hint="correct the value, or hand it over in a file",
        ) from None
    if b"\0" in data:
        raise CommandNotExecutable(
            f"{what} holds a NUL byte and cannot be handed to a process",
            hint="hand it over in a file, or encode it",
        )
    return data


def _open_pidfd(pid: int) -> int | None:
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox that does not know the call
        return None
