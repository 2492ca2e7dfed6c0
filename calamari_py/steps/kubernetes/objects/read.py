"""Documents of kube manifests become objects, each by itself: what is wrong is told by place."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from calamari_py.errors import Problem
from calamari_py.manifest.kube_json import json_for_yaml
from calamari_py.manifest.kube_text import KubeDocument
from calamari_py.steps.kubernetes.values import KubeObject, ref_of

Path = tuple[str | int, ...]

_API_VERSION = re.compile(r"(?:[^/\s]+/)?[^/\s]+")
_PLACEHOLDER = re.compile(r"\{\{|\{%|<%|\$\{")
_ITEMS = "items"
_UNPRINTABLE = "holds a character that cannot be printed"


class Reader:
    """Takes documents and gives their objects. Those that are none go to `problems`; those that
    are, and yet hardly what was meant, to `doubts`."""

    def __init__(self, problems: list[Problem], doubts: list[Problem]) -> None:
        self._problems = problems
        self._doubts = doubts

    def objects(self, document: KubeDocument) -> Iterator[KubeObject]:
        """The objects of `document`: one, or those of a list."""
        for path, body in self._bodies(document, (), document.value):
            if self._is_object(document, path, body):
                self._doubt(document, path, body)
                text = document.text if not path else json_for_yaml(body)
                place = document.place(*path) if path else document.start
                yield _object(body, text, f"{place.file}:{place.line}")

    def _bodies(self, document: KubeDocument, path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
        """`value`, or the objects in it. What has a list of items is a list to kubectl, whatever
        its kind is."""
        if not isinstance(value, dict) or not isinstance(value.get(_ITEMS), list | None):
            yield path, value
            return
        kind = value.get("kind")
        if _ITEMS not in value:
            if kind == "List":
                hint = "write items: […], or another kind"
                self._refuse(document, (*path, "kind"), "is a List without items", hint)
            else:
                yield path, value
            return
        if not isinstance(kind, str) or not kind.endswith("List"):
            message = "has 'items', which kubectl takes for a list of objects"
            hint = "write kind: List, or take 'items' out"
            self._doubts.append(document.place(*path, _ITEMS).problem(message, hint=hint))
        item_kind = "" if kind == "List" else str(kind).removesuffix("List")
        for at, item in enumerate(value.get(_ITEMS) or ()):
            each = item
            if isinstance(item, dict) and item_kind and not {"apiVersion", "kind"} & set(item):
                each = {"apiVersion": value.get("apiVersion"), "kind": item_kind, **item}
            yield from self._bodies(document, (*path, _ITEMS, at), each)

    def _is_object(self, document: KubeDocument, path: Path, body: Any) -> bool:
        """Whether `body` names what it is; what it lacks is a problem."""
        if not isinstance(body, dict):
            what = "a list" if isinstance(body, list) else "no mapping"
            message = f"is {what}, and a kube manifest is a mapping with apiVersion, kind, metadata"
            place = document.place(*path)
            self._problems.append(place.problem(message, hint="separate objects by lines of '---'"))
            return False
        before = len(self._problems)
        self._check_text(document, path, body, "apiVersion", "write one such as apps/v1")
        self._check_text(document, path, body, "kind", "write one such as Deployment")
        metadata = body.get("metadata")
        if not isinstance(metadata, dict):
            what = "is no mapping" if metadata else "is missing"
            hint = "write metadata: {name: …}"
            self._refuse(document, (*path, "metadata"), f"metadata {what}", hint)
        else:
            self._check_name(document, (*path, "metadata"), metadata)
        return len(self._problems) == before

    def _check_text(
        self, document: KubeDocument, path: Path, body: Mapping[str, Any], key: str, hint: str
    ) -> None:
        value = body.get(key)
        if value is None or value == "":
            self._refuse(document, (*path, key), f"{key} is missing", hint)
        elif not isinstance(value, str):
            cure = "put it in quotes" if isinstance(value, bool | int | float) else hint
            self._refuse(document, (*path, key), f"{key} is no text", cure)
        elif not value.isprintable():
            self._refuse(document, (*path, key), f"{key} {_UNPRINTABLE}", "remove it")
        elif _PLACEHOLDER.search(value):
            message = f"{key} holds a placeholder that nothing has filled in"
            self._refuse(document, (*path, key), message, PLACEHOLDER_HINT)
        elif key == "apiVersion" and not _API_VERSION.fullmatch(value):
            self._refuse(document, (*path, key), f"'{value}' is no API version", hint)

    def _check_name(self, document: KubeDocument, path: Path, metadata: Mapping[str, Any]) -> None:
        given = [key for key in ("name", "generateName") if metadata.get(key) not in (None, "")]
        if not given:
            hint = "write metadata.name, or metadata.generateName where the server is to name it"
            self._refuse(document, (*path, "name"), "metadata.name is missing", hint)
        for key in (*given, *(key for key in ("namespace",) if metadata.get(key) is not None)):
            value = metadata[key]
            if not isinstance(value, str):
                message = f"metadata.{key} is no text"
                self._refuse(document, (*path, key), message, "put it in quotes")
            elif not value.isprintable():
                self._refuse(document, (*path, key), f"metadata.{key} {_UNPRINTABLE}", "remove it")
            elif _PLACEHOLDER.search(value):
                message = f"metadata.{key} holds a placeholder that nothing has filled in"
                self._refuse(document, (*path, key), message, PLACEHOLDER_HINT)

    def _doubt(self, document: KubeDocument, path: Path, body: Mapping[str, Any]) -> None:
        metadata = body["metadata"]
        if metadata.get("name") and metadata.get("generateName"):
            message = "has both a name and a generateName"
            place = document.place(*path, "metadata", "generateName")
            self._doubts.append(place.problem(message, hint="remove one of them: the name counts"))
        if body["apiVersion"].partition("/")[0] == "kustomize.config.k8s.io":
            message = f"is a {body['kind']} for kustomize, and no object of a cluster"
            hint = "write kustomize: with the folder that it is in"
            self._doubts.append(document.place(*path, "kind").problem(message, hint=hint))
        for field in ("labels", "annotations"):
            self._doubt_texts(document, (*path, "metadata", field), metadata.get(field))

    def _doubt_texts(self, document: KubeDocument, path: Path, texts: Any) -> None:
        name = f"metadata.{path[-1]}"
        if texts is not None and not isinstance(texts, dict):
            problem = document.place(*path).problem(
                f"{name} is no mapping", hint="write name: text"
            )
            self._doubts.append(problem)
            return
        for key, value in (texts or {}).items():
            if value is not None and not isinstance(value, str):
                message = f"'{key}' of {name} is no text"
                place = document.place(*path, key)
                self._doubts.append(place.problem(message, hint="put its value in quotes"))

    def _refuse(self, document: KubeDocument, path: Path, message: str, hint: str) -> None:
        self._problems.append(document.place(*path).problem(message, hint=hint))


PLACEHOLDER_HINT = (
    "write render: true where calamari is to fill in {{ }}; a Helm chart is deployed by kind 'helm'"
)


def _object(body: Mapping[str, Any], text: bytes, place: str) -> KubeObject:
    ref = ref_of(body)
    generated = "" if ref.name else body["metadata"]["generateName"]
    return KubeObject(ref=ref, text=text, body=body, place=place, generate_name=generated)
