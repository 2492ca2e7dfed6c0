"""What is shipped is what is there: packages, data files, version, dependencies."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import calamari_py

ROOT = Path(calamari_py.__file__).parents[1]
PACKAGE = ROOT / "calamari_py"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
IMPORT_NAMES = {"pyyaml": "yaml"}


def test_every_package_is_listed() -> None:
    """A folder of modules that is not listed is missing from the wheel."""
    folders = {
        ".".join(file.parent.relative_to(ROOT).parts) for file in PACKAGE.rglob("__init__.py")
    }
    listed = set(SETUPTOOLS["packages"]) - set(SETUPTOOLS["package-dir"])
    assert listed == folders
    assert SETUPTOOLS["packages"] == sorted(SETUPTOOLS["packages"])


def test_step_templates_are_a_package() -> None:
    """The templates at the top level are shipped inside the package."""
    assert SETUPTOOLS["package-dir"] == {"calamari_py.step_templates": "step-templates"}
    assert "calamari_py.step_templates" in SETUPTOOLS["packages"]


def shipped_data() -> set[Path]:
    """The files that ``package-data`` covers."""
    found: set[Path] = set()
    for package, patterns in SETUPTOOLS["package-data"].items():
        named = SETUPTOOLS["package-dir"].get(package, package.replace(".", "/"))
        for pattern in patterns:
            matched = set((ROOT / named).glob(pattern))
            assert matched, f"{package}: nothing matches {pattern}"
            found |= matched
    return found


def test_every_data_file_is_covered() -> None:
    """What is no module of a package is named as data: support files, templates, the type mark."""
    modules = {
        file
        for package in PACKAGE.rglob("__init__.py")
        for file in package.parent.glob("*.py")
    }  # fmt: skip
    there = {
        path
        for folder in (PACKAGE, ROOT / "step-templates")
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in path.parts)
    }
    assert there - modules == shipped_data()
    for name in ("py.typed", "steps/support/functions.sh", "steps/support/python/calamari_step.py"):
        assert PACKAGE / name in shipped_data()


def test_the_version_stands_once() -> None:
    """Everything takes the version from the package."""
    assert "version" in PROJECT["project"]["dynamic"]
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "calamari_py.__version__"
    }
    quoted = re.compile(rf"['\"]{re.escape(calamari_py.__version__)}['\"]")
    holders = [file for file in PACKAGE.rglob("*.py") if quoted.search(file.read_text("utf-8"))]
    assert holders == [PACKAGE / "__init__.py"]


@cache
def imported_names() -> frozenset[str]:
    """The first parts of all modules that the package imports."""
    names: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return frozenset(names)


def required(requirements: list[str]) -> set[str]:
    """The import names of requirements."""
    names = {re.split(r"[\[<>=!~ ]", text)[0].lower() for text in requirements}
    return {IMPORT_NAMES.get(name, name) for name in names}


@pytest.mark.parametrize("name", sorted(required(PROJECT["project"]["dependencies"])))
def test_every_dependency_is_used(name: str) -> None:
    """Nobody installs what is not imported; botocore, boto3's own heart, counts for boto3."""
    assert name in imported_names() or (name == "boto3" and "botocore" in imported_names())


def test_every_import_is_a_dependency() -> None:
    """Nothing is imported that an installation would not bring."""
    extras = PROJECT["project"]["optional-dependencies"]
    known = required(PROJECT["project"]["dependencies"]) | required(extras["sandbox"])
    # They come with boto3, with requests and with moto's server.
    known |= {"botocore", "calamari_py", "urllib3", "werkzeug"}
    assert imported_names() - set(sys.stdlib_module_names) - known == set()


@pytest.mark.parametrize("extra", list(PROJECT["project"]["optional-dependencies"]))
def test_every_dependency_is_bounded(extra: str) -> None:
    """Each requirement has a lower bound, those of an installation an upper one, too."""
    everything = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"][extra],
    ]
    for text in everything:
        if not text.startswith("calamari"):
            assert ">=" in text, text
    for text in PROJECT["project"]["dependencies"]:
        assert ",<" in text, text


def test_the_command_is_the_module() -> None:
    """`calamari` is what `python -m calamari_py` runs."""
    assert PROJECT["project"]["scripts"] == {"calamari": "calamari_py.__main__:main"}


def test_the_installed_version_is_this_one() -> None:
    """The installation that the tests use is not an older one."""
    try:
        installed = metadata.version("calamari-step-runner")
    except metadata.PackageNotFoundError:
        pytest.skip("calamari is not installed here")
    assert installed == calamari_py.__version__


def test_files_that_the_project_names_are_there() -> None:
    """Readme and licence of the wheel exist."""
    for name in (PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]):
        assert (ROOT / name).is_file(), name


def test_ci_runs_what_people_run() -> None:
    """Continuous integration calls the two make targets, and stops at the first failure."""
    file = ROOT / ".ci" / "run"
    lines = file.read_text("utf-8").splitlines()
    assert lines[0].startswith("#!")
    assert file.stat().st_mode & 0o111
    assert "set -euo pipefail" in lines
    assert lines.index("make lint") < lines.index("make test")
