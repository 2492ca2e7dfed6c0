"""``calamari console``."""

from __future__ import annotations

from typing import Any

import click

from calamari_py.aws.signin import is_page
from calamari_py.cli._answer import require_stdout, write_out
from calamari_py.cli._invocation import begin, identity_options
from calamari_py.errors import UsageError
from calamari_py.identity import MAX_DURATION, MIN_DURATION
from calamari_py.manifest.scalars import parse_duration
from calamari_py.masking import Secret
from calamari_py.runner import Corridor
from calamari_py.runner.inquiry import console, is_service, reveal_url


@click.command(short_help="Sign in to the AWS console as a step's identity.")
@click.argument("manifest", metavar="MANIFEST")
@identity_options
@click.option("--open", "open_", is_flag=True, help="Open the browser instead of printing the URL.")
@click.option(
    "--destination",
    metavar="URL|PATH|SERVICE",
    help="Where to arrive: a URL of the console or its path, or a service (s3, ecs, "
    "cloudformation); else the home page of the step's region.",
)
@click.option(
    "--duration",
    metavar="TIME",
    help="How long the console session lasts, 15m to 12h; else as long as the credentials. AWS "
    "takes none for chained roles.",
)
def command(**options: Any) -> int:
    """Print a URL that signs a browser in to the AWS console as the step in MANIFEST.

    \b
    calamari console deploy.yaml --open
    calamari console deploy.yaml --destination cloudformation --duration 1h

    Whoever opens the URL within 15 minutes is the step's role: it is printed to stdout and
    nowhere else. With --open the browser gets it, and it is not printed. The step does not run.
    """
    destination, duration = options["destination"], _duration(options["duration"])
    if destination is not None and not (is_service(destination) or is_page(destination)):
        raise UsageError(
            f"'{destination}' is neither a URL of the console, nor a path or a service there",
            hint="write for example --destination s3, or copy an https:// URL of the console",
        )
    if not options["open_"]:
        require_stdout()
    invocation = begin(options, by_hand=True)

    def way(corridor: Corridor) -> None:
        def use(url: Secret) -> None:
            if not options["open_"]:
                write_out(invocation, reveal_url(url))
                return
            import webbrowser

            from calamari_py.runner.handover import hand_over

            hand_over(url, webbrowser.open)
            corridor.reporter.highlight(
                corridor.record.masked("the console was opened in the browser")
            )

        console(corridor, use, destination=destination, duration=duration)

    return invocation.visit(way)


def _duration(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        seconds = int(parse_duration(text))
    except ValueError as error:
        raise UsageError(f"--duration '{text}' {error}", hint="write 1h, for example") from None
    if not MIN_DURATION <= seconds <= MAX_DURATION:
        raise UsageError(
            f"--duration '{text}' is not within 15m … 12h", hint="write 1h, for example"
        )
    return seconds
