"""``calamari exec``."""

from __future__ import annotations

import os
from typing import Any

import click

from calamari_py.cli._invocation import begin, identity_options
from calamari_py.cli._options import working_directory
from calamari_py.runner import AdHocCommand, run_command


@click.command(short_help="Run a command of your own as a step's identity.")
@click.argument("manifest", metavar="MANIFEST")
@identity_options
@click.option(
    "--isolate", is_flag=True, help="Linux: hide all other processes, and the launcher's files."
)
@click.argument("words", metavar="-- CMD [ARGS]...", nargs=-1, required=True)
def command(**options: Any) -> int:
    """Run CMD with the identity, the environment and the variables of the step in MANIFEST.

    \b
    calamari exec step.yaml -- aws s3 ls
    calamari exec step.yaml -- sh -c '. "$CALAMARI_FUNCTIONS"; get_variable Name'

    The step itself does not run, nor does its `finally`. Time limits, attempts and the output
    limit of the manifest do not apply; masking does. The exit code is the command's own.
    """
    words = options["words"]
    adhoc = AdHocCommand(argv=words, directory=working_directory(), terminal=os.isatty(1))
    invocation = begin(
        options, quiet=not options["verbose"], command=adhoc, isolate=options["isolate"]
    )
    return run_command(invocation.options, invocation.reporter, invocation.doors)
