"""A profile's ``credential_process``: found on the caller's PATH, run like a token command."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from calamari_py.credentials._keys import setting
from calamari_py.credentials._programs import Capture, Program, run_captured
from calamari_py.credentials.base import SourceContext
from calamari_py.errors import CommandNotExecutable, CommandNotFound, SourceBroken
from calamari_py.process import resolve_tool

_HINT = "run it by hand: it has to print the JSON document of credential_process, and nothing else"
_TOKEN = "CALAMARI_CREDENTIALS_TOKEN"  # noqa: S105  a name, not a token
_KEPT = ("AWS_REGION", "AWS_DEFAULT_REGION", "CALAMARI_CREDENTIALS_CALLS",
         "CALAMARI_CREDENTIALS_URI", _TOKEN)  # fmt: skip
"""The last two lead to the credentials of the step around us, where its profile is the one that is
asked (``delivery: profile``)."""
_FILES = {"AWS_CONFIG_FILE": "config", "AWS_SHARED_CREDENTIALS_FILE": "credentials"}
"""Often it is the AWS CLI with another profile."""


def run_process(
    argv: Sequence[str], context: SourceContext, *, run: Capture = run_captured
) -> bytes:
    """See `calamari_py.credentials.profile_process`."""
    environ = context.environ
    name = argv[0] if argv else ""
    who = f"credential_process '{name}'"
    if "/" in name and not os.path.isabs(name):
        raise SourceBroken(
            f"{who} does not begin with an absolute path, nor with the name of a program",
            hint="write its whole path into the profile",
        )
    try:
        path = resolve_tool(name, environ.get("PATH", ""))
    except (CommandNotFound, CommandNotExecutable) as error:
        raise SourceBroken(f"{who}: {error.message}", hint=error.hint) from None
    if token := setting(environ, _TOKEN):
        context.registry.add(token, name="token of the step around this one")
    program = Program(
        who=who,
        argv=(str(path), *argv[1:]),
        hint=_HINT,
        keep=_kept(environ),
        run=run,
    )
    return program.output(environ=environ, registry=context.registry, directory=Path("/"))


def _kept(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: environ[name] for name in (*_KEPT, *_FILES) if setting(environ, name)}
    if home := environ.get("HOME"):
        kept = {name: f"{home}/.aws/{file}" for name, file in _FILES.items()} | kept
    return kept
