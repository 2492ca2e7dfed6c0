"""Plan files as Terraform writes them, as far as they say for which state they are."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import msgspec


def plan_bytes(
    *, backend: str = "s3", workspace: str = "default", more: bytes = b"", **config: Any
) -> bytes:
    """A plan for the state that `config` of `backend` names; without any for the one of the
    scripted world. `more` is beside."""
    config = config or {"bucket": "states", "key": "dev.tfstate"}
    dynamic = _field(1, msgspec.msgpack.encode(config))
    planned = _field(1, backend.encode()) + _field(2, dynamic) + _field(3, workspace.encode())
    message = b"\x08\x03" + _field(14, b"1.11.4") + _field(13, planned)
    return archive(("tfplan", message), ("more", more))


def archive(*members: tuple[str, bytes]) -> bytes:
    """These members as they are, in this order."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as file:
        for name, content in members:
            file.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    if value < 128:
        return bytes([value])
    return bytes([value & 127 | 128]) + _varint(value >> 7)
