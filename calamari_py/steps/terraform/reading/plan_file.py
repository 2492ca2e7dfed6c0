"""A plan file itself: the state that it was made for, which ``show -json`` does not tell.

Terraform takes the backend, its configuration and the workspace from the file that it applies,
whatever ``init`` has set up. Source: internal/plans/planfile and internal/plans/planproto of
Terraform, format 3; OpenTofu has the same.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

_MEMBER = "tfplan"
_LARGEST = 64 * 1024 * 1024
_FORMAT, _BACKEND = 1, 13
_TYPE, _CONFIG, _WORKSPACE = 1, 2, 3
_KNOWN_FORMAT = 3
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RuntimeError,  # an encrypted member; also what is nested too deeply or compressed unusually
    zipfile.BadZipFile,
    zlib.error,
    msgspec.MsgspecError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedState:
    """Where the state lies that a plan is for. `config` may hold secrets."""

    backend: str
    config: Mapping[str, Any] = field(repr=False)
    workspace: str


def planned_state(path: Path, *, limit: int = _LARGEST) -> PlannedState | None:
    """What the plan in `path` says; None when it cannot be read as one, or has more than `limit`
    bytes."""
    try:
        return _read(_member(path, limit))
    except _UNREADABLE:
        return None


def _member(path: Path, limit: int) -> bytes:
    with zipfile.ZipFile(path) as archive:
        # Of two by that name Terraform reads another one than we would.
        (found,) = (each for each in archive.infolist() if each.filename == _MEMBER)
        if found.file_size > limit:
            raise ValueError
        with archive.open(found) as file:
            return file.read(limit)


def _read(message: bytes) -> PlannedState:
    (version,) = (value for number, value in _fields(message) if number == _FORMAT)
    (backend,) = (value for number, value in _fields(message) if number == _BACKEND)
    if version != _KNOWN_FORMAT:
        raise ValueError
    said = dict(_fields(_bytes(backend)))
    packed = [value for number, value in _fields(_bytes(said[_CONFIG])) if number == 1]
    config = msgspec.msgpack.decode(_bytes(*packed))
    kind, workspace = (_bytes(said[each]).decode() for each in (_TYPE, _WORKSPACE))
    if not isinstance(config, dict) or not kind or not workspace:
        raise ValueError
    return PlannedState(backend=kind, config=config, workspace=workspace)


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError  # noqa: TRY004  of the file, not of the call
    return value


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: numbers and, by their wire type, values."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
                yield tag >> 3, value
                continue
            case 2:
                size, at = _varint(message, at)
            case 1:
                size = 8
            case 5:
                size = 4
            case _:
                raise ValueError
        if at + size > len(message):
            raise ValueError
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number, and where the next thing begins."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError
