"""``calamari run``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from calamari_py.cli._options import read_overrides, variable_options, working_directory
from calamari_py.output import FORMATS
from calamari_py.output.base import ReporterOptions
from calamari_py.process import Pulse, harden
from calamari_py.runner import Doors, RunOptions, run_step


@click.command(short_help="Run one step from its manifest.")
@click.argument("manifest", metavar="MANIFEST")
@variable_options
@click.option("--sandbox", is_flag=True, help="Run against an embedded AWS; no account is needed.")
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
@click.option("-v", "--verbose", is_flag=True, help="Show more of our own lines; never a secret.")
@click.option(
    "--trace-credentials", is_flag=True, help="Show every credential source that was looked at."
)
@click.option("--interactive", is_flag=True, help="Pass standard input on to the step.")
@click.option(
    "--short-secrets",
    type=click.Choice(["warn", "error", "mask"]),
    default="warn",
    show_default=True,
    help="What to do with a secret too short to mask safely.",
)
@click.option(
    "--allow-http-endpoint",
    is_flag=True,
    help="Allow an STS endpoint that is plain http and not on this machine.",
)
def command(**options: Any) -> int:
    """Run the step in MANIFEST (a YAML or JSON file, '-' for standard input).

    The step runs with the credentials of the role that the manifest names and with nothing else.
    The exit code is the step's own; see the README for the codes that calamari itself uses.
    """
    harden()
    overrides, environ = read_overrides(
        options["variables"], options["var_files"], options["sensitive"]
    )
    pulse = Pulse()
    reporter = FORMATS[options["format_"]](
        ReporterOptions(
            stdout=sys.stdout.buffer,
            stderr=sys.stderr.buffer,
            terminal=sys.stderr.isatty(),
            width=_width(),
            encoding=sys.stderr.encoding or "utf-8",
            environ=environ,
            quiet=options["quiet"],
            verbose=options["verbose"],
            pulse=pulse.beat,
        )
    )
    cwd = working_directory()
    run_options = RunOptions(
        manifest=options["manifest"],
        cwd=cwd,
        environ=environ,
        stdin=sys.stdin.buffer,
        overrides=overrides,
        result=_below(cwd, options["result"]),
        outputs=_below(cwd, options["outputs"]),
        artifacts=_below(cwd, options["artifacts"]),
        interactive=options["interactive"],
        trace_credentials=options["trace_credentials"],
        allow_http_endpoint=options["allow_http_endpoint"],
        short_secrets=options["short_secrets"],
    )
    doors = Doors(pulse=pulse)
    if options["sandbox"]:
        from calamari_py.cli._sandbox import open_sandbox

        doors = Doors(pulse=pulse, open_sandbox=open_sandbox)
    return run_step(run_options, reporter, doors).exit_code


def _width() -> int:
    """The columns of the terminal that our own text goes to."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 84


def _below(cwd: Path, path: str | None) -> Path | None:
    return None if path is None else cwd / path
