"""The chart of a section: where it is, and what is odd about how it is named."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from calamari_py.errors import Problem
from calamari_py.manifest import nodes
from calamari_py.manifest.launcher_files import launchers_file
from calamari_py.manifest.nodes import Malformed, Scalar, parse_document
from calamari_py.steps._checks import Checks
from calamari_py.steps.base import ParseContext
from calamari_py.steps.kubernetes.sections import ChartRepositorySection, HelmSection
from calamari_py.steps.kubernetes.spec import ChartRepository
from calamari_py.variables import SourceUnreadable, from_file

OCI = "oci://"
_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?", re.ASCII)
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_OCI_CHART = re.compile(r"oci://[^/\s@]+(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?"
                        r"(@sha256:[0-9a-f]{64})?", re.ASCII)  # fmt: skip
_FILE_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """As Helm takes it; "" for none."""

    name: str = ""
    is_path: bool = False
    version: str = ""
    repository: ChartRepository | None = None


def read_chart(section: HelmSection, checks: Checks, context: ParseContext) -> Chart:
    """The chart of a section that needs one."""
    written = section.chart
    if written is None or not written.strip():
        hint = "write chart: ./chart, oci://REGISTRY/CHART or REPOSITORY/CHART"
        checks.refuse("chart", "is missing" if written is None else "is blank", hint)
        return Chart()
    if written.startswith(OCI):
        return _oci(written, section, checks)
    path = Path(os.path.abspath(context.folder / written))
    if written.startswith((".", "/", "~")) or written.endswith((".tgz", ".tar.gz")):
        return _path(written, path, section, checks, context)
    if section.repository is not None:
        return _named(written, section, checks)
    # A word without any slash, or a folder's name: Helm looks there first, too.
    if path.exists() or "/" not in written:
        return _path(written, path, section, checks, context)
    shown = checks.shown("chart", written)
    if "://" in written:
        message = f"{shown} is an address, and no chart's"
        hint = "write its repository's address under 'repository', and chart: REPOSITORY/CHART"
    else:
        message = f"{shown} is no path, and Helm's own list of repositories is not used"
        hint = "write its address under 'repository', or ./ before the path of a folder"
    checks.refuse("chart", message, hint)
    return Chart()


def _path(
    written: str, path: Path, section: HelmSection, checks: Checks, context: ParseContext
) -> Chart:
    shown = checks.shown("chart", written)
    relative = f"correct the path; it is relative to {context.folder}"
    for field in ("version", "repository"):
        if getattr(section, field) is not None:
            message = "says nothing: the chart is a path"
            checks.refuse(field, message, "remove it, or name a chart of a repository")
    if context.launchers(path):
        checks.refuse("chart", *launchers_file(written))
    elif path.is_dir():
        _check_chart_file(shown, path / "Chart.yaml", checks)
    elif not path.exists():
        checks.missing("chart", f"{shown} does not exist", relative)
    elif not path.is_file():
        checks.refuse("chart", f"{shown} is neither a folder nor a file", relative)
    elif section.dependency_update:
        message = "says nothing: the chart is packed, its dependencies are in it"
        checks.refuse("dependency_update", message, "remove it")
    return Chart(name=str(path), is_path=True)


def _check_chart_file(shown: str, path: Path, checks: Checks) -> None:
    """``Chart.yaml`` is there and says what every chart has to."""
    try:
        text = from_file(path, shown=str(path), limit=_FILE_LIMIT)
    except SourceUnreadable as error:
        if error.missing:
            hint = "name the folder that Chart.yaml is in"
            checks.missing("chart", f"{shown} holds no Chart.yaml that can be read", hint)
        else:
            checks.refuse("chart", error.message, error.hint)
        return
    problems: list[Problem] = []
    try:
        root = parse_document(text, str(path), problems)
    except Malformed as error:
        checks.found.problems.extend(error.problems)
        return
    checks.found.problems.extend(problems)
    for key in ("apiVersion", "name", "version"):
        value = root.get(key) if isinstance(root, nodes.Mapping) else None
        if not isinstance(value, Scalar) or not value.text.strip():
            message = f"Chart.yaml of {shown} has no '{key}'"
            checks.refuse("chart", message, f"write {key}: … into '{path}'")


def _oci(written: str, section: HelmSection, checks: Checks) -> Chart:
    shown = checks.shown("chart", written)
    _check_no_path(section, checks)
    if not _OCI_CHART.fullmatch(written):
        checks.refuse("chart", f"{shown} is no address of a chart", "write oci://REGISTRY/CHART")
    pinned = ":" in written.rpartition("/")[2]
    if pinned and section.version is not None:
        checks.refuse("version", "is said twice: the chart's address has one", "remove one")
    repository = None
    if section.repository is not None:
        repository = _repository(section.repository, checks, registry=written)
    if not pinned:
        _check_version(section, checks)
    return Chart(name=written, version=section.version or "", repository=repository)


def _named(written: str, section: HelmSection, checks: Checks) -> Chart:
    _check_no_path(section, checks)
    if not _NAMED.fullmatch(written):
        shown = checks.shown("chart", written)
        checks.refuse("chart", f"{shown} is no name of a chart", "write REPOSITORY/CHART")
    _check_version(section, checks)
    assert section.repository is not None
    repository = _repository(section.repository, checks)
    name = written if "/" in written else f"repository/{written}"
    return Chart(name=name, version=section.version or "", repository=repository)


def _check_no_path(section: HelmSection, checks: Checks) -> None:
    if section.dependency_update:
        message = "says nothing: only a chart that is a path can have its dependencies fetched"
        checks.refuse("dependency_update", message, "remove it")


def _check_version(section: HelmSection, checks: Checks) -> None:
    version = section.version
    if version is None or not version.strip():
        checks.warn("version", "is missing: whatever is the newest on that day is installed")
    elif version.startswith("-") or not version.isprintable():
        checks.refuse("version", "is no version", "write one like 1.2.3")
    elif not _EXACT.fullmatch(version.strip()):
        checks.warn("version", f"{checks.shown('version', version)} is a range, no one version")


def _repository(
    written: str | ChartRepositorySection, checks: Checks, *, registry: str = ""
) -> ChartRepository:
    if isinstance(written, str):
        url, username, password, field = written, "", "", "repository"
    else:
        url, field = written.url, "repository.url"
        username, password = written.username or "", written.password or ""
        _check_login(username, password, checks)
    _check_url(field, url, checks, registry=registry)
    if password and url.lower().startswith("http:"):
        checks.refuse(field, "would be given the password unencrypted", "write https://…")
    return ChartRepository(url=url, username=username, password=password)


def _check_login(username: str, password: str, checks: Checks) -> None:
    if bool(username) != bool(password):
        missing = "username" if password else "password"
        message = f"is of no use without a {missing}"
        field = "password" if password else "username"
        checks.refuse(f"repository.{field}", message, f"write the {missing}, too, or remove it")
    if password and not checks.is_secret("repository.password"):
        hint = "take it from a variable with sensitive: true"
        checks.refuse("repository.password", "is written in clear", hint)


def _check_url(field: str, url: str, checks: Checks, *, registry: str) -> None:
    shown = checks.shown(field, url)
    try:
        parts = urlsplit(url)
        host, has_login = parts.hostname, bool(parts.username or parts.password)
    except ValueError:
        host, has_login, parts = None, False, urlsplit("")
    legal = (OCI[:-3],) if registry else ("https", "http")
    if parts.scheme not in legal or not host or not url.isprintable():
        wanted = "oci://REGISTRY" if registry else "https://…"
        checks.refuse(field, f"{shown} is no address of a repository", f"write {wanted}")
    elif has_login:
        hint = "write them under repository.username and repository.password"
        checks.refuse(field, "holds a name or a password", hint)
    elif registry and urlsplit(registry).netloc != parts.netloc:
        checks.refuse(field, f"{shown} is not where the chart comes from", "correct one of them")
