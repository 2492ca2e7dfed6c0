"""Loading texts in tests, with section types of our own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from calamari_py.errors import ManifestError, Problem
from calamari_py.manifest import LoadedManifest, Overrides, Source, load
from calamari_py.manifest.scalars import Duration

ROLE = "arn:aws:iam::111111111111:role/DevDeployRole"
OTHER_ROLE = "arn:aws:iam::222222222222:role/Other"


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section like the real one."""

    run: str | None = None
    file: str | None = None
    shell: str | tuple[str, ...] | None = None
    args: tuple[str, ...] = ()
    render: bool = False


class Finally(Script, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same with a time limit."""

    timeout: Duration | None = None


class Stack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section with typed fields."""

    stack_name: str
    wait: bool = True
    capacity: int | None = None
    parameters: dict[str, str] = {}


SECTIONS: Mapping[str, Any] = {"script": str | Script, "cloudformation": Stack}
FINALLY = Finally
MINIMAL = "name: step\nscript: echo\n"


def load_text(
    text: str,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path = Path("/nowhere"),
    cwd: Path = Path("/nowhere"),
    overrides: Overrides | None = None,
) -> LoadedManifest:
    """`text` loaded as deploy.yaml."""
    return load(
        Source(name="deploy.yaml", text=text, folder=folder),
        sections=SECTIONS,
        finally_section=FINALLY,
        environ=environ or {},
        cwd=cwd,
        overrides=overrides or Overrides(),
    )


def error_of(text: str, **options: Any) -> ManifestError:
    """The error that loading `text` raises."""
    try:
        load_text(text, **options)
    except ManifestError as error:
        return error
    raise AssertionError("the text was accepted")


def problems_of(text: str, **options: Any) -> list[Problem]:
    """The problems that loading `text` finds."""
    return list(error_of(text, **options).problems)


def brief(problem: Problem) -> str:
    """``line:column path message`` of a problem."""
    return f"{problem.line}:{problem.column} {problem.path} {problem.message}"


def secrets_of(loaded: LoadedManifest) -> dict[str, str]:
    """Name and value of what `loaded` gives to the registry."""
    return {name: secret.reveal() for name, secret in loaded.secrets()}
