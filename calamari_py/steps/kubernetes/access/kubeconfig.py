"""Kubeconfigs: ours as it is written, and somebody's, of which one context is taken over.

They are written as JSON, which is YAML. Source: kubernetes.io/docs/reference/config-api/
kubeconfig.v1 and client-authentication.v1beta1.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from calamari_py.errors import Problem
from calamari_py.manifest import nodes
from calamari_py.manifest.nodes import Malformed, Node, Scalar, parse_document

NAME = "calamari"
"""What the only cluster, user and context are called."""
EXEC_VERSION = "client.authentication.k8s.io/v1beta1"
"""kubectl 1.24 and later and helm 3 take it and v1 alike; clients within scripts that are older
know only this one."""

_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")
_KEY = "client-key-data"
_SECRETS = ("token", "password", _KEY)
_SECRET_NAME = re.compile(r"token|secret|passw|passphrase|key", re.IGNORECASE)
"""What values are called that are secret, among settings of plugins that are not."""
_HARMLESS_AWS = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS")
_ROLE_OPTIONS = ("--role-arn", "--role", "-r")


class Unusable(Exception):
    """A kubeconfig that cannot be used: why, and what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOver:
    """One context of somebody's kubeconfig. `paths` are the files that it names, `warnings` what
    was changed about it."""

    context: str
    config: Mapping[str, Any] = field(repr=False)
    paths: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


def of_eks(
    *, server: str, authority: bytes, namespace: str, argv: tuple[str, ...]
) -> Mapping[str, Any]:
    """The context of an EKS cluster: whose token `argv` prints."""
    plugin = {
        "apiVersion": EXEC_VERSION,
        "command": argv[0],
        "args": list(argv[1:]),
        "interactiveMode": "Never",
        "provideClusterInfo": False,
    }
    return _config(_cluster(server, authority), {"exec": plugin}, namespace)


def of_token(*, server: str, authority: bytes, namespace: str, token: str) -> Mapping[str, Any]:
    """The context of a server that takes `token`, a secret."""
    return _config(_cluster(server, authority), {"token": token}, namespace)


def of_pod(*, server: str, authority: bytes, namespace: str, token_file: Path) -> Mapping[str, Any]:
    """The context of the cluster around a pod, whose token is rotated in its file."""
    user = {"tokenFile": str(token_file)}
    return _config(_cluster(server, authority), user, namespace)


def with_namespace(config: Mapping[str, Any], namespace: str) -> Mapping[str, Any]:
    """`config` with another namespace in its only context."""
    (context,) = config["contexts"]
    inner = {**context["context"], "namespace": namespace}
    return {**config, "contexts": [{**context, "context": inner}]}


def namespace_of(config: Mapping[str, Any]) -> str:
    """The namespace of the only context; "" for none."""
    return str(config["contexts"][0]["context"].get("namespace") or "")


def server_of(config: Mapping[str, Any]) -> str:
    """The address of the only cluster."""
    return str(config["clusters"][0]["cluster"]["server"])


def to_bytes(config: Mapping[str, Any]) -> bytes:
    """As it is written."""
    return json.dumps(config, indent=1).encode()


def secrets_in(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Names and values of what the only user proves itself by, and of the way to the cluster."""
    for name, value in _secrets_in(config):
        if value:
            yield f"{name} of the kubeconfig", value


def _secrets_in(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
    for name in _SECRETS:
        yield name, _text(user.get(name))
    yield _KEY, _decoded(_text(user.get(_KEY)))
    for name, value in _mapping(_mapping(user.get("auth-provider")).get("config")).items():
        if _SECRET_NAME.search(name):
            yield name, _text(value)
    for each in _mapping(user.get("exec")).get("env") or ():
        if _SECRET_NAME.search(each["name"]):
            yield each["name"], each["value"]
    password = _password_of(_text(cluster.get("proxy-url")))
    yield "password of proxy-url", password
    yield "password of proxy-url", unquote(password)


def _decoded(coded: str) -> str:
    """The PEM that `coded` is base64 of; "" for none."""
    try:
        return base64.b64decode("".join(coded.split()), validate=True).decode("ascii")
    except ValueError:
        return ""


def _password_of(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def roles_in(config: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs of roles that the user's plugin is told to assume."""
    plugin = config["users"][0]["user"].get("exec") or {}
    words = [str(word) for word in plugin.get("args") or ()]
    for word, following in zip(words, [*words, ""][1:], strict=True):
        option, equals, value = word.partition("=")
        found = value if equals else following
        if option in _ROLE_OPTIONS and found.startswith("arn:"):
            yield found


def take_over(text: str, *, file: str, folder: Path, context: str) -> TakenOver:
    """The context of that name ("" for the current one) of a kubeconfig, with its cluster and its
    user alone, and absolute paths. `folder` is where the kubeconfig lies.

    Raises Unusable.
    """
    document = _parsed(text, file)
    name = context or _text(document.get("current-context"))
    there = list(_named(document, "contexts"))
    if not name:
        raise Unusable("names no current context", f"write context: {_listed(there)}")
    if name not in there:
        raise Unusable(f"has no context '{name}'", f"it has {_listed(there)}")
    chosen = _mapping(_named(document, "contexts")[name].get("context"))
    cluster = _part(document, "cluster", chosen, name)
    user = _part(document, "user", chosen, name) if chosen.get("user") else {}
    _check_server(cluster, name)
    paths: list[Path] = []
    cluster = _absolute(cluster, _CLUSTER_PATHS, folder, paths)
    user = _absolute(user, _USER_PATHS, folder, paths)
    user, warnings = _plugin_of_the_step(user, folder)
    return TakenOver(
        context=name,
        config=_config(cluster, user, _text(chosen.get("namespace"))),
        paths=tuple(paths),
        warnings=tuple(warnings),
    )


def _config(
    cluster: Mapping[str, Any], user: Mapping[str, Any], namespace: str
) -> Mapping[str, Any]:
    context = {"cluster": NAME, "user": NAME}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": NAME,
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": NAME, "user": user}],
        "contexts": [
            {"name": NAME, "context": context | ({"namespace": namespace} if namespace else {})}
        ],
    }


