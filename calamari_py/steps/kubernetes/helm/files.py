"""The private files of a run: what is in them is in no argument, and no other step meets them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from calamari_py.channel import write_private
from calamari_py.steps.kubernetes.helm.chart import OCI
from calamari_py.steps.kubernetes.spec import HelmSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmFiles:
    """Where they are. `values` are in their order; `repositories` and `registry` are there only
    where something is to be said in them; `fetched` is the folder that a chart is fetched to."""

    values: tuple[Path, ...]
    repositories: Path
    registry: Path
    home: Path
    large: Path

    @property
    def fetched(self) -> Path:
        return self.large / "charts"

    @property
    def names(self) -> Mapping[str, str]:
        """The environment that tells Helm of them, and of nobody else's."""
        return {
            "HELM_CACHE_HOME": str(self.large / "cache"),
            "HELM_CONFIG_HOME": str(self.home),
            "HELM_DATA_HOME": str(self.large / "data"),
            "HELM_PLUGINS": str(self.large / "plugins"),
            "HELM_REGISTRY_CONFIG": str(self.registry),
            "HELM_REPOSITORY_CONFIG": str(self.repositories),
            "HELM_REPOSITORY_CACHE": str(self.large / "cache" / "repository"),
            # Helm falls back to what docker has remembered.
            "DOCKER_CONFIG": str(self.home),
        }


def helm_files(spec: HelmSpec, *, private: Path, temp: Path) -> HelmFiles:
    """Where the private files of `spec` would be. Pure."""
    home = private / "helm"
    return HelmFiles(
        values=tuple(home / f"values-{index}.yaml" for index in range(len(spec.values))),
        repositories=home / "repositories.yaml",
        registry=home / "registry.json",
        home=home,
        large=temp / "helm",
    )


def write_files(spec: HelmSpec, *, private: Path, temp: Path) -> HelmFiles:
    """Write them, 0600 each; ToolMissing where that cannot be done."""
    files = helm_files(spec, private=private, temp=temp)
    for folder in (files.home, files.large, files.fetched):
        folder.mkdir(mode=0o700, exist_ok=True)
    for path, text in zip(files.values, spec.values, strict=True):
        write_private(path, text)
    repository = spec.repository
    if repository is not None and spec.chart.startswith(OCI):
        if repository.password:
            login = f"{repository.username}:{repository.password}".encode()
            write_registry(files, spec.chart, base64.b64encode(login).decode())
    elif repository is not None:
        entry = {
            "name": spec.chart.partition("/")[0],
            "url": repository.url,
            "username": repository.username,
            "password": repository.password,
        }
        write_private(files.repositories, _json({"apiVersion": "v1", "repositories": [entry]}))
    return files


def write_registry(files: HelmFiles, chart: str, login: str) -> None:
    """How the registry of an ``oci://`` chart is logged in to; `login` is base64 of
    ``name:password``."""
    host = urlsplit(chart).netloc
    write_private(files.registry, _json({"auths": {host: {"auth": login}}}))


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
