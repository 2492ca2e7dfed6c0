"""``calamari schema``."""

from __future__ import annotations

import json

import click

from calamari_py import manifest
from calamari_py.steps import FINALLY_SECTION, STEP_KINDS


@click.command(short_help="Print the JSON Schema of the manifest format.")
def command() -> int:
    """Print the JSON Schema of the manifest format, for editors and checkers.

    It is made from the same types that parse a manifest.
    """
    sections = {name: kind.section for name, kind in STEP_KINDS.items()}
    click.echo(json.dumps(manifest.schema(sections, FINALLY_SECTION), indent=2))
    return 0
