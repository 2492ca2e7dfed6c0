"""The private folder through which a child reads its variables and talks back.

::

    variables/          one 0600 file a variable                 CALAMARI_VARIABLES
    variables.json      all of them                              CALAMARI_VARIABLES_JSON
    declarations/       atomic files: mask, sensitive, artifact, message, progress
    output              appended to by the child                 CALAMARI_OUTPUT

Whatever a child wrote is opened without following links and without blocking.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NoReturn

from calamari_py.errors import ToolMissing
from calamari_py.messages import Declaration, declaration_order, parse_declaration, parse_outputs

CHILD_FILE_LIMIT = 10 * 1024 * 1024
_SAFE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_NAME_MAX = 255


class ChildFileRefused(Exception):
    """A file that a child named or wrote is not read; `str()` says why, never what it holds."""


def encode_name(name: str) -> str | None:
    """The file name that stands for the variable `name`; None when it is too long for one.

    Bytes outside ``A-Z a-z 0-9 _ -`` and a non-leading ``.`` are written ``%XX``.
    """
    encoded = "".join(
        chr(byte) if byte in _SAFE or (byte == ord(".") and index) else f"%{byte:02X}"
        for index, byte in enumerate(name.encode("utf-8", "surrogateescape"))
    )
    return encoded if encoded and len(encoded) <= _NAME_MAX else None


def read_child_file(path: Path | str, *, limit: int = CHILD_FILE_LIMIT) -> bytes:
    """The content of a file that a child wrote, or ChildFileRefused.

    Only a regular file of our own user, no link, at most `limit` bytes; a FIFO does not block.
    """
    with opened_child_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise ChildFileRefused(f"is larger than {limit // (1024 * 1024)} MB")
        content = file.read(size + 1)
        if len(content) > size:
            # /proc shows files of size 0 that hold what their reader may see, not their writer.
            raise ChildFileRefused("holds more than its size")
        return content


@contextmanager
def opened_child_file(path: Path | str) -> Iterator[BinaryIO]:
    """The same file, opened, however large it is; what the system refuses within the block is a
    ChildFileRefused, too."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        _refuse_unopened(path, error)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ChildFileRefused("is no regular file")
        if status.st_uid != os.geteuid():
            raise ChildFileRefused("belongs to another user")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise ChildFileRefused(f"cannot be read ({error.strerror})") from None
    finally:
        os.close(descriptor)


def _refuse_unopened(path: Path | str, error: OSError) -> NoReturn:
    if os.path.islink(path):
        raise ChildFileRefused("is a link, and links are not followed") from None
    if isinstance(error, FileNotFoundError):
        raise ChildFileRefused("does not exist") from None
    raise ChildFileRefused(f"cannot be opened ({error.strerror})") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedDeclaration:
    """A declaration that could not be taken in. When `secret` it may have been a value to mask:
    what follows must not be shown. `why` is a clause for people."""

    why: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Channel:
    """One child's channel below `folder`, a private 0700 folder that somebody else removes."""

    folder: Path
    _taken: set[str] = field(default_factory=set)
    _lost: list[Path] = field(default_factory=list)
    # As text: the folder is looked at for each read.
    _declarations: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_declarations", str(self.declarations))

    @property
    def variables(self) -> Path:
        return self.folder / "variables"

    @property
    def variables_json(self) -> Path:
        return self.folder / "variables.json"

    @property
    def declarations(self) -> Path:
        return self.folder / "declarations"

    @property
    def output(self) -> Path:
        return self.folder / "output"

    def create(self, variables: Mapping[str, str]) -> tuple[str, ...]:
        """Write everything a child reads; returns the names too long for a file of their own.
        Raises ToolMissing when there is no room."""
        with _making(self.folder):
            self.variables.mkdir(mode=0o700)
            self.declarations.mkdir(mode=0o700)
        write_private(self.output, b"")
        too_long = []
        for name, value in variables.items():
            encoded = encode_name(name)
            if encoded is None:
                too_long.append(name)
            else:
                write_private(self.variables / encoded, value.encode("utf-8", "surrogateescape"))
        document = json.dumps(dict(variables), ensure_ascii=True)
        write_private(self.variables_json, document.encode("ascii"))
        return tuple(too_long)

    def clear_outputs(self) -> None:
        """Forget what was published so far, whatever stands in place of the file."""
        if self.output.is_dir() and not self.output.is_symlink():
            return
        self.output.unlink(missing_ok=True)
        write_private(self.output, b"")

    def environment(self) -> dict[str, str]:
        """The names by which a child finds the channel."""
        return {
            "CALAMARI_VARIABLES": str(self.variables),
            "CALAMARI_VARIABLES_JSON": str(self.variables_json),
            "CALAMARI_DECLARATIONS": str(self.declarations),
            "CALAMARI_OUTPUT": str(self.output),
        }

    def take(self) -> Iterator[Declaration | RefusedDeclaration]:
        """Every declaration since the last call, in the order it was made; each is removed."""
        try:
            names = os.listdir(self._declarations)
        except OSError as error:
            if not self._lost:
                self._lost.append(self.folder)
                yield RefusedDeclaration(
                    why=f"the declarations folder is gone ({error.strerror})", secret=True
                )
            return
        new = [name for name in names if name not in self._taken and not name.startswith(".")]
        for name in sorted(new, key=self._order):
            self._taken.add(name)
            path = self.declarations / name
            try:
                if declaration_order(name) is None:
                    _refuse_name()
                yield parse_declaration(name, read_child_file(path))
            except (ChildFileRefused, ValueError) as refused:
                yield RefusedDeclaration(
                    why=f"a declaration is refused: {refused}",
                    secret=name.lower().startswith(("mask", "sensitive")),
                )
            if _removed(path):
                # The same name may be used again, and is another declaration then.
                self._taken.discard(name)

    def _order(self, name: str) -> tuple[int, int]:
        # A file system's clock may tick too slowly to tell two declarations of one shell apart:
        # the writer's own sequence decides then.
        try:
            changed = os.lstat(self.declarations / name).st_mtime_ns
        except OSError:
            changed = 0
        return changed, declaration_order(name) or 0

    def outputs(self) -> tuple[list[tuple[str, str]], list[str]]:
        """What the child appended to its output file, and complaints about it."""
        try:
            content = read_child_file(self.output)
        except ChildFileRefused as refused:
            return [], [f"the output file {refused}; its outputs are lost"]
        return parse_outputs(content.decode("utf-8", "surrogateescape"))


def _refuse_name() -> NoReturn:
    raise ChildFileRefused("its file is not named KIND-NUMBER-ANYTHING")


def _removed(path: Path) -> bool:
    """Whether the name is free again. A child may have made the folder read-only, or put a folder
    there: `_taken` keeps it from being taken twice."""
    try:
        path.unlink()
    except OSError:
        return False
    return True


def write_private(path: Path, content: bytes) -> None:
    """Create `path` (it must not exist) with mode 0600 whatever the umask is. Raises ToolMissing
    when it cannot be written."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with _making(path.parent), open(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)


@contextmanager
def _making(folder: Path) -> Iterator[None]:
    """What the system refuses within the block becomes a ToolMissing."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise ToolMissing(
            f"private files cannot be written to '{folder}': {why}",
            hint="make room there, or raise the limits of this process ('ulimit -a')",
        ) from None
