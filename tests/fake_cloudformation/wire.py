"""AWS's query language: forms in, XML out, by the shapes of botocore's service models."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any
from xml.sax.saxutils import escape

import botocore.session


@cache
def model(service: str) -> Any:
    """botocore's model of a service."""
    return botocore.session.get_session().get_service_model(service)


def read_form(service: str, operation: str, form: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that a form holds, as botocore types them."""
    shape = model(service).operation_model(operation).input_shape
    return {} if shape is None else _read(shape, "", form)


def _read(shape: Any, prefix: str, form: Mapping[str, str]) -> Any:
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            written = member.serialization.get("name", name)
            key = f"{prefix}.{written}" if prefix else written
            if any(one == key or one.startswith(f"{key}.") for one in form):
                found[name] = _read(member, key, form)
        return found
    if shape.type_name == "list":
        return _read_list(shape, prefix, form)
    text = form[prefix]
    if shape.type_name == "boolean":
        return text == "true"
    return int(text) if shape.type_name in {"integer", "long"} else text


def _read_list(shape: Any, prefix: str, form: Mapping[str, str]) -> list[Any]:
    items: list[Any] = []
    while True:
        key = f"{prefix}.member.{len(items) + 1}"
        if not any(one == key or one.startswith(f"{key}.") for one in form):
            return items
        items.append(_read(shape.member, key, form))


def write_answer(service: str, operation: str, answer: Mapping[str, Any], request_id: str) -> bytes:
    """The XML of an answer. A field that botocore does not know is an error of the fake."""
    known = model(service)
    shape = known.operation_model(operation).output_shape
    inner = ""
    if shape is not None:
        name = shape.serialization.get("resultWrapper", f"{operation}Result")
        inner = f"<{name}>{_write(shape, answer)}</{name}>"
    return (
        f'<{operation}Response xmlns="{known.metadata["xmlNamespace"]}">{inner}'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{operation}Response>"
    ).encode()


def _write(shape: Any, value: Any) -> str:
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{shape.name} has no {sorted(unknown)}"
        return "".join(
            f"<{name}>{_write(shape.members[name], item)}</{name}>" for name, item in value.items()
        )
    if shape.type_name == "list":
        return "".join(f"<member>{_write(shape.member, item)}</member>" for item in value)
    if isinstance(value, datetime):
        stamp = value.astimezone(UTC)
        return stamp.strftime("%Y-%m-%dT%H:%M:%S.") + f"{stamp.microsecond // 1000:03d}Z"
    if isinstance(value, bool):
        return str(value).lower()
    return escape(str(value))


def write_error(code: str, message: str, request_id: str) -> bytes:
    """The XML of an error."""
    return (
        '<ErrorResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><Error>'
        f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
