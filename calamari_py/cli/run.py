"""``calamari run``."""

from __future__ import annotations

from typing import Any

import click

from calamari_py.cli._invocation import begin, below, identity_options
from calamari_py.cli._options import working_directory
from calamari_py.output import FORMATS
from calamari_py.runner import run_step


@click.command(short_help="Run one step from its manifest.")
@click.argument("manifest", metavar="MANIFEST")
@identity_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="How to report: for people, or one JSON event a line on stdout.",
)
@click.option("--result", metavar="FILE", help="Write the result document here (JSON, 0600).")
@click.option(
    "--outputs",
    metavar="FILE",
    help="Write all output values here, sensitive ones in clear (JSON, 0600).",
)
@click.option("--artifacts", metavar="DIR", help="Collect the step's artifacts here.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Of our own lines, show warnings and errors only."
)
@click.option("--interactive", is_flag=True, help="Pass standard input on to the step.")
@click.option(
    "--isolate",
    is_flag=True,
    help="Linux: hide all other processes, and the launcher's token and config files, from the "
    "step.",
)
def command(**options: Any) -> int:
    """Run the step in MANIFEST (a YAML or JSON file, '-' for standard input).

    The step runs with the credentials of the role that the manifest names and with nothing else.
    The exit code is the step's own; see the README for the codes that calamari itself uses.
    """
    cwd = working_directory()
    invocation = begin(
        options,
        format_=options["format_"],
        quiet=options["quiet"],
        result=below(cwd, options["result"]),
        outputs=below(cwd, options["outputs"]),
        artifacts=below(cwd, options["artifacts"]),
        interactive=options["interactive"],
        isolate=options["isolate"],
    )
    return run_step(invocation.options, invocation.reporter, invocation.doors).exit_code
