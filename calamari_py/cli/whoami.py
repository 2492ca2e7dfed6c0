"""``calamari whoami``."""

from __future__ import annotations

from typing import Any

import click

from calamari_py.cli._answer import format_option, page_width, require_stdout, write_out, write_page
from calamari_py.cli._invocation import begin, identity_options
from calamari_py.output._identity_page import IdentityPage, page_document, page_lines
from calamari_py.result import dump_json
from calamari_py.runner.inquiry import whoami


@click.command(short_help="Show who a step runs as; nothing runs.")
@click.argument("manifest", metavar="MANIFEST")
@identity_options
@click.option(
    "--trust-profile",
    metavar="PROFILE",
    help="Where a role is refused, read its trust policy with this profile of ~/.aws/config and "
    "show what it has against the caller.",
)
@format_option
def command(**options: Any) -> int:
    """Show who the step in MANIFEST runs as: launcher, every role on the way, account, region.

    \b
    calamari whoami deploy.yaml
    calamari whoami deploy.yaml --trace-credentials
    calamari whoami deploy.yaml --trust-profile admin-of-target

    The calls are real: the launcher is found, each role is assumed, `expect` is checked, as `run`
    does it. Nothing is started. Exits with 0 when the step would get its identity, else with the
    code that `run` would have: 77 for a refused identity, 65 or 66 for the manifest.
    """
    require_stdout()
    with_trace = options["trace_credentials"]
    # The page has the trace; nobody else need tell it.
    invocation = begin({**options, "trace_credentials": False})

    def show(page: IdentityPage) -> None:
        if options["format_"] == "json":
            write_out(invocation, dump_json(page_document(page), indent=2) + b"\n")
        else:
            write_page(invocation, page_lines(page, page_width()))

    return invocation.visit(
        lambda corridor: whoami(
            corridor, show, trust_profile=options["trust_profile"], with_trace=with_trace
        )
    )
