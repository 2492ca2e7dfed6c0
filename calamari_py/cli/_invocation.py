"""What every command that goes the corridor shares: its options, and what they become."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from calamari_py.cli._options import read_overrides, variable_options, working_directory
from calamari_py.errors import UsageError
from calamari_py.output import FORMATS
from calamari_py.output.base import Reporter, ReporterOptions
from calamari_py.process import Pulse, harden
from calamari_py.runner import AdHocCommand, Corridor, Doors, RunOptions, visit

_F = TypeVar("_F", bound=Callable[..., Any])

POLICY_VARIABLE = "CALAMARI_POLICY"
AUDIT_VARIABLE = "CALAMARI_AUDIT_LOG"

_OPTIONS = (
    click.option(
        "--sandbox", is_flag=True, help="Run against an embedded AWS; no account is needed."
    ),
    click.option(
        "--policy",
        metavar="FILE",
        envvar=POLICY_VARIABLE,
        help=f"The operator's policy: what a manifest may ask for; else ${POLICY_VARIABLE}.",
    ),
    click.option(
        "--audit-log",
        metavar="FILE",
        envvar=AUDIT_VARIABLE,
        help="Append one JSON line for each identity obtained or refused; else to the file "
        f"${AUDIT_VARIABLE}.",
    ),
    click.option(
        "--trace-credentials", is_flag=True, help="Show every credential source that was looked at."
    ),
    click.option(
        "--allow-http-endpoint",
        is_flag=True,
        help="Allow an STS endpoint that is plain http and not on this machine.",
    ),
    click.option(
        "--short-secrets",
        type=click.Choice(["warn", "error", "mask"]),
        default="warn",
        show_default=True,
        help="What to do with a secret too short to mask safely.",
    ),
    click.option(
        "--no-ansi-aware",
        is_flag=True,
        help="Do not look for secrets that have colour codes inside: faster on coloured output.",
    ),
    click.option(
        "-v", "--verbose", is_flag=True, help="Show more of our own lines; never a secret."
    ),
)


def identity_options(function: _F) -> _F:
    """The options of a command that finds out who a step runs as; `begin` reads them."""
    for decorate in reversed(_OPTIONS):
        function = decorate(function)
    return variable_options(function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """One call of the command line, ready to go the corridor."""

    options: RunOptions
    reporter: Reporter
    doors: Doors

    def visit(self, way: Callable[[Corridor], None]) -> int:
        """Go a part of the corridor; the exit code."""
        return visit(self.options, self.reporter, self.doors, way)


def begin(
    options: Mapping[str, Any],
    *,
    format_: str = "text",
    quiet: bool = False,
    command: AdHocCommand | None = None,
    manifest_text: bytes | None = None,
    make_reporter: Callable[[ReporterOptions], Reporter] | None = None,
    **more: Any,
) -> Invocation:
    """Harden this process and read what it was called with. `more` are further fields of
    `RunOptions`; `manifest_text` stands for the file where the command line makes one itself;
    `make_reporter` is for what is no format of a run."""
    harden()
    overrides, environ = read_overrides(
        options["variables"], options["var_files"], options["sensitive"]
    )
    pulse = Pulse()
    reporter = (make_reporter or FORMATS[format_])(
        ReporterOptions(
            stdout=sys.stdout.buffer,
            stderr=sys.stderr.buffer,
            terminal=sys.stderr.isatty(),
            width=_width(),
            encoding=sys.stderr.encoding or "utf-8",
            environ=environ,
            quiet=quiet,
            verbose=options["verbose"],
            pulse=pulse.beat,
        )
    )
    cwd = working_directory()
    doors = Doors(pulse=pulse, exits=True)
    if options["sandbox"]:
        from calamari_py.cli._sandbox import open_sandbox

        doors = Doors(pulse=pulse, exits=True, open_sandbox=open_sandbox)
    return Invocation(
        options=RunOptions(
            manifest=options["manifest"],
            cwd=cwd,
            environ=environ,
            stdin=sys.stdin.buffer if manifest_text is None else io.BytesIO(manifest_text),
            overrides=overrides,
            policy=_policy(cwd, options["policy"]),
            audit_log=below(cwd, (options["audit_log"] or "").strip()),
            command=command,
            trace_credentials=options["trace_credentials"],
            allow_http_endpoint=options["allow_http_endpoint"],
            short_secrets=options["short_secrets"],
            ansi_aware=not options["no_ansi_aware"],
            **more,
        ),
        reporter=reporter,
        doors=doors,
    )


def below(cwd: Path, path: str | None) -> Path | None:
    """A path of the command line, made absolute."""
    return cwd / path if path else None


def _policy(cwd: Path, path: str | None) -> Path | None:
    """The operator's policy. One that is named by nothing is not passed over: it may be meant."""
    if path is None and POLICY_VARIABLE in os.environ:
        path = os.environ[POLICY_VARIABLE]
    if path is not None and not path.strip():
        raise UsageError(
            f"the policy is named by an empty text (--policy or {POLICY_VARIABLE})",
            hint=f"name a file, or unset {POLICY_VARIABLE}",
        )
    return below(cwd, path)


def _width() -> int:
    """The columns of the terminal that our own text goes to."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        return 84
