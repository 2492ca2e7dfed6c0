"""Which files lead to the launcher: no sources for a step, and hidden by ``--isolate``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

_TOKEN_FILES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
_CONFIG_FILES = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
_FOLDERS = (
    "/var/run/secrets/eks.amazonaws.com",
    "/var/run/secrets/pods.eks.amazonaws.com",
)
"""Where the kubelet puts the tokens of a pod's launcher."""
_TOKEN_OF_A_PROFILE = re.compile(
    rb"^\s*web_identity_token_file\s*[=:][ \t]*(.*?)\s*$", re.MULTILINE | re.IGNORECASE
)
_CONFIG_LIMIT = 1_000_000
"""Bytes of a config file that are looked at."""

FileId = tuple[int, int]
"""Device and inode: the same by every path, link and mount."""


def environment_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files and folders that `environ` and this system name, absolute, there or not: tokens,
    the shared config files, the folder they and their caches are in by default, and the token
    files that profiles name. Paths are read as the credential sources read them.
    """
    home = environ.get("HOME") or os.path.expanduser("~")
    config = [
        _expanded(environ.get(name, "").strip(), home) or os.path.join(home, ".aws", default)
        for name, default in _CONFIG_FILES.items()
    ]
    tokens = [path for name in _TOKEN_FILES if (path := environ.get(name, "").strip())]
    found = [*_FOLDERS, os.path.join(home, ".aws"), *config, *tokens]
    for path in config:
        found += _tokens_of_profiles(path, home)
    return tuple(Path(path).absolute() for path in dict.fromkeys(found) if "\0" not in path)


def ids_of(paths: Iterable[Path]) -> frozenset[FileId]:
    """What is there at `paths`, and where their links lead to."""
    return frozenset(found for path in paths if (found := file_id(path)) is not None)


def file_id(path: Path | str) -> FileId | None:
    """Which file or folder `path` is; None for none that this user can find."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino


def lies_in(path: Path, files: frozenset[FileId]) -> bool:
    """Whether `path` is one of `files`, or lies below one, whatever links it goes by."""
    try:
        real = Path(os.path.realpath(path))
    except (OSError, ValueError):
        return False
    return any(file_id(each) in files for each in (real, *real.parents))


class LaunchersFiles:
    """Asks whether a file is one of the launcher's: one that `environ` names, or one of `also`.
    Nothing is looked up before the first question."""

    def __init__(self, environ: Mapping[str, str], also: Iterable[Path] = ()) -> None:
        self._environ = environ
        self._also = tuple(also)

    def __call__(self, path: Path) -> bool:
        """Whether `path` is one of them, or lies below one."""
        return lies_in(path, self._ids)

    @cached_property
    def _ids(self) -> frozenset[FileId]:
        return ids_of((*environment_files(self._environ), *self._also))


def launchers_file(name: str) -> tuple[str, str]:
    """Message and hint of a file of the manifest's that is a launcher's."""
    return (
        f"'{name}' belongs to the launcher",
        "name a file that neither is the launcher's token or config file, nor lies beside them",
    )


def _expanded(written: str, home: str) -> str:
    if written.startswith("~/"):
        written = home + written[1:]
    return os.path.expanduser(os.path.expandvars(written))


def _tokens_of_profiles(path: str, home: str) -> Iterator[str]:
    """``web_identity_token_file`` of every profile, whoever is in use; also as people mean it who
    write ``~``."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            content = file.read(_CONFIG_LIMIT)
    except (OSError, ValueError):
        return
    for match in _TOKEN_OF_A_PROFILE.finditer(content):
        if written := os.fsdecode(match[1]):
            yield written
            yield _expanded(written, home)
