"""What ``--isolate`` hides of the launcher's, and what a step may then not be made from."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from calamari_py.errors import Problem, ToolMissing
from calamari_py.manifest import LoadedManifest
from calamari_py.manifest.launcher_files import (
    FileId,
    environment_files,
    file_id,
    ids_of,
    launchers_file,
    lies_in,
)

_MOST_LINKS = 40
"""Links that the system follows for one path."""
_DELETED = " (deleted)"
"""What Linux adds to the path of a descriptor whose file has no name any more."""


def hidden_paths(loaded: LoadedManifest, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files and folders that lead to the launcher and are there, without links; none that the
    manifest itself lies in.

    What is a link is replaced by whoever writes it (a token that the kubelet mounts): then the
    folder of the link is hidden, unless the step cannot do without.
    """
    folder = Path(os.path.realpath(loaded.manifest.folder))
    manifests = {folder, *folder.parents}
    needed = {*manifests, *_needed(environ)}
    found: set[Path] = set()
    for path in (*environment_files(environ), *loaded.launcher_files):
        # AWS_CONFIG_FILE=/dev/null is no secret, and every step needs it.
        if os.path.isfile(path) or os.path.isdir(path):
            found.add(Path(os.path.realpath(path)))
            found.update(link for link in _folders_of_links(path) if _may_go(link, needed))
    found -= manifests
    return tuple(sorted(path for path in found if found.isdisjoint(path.parents)))


def hidden_problems(loaded: LoadedManifest, environ: Mapping[str, str]) -> list[Problem]:
    """The files of the manifest that calamari would read for a step from which they are hidden."""
    ids = ids_of(hidden_paths(loaded, environ))
    step = loaded.manifest
    named = {
        f"{step.kind}.file": getattr(step.section, "file", None),
        "finally.file": getattr(step.finally_, "file", None),
    }
    for index, hop in enumerate(step.assume_role):
        if isinstance(hop.policy, str):
            named[f"assume_role[{index}].policy"] = hop.policy
    found = []
    for path, name in named.items():
        if name and lies_in(step.folder / name, ids):
            message, hint = launchers_file(name)
            found.append(Problem(path=path, message=f"{message} and is hidden", hint=hint))
    return found


def refuse_hidden(loaded: LoadedManifest, environ: Mapping[str, str]) -> None:
    """ManifestError for `hidden_problems`: to be asked whenever the step was prepared."""
    if problems := hidden_problems(loaded, environ):
        raise loaded.error(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pinned:
    """A file or folder that stays known by its descriptor; `path` is where it was."""

    descriptor: int
    path: Path
    id: FileId


@dataclass(frozen=True, slots=True)
class Hiding:
    """What is hidden from every process of one run: what leads to the launcher now, and what did
    before, wherever the step has moved it."""

    _pinned: dict[FileId, _Pinned] = field(default_factory=dict)

    def paths(self, loaded: LoadedManifest, environ: Mapping[str, str]) -> tuple[Path, ...]:
        """To be asked before each process. Raises ToolMissing for what cannot be hidden any more:
        then nothing may run."""
        before = [self._where(pinned) for pinned in list(self._pinned.values())]
        now = hidden_paths(loaded, environ)
        for path in now:
            self._pin(path)
        return tuple(sorted({*now, *(path for path in before if path is not None)}))

    def holds(self, path: Path | str) -> bool:
        """Whether `path` is, or lies in, what was hidden."""
        return lies_in(Path(path), frozenset(self._pinned))

    def close(self) -> None:
        """Let go of everything."""
        while self._pinned:
            os.close(self._pinned.popitem()[1].descriptor)

    def _pin(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise _unhidden(path, (error.strerror or "unknown error").lower()) from None
        facts = os.fstat(descriptor)
        found = _Pinned(descriptor=descriptor, path=path, id=(facts.st_dev, facts.st_ino))
        if (before := self._pinned.pop(found.id, None)) is not None:
            os.close(before.descriptor)
        self._pinned[found.id] = found

    def _where(self, pinned: _Pinned) -> Path | None:
        """Where it is now; None when it is gone for good."""
        link = os.readlink(f"/proc/self/fd/{pinned.descriptor}")
        if file_id(link) == pinned.id:
            return Path(link)
        facts = os.fstat(pinned.descriptor)
        # A folder was empty when it was removed. A file may have another name.
        if link.endswith(_DELETED) and (stat.S_ISDIR(facts.st_mode) or facts.st_nlink == 0):
            self._pinned.pop(pinned.id)
            os.close(pinned.descriptor)
            return None
        raise _unhidden(pinned.path, "it was moved to where it cannot be found")


def _unhidden(path: Path, why: str) -> ToolMissing:
    return ToolMissing(
        f"the step cannot be isolated: '{path}' cannot be hidden ({why})",
        hint="keep the launcher's files where the step cannot move or delete them",
    )


def _needed(environ: Mapping[str, str]) -> set[Path]:
    """The folders that any step may need, with those they lie in."""
    names = [environ.get(name, "") for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")]
    names += environ.get("PATH", "").split(os.pathsep)
    names += [os.getcwd(), "/tmp", "/dev/shm", sys.prefix, sys.base_prefix, __file__]  # noqa: S108
    real = [Path(os.path.realpath(name)) for name in names if os.path.isabs(name)]
    return {folder for path in real for folder in (path, *path.parents)}


def _may_go(folder: Path, needed: set[Path]) -> bool:
    """Whether a step can do without `folder`: what stands right below the root is everybody's."""
    return folder not in needed and len(folder.parts) > 2


def _folders_of_links(path: Path) -> Iterator[Path]:
    """The folders, without links, in which a link is replaced to replace the file at `path`: where
    it is a link itself, and where one on the way leads to its neighbour (``..data``)."""
    here, rest, links = Path("/"), path.parts[1:], 0
    while rest and links < _MOST_LINKS:
        part, rest = rest[0], rest[1:]
        if part == "..":
            here = here.parent
        elif not os.path.islink(here / part):
            here = here / part
        else:
            links += 1
            target = Path(os.readlink(here / part))
            if not rest or len(target.parts) == 1:
                yield here
            if target.is_absolute():
                here = Path("/")
            rest = (*target.parts[target.is_absolute() :], *rest)
