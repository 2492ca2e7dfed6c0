"""Options that several commands share, and what they become."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from calamari_py.errors import UsageError
from calamari_py.manifest import Overrides

_F = TypeVar("_F", bound=Callable[..., Any])


def action_option(function: _F) -> _F:
    """``--action``."""
    return click.option(
        "--action",
        metavar="NAME",
        help="What the step does instead of what its section says, for kinds that have a choice.",
    )(function)


def variable_options(function: _F) -> _F:
    """``--var``, ``--var-file`` and ``--sensitive-var``."""
    for decorate in (
        click.option(
            "--sensitive-var",
            "sensitive",
            metavar="NAME",
            multiple=True,
            help="Set the sensitive variable NAME from the environment variable of that name, or "
            "ask for it. Its value never stands on a command line.",
        ),
        click.option(
            "--var-file",
            "var_files",
            metavar="FILE",
            multiple=True,
            help="Read variables from a YAML or JSON file; wins over the manifest.",
        ),
        click.option(
            "--var",
            "variables",
            metavar="NAME=VALUE",
            multiple=True,
            help="Set a variable; wins over everything else. Not for secrets.",
        ),
    ):
        function = decorate(function)
    return function


def read_overrides(
    variables: Sequence[str], var_files: Sequence[str], sensitive: Sequence[str]
) -> tuple[Overrides, Mapping[str, str]]:
    """The overrides, and the caller's environment without the names that were read as secrets."""
    environ = dict(os.environ)
    values: dict[str, str] = {}
    for text in variables:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(
                "--var takes NAME=VALUE", hint="write for example --var StackName=my-app"
            )
        values[name] = value
    secrets = {name: _read_secret(name, environ) for name in sensitive}
    for name in sensitive:
        environ.pop(name, None)
    overrides = Overrides(variables=values, sensitive=secrets, variable_files=tuple(var_files))
    return overrides, environ


def working_directory() -> Path:
    """Where relative paths of the command line start."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError(
            "the working directory does not exist any more", hint="change to one that does: cd"
        ) from None


def _read_secret(name: str, environ: Mapping[str, str]) -> str:
    if "=" in name:
        raise UsageError(
            "--sensitive-var takes a name only",
            hint="put the value into an environment variable of that name, or type it when asked",
        )
    if environ.get(name):
        return environ[name]
    if not sys.stdin.isatty():
        raise UsageError(
            f"the sensitive variable '{name}' is not in the environment, and nobody can be asked",
            hint=f"export {name}, or run on a terminal to be asked for it",
        )
    value: str = click.prompt(f"value of {name}", hide_input=True, err=True)
    return value
