"""Answers of an API server that says no, worded as the real one words them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]
"""One object, or any other JSON object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One of the reasons in a Status: `field` is where, `reason` is of the field's own kind."""

    reason: str
    message: str
    field: str = ""

    def body(self) -> Body:
        return {"reason": self.reason, "message": self.message, "field": self.field}


class ApiError(Exception):
    """What the server answers in place of an object: a Status."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        causes: Sequence[Cause] = (),
        details: Body | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.headers = headers or {}
        self.details = dict(details or {})
        if causes:
            self.details["causes"] = [cause.body() for cause in causes]

    def body(self) -> Body:
        """The Status object."""
        body: Body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "code": self.code,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details:
            body["details"] = self.details
        return body


def qualified(plural: str, group: str) -> str:
    """``deployments.apps``, ``pods``."""
    return f"{plural}.{group}" if group else plural


def _of(plural: str, group: str, name: str) -> Body:
    details: Body = {"kind": plural}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    return details


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def not_found(plural: str, group: str, name: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, details=_of(plural, group, name))


def no_such_resource() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(plural: str, group: str, name: str) -> ApiError:
    message = f'{qualified(plural, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, details=_of(plural, group, name))


def modified(plural: str, group: str, name: str) -> ApiError:
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": the object has '
        "been modified; please apply your changes to the latest version and try again",
        details=_of(plural, group, name),
    )


def apply_conflict(causes: Sequence[Cause], message: str) -> ApiError:
    return ApiError(409, "Conflict", message, causes=causes)


def invalid(kind: str, group: str, name: str, causes: Sequence[Cause]) -> ApiError:
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return ApiError(
        422,
        "Invalid",
        f'{qualified(kind, group)} "{name}" is invalid: {text}',
        causes=causes,
        details=_of(kind, group, name),
    )


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unsupported_media(content_type: str) -> ApiError:
    message = f"the body of the request was in an unknown format - {content_type}"
    return ApiError(415, "UnsupportedMediaType", message)


def not_allowed() -> ApiError:
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, details={})


def expired(message: str) -> ApiError:
    return ApiError(410, "Expired", message)


def forbidden(
    *, user: str, verb: str, plural: str, subresource: str, group: str, namespace: str, name: str
) -> ApiError:
    """As RBAC refuses."""
    resource = f"{plural}/{subresource}" if subresource else plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    what = f'{qualified(plural, group)} "{name}"' if name else qualified(plural, group)
    message = (
        f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}" {where}'
    )
    return ApiError(403, "Forbidden", message, details=_of(plural, group, name))
