"""What is secret in objects: the values of every Secret, wherever it stands.

A sealed or an external secret holds none: it is encrypted, or names a place.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from calamari_py.masking.forms import COMMON_WORDS, LONGEST_UNMASKED, to_bytes
from calamari_py.steps.kubernetes.values import ref_of

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""The annotation that holds an object as it was applied on the client's side, values and all."""
_HELM_RELEASE = "helm.sh/release.v1"
"""A Secret that Helm keeps a release in: a megabyte of packed manifests. Its own values are not
worth masking, for nobody prints them, and those of the manifests are not of this form."""
_UNFIT = "some values of Secrets"
"""One name for all that is not worth masking: the registry warns once for a name."""
_FEWEST_DIGITS = 4


def secrets_of(bodies: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Names (``Secret app/db password``) and values of all Secrets in `bodies`, however deep, each
    value once: as a text, and as the base64 that stands for it. Those that are too short to be
    masked come last, under one name. The values of Helm's own release records are left out."""
    told: set[str] = set()
    unfit: list[str] = []
    for body in bodies:
        for secret in secrets_in(body):
            for name, value in _values(secret):
                if value in told or not value.strip():
                    continue
                told.add(value)
                data = to_bytes(value.strip())
                if len(data) <= LONGEST_UNMASKED or data.lower() in COMMON_WORDS:
                    unfit.append(value)
                else:
                    yield name, value
    for value in unfit:
        yield _UNFIT, value


def secret_keys(body: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The keys of a Secret, in order; None for any other object."""
    if not is_secret(body):
        return None
    return tuple(sorted({key for part in _parts(body) for key in part}))


def is_secret(body: Mapping[str, Any]) -> bool:
    """Whether `body` is a Secret."""
    return body.get("kind") == "Secret" and body.get("apiVersion") == "v1"


def secrets_in(body: Any) -> Iterator[Mapping[str, Any]]:
    """`body`, where it is a Secret, and every Secret in it: that of a list, or of an object that
    carries others."""
    waiting = [body]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            if is_secret(one):
                yield one
            waiting += [each for each in one.values() if isinstance(each, Mapping | list)]
        elif isinstance(one, list):
            waiting += [each for each in one if isinstance(each, Mapping | list)]


def _parts(secret: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for field in ("data", "stringData"):
        part = secret.get(field)
        if isinstance(part, Mapping):
            yield part


def _values(secret: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if secret.get("type") == _HELM_RELEASE:
        return
    name = str(ref_of(secret))
    for key, value in _items(secret.get("data")):
        yield from ((f"{name} {key}", form) for form in _forms(value))
    for key, value in _items(secret.get("stringData")):
        yield f"{name} {key}", value
        yield f"{name} {key}", base64.b64encode(to_bytes(value)).decode()
    for copy in _copies(secret):
        yield from _values(copy)


def _items(part: Any) -> Iterator[tuple[str, str]]:
    """Texts, and numbers that somebody forgot to quote."""
    for key, value in part.items() if isinstance(part, Mapping) else ():
        if isinstance(value, str):
            yield str(key), value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            text = str(value)
            if sum(map(str.isdigit, text)) >= _FEWEST_DIGITS:
                yield str(key), text


def _forms(written: str) -> Iterator[str]:
    """What a value of ``data`` stands for, and how it may be written."""
    try:
        data = base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        yield written
        return
    if text := _text(data):
        yield text
    yield written
    yield base64.b64encode(data).decode()


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return ""


def _copies(secret: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The Secret as it was applied before, which an annotation of it holds."""
    metadata = secret.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    annotations = metadata.get("annotations")
    for text in annotations.values() if isinstance(annotations, Mapping) else ():
        if not isinstance(text, str) or not text.lstrip().startswith("{"):
            continue
        try:
            copy = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(copy, dict):
            rest = {key: metadata.get(key) for key in ("name", "namespace")}
            yield {**copy, "metadata": rest}
