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
_HELM_RELEASE = ("helm.sh/release.v1", "sh.helm.release.v1.", "release")
"""The type of a Secret that Helm keeps a release in, how its name begins, and the key of what is a
megabyte of packed manifests. That is not worth masking, for nobody prints it, and the values of the
manifests are not of this form."""
_LOGINS = (".dockerconfigjson", ".dockercfg")
"""Keys of documents with the logins to registries."""
_OF_LOGINS = ("password", "auth", "identitytoken", "registrytoken")
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
    name = str(ref_of(secret))
    left_out = _packed(secret)
    for key, value in _items(secret.get("data")):
        if key != left_out:
            yield from ((f"{name} {key}", form) for form in _forms(key, value))
    for key, value in _items(secret.get("stringData")):
        yield f"{name} {key}", value
        yield f"{name} {key}", base64.b64encode(to_bytes(value)).decode()
        yield from ((f"{name} {key}", each) for each in _logins(key, value))
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


def _packed(secret: Mapping[str, Any]) -> str:
    """The key of a release's manifests; "" in every other Secret."""
    kind, begin, key = _HELM_RELEASE
    is_release = secret.get("type") == kind and ref_of(secret).name.startswith(begin)
    return key if is_release else ""


def _forms(key: str, written: str) -> Iterator[str]:
    """What a value of ``data`` stands for, and how it may be written."""
    try:
        data = base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        yield written
        return
    if text := _text(data):
        yield text
        yield from _logins(key, text)
    yield written
    yield base64.b64encode(data).decode()


def _logins(key: str, text: str) -> Iterator[str]:
    """What the logins to registries in `text` prove themselves by."""
    if key not in _LOGINS:
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    waiting = [document] if isinstance(document, dict) else []
    while waiting:
        one = waiting.pop()
        waiting += [each for each in one.values() if isinstance(each, dict)]
        found = {name: each for name in _OF_LOGINS if isinstance(each := one.get(name), str)}
        yield from found.values()
        _, _, password = _of_base64(found.get("auth", "")).partition(":")
        yield password


def _of_base64(text: str) -> str:
    try:
        return _text(base64.b64decode(text, validate=True))
    except ValueError:
        return ""


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
