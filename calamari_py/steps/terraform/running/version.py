"""Which tool it is, in which version, and what that version cannot do."""

from __future__ import annotations

import json
import re
from os.path import normpath
from pathlib import Path

from calamari_py.errors import ToolMissing
from calamari_py.steps.base import Captured
from calamari_py.steps.terraform.commands import argv
from calamari_py.steps.terraform.running.calls import Calls
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.values import ToolVersion

_SEMVER = r"(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_VERSION = re.compile(rf"v?({_SEMVER})")
_FIRST_LINE = re.compile(rf"^(Terraform|OpenTofu) v({_SEMVER})", re.MULTILINE)
_OLDEST = {"Terraform": (1, 0, 0), "OpenTofu": (1, 6, 0)}
_LOCK_FILE = (1, 10, 0)


def ask_version(calls: Calls) -> ToolVersion:
    """Ask the program which one it is. ToolMissing when it is none, or one that is too old for
    what the manifest wants of it; ToolFailed when it says itself why it cannot answer."""
    spec = calls.spec
    asked = calls.attempt("version", argv.version(spec))
    version = version_of_json(asked.stdout) if asked.exit.code == 0 else None
    if version is None:
        asked = calls.attempt("version", argv.version(spec)[:-1])
        version = version_of_text(asked.stdout)
    if version is None:
        if asked.exit.code != 0 and calls.diagnostics_of(asked):
            raise calls.failed("version", asked)
        raise _no_such_tool(spec.binary, asked)
    _check(version, spec)
    return version


def version_of_json(stdout: bytes) -> ToolVersion | None:
    """What ``version -json`` tells. None also where it may be either product: both name their
    version ``terraform_version``, and only Terraform says whether it is ``terraform_outdated``."""
    try:
        document = json.loads(stdout)
    except ValueError:
        return None
    if not isinstance(document, dict) or "terraform_outdated" not in document:
        return None
    match = _VERSION.fullmatch(str(document.get("terraform_version", "")))
    return _version("Terraform", match) if match else None


def version_of_text(stdout: bytes) -> ToolVersion | None:
    """What ``version`` tells in its first lines."""
    match = _FIRST_LINE.search(stdout.decode("utf-8", "replace"))
    return _version(match[1], _VERSION.fullmatch(match[2])) if match else None


def _version(product: str, match: re.Match[str] | None) -> ToolVersion:
    assert match is not None
    numbers = (int(match[2]), int(match[3]), int(match[4]))
    return ToolVersion(product=product, text=match[1], numbers=numbers)


def _check(version: ToolVersion, spec: TerraformSpec) -> None:
    named = f"{version.product} {version.text}"
    if version.numbers < _OLDEST[version.product]:
        oldest = _dotted(_OLDEST[version.product])
        raise ToolMissing(
            f"'{normpath(spec.binary)}' is {named}, and at least {oldest} is needed",
            hint="install a newer one, and name it with 'binary' where it is not the first on PATH",
        )
    if spec.backend.get("use_lockfile") in (True, "true") and version.numbers < _LOCK_FILE:
        raise ToolMissing(
            f"'backend' has 'use_lockfile', which {named} does not know",
            hint=f"install {version.product} {_dotted(_LOCK_FILE)} or newer,"
            " or lock with 'dynamodb_table'",
        )


def _dotted(numbers: tuple[int, int, int]) -> str:
    return ".".join(str(number) for number in numbers)


def _no_such_tool(binary: Path, asked: Captured) -> ToolMissing:
    text = (asked.stdout or asked.stderr).decode("utf-8", "replace").strip()
    first = text.splitlines()[0][:80] if text else "nothing"
    return ToolMissing(
        f"'{normpath(binary)}' is neither Terraform nor OpenTofu",
        hint=f"asked for its version it ended with {asked.exit.code} and said: {first}",
    )
