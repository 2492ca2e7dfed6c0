"""``calamari run``."""

from __future__ import annotations

import os
from typing import Any

import click

from calamari_py.cli._invocation import begin, below, identity_options
from calamari_py.cli._options import action_option, working_directory
from calamari_py.output import FORMATS
from calamari_py.runner import run_step
from calamari_py.steps.base import Wishes


@click.command(short_help="Run one step from its manifest.")
@click.argument("manifest", metavar="MANIFEST")
@identity_options
@action_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Stop where something would be changed, for kinds that can tell beforehand.",
)
@click.option(
    "--resume",
    metavar="HANDLE",
    help="Watch exactly this operation: what a lost step printed.",
)
@click.option(
    "--fail-on-no-change",
    is_flag=True,
    help="Count a success that changed nothing as a failure, for kinds that know.",
)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 2 after a success that changed something, or found something to change, for "
    "kinds that know.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    show_default="github where GITHUB_ACTIONS is true, else text",
    help="How to report: text for people, json with one event a line on stdout, github with the "
    "commands of a GitHub Actions job, octopus with the service messages of Octopus Deploy.",
)
@click.option("--result", metavar="FILE", help="Write the result document here (JSON, 0600).")
@click.option(
    "--outputs",
    metavar="FILE",
    help="Write all output values here, sensitive ones in clear (JSON, 0600).",
)
@click.option("--artifacts", metavar="DIR", help="Collect the step's artifacts here.")
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="Of our own lines, show warnings and errors only; the step's own output stays.",
)
@click.option("--interactive", is_flag=True, help="Pass standard input on to the step.")
@click.option(
    "--isolate",
    is_flag=True,
    help="Linux: hide all other processes, and the launcher's token and config files, from the "
    "step.",
)
@click.option(
    "--pty",
    type=click.Choice(["auto", "on", "off"]),
    default="auto",
    show_default=True,
    help="Give the step a terminal to write to; auto: when standard output is one and the format "
    "is text.",
)
@click.option(
    "--no-mask",
    is_flag=True,
    help="Show the step's output unmasked; only where the manifest says allow_no_mask.",
)
def command(**options: Any) -> int:
    """Run the step in MANIFEST (a YAML or JSON file, '-' for standard input).

    The step runs with the credentials of the role that the manifest names and with nothing else.
    The exit code is the step's own; see the README for the codes that calamari itself uses.
    """
    cwd = working_directory()
    format_ = options["format_"] or _format_here()
    invocation = begin(
        options,
        format_=format_,
        quiet=options["quiet"],
        result=below(cwd, options["result"]),
        outputs=below(cwd, options["outputs"]),
        artifacts=below(cwd, options["artifacts"]),
        interactive=options["interactive"],
        isolate=options["isolate"],
        terminal=_on_a_terminal(options["pty"], format_),
        terminal_asked=options["pty"] == "on",
        wishes=Wishes(
            action=options["action"], dry_run=options["dry_run"], resume=options["resume"]
        ),
        fail_on_no_change=options["fail_on_no_change"],
        detailed_exitcode=options["detailed_exitcode"],
        no_mask=options["no_mask"],
    )
    return run_step(invocation.options, invocation.reporter, invocation.doors).exit_code


def _format_here() -> str:
    """The format of the CI system that this is a job of."""
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "text"


def _on_a_terminal(wanted: str, format_: str) -> bool:
    """Whether the step writes to a terminal: what reads events has no use for its colours."""
    return wanted == "on" or (wanted == "auto" and format_ == "text" and os.isatty(1))
