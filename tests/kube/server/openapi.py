"""The OpenAPI documents: as much as clients need to know that the server checks fields itself.

No strategic merge patch is declared, and no schema: kubectl then makes its patches from the types
it has built in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.kube.server.failures import Body
from tests.kube.server.kinds import Type


def index(types: Iterable[Type]) -> Body:
    """``/openapi/v3``."""
    roots = dict.fromkeys(type_.root for type_ in types)
    return {
        "paths": {
            root: {"serverRelativeURL": f"/openapi/v3/{root}?hash={len(root)}"} for root in roots
        }
    }


def document(types: Iterable[Type], root: str) -> Body | None:
    """``/openapi/v3/apis/GROUP/VERSION``."""
    found = [type_ for type_ in types if type_.root == root]
    if not found:
        return None
    paths = {}
    for type_ in found:
        where = f"namespaces/{{namespace}}/{type_.plural}" if type_.namespaced else type_.plural
        paths[f"/{root}/{where}/{{name}}"] = {"patch": _patch(type_)}
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.3"},
        "paths": paths,
        "components": {"schemas": {}},
    }


def _patch(type_: Type) -> Body:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force")
    ]
    kind = {"group": type_.group, "kind": type_.kind, "version": type_.version}
    return {
        "operationId": f"patch{type_.kind}",
        "parameters": parameters,
        "requestBody": {
            "content": {
                "application/apply-patch+yaml": {"schema": {"type": "object"}},
                "application/merge-patch+json": {"schema": {"type": "object"}},
            }
        },
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind,
    }


# --- version 2: kubectl reads it as protobuf, and asks for it where an object is a List ----------

V2_TYPE = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


def document_v2(types: Iterable[Type]) -> bytes:
    """``/openapi/v2``: which types take ``fieldValidation``, as openapiv2.proto has it."""
    paths = b"".join(_field(2, _path_item(type_)) for type_ in types)
    return _field(1, b"2.0") + _field(8, paths)


def _path_item(type_: Type) -> bytes:
    kind = {"group": type_.group, "kind": type_.kind, "version": type_.version}
    told = _field(2, json.dumps(kind).encode())
    extension = _field(1, b"x-kubernetes-group-version-kind") + _field(2, told)
    # Each is a query parameter in a choice of choices.
    parameters = b"".join(
        _field(8, _field(1, _field(2, _field(3, _field(2, b"query") + _field(4, name)))))
        for name in (b"dryRun", b"fieldManager", b"fieldValidation")
    )
    patch = parameters + _field(13, extension)
    name = f"/{type_.root}/{type_.plural}/{{name}}".encode()
    return _field(1, name) + _field(2, _field(8, patch))


def _field(number: int, content: bytes) -> bytes:
    """A protobuf field of bytes."""
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + content
