"""From a path to what it names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.kube.server.failures import ApiError, no_such_resource, not_found
from tests.kube.server.kinds import Type
from tests.kube.server.rights import Asked
from tests.kube.server.store import Key

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a path names: a type, and maybe a namespace, an object and a part of it."""

    type: Type
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> Key:
        return Key(self.type.group, self.type.kind, self.namespace, self.name)

    def asked(self, verb: str) -> Asked:
        part = f"/{self.subresource}" if self.subresource else ""
        return Asked(
            verb=verb,
            resource=self.type.plural + part,
            group=self.type.group,
            namespace=self.namespace,
            name=self.name,
        )

    def missing(self) -> ApiError:
        return not_found(self.type.plural, self.type.group, self.name)


def target(path: str, types: Iterable[Type]) -> Target:
    """``/apis/apps/v1/namespaces/app/deployments/web/scale``; 404 for what nothing serves."""
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise no_such_resource()
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    for type_ in types:
        if (type_.group, type_.version, type_.plural) == (group, version, rest[0]):
            if namespace and not type_.namespaced:
                break
            name, subresource = (*rest[1:3], "", "")[:2]
            return Target(type=type_, namespace=namespace, name=name, subresource=subresource)
    raise no_such_resource()


def verb_of(method: str, found: Target, *, watch: bool) -> str:
    """The verb that rights are about."""
    if method == "GET":
        if found.name:
            return "get"
        return "watch" if watch else "list"
    if method == "DELETE" and not found.name:
        return "deletecollection"
    return _VERBS.get(method, method.lower())
