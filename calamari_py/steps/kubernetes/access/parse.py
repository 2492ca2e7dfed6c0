"""The section ``cluster``: exactly one way to reach exactly one cluster."""

from __future__ import annotations

import base64
import json
import os
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from calamari_py.aws.eks_token import CLUSTER_NAME
from calamari_py.manifest.launcher_files import launchers_file
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes.access.kubeconfig import (
    Unusable,
    roles_in,
    secrets_in,
    take_over,
    to_bytes,
)
from calamari_py.steps.kubernetes.sections import ClusterSection
from calamari_py.steps.kubernetes.spec import ClusterSpec
from calamari_py.templates import LATE_TEXT
from calamari_py.variables import SourceUnreadable, from_file

_LIMIT = 4_000_000
"""Bytes of a kubeconfig, or of certificates."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_TOKEN = re.compile(r"[!-~]+")
_HOW = "write one of eks, server (with certificate_authority and token), kubeconfig, in_cluster"
_BELONG = {
    "eks": {"eks", "region", "server", "certificate_authority"},
    "server": {"server", "certificate_authority", "token"},
    "kubeconfig": {"kubeconfig", "context"},
    "in-cluster": {"in_cluster"},
}
_Way = Literal["eks", "server", "kubeconfig", "in-cluster"]


def read_cluster(
    section: ClusterSection, checks: Checks, context: ParseContext
) -> ClusterSpec | None:
    """How the cluster is reached; None when that cannot be told, and a problem says why."""
    way = _way(section, checks)
    if way is None:
        return None
    if way == "kubeconfig":
        return _of_kubeconfig(section, checks, context)
    if way == "in-cluster":
        checks.warn(
            "cluster.in_cluster",
            "reaches the cluster as the pod's service account, not as the step's role",
        )
        return ClusterSpec(way=way)
    if section.eks is not None:
        _check_eks(section.eks, checks)
    if section.server is not None:
        _check_server(section.server, checks)
    if section.token is not None:
        _check_token(section.token, checks)
    return ClusterSpec(
        way=way,
        eks=section.eks or "",
        region=section.region or "",
        server=(section.server or "").rstrip("/"),
        authority=_authority(section.certificate_authority, checks, context),
        token=section.token or "",
    )


def secrets_of(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """Names and values of the secrets that a cluster is reached by."""
    if spec.token and LATE_TEXT not in spec.token:
        yield "cluster.token", spec.token
    if spec.config:
        yield from secrets_in(json.loads(spec.config))


def roles_of(spec: ClusterSpec) -> Iterator[tuple[str, str]]:
    """Places below the section, and ARNs, of roles that the kubeconfig has its plugin assume."""
    if spec.config:
        for arn in roles_in(json.loads(spec.config)):
            yield "cluster.kubeconfig", arn


def _way(section: ClusterSection, checks: Checks) -> _Way | None:
    ways: list[_Way] = []
    if section.eks is not None:
        ways.append("eks")
    elif section.server is not None:
        ways.append("server")
    if section.kubeconfig is not None:
        ways.append("kubeconfig")
    if section.in_cluster:
        ways.append("in-cluster")
    if len(ways) != 1:
        said = "names no cluster" if not ways else f"names {len(ways)} clusters: {', '.join(ways)}"
        checks.refuse("cluster", said, _HOW)
        return None
    (way,) = ways
    names = ("region", "server", "certificate_authority", "token", "context")
    before = len(checks.found.problems)
    for name in names:
        if getattr(section, name) is not None and name not in _BELONG[way]:
            checks.refuse(f"cluster.{name}", f"does not go with {_field(way)}", "remove it")
    _check_complete(way, section, checks)
    return way if len(checks.found.problems) == before else None


def _field(way: _Way) -> str:
    return "in_cluster" if way == "in-cluster" else way


def _check_complete(way: _Way, section: ClusterSection, checks: Checks) -> None:
    has_server = section.server is not None
    has_authority = section.certificate_authority is not None
    if way == "eks" and has_server != has_authority:
        missing = "certificate_authority" if has_server else "server"
        checks.refuse(
            f"cluster.{missing}",
            "is missing: server and certificate_authority go together",
            "write both, or neither: EKS is asked for them then",
        )
    if way == "server":
        for name in ("certificate_authority", "token"):
            if getattr(section, name) is None:
                hint = "write it; for an EKS cluster write eks, which needs no token"
                checks.refuse(f"cluster.{name}", "is missing: server needs it", hint)


def _check_eks(name: str, checks: Checks) -> None:
    if LATE_TEXT not in name and not CLUSTER_NAME.fullmatch(name):
        shown = checks.shown("cluster.eks", name)
        hint = "letters, digits, - and _, as 'aws eks list-clusters' says it, and no ARN"
        checks.refuse("cluster.eks", f"{shown} is no name of an EKS cluster", hint)


def _check_server(server: str, checks: Checks) -> None:
    if LATE_TEXT in server:
        return
    shown = checks.shown("cluster.server", server)
    try:
        parts = urlsplit(server)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment)
    is_clean = re.fullmatch(r"[!-~]+", server) is not None and port != 0
    if parts.scheme != "https" or not parts.hostname or not is_plain or not is_clean:
        hint = "write https://HOST or https://HOST:PORT"
        checks.refuse("cluster.server", f"{shown} is no address of an API server", hint)


def _check_token(token: str, checks: Checks) -> None:
    if not checks.is_secret("cluster.token"):
        hint = "put it into a variable with 'sensitive: true' and write the variable here"
        checks.refuse("cluster.token", "is no secret: it stands in the manifest as it is", hint)
    elif LATE_TEXT not in token and not _TOKEN.fullmatch(token):
        message = "is blank, or holds white space: no bearer token"
        checks.refuse("cluster.token", message, "check where the variable comes from")


def _authority(text: str | None, checks: Checks, context: ParseContext) -> bytes | None:
    """PEM, of what is PEM, base64 of PEM, or a path."""
    field = "cluster.certificate_authority"
    if text is None or LATE_TEXT in text:
        return None
    found: str | None = text
    if "-----BEGIN" not in text:
        found = _decoded(text) or _file(field, text, checks, context)
    if found is None:
        return None
    try:
        ssl.create_default_context(cadata=found)
    except (ssl.SSLError, ValueError):
        hint = "it begins with -----BEGIN CERTIFICATE-----"
        checks.refuse(field, "holds no certificate that can be read (PEM)", hint)
        return None
    # A private key beside it is of no use here.
    return "\n".join([*_CERTIFICATE.findall(found), ""]).encode()


def _decoded(text: str) -> str | None:
    """What `text` is base64 of, if that is PEM."""
    try:
        decoded = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
    except ValueError:
        return None
    return decoded if "-----BEGIN" in decoded else None


def _file(field: str, written: str, checks: Checks, context: ParseContext) -> str | None:
    path = Path(os.path.abspath(context.folder / written))
    shown = written if not checks.is_secret(field) else "its value"
    if not written.strip():
        checks.refuse(field, "is blank", "name a file")
    elif context.launchers(path):
        checks.refuse(field, *launchers_file(written))
    else:
        try:
            return from_file(path, shown=shown[:200], limit=_LIMIT)
        except SourceUnreadable as error:
            hint = f"correct the path; it is relative to {context.folder}"
            (checks.missing if error.missing else checks.refuse)(field, error.message, hint)
    return None


def _of_kubeconfig(
    section: ClusterSection, checks: Checks, context: ParseContext
) -> ClusterSpec | None:
    written, name = section.kubeconfig or "", section.context or ""
    for field, text in (("kubeconfig", written), ("context", name)):
        if LATE_TEXT in text:
            hint = "use a variable that is not fetched with the step's own credentials"
            checks.refuse(f"cluster.{field}", "must be known before there are credentials", hint)
            return None
    content = _file("cluster.kubeconfig", written, checks, context)
    if content is None:
        return None
    path = Path(os.path.abspath(context.folder / written))
    try:
        taken = take_over(content, file=path.name, folder=path.parent, context=name)
    except Unusable as error:
        field = "cluster.context" if name else "cluster.kubeconfig"
        checks.refuse(field, f"'{written}' {error.message}", error.hint)
        return None
    for each in taken.paths:
        if context.launchers(each):
            checks.refuse("cluster.kubeconfig", *launchers_file(str(each)))
            return None
    for warning in taken.warnings:
        checks.warn("cluster.kubeconfig", warning)
    for arn in roles_in(taken.config):
        checks.warn("cluster.kubeconfig", f"has its plugin assume '{arn}': not the step's role")
    return ClusterSpec(
        way="kubeconfig", kubeconfig=path, context=taken.context, config=to_bytes(taken.config)
    )
