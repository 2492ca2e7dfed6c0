"""``calamari explain``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from calamari_py.cli._answer import format_option, page_width, require_stdout, write_out, write_page
from calamari_py.cli._invocation import Invocation, begin, below, identity_options
from calamari_py.cli._options import action_option
from calamari_py.errors import EX_OK, UsageError
from calamari_py.output._explanation_page import page_lines
from calamari_py.result import dump_json
from calamari_py.runner import Corridor
from calamari_py.runner.explain import explain
from calamari_py.steps.base import Wishes


@click.command(short_help="Show what a run would do, and check it; nothing runs.")
@click.argument("manifest", metavar="MANIFEST")
@identity_options
@action_option
@click.option(
    "--online", is_flag=True, help="Ask: obtain the identity as `run` does, and show what is found."
)
@click.option("--isolate", is_flag=True, help="Explain what `run --isolate` would do.")
@click.option(
    "--masking",
    is_flag=True,
    help="Show instead what a run would mask and what not, secret by secret; never a value.",
)
@click.option(
    "--result",
    metavar="FILE",
    help="With --masking: the result of a run, to show how often each secret stood in its output.",
)
@format_option
def command(**options: Any) -> int:
    """Show what `run` would do with the step in MANIFEST: who calls STS for which role, what the
    step gets and does not get, what is masked, which command runs and for how long.

    Nothing is run, no variable is fetched and, without --online, nothing is asked. Every check
    reads ok, warn or fail, with what it is based on. Exits with 0 when none fails, else with the
    code that `run` would have: 77 for the identity, 65 or 66 for the manifest, 127 for a program
    that is not here. With --masking there are no checks.
    """
    _check_options(options)
    require_stdout()
    wishes = Wishes(action=options["action"])
    invocation = begin(options, isolate=options["isolate"], wishes=wishes)
    if options["masking"]:
        return _explain_masking(invocation, options)
    code = EX_OK

    def way(corridor: Corridor) -> None:
        nonlocal code
        with corridor.opened():
            explained = explain(corridor, online=options["online"])
        if options["format_"] == "json":
            write_out(invocation, dump_json(explained.to_document(), indent=2) + b"\n")
        else:
            every_name = options["verbose"]
            write_page(invocation, page_lines(explained, page_width(), every_name=every_name))
        code = explained.exit_code

    return invocation.visit(way) or code


def _explain_masking(invocation: Invocation, options: Mapping[str, Any]) -> int:
    from calamari_py.output import _masking_page
    from calamari_py.runner.explain.last_run import load_last_run
    from calamari_py.runner.explain.masking import explain_masking

    result = below(invocation.options.cwd, options["result"])

    def way(corridor: Corridor) -> None:
        last = load_last_run(result) if result else None
        with corridor.opened():
            page = explain_masking(corridor, last)
        if options["format_"] == "json":
            document = _masking_page.page_document(page)
            write_out(invocation, dump_json(document, indent=2) + b"\n")
        else:
            write_page(invocation, _masking_page.page_lines(page, page_width()))

    return invocation.visit(way)


def _check_options(options: Mapping[str, Any]) -> None:
    if options["result"] is not None and not options["masking"]:
        raise UsageError("--result is for --masking", hint="add --masking, or leave out --result")
    if options["online"] and options["masking"]:
        raise UsageError(
            "--masking asks nobody, and --online does",
            hint="run `calamari explain` once with each of them",
        )
