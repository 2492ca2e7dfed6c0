"""``calamari sandbox``."""

from __future__ import annotations

import shlex
import signal
from contextlib import suppress

import click

from calamari_py.cli._sandbox import open_sandbox
from calamari_py.errors import Cancelled
from calamari_py.process import SignalInbox


@click.command(short_help="Keep an embedded AWS running for trials.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on 127.0.0.1; 0: any.")
def command(port: int) -> int:
    """Keep an embedded AWS running on 127.0.0.1 and print the environment that uses it.

    It holds four accounts with a launcher role and deployment roles, and forgets everything when
    it ends (Ctrl-C). In another shell, paste the printed lines and run steps without --sandbox.
    """
    with SignalInbox() as inbox, open_sandbox(port) as sandbox:
        for name, value in sandbox.environment.items():
            click.echo(f"export {name}={shlex.quote(value)}")
        click.echo(
            f"calamari: the sandbox listens on {sandbox.endpoint}; end it with Ctrl-C", err=True
        )
        while inbox.first is None:
            # A signal raises Cancelled here; until then there is nothing to do.
            with suppress(Cancelled):
                signal.pause()
        click.echo("calamari: the sandbox has ended", err=True)
    return 0
