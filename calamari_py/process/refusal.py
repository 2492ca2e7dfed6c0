"""Why a program could not be started, in words that name the cure."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from calamari_py.errors import (
    CalamariError,
    CommandNotExecutable,
    CommandNotFound,
    FileMissing,
    Problem,
)
from calamari_py.process.base import Command
from calamari_py.process.tools import not_executable

LONGEST_STRING = 131_071
"""Bytes in one argument or one NAME=value that Linux takes (MAX_ARG_STRLEN less its NUL)."""


def refusal(error: OSError, command: Command) -> CalamariError:
    """The error that says why `command` did not start."""
    folder = _folder_problem(command.directory)
    if folder is not None:
        return folder
    if error.errno == errno.E2BIG:
        return _too_big(command)
    return _program_problem(error, Path(command.argv[0]))


def _program_problem(error: OSError, program: Path) -> CalamariError:
    if error.errno in {errno.ENOENT, errno.ENOTDIR} and not os.path.exists(program):
        return CommandNotFound(
            f"command '{program}' was not found", hint="install it, or correct the path"
        )
    if os.path.isdir(program):
        return not_executable(program)
    first_line = _first_line(program)
    if first_line.startswith(b"#!"):
        problem = _interpreter_problem(program, first_line)
        if problem is not None:
            return problem
    if error.errno == errno.EACCES and os.path.exists(program) and not os.access(program, os.X_OK):
        return not_executable(program)
    return CommandNotExecutable(
        f"'{program}' cannot be executed: {(error.strerror or 'unknown error').lower()}",
        hint=_ADVICE.get(error.errno or 0, "run it by hand on this machine to see what it lacks"),
    )


_ADVICE: Mapping[int, str] = {
    errno.ENOEXEC: "it has no '#!' line and is no program for this machine: begin it with "
    "'#!/bin/sh' or the like, or install the build for this processor",
    errno.ENOENT: "the loader it was linked for is not here: install the build for this system "
    "(glibc or musl)",
    errno.EACCES: "its file system may be mounted 'noexec', or a folder above it is closed to you",
    errno.EAGAIN: "the limit of processes is reached: raise it, or run fewer steps at once",
    errno.ENOMEM: "the machine is out of memory: give it more, or run fewer steps at once",
    errno.ETXTBSY: "somebody is still writing to it: run the step again when that is done",
    errno.EPERM: "a security policy of this machine forbids it: ask who runs the machine",
}


def _folder_problem(folder: Path) -> CalamariError | None:
    if os.path.isdir(folder):
        if os.access(folder, os.X_OK):
            return None
        return CommandNotExecutable(
            f"the working directory '{folder}' cannot be entered",
            hint=f"give this user the right to it: chmod u+x '{folder}'",
        )
    said = "is not a folder" if os.path.lexists(folder) else "does not exist"
    message = f"the working directory '{folder}' {said}"
    return FileMissing(
        [Problem(message=message, hint="create it, or correct 'working_directory'")],
        subject="the command",
        hint="create it, or correct 'working_directory'",
    )


def _first_line(program: Path) -> bytes:
    try:
        with program.open("rb") as file:
            return file.readline(512)
    except OSError:
        return b""


def _interpreter_problem(program: Path, first_line: bytes) -> CalamariError | None:
    """What is wrong with the '#!' line; None when nothing is."""
    if first_line.endswith(b"\r\n"):
        return CommandNotExecutable(
            f"the first line of '{program}' ends in a carriage return",
            hint=f"save it with LF line ends: sed -i 's/\\r$//' '{program}'",
        )
    words = first_line[2:].split()
    if not words:
        return CommandNotExecutable(
            f"the '#!' line of '{program}' names no interpreter", hint="write '#!/bin/sh'"
        )
    interpreter = os.fsdecode(words[0])
    said = f"the interpreter '{interpreter}' of '{program}'"
    if not os.path.exists(interpreter):
        return CommandNotFound(
            f"{said} was not found", hint="install it, or correct the script's first line"
        )
    if os.path.isdir(interpreter) or not os.access(interpreter, os.X_OK):
        return CommandNotExecutable(
            f"{said} is not executable", hint="correct the script's first line"
        )
    return None


def _too_big(command: Command) -> CalamariError:
    hint = (
        "hand large values over in files: a script finds every variable in the folder "
        "$CALAMARI_VARIABLES, also without 'env'"
    )
    argument = _longest(command.argv)
    name = max(command.environment, key=lambda key: _size(command.environment[key]), default="")
    if name and _size(f"{name}={command.environment[name]}") > LONGEST_STRING:
        return CommandNotExecutable(
            f"the variable '{name}' is too large for the environment "
            f"({_size(command.environment[name])} bytes)",
            hint=hint,
        )
    if _size(command.argv[argument]) > LONGEST_STRING:
        return CommandNotExecutable(
            f"argument {argument} of '{command.argv[0]}' is too large "
            f"({_size(command.argv[argument])} bytes)",
            hint=hint,
        )
    total = sum(_size(f"{key}={value}") + 1 for key, value in command.environment.items())
    given = sum(_size(word) + 1 for word in command.argv)
    return CommandNotExecutable(
        f"arguments ({given} bytes) and environment ({total} bytes) are too large for "
        f"'{command.argv[0]}'",
        hint=hint,
    )


def _longest(words: Sequence[str]) -> int:
    return max(range(len(words)), key=lambda index: len(words[index]))


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
