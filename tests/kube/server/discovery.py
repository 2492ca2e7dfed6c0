"""What types there are, in the ways clients ask: one by one, and all at once."""

from __future__ import annotations

from collections.abc import Iterable

from tests.kube.server.failures import Body
from tests.kube.server.kinds import Type

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def _groups(types: Iterable[Type]) -> dict[str, dict[str, list[Type]]]:
    groups: dict[str, dict[str, list[Type]]] = {}
    for type_ in types:
        groups.setdefault(type_.group, {}).setdefault(type_.version, []).append(type_)
    return groups


def versions_of_core(url: str) -> Body:
    """``/api``."""
    host = url.removeprefix("https://")
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": host}]
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": addresses,
    }


def group_list(types: Iterable[Type]) -> Body:
    """``/apis``."""
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            _group(name, list(versions)) for name, versions in _groups(types).items() if name
        ],
    }


def group_of(types: Iterable[Type], name: str) -> Body | None:
    """``/apis/GROUP``."""
    versions = _groups(types).get(name)
    if not name or versions is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, list(versions))}


def _group(name: str, versions: list[str]) -> Body:
    told = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": told, "preferredVersion": told[0]}


def resource_list(types: Iterable[Type], group: str, version: str) -> Body | None:
    """``/api/v1``, ``/apis/GROUP/VERSION``."""
    found = _groups(types).get(group, {}).get(version)
    if found is None:
        return None
    resources: list[Body] = []
    for type_ in found:
        common = {"singularName": "", "namespaced": type_.namespaced, "kind": type_.kind}
        resource: Body = {
            **common,
            "name": type_.plural,
            "singularName": type_.singular,
            "verbs": _verbs(type_),
        }
        if type_.short:
            resource["shortNames"] = list(type_.short)
        if type_.categories:
            resource["categories"] = list(type_.categories)
        resources.append(resource)
        for name, kind, where, verbs in _subresources(type_):
            extra = {"name": f"{type_.plural}/{name}", "kind": kind, "verbs": list(verbs)}
            if where:
                extra["group"], extra["version"] = where
            resources.append({**common, **extra})
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": resources,
    }


def _verbs(type_: Type) -> list[str]:
    return ["create"] if type_.create_only else list(VERBS)


def _subresources(
    type_: Type,
) -> Iterable[tuple[str, str, tuple[str, str] | None, tuple[str, ...]]]:
    if type_.statused:
        yield "status", type_.kind, None, ("get", "patch", "update")
    if type_.scaled:
        yield "scale", "Scale", ("autoscaling", "v1"), ("get", "patch", "update")
    if type_.kind == "Pod":
        yield "log", "Pod", None, ("get",)


def aggregated(types: Iterable[Type], *, core: bool) -> Body:
    """``/api`` or ``/apis``, for who accepts all at once."""
    items: list[Body] = []
    for name, versions in _groups(types).items():
        if core != (not name):
            continue
        items.append(
            {
                "metadata": {"name": name} if name else {},
                "versions": [
                    {
                        "version": version,
                        "freshness": "Current",
                        "resources": [_aggregated_resource(type_) for type_ in found],
                    }
                    for version, found in versions.items()
                ],
            }
        )
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated_resource(type_: Type) -> Body:
    subresources = [
        {
            "subresource": name,
            "responseKind": {
                "group": where[0] if where else type_.group,
                "version": where[1] if where else type_.version,
                "kind": kind,
            },
            "verbs": list(verbs),
        }
        for name, kind, where, verbs in _subresources(type_)
    ]
    return {
        "resource": type_.plural,
        "responseKind": {"group": type_.group, "version": type_.version, "kind": type_.kind},
        "scope": "Namespaced" if type_.namespaced else "Cluster",
        "singularResource": type_.singular,
        "verbs": _verbs(type_),
        "shortNames": list(type_.short),
        "categories": list(type_.categories),
        "subresources": subresources,
    }
