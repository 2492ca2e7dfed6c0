"""Names of programs become absolute paths, once."""

from __future__ import annotations

import os
from pathlib import Path

from calamari_py.errors import CommandNotExecutable, CommandNotFound


def resolve_tool(
    name: str, search_path: str, *, folder: Path | None = None, hint: str | None = None
) -> Path:
    """The absolute path of the program `name`; links are not resolved.

    A name without a slash is looked for in the absolute entries of `search_path` (a PATH); one
    with a slash is relative to `folder`. `hint` replaces the advice given when nothing is found.
    Raises CommandNotFound when there is none, CommandNotExecutable when there are only files that
    cannot be executed.
    """
    if not name or "\0" in name:
        raise CommandNotFound("the command has no name", hint="name the program to run")
    if "/" in name:
        candidates = [_beside(name, folder)]
        advice = hint or "correct the path, or create the file before the step runs"
    else:
        entries = [entry for entry in search_path.split(os.pathsep) if os.path.isabs(entry)]
        candidates = [Path(entry, name) for entry in dict.fromkeys(entries)]
        advice = hint or (
            f"install '{name}', or add its folder to PATH (looked in {_listed(entries)})"
        )
    there = [path for path in candidates if os.path.isfile(path)]
    for path in there:
        if os.access(path, os.X_OK):
            return path
    if there:
        raise not_executable(there[0])
    if "/" in name and os.path.isdir(candidates[0]):
        raise not_executable(candidates[0])
    raise CommandNotFound(f"command '{name}' was not found", hint=advice)


def unsafe_entries(search_path: str) -> tuple[str, ...]:
    """The entries of a PATH that `resolve_tool` skips: empty and relative ones, as written."""
    if not search_path:
        return ()
    return tuple(entry for entry in search_path.split(os.pathsep) if not os.path.isabs(entry))


def not_executable(path: Path) -> CommandNotExecutable:
    """The error for a file that is there and cannot be executed."""
    if os.path.isdir(path):
        return CommandNotExecutable(
            f"'{path}' is a folder, not a program", hint="name a program inside it"
        )
    return CommandNotExecutable(
        f"'{path}' is not executable",
        hint=f"chmod +x '{path}', or name the interpreter that shall run it",
    )


def _beside(name: str, folder: Path | None) -> Path:
    if os.path.isabs(name):
        return Path(name)
    if folder is None or not folder.is_absolute():
        raise CommandNotFound(
            f"command '{name}' was not found", hint="write its absolute path, or its bare name"
        )
    return folder / name


def _listed(entries: list[str]) -> str:
    if not entries:
        return "no folder: PATH has no absolute entry"
    shown = ", ".join(entries[:8])
    return shown if len(entries) <= 8 else f"{shown} and {len(entries) - 8} more"
