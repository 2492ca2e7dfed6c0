"""What a command that only looks writes to stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from calamari_py.cli import STDOUT
from calamari_py.cli._invocation import Invocation
from calamari_py.errors import OutputNotWritable
from calamari_py.output._lines import Line
from calamari_py.output._page import page_bytes
from calamari_py.output._stream import write_all
from calamari_py.output.text import RULE_WIDTH

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="For people, or one JSON document.",
)
"""How a page is printed."""


def require_stdout() -> None:
    """Ask nobody for an answer that would be lost: OutputNotWritable where calamari was started
    with stdout closed."""
    if STDOUT in click.get_current_context().find_root().obj:
        raise OutputNotWritable("stdout is closed, and the answer goes there")


def write_out(invocation: Invocation, data: bytes) -> None:
    """Write `data` to stdout."""
    write_all(sys.stdout.buffer, data, invocation.doors.pulse.beat)


def write_page(invocation: Invocation, lines: Sequence[Line]) -> None:
    """Write a page to stdout, with colour where that is a terminal that wants it."""
    data = page_bytes(
        lines,
        terminal=sys.stdout.isatty(),
        environ=os.environ,
        encoding=sys.stdout.encoding or "utf-8",
    )
    write_out(invocation, data)


def page_width() -> int:
    """The columns of a page's rules."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return min(columns, RULE_WIDTH) if columns > 0 else RULE_WIDTH
