"""Variables of a step: named texts, which of them are sensitive, and where they come from.

Nothing here knows the manifest's syntax: `calamari_py.manifest` reads definitions and asks this
room for the values.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from calamari_py.masking.secret import Secret

VALUE_LIMIT = 10_000_000
"""Bytes of one value that is read from a file."""


LateSource = Literal["from_ssm", "from_secretsmanager", "launcher"]
"""What gives a late variable its value; ``launcher`` is a part of the launcher's own credentials,
which no manifest names as a source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One variable with its final text, which no repr shows.

    `mask` is False only for a sensitive one whose manifest entry says ``mask: false``; `reason` is
    what it says why.
    """

    name: str
    text: str = field(repr=False)
    sensitive: bool = False
    mask: bool = True
    reason: str | None = None
    made_of: frozenset[str] = frozenset()
    """The names of the other variables whose texts went into this one's."""

    @property
    def is_masked(self) -> bool:
        """Whether the text has to be hidden in everything that leaves the process."""
        return self.sensitive and self.mask


@dataclass(frozen=True, slots=True, kw_only=True)
class LateVariable:
    """A variable that is fetched with the step's own credentials, after the identity is known.

    `key` is the name or ARN that the service is asked for, or the part of the launcher; `file`,
    `line` and `column` are where it is defined. `sensitive` is what the manifest says: Secrets
    Manager is always sensitive, SSM may turn out to be (SecureString). `mask` and `reason` are as a
    `Variable`'s.
    """

    name: str
    source: LateSource
    key: str
    sensitive: bool
    mask: bool = True
    reason: str | None = None
    file: str = ""
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LateValue:
    """What a late variable turned out to be."""

    value: Secret
    sensitive: bool


class VariableSet(Mapping[str, Variable]):
    """Variables by exact name, in the order of their definition."""

    __slots__ = ("_by_name",)

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self._by_name = dict(variables)

    def __getitem__(self, name: str) -> Variable:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"VariableSet({len(self)} variables)"

    def without(self, names: frozenset[str]) -> VariableSet:
        """The same set without `names`."""
        return VariableSet({name: self[name] for name in self if name not in names})


class SourceUnreadable(Exception):
    """A value cannot be had. `missing` says that a named file is not there or cannot be read."""

    def __init__(self, message: str, *, hint: str, missing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.missing = missing


def from_environment(name: str, environ: Mapping[str, str], *, sensitive: bool) -> str:
    """The environment variable `name`, or SourceUnreadable.

    An empty one is refused where a secret is meant: CI systems give an empty text for a secret
    that does not exist.
    """
    value = environ.get(name)
    if value is None:
        raise SourceUnreadable(
            f"the environment variable '{name}' is not set", hint=f"set '{name}' for calamari"
        )
    if sensitive and not value.strip():
        raise SourceUnreadable(
            f"the environment variable '{name}' is empty, and a secret is expected",
            hint=f"set '{name}', or see whether the CI system passes that secret to this job",
        )
    if not is_text(value):
        raise SourceUnreadable(
            f"the environment variable '{name}' is not valid UTF-8",
            hint="encode the value, for example as base64",
        )
    return value


def from_file(path: Path, *, shown: str, limit: int = VALUE_LIMIT) -> str:
    """The exact text of the file `path` (UTF-8, no newline added or removed).

    `shown` is what messages call it. Raises SourceUnreadable.
    """
    data = read_regular_file(path, shown=shown, limit=limit)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SourceUnreadable(
            f"the file '{shown}' is not valid UTF-8 (byte {error.start})",
            hint="save it as UTF-8, or encode it, for example as base64",
        ) from None
    if "\0" in text:
        raise SourceUnreadable(
            f"the file '{shown}' holds a NUL character",
            hint="encode binary content, for example as base64",
        )
    return text


def read_regular_file(path: Path, *, shown: str, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; never waits for a FIFO's writer."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceUnreadable(
            f"the file '{shown}' does not exist", hint="correct the path", missing=True
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(shown, error) from None
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind):
            what = "a folder" if stat.S_ISDIR(kind) else "no regular file"
            raise SourceUnreadable(f"'{shown}' is {what}", hint="name a file", missing=True)
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise _unreadable(shown, error) from None
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise SourceUnreadable(
            f"the file '{shown}' is larger than {limit // 1_000_000} MB",
            hint="name the right file, or hand large content over as a file of its own",
        )
    return data


def _unreadable(shown: str, error: Exception) -> SourceUnreadable:
    reason = error.strerror if isinstance(error, OSError) else None
    return SourceUnreadable(
        f"the file '{shown}' cannot be read ({(reason or 'not a file name').lower()})",
        hint="correct the path, or the permissions of the file",
        missing=True,
    )


def is_text(value: str) -> bool:
    """Whether `value` can be written as UTF-8 (no byte kept by ``surrogateescape``)."""
    if value.isascii():
        return True
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
