"""``calamari shell``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from calamari_py.cli._invocation import begin, identity_options
from calamari_py.cli._options import working_directory
from calamari_py.errors import UsageError
from calamari_py.runner import AdHocCommand, run_command

# What a start-up file says of AWS would be another identity: the step's names are kept from before
# it and put back after it, in the shell's own memory.
_BASH = """\
calamari_listed() { declare -px | grep -E '^declare -[a-z]+ ((AWS|CALAMARI)_|({equipped})=)'; }
calamari_names=$(calamari_listed)
[ -r ~/.bashrc ] && . ~/.bashrc
for calamari_name in ${!AWS_@}; do unset "$calamari_name"; done
eval "$calamari_names"
if [ "$(calamari_listed)" != "$calamari_names" ]; then
  echo "calamari: ~/.bashrc keeps variables of its own: the shell would not be the step" >&2
  exit 77
fi
unset -f calamari_listed
unset calamari_names calamari_name
. "$CALAMARI_FUNCTIONS"
PS1='[{role}] '"$PS1"
"""
_POSIX = """\
. "$CALAMARI_FUNCTIONS"
PS1='[{role}] $ '
"""
SHELLS: Mapping[str, tuple[tuple[str, ...], str, Mapping[str, str]]] = {
    "bash": (("--rcfile", "{private}/rc", "-i"), _BASH, {}),
    **dict.fromkeys(("sh", "dash", "ash"), (("-i",), _POSIX, {"ENV": "{private}/rc"})),
}
"""Shell → its arguments, the text of its start-up file, names in its environment."""


@click.command(short_help="Open a shell as a step's identity.")
@click.argument("manifest", metavar="MANIFEST")
@identity_options
@click.option(
    "--shell",
    metavar="SHELL",
    help=f"One of {', '.join(SHELLS)}, or the path of one; else your own, or bash.",
)
@click.option(
    "--isolate", is_flag=True, help="Linux: hide all other processes, and the launcher's files."
)
def command(**options: Any) -> int:
    """Open a shell with the identity, the environment and the variables of the step in MANIFEST.

    Its prompt names the role and the account. What it shows is masked. The credentials end as the
    step's would: `credentials: {delivery: endpoint}` renews them. Leave it with `exit`.
    """
    if not all(os.isatty(descriptor) for descriptor in (0, 1, 2)):
        raise UsageError(
            "a shell needs a terminal on its standard input and output",
            hint="for one command use: calamari exec MANIFEST -- CMD",
        )
    program, name = _program(options["shell"], os.environ.get("SHELL", ""))
    arguments, text, names = SHELLS[name]
    adhoc = AdHocCommand(
        argv=(program, *arguments),
        directory=working_directory(),
        terminal=True,
        hang_up=True,
        names=names,
        files={"rc": text},
    )
    invocation = begin(options, command=adhoc, isolate=options["isolate"])
    return run_command(invocation.options, invocation.reporter, invocation.doors)


def _program(wanted: str | None, own: str) -> tuple[str, str]:
    """The shell to start and which one of `SHELLS` it is."""
    if wanted is None:
        return (own, Path(own).name) if Path(own).name in SHELLS else ("bash", "bash")
    name = Path(wanted).name
    if name not in SHELLS:
        raise UsageError(
            f"'{wanted}' is no shell that can be given a prompt and start-up file",
            hint=f"use one of {', '.join(SHELLS)}",
        )
    return wanted, name
