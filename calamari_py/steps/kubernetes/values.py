"""Values that all rooms of the Kubernetes kinds share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ObjectAction = Literal[
    "created", "configured", "unchanged", "applied", "pruned", "deleted", "deleting", "kept",
    "absent", "failed", "unknown",
]  # fmt: skip
"""What became of an object. ``applied`` was taken by the server, and nobody could see whether that
changed it; ``deleting`` is to go, and nobody has seen it gone; ``kept`` was not deleted on purpose,
``absent`` was not there to be deleted, ``unknown`` is one of which contact was lost before anybody
could know."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ObjectRef:
    """Which object. `group` is "" for the core group, `namespace` "" for one without: of the
    cluster's, or one whose namespace is the context's. `name` is "" for one that the server names
    (generateName)."""

    group: str = ""
    version: str = "v1"
    kind: str
    name: str
    namespace: str = ""

    @property
    def api_version(self) -> str:
        """``apps/v1``, ``v1``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def type(self) -> str:
        """The kind as kubectl takes it without any doubt: ``Deployment.v1.apps``, ``Pod.v1.``."""
        return f"{self.kind}.{self.version}.{self.group}"

    def __str__(self) -> str:
        """``Deployment app/web``."""
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name or '(named by the server)'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeObject:
    """One object as a file holds it. `text` is one YAML or JSON document, as it is handed to
    kubectl; `body` the same, parsed. `generate_name` is there where the server gives the name.
    `place` is ``k8s/web.yaml:12``. Both may hold secrets."""

    ref: ObjectRef
    text: bytes = field(repr=False)
    body: Mapping[str, Any] = field(repr=False)
    place: str = ""
    generate_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """What became of one object, as the result tells it. `keys` are those of a Secret, `message`
    is why it failed."""

    ref: ObjectRef
    action: ObjectAction
    uid: str = ""
    keys: tuple[str, ...] | None = None
    message: str = ""

    def fields(self) -> dict[str, Any]:
        """JSON values for ``details.objects``."""
        found: dict[str, Any] = {
            "api_version": self.ref.api_version,
            "kind": self.ref.kind,
            "name": self.ref.name,
            "namespace": self.ref.namespace or None,
            "uid": self.uid or None,
            "action": self.action,
        }
        if self.keys is not None:
            found["keys"] = list(self.keys)
        if self.message:
            found["message"] = self.message
        return found


def ref_of(body: Mapping[str, Any], *, namespace: str = "") -> ObjectRef:
    """Which object `body` (of the API server, or of a checked file) is. `namespace` is that of one
    that names none. Values that are no text count as none."""
    group, _, version = _text(body.get("apiVersion")).rpartition("/")
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    return ObjectRef(
        group=group,
        version=version,
        kind=_text(body.get("kind")),
        name=_text(metadata.get("name")),
        namespace=_text(metadata.get("namespace")) or namespace,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
