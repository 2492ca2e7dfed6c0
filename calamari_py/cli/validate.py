"""``calamari validate``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from calamari_py import manifest
from calamari_py.cli._options import (
    action_option,
    read_overrides,
    variable_options,
    working_directory,
)
from calamari_py.errors import EX_FILE_MISSING, EX_MANIFEST, EX_OK, FileMissing, ManifestError
from calamari_py.masking import SecretRegistry
from calamari_py.output import describe_failure
from calamari_py.runner.prepare import prepare_step
from calamari_py.runner.record import failure_of
from calamari_py.steps.base import Wishes


@click.command(short_help="Check manifests and report every problem.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@variable_options
@action_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Problems for people, or one JSON document.",
)
def command(files: tuple[str, ...], format_: str, **options: Any) -> int:
    """Check each manifest FILE ('-' for standard input) and report every problem with its place.

    Exits with 0 when all are valid, 65 when one is not, 66 when one is not there. Makes no call
    and starts nothing.
    """
    overrides, environ = read_overrides(
        options["variables"], options["var_files"], options["sensitive"]
    )
    cwd = working_directory()
    code = EX_OK
    documents = []
    for file in files:
        registry = SecretRegistry()
        error = None
        odd: tuple[str, ...] = ()
        try:
            source = manifest.read_source(file, stdin=sys.stdin.buffer, cwd=cwd)
            step = prepare_step(
                source,
                environ=environ,
                cwd=cwd,
                overrides=overrides,
                registry=registry,
                tools_required=False,
                wishes=Wishes(action=options["action"]),
            )
            odd = tuple(map(registry.mask_text, (*step.loaded.warnings, *step.warnings)))
        except ManifestError as found:
            error = found
            # "Invalid" weighs more than "not there", whatever the order of the files.
            if not isinstance(found, FileMissing):
                code = EX_MANIFEST
            elif code == EX_OK:
                code = EX_FILE_MISSING
        if format_ == "json":
            documents.append(_document(file, error, registry, odd))
        elif error is None:
            click.echo(f"{source.name}: ok")
            for warning in odd:
                click.echo(f"{source.name}: warning: {warning}", err=True)
        else:
            click.echo("\n".join(describe_failure(failure_of(error, registry))), err=True)
    if format_ == "json":
        click.echo(json.dumps({"schema_version": 1, "files": documents}, indent=2))
    return code


def _document(
    file: str, error: ManifestError | None, registry: SecretRegistry, odd: tuple[str, ...]
) -> dict[str, Any]:
    problems = failure_of(error, registry).problems if error else ()
    return {
        "file": file,
        "valid": error is None,
        "problems": [
            {"message": p.message, "hint": p.hint, "path": p.path, "place": p.place}
            for p in problems
        ],
        "warnings": list(odd),
    }
