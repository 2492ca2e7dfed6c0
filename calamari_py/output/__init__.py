"""The output formats: each is one file, one line here, one test.

A format's module is imported when it is chosen, and has a function ``reporter(options)``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from calamari_py.output._commands import escape_data, service_message
from calamari_py.output._failure import describe_failure
from calamari_py.output._frame import ending_text
from calamari_py.output._words import format_seconds, printable
from calamari_py.output.base import Reporter, ReporterOptions

__all__ = [
    "FORMATS",
    "describe_failure",
    "ending_text",
    "escape_data",
    "format_seconds",
    "printable",
    "service_message",
]


def _format(module: str) -> Callable[[ReporterOptions], Reporter]:
    def build(options: ReporterOptions) -> Reporter:
        reporter: Reporter = import_module(f"calamari_py.output.{module}").reporter(options)
        return reporter

    return build


FORMATS: dict[str, Callable[[ReporterOptions], Reporter]] = {
    "text": _format("text"),
    "json": _format("jsonl"),
    "github": _format("github"),
    "octopus": _format("octopus"),
}
