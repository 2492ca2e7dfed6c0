"""The edge: options to values, values to the runner, results to exit codes.

Only this package reads the process's environment, knows click, and exits.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from calamari_py import __version__
from calamari_py.errors import (
    EX_INTERNAL,
    EX_USAGE,
    CalamariError,
    Cancelled,
    UsageError,
    exit_code_of,
)

COMMANDS = {
    "run": "Run one step from its manifest.",
    "exec": "Run a command of your own as a step's identity.",
    "shell": "Open a shell as a step's identity.",
    "explain": "Show what a run would do, and check it; nothing runs.",
    "whoami": "Show who a step runs as; nothing runs.",
    "credentials": "Print credentials for a credential_process.",
    "eks-token": "Print a token for an EKS cluster, as kubectl asks for it.",
    "console": "Sign in to the AWS console as a step's identity.",
    "validate": "Check manifests and report every problem.",
    "schema": "Print the JSON Schema of the manifest format.",
    "mask": "Mask secrets in a log on standard input; no AWS.",
    "sandbox": "Keep an embedded AWS running for trials.",
}
"""Command name → one line of help; the module of that name holds `command`, loaded when called."""
STDIN, STDOUT = 0, 1
"""Of those that were closed when calamari was started, the root context's `obj` has the set."""


def module_of(name: str) -> str:
    """The module of a command."""
    return f"calamari_py.cli.{name.replace('-', '_')}"


class _LazyGroup(click.Group):
    """Commands are imported when they are called: ``--help`` loads none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(module_of(cmd_name)).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not ctx.resilient_parsing and (near := _nearest(name)):
            raise UsageError(f"no such command '{name}'", hint=f"did you mean '{near}'?")
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="calamari")
def cli() -> None:
    """Runs one deployment step as exactly one AWS identity.

    A step manifest names a script, the account it starts from and the role it runs as. calamari
    finds the launcher credentials of this machine or pod, assumes the role, gives the script that
    role's short-lived credentials and nothing else, and masks every secret in its output.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code. The one top-level handler."""
    closed = _open_standard_streams()
    try:
        code = cli.main(
            args=arguments,
            prog_name="calamari",
            standalone_mode=False,
            obj=closed,
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        _exit(EX_USAGE)
    except click.ClickException as error:
        command = error.ctx.command_path if getattr(error, "ctx", None) else "calamari"  # type: ignore[attr-defined]
        _say(_lower_first(error.format_message().rstrip(".")), f"{command} --help")
        _exit(EX_USAGE)
    except (click.Abort, KeyboardInterrupt):
        _exit(130)
    except Cancelled as error:
        _exit(exit_code_of(error))
    except CalamariError as error:
        _say(error.message, error.hint)
        _exit(exit_code_of(error))
    except BrokenPipeError:
        _exit(141)
    except Exception as error:  # noqa: BLE001  the edge: a traceback is no message
        _say(*_defect(error))
        _exit(EX_INTERNAL)
    _exit(code if isinstance(code, int) else 0)


def _defect(error: Exception) -> tuple[str, str]:
    """The message and the hint. Messages are left out: they may quote what was being read."""
    import traceback

    from calamari_py.runner.defect import save_defect

    text = "".join([*traceback.format_tb(error.__traceback__), type(error).__name__])
    return f"a defect in calamari ({type(error).__name__})", save_defect(text)


def _say(message: str, hint: str | None) -> None:
    click.echo(f"calamari: {message}", err=True)
    if hint:
        click.echo(f"  hint: {hint}", err=True)


def _open_standard_streams() -> set[int]:
    """Put /dev/null where a standard stream was closed, so that no file of ours lands there.

    The descriptors that were.
    """
    closed = set()
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is the one that is missing: they are looked at in order.
            os.open(os.devnull, os.O_RDWR)
            closed.add(descriptor)
        if getattr(sys, name) is None:
            stream = open(descriptor, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
    return closed


def _nearest(name: str) -> str | None:
    """The command that was probably meant."""
    import difflib

    return next(iter(difflib.get_close_matches(name, COMMANDS, n=1)), None)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _exit(code: int) -> NoReturn:
    """Exit without a second error when nobody reads our last bytes."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _silence(stream)
    sys.exit(code)


def _silence(stream: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