def _cluster(server: str, authority: bytes) -> Mapping[str, Any]:
    return {
        "server": server,
        "certificate-authority-data": base64.b64encode(authority).decode("ascii"),
    }


def _check_server(cluster: Mapping[str, Any], name: str) -> None:
    server = _text(cluster.get("server"))
    if not server.startswith("https://"):
        message = f"the server of context '{name}' is not https://…"
        raise Unusable(message, "name one whose certificate can be verified")
    if cluster.get("insecure-skip-tls-verify"):
        raise Unusable(
            f"context '{name}' does not verify who answers (insecure-skip-tls-verify)",
            "remove that, and write the certificate-authority of the server",
        )


def _plugin_of_the_step(
    user: Mapping[str, Any], folder: Path
) -> tuple[Mapping[str, Any], list[str]]:
    """`user`, whose plugin sees no AWS identity but the step's."""
    plugin = _mapping(user.get("exec"))
    if not plugin:
        return user, []
    command = _text(plugin.get("command"))
    if "/" in command:
        command = os.path.normpath(folder / command)
    env = [_mapping(each) for each in plugin.get("env") or () if isinstance(each, Mapping)]
    env = [{"name": _text(e.get("name")), "value": _text(e.get("value"))} for e in env]
    foreign = [e["name"] for e in env if _is_foreign(e["name"])]
    kept = [e for e in env if not _is_foreign(e["name"])]
    warnings = [
        f"has its plugin use {name}: it is left out, and the step's own credentials are used"
        for name in foreign
    ]
    changed = {**plugin, "command": command, "env": kept, "interactiveMode": "Never"}
    return {**user, "exec": changed}, warnings


def _is_foreign(name: str) -> bool:
    return name.upper().startswith("AWS_") and name not in _HARMLESS_AWS


def _absolute(
    part: Mapping[str, Any], names: tuple[str, ...], folder: Path, paths: list[Path]
) -> Mapping[str, Any]:
    found = dict(part)
    for name in names:
        if written := _text(part.get(name)):
            path = Path(os.path.abspath(folder / written))
            found[name] = str(path)
            paths.append(path)
    return found


def _part(
    document: Mapping[str, Any], kind: str, chosen: Mapping[str, Any], context: str
) -> Mapping[str, Any]:
    name = _text(chosen.get(kind))
    there = _named(document, f"{kind}s")
    if name not in there:
        message = f"has no {kind} '{name}', which context '{context}' names"
        raise Unusable(message, "correct the kubeconfig")
    return _mapping(there[name].get(kind))


def _named(document: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    """The entries of a list by their name. Of two with one name the first counts, as for kubectl
    the other way round would be a surprise."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in document.get(key) or ():
        if isinstance(each, Mapping):
            found.setdefault(_text(each.get("name")), each)
    return found


def _parsed(text: str, file: str) -> Mapping[str, Any]:
    problems: list[Problem] = []
    try:
        node = parse_document(text, file, problems)
    except Malformed as error:
        problems = error.problems
        node = None
    if problems:
        first = problems[0]
        where = f" (line {first.line})" if first.line else ""
        raise Unusable(f"is no kubeconfig: {first.message}{where}", "correct the file")
    document = _plain(node) if node is not None else None
    if not isinstance(document, dict) or not isinstance(document.get("contexts"), list):
        raise Unusable("is no kubeconfig: it has no list of contexts", "name another file")
    return document


def _plain(node: Node) -> Any:
    """`node` as JSON would have it; numbers stay texts, for a kubeconfig has none that count."""
    if isinstance(node, nodes.Mapping):
        return {key: _plain(entry.value) for key, entry in node}
    if isinstance(node, nodes.Sequence):
        return [_plain(item) for item in node.items]
    return _value(node)


def _value(node: Scalar) -> Any:
    readings: dict[str, Callable[[], Any]] = {
        "bool": lambda: node.text.lower() == "true",
        "null": lambda: None,
    }
    reading = None if node.quoted else readings.get(node.kind)
    return node.text if reading is None else reading()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _listed(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
