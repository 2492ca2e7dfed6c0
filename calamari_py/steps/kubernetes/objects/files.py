"""The kube manifests that a section names: paths, patterns, and folders with all below them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from calamari_py.manifest.launcher_files import launchers_file
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext

ENDINGS = (".yaml", ".yml", ".json")
"""How the files of a folder end that are kube manifests: as kubectl has it."""
_WILD = "*?["


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeFile:
    """One file, where the section names it (``files[0]``), and what messages call it."""

    path: Path
    shown: str
    field: str


def find_files(
    written: Sequence[str], *, folder: Path, checks: Checks, context: ParseContext, field: str
) -> tuple[KubeFile, ...]:
    """All files, each once, in the order in which they are named, those of a folder or a pattern
    by name. What finds nothing, and what may not be read, goes to `checks`."""
    found: dict[str, KubeFile] = {}
    for index, name in enumerate(written):
        place = f"{field}[{index}]"
        for path in _named(name, place, folder, checks):
            shown = _shown(path, folder)
            if context.launchers(path):
                checks.refuse(place, *launchers_file(shown))
            else:
                file = KubeFile(path=path, shown=shown, field=place)
                found.setdefault(os.path.realpath(path), file)
    return tuple(found.values())


def _named(written: str, place: str, folder: Path, checks: Checks) -> list[Path]:
    """The files of one name."""
    path = Path(os.path.abspath(folder / written)) if "\0" not in written else None
    shown = checks.shown(place, written)
    relative = f"correct it; it is relative to {folder}"
    if not written.strip() or path is None:
        checks.refuse(place, "is no path", "remove it, or name a file or a folder")
    elif written == "-":
        checks.refuse(place, "is '-'", "name a file: standard input is not read")
    elif "://" in written:
        message = f"{shown} is an address, and only files are read"
        checks.refuse(place, message, "download it first, and name the file")
    elif os.path.isdir(path):
        return _in_folder(path, shown, place, checks)
    elif os.path.exists(path):
        return [path]
    elif any(char in written for char in _WILD):
        return _fitting(path, shown, place, folder, checks)
    elif os.path.islink(path):
        checks.missing(place, f"{shown} is a link that leads nowhere", "correct the link")
    else:
        checks.missing(place, f"{shown} does not exist", relative)
    return []


def _fitting(pattern: Path, shown: str, place: str, folder: Path, checks: Checks) -> list[Path]:
    """What fits a pattern. Folders that do are read as if they were named; files whose ending the
    pattern leaves open must have one of a kube manifest."""
    parts = pattern.parts
    fixed = next(at for at, part in enumerate(parts) if any(char in part for char in _WILD))
    base = Path(*parts[:fixed])
    relative = f"correct it; it is relative to {folder}"
    if not os.path.isdir(base):
        checks.missing(place, f"{shown} fits nothing: there is no folder '{base}'", relative)
        return []
    found: list[Path] = []
    try:
        fits = sorted(base.glob(str(Path(*parts[fixed:]))))
    except ValueError:
        checks.refuse(place, f"{shown} is no pattern", "'**' stands alone between two slashes")
        return []
    for path in fits:
        if _is_hidden(path.relative_to(base), parts[fixed:]):
            continue
        if os.path.isdir(path):
            found += _walked(path, place, checks)
        elif not pattern.name.endswith("*") or path.name.endswith(ENDINGS):
            found.append(path)
    if not found:
        message = f"{shown} fits no file in '{base}'"
        checks.missing(place, message, relative)
    return found


def _is_hidden(path: Path, pattern: Sequence[str]) -> bool:
    """As a shell has it: a name with a dot before it is one that a pattern has to name so."""
    hidden = [part for part in path.parts if part.startswith(".")]
    return bool(hidden) and not any(part.startswith(".") for part in pattern)


def _in_folder(path: Path, shown: str, place: str, checks: Checks) -> list[Path]:
    before = len(checks.found.problems)
    found = _walked(path, place, checks)
    if not found and len(checks.found.problems) == before:
        message = f"{shown} holds no kube manifest (*{', *'.join(ENDINGS)}), nor does what is in it"
        checks.missing(place, message, "name the folder that they are in")
    return found


def _walked(folder: Path, place: str, checks: Checks) -> list[Path]:
    """The kube manifests below `folder`, but for what is hidden: a volume of Kubernetes keeps its
    files twice, once in a hidden folder."""
    return list(_walk(folder, (), place, checks))


def _walk(folder: Path, above: tuple[str, ...], place: str, checks: Checks) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:
        message = f"'{folder}' is a link to a folder that it lies in"
        checks.refuse(place, message, "remove the link, or name the files")
        return
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        checks.missing(place, f"'{folder}' cannot be read: {why}", "correct its permissions")
        return
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        if os.path.isdir(path):
            yield from _walk(path, (*above, real), place, checks)
        elif name.endswith(ENDINGS):
            yield path


def _shown(path: Path, folder: Path) -> str:
    root = Path(os.path.abspath(folder))
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
