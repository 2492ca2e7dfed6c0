"""What of an object is compared: nothing that the server makes up, and no secret."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from calamari_py.masking import MASK
from calamari_py.masking.forms import to_bytes
from calamari_py.steps.kubernetes.diffing.lines import Numbers
from calamari_py.steps.kubernetes.objects.secrets import LAST_APPLIED, is_secret, secrets_in

_OF_THE_SERVER = (
    "managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
)  # fmt: skip
_ANNOTATIONS = (
    LAST_APPLIED,
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
)
_OF_HELM = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_MANAGED_BY = "app.kubernetes.io/managed-by"
_LONGEST_ANNOTATION = 256
_VALUES = ("data", "stringData")

Mask = Callable[[Any], str]
"""What stands for a value."""


def cleaned(
    body: Mapping[str, Any], numbers: Numbers, *, namespace: str, without_helm: bool
) -> dict[str, Any]:
    """`body` as it is compared and shown. The values of a Secret in it are replaced by numbers;
    those of `body` itself are left out: see `secret_values`."""
    mask = _numbered(numbers)
    found = {key: value for key, value in body.items() if key != "status"}
    if is_secret(body):
        found = {key: value for key, value in found.items() if key not in _VALUES}
    metadata = body.get("metadata")
    if isinstance(metadata, Mapping):
        found["metadata"] = _metadata(
            metadata,
            mask,
            namespace=namespace,
            without_helm=without_helm,
            of_secret=is_secret(body),
        )
    if any(True for _ in secrets_in(found)):
        found = {key: _hidden(value, mask) for key, value in found.items()}
    return found


def without_values(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """All of `body`, with ``***`` for the values of every Secret in it. What has no Secret in it is
    given as it is."""
    return _hidden(body, lambda _: MASK) if any(True for _ in secrets_in(body)) else body


def secret_values(body: Mapping[str, Any] | None) -> dict[str, bytes]:
    """What a Secret holds, by key: as the server has it, which puts ``stringData`` into
    ``data``."""
    found: dict[str, bytes] = {}
    if body is None:
        return found
    for key, value in _items(body.get("data")):
        try:
            found[key] = base64.b64decode("".join(str(value).split()), validate=True)
        except (binascii.Error, ValueError):
            found[key] = to_bytes(str(value))
    for key, value in _items(body.get("stringData")):
        found[key] = to_bytes(str(value))
    return found


def _numbered(numbers: Numbers) -> Mask:
    return lambda value: f"*** (no. {numbers(value)})"


def _items(part: Any) -> list[tuple[str, Any]]:
    return list(part.items()) if isinstance(part, Mapping) else []


def _metadata(
    metadata: Mapping[str, Any],
    mask: Mask,
    *,
    namespace: str,
    without_helm: bool,
    of_secret: bool,
) -> dict[str, Any]:
    found = {key: value for key, value in metadata.items() if key not in _OF_THE_SERVER}
    if found.get("namespace") in (None, "", namespace):
        found.pop("namespace", None)
    dropped = (*_ANNOTATIONS, *_OF_HELM) if without_helm else _ANNOTATIONS
    annotations = {
        key: _annotation(value, mask) if of_secret else value
        for key, value in _items(found.pop("annotations", None))
        if key not in dropped
    }
    labels = {
        key: value
        for key, value in _items(found.pop("labels", None))
        if not (without_helm and key == _MANAGED_BY and value == "Helm")
    }
    texts = {"annotations": annotations, "labels": labels}
    return found | {key: value for key, value in texts.items() if value}


def _annotation(value: Any, mask: Mask) -> Any:
    """Many tools keep a Secret as it was applied in an annotation of it."""
    if not isinstance(value, str):
        return value
    hides = value.lstrip().startswith(("{", "[")) or len(value) > _LONGEST_ANNOTATION
    return mask(value) if hides else value


def _hidden(value: Any, mask: Mask) -> Any:
    """`value` with masks for the values of every Secret in it."""
    if isinstance(value, list):
        return [_hidden(each, mask) for each in value]
    if not isinstance(value, Mapping):
        return value
    if not is_secret(value):
        return {key: _hidden(each, mask) for key, each in value.items()}
    return {key: _hidden_field(key, each, mask) for key, each in value.items()}


def _hidden_field(key: str, value: Any, mask: Mask) -> Any:
    if key in _VALUES and isinstance(value, Mapping):
        return {name: mask(each) for name, each in value.items()}
    if key == "metadata" and isinstance(value, Mapping):
        annotations = {
            name: _annotation(each, mask) for name, each in _items(value.get("annotations"))
        }
        return {**value, "annotations": annotations} if annotations else value
    return _hidden(value, mask)
