"""Where a value stands: in files, in archives inside of archives, in what processes were given."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import tarfile
import threading
import time
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

DEPTH = 6
"""How many archives may lie inside of each other."""


def forms(value: str) -> frozenset[bytes]:
    """What would give `value` away: plain, by its long lines, in JSON, URLs, hex and base64."""
    found: set[bytes] = set()
    # The first and the last line of a key say what kind of key it is.
    lines = (line for line in value.splitlines() if len(line) >= 8 and "-----" not in line)
    for text in {value, *lines}:
        raw = text.encode()
        quoted = json.dumps(text)[1:-1]
        found |= {raw, quoted.encode(), json.dumps(quoted)[1:-1].encode()}
        found |= {raw.hex().encode(), raw.hex().upper().encode()}
        found |= {urllib.parse.quote(text, safe=safe).encode() for safe in ("", "/")}
        found.add(urllib.parse.quote_plus(text).encode())
        for before in (b"", b"u", b"up"):
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                # The first and last characters depend on what stands around.
                found.add(encode(before + raw).rstrip(b"=")[4:-4])
    return frozenset(form for form in found if len(form) >= 8)


def unpacked(name: str, content: bytes, depth: int = DEPTH) -> Iterator[tuple[str, bytes]]:
    """`content` under its name, and all that lies in it where it is an archive."""
    yield name, content
    if depth == 0:
        return
    for inner, packed in _members(content):
        yield from unpacked(f"{name}!{inner}", packed, depth - 1)


def _members(content: bytes) -> Iterator[tuple[str, bytes]]:
    if content[:2] == b"\x1f\x8b":
        with suppress(OSError, EOFError, zlib.error):
            yield "gzip", gzip.decompress(content)
        return
    # Looked for at the front: `is_zipfile` takes a tar for one that ends in a zip.
    if content[:2] == b"PK" and zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.namelist():
                yield entry, archive.read(entry)
        return
    with suppress(tarfile.TarError), tarfile.open(fileobj=io.BytesIO(content), mode="r:*") as tar:
        for member in tar:
            if (file := tar.extractfile(member)) is not None:
                yield member.name, file.read()


def files_below(*folders: Path) -> dict[str, bytes]:
    """The regular files below `folders`, by path."""
    found: dict[str, bytes] = {}
    for folder in folders:
        for base, _, names in os.walk(folder):
            for name in names:
                path = Path(base, name)
                with suppress(OSError):
                    if path.is_file() and not path.is_symlink():
                        found[str(path)] = path.read_bytes()
    return found


def where(value: str, places: Mapping[str, bytes]) -> list[str]:
    """The names of `places` in which a form of `value` stands, also inside of archives."""
    return [place for _name, place in found_in({"": value}, places)]


def found_in(secrets: Mapping[str, str], places: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
    """The name of each of `secrets` that `where` finds, and where; each place is unpacked once."""
    wanted = {name: forms(value) for name, value in secrets.items()}
    for place, content in places.items():
        for inner, text in unpacked(place, content):
            for name, written in wanted.items():
                if any(form in text for form in written):
                    yield name, inner


class ProcessWatch:
    """Arguments and environment of all processes below `pid`, looked at while this is entered.

    `arguments` and `environments` hold what was seen, by pid; a process that lives for less than
    the pause of thirty milliseconds may be missed.
    """

    def __init__(self, pid: int) -> None:
        self.arguments: dict[str, bytes] = {}
        self.environments: dict[str, bytes] = {}
        self._root = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def has_seen(self, argument: bytes, *, within: float) -> bool:
        """Whether `argument` was among the arguments of any, in at most so many seconds."""
        ends = time.monotonic() + within
        while time.monotonic() < ends:
            if any(argument in text for text in list(self.arguments.values())):
                return True
            self._ended.wait(0.01)
        return False

    def _watch(self) -> None:
        while not self._ended.wait(0.03):
            for pid in _descendants(self._root):
                for kept, file in ((self.arguments, "cmdline"), (self.environments, "environ")):
                    with suppress(OSError):
                        # A process that has just been started is still a copy of its parent.
                        text = Path(f"/proc/{pid}/{file}").read_bytes()
                        kept.setdefault(f"{file} of {pid}: {text[:80]!r}", text)


def _descendants(root: int) -> list[int]:
    """`root` and the processes below it."""
    found = [root]
    for pid in found:
        # It may end at any moment.
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{pid}/task"):
                text = Path(f"/proc/{pid}/task/{thread}/children").read_text()
                found += map(int, text.split())
    return found
