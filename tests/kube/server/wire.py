"""Requests as they are asked and answers as they are sent, without the sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import yaml

from tests.kube.server import protobuf
from tests.kube.server.failures import ApiError, Body, bad_request
from tests.kube.server.rights import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `query` holds the last value of each name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    caller: Caller

    @property
    def accept(self) -> str:
        return self.headers.get("accept", "")

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()

    @property
    def manager(self) -> str:
        """Who owns what this changes: named, or by the program's name."""
        agent = self.headers.get("user-agent", "unknown").partition("/")[0]
        return self.query.get("fieldManager") or agent

    @property
    def dry_run(self) -> bool:
        return self.query.get("dryRun") == "All"

    def document(self) -> Any:
        """The body: JSON, protobuf or YAML; {} for none."""
        if not self.body:
            return {}
        if self.content_type == "application/vnd.kubernetes.protobuf":
            return protobuf.decoded(self.body)
        try:
            return json.loads(self.body)
        except ValueError:
            pass
        try:
            return yaml.load(self.body, Loader=_Loader)
        except yaml.YAMLError as error:
            raise bad_request(f"error decoding YAML: {error}") from error

    def object(self) -> Body:
        """The body, which must be an object."""
        body = self.document()
        if not isinstance(body, dict):
            raise bad_request("the body of the request must be an object")
        return cast("Body", body)


class _Loader(yaml.SafeLoader):
    """Without dates: Kubernetes has none."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back: `body`, or `stream` piece by piece."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    stream: Iterator[bytes] | None = None


def answer(body: Body, status: int = 200, *, warnings: tuple[str, ...] = ()) -> Answer:
    return Answer(status=status, body=json.dumps(body).encode(), warnings=warnings)


def refused(error: ApiError) -> Answer:
    return Answer(status=error.code, body=json.dumps(error.body()).encode(), headers=error.headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One request that was answered. `body` is kept only where a test asked for bodies."""

    method: str
    path: str
    query: Mapping[str, str]
    agent: str
    caller: Caller | None
    status: int
    at: datetime
    body: bytes = field(default=b"", repr=False)


Identify = Callable[[str], Caller | None]
"""Who showed this bearer token; None is 401."""
