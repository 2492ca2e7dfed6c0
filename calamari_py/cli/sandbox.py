"""``calamari sandbox``."""

from __future__ import annotations

import select
import shlex

import click

from calamari_py.process import SignalInbox
from calamari_py.cli._sandbox import open_sandbox


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
        with inbox.queued():
            select.select([inbox.fileno()], [], [])
        click.echo("calamari: the sandbox has ended", err=True)
    return 0
