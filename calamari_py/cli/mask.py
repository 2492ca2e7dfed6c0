"""``calamari mask``."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import click

from calamari_py.cli import STDIN, STDOUT
from calamari_py.cli._filter import mask_stream
from calamari_py.errors import (
    EX_OK,
    FileMissing,
    Findings,
    InternalError,
    ManifestError,
    OutputNotWritable,
    Problem,
    UsageError,
)
from calamari_py.masking import Masker, SecretRegistry, ShortSecrets
from calamari_py.output._stream import write_all
from calamari_py.process import Pulse, SignalInbox, harden

FILE_LIMIT = 10_000_000
"""Bytes of a file of secrets."""
_LIKELY_NAME = re.compile(r"[A-Z_][A-Z0-9_, ]*")
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")


@click.command(short_help="Mask secrets in a log on standard input; no AWS.")
@click.option(
    "--secrets-file",
    metavar="FILE",
    help="Read secrets from FILE, one a line.",
)
@click.option(
    "--from-env",
    "names",
    metavar="NAME",
    multiple=True,
    help="Take the environment variable NAME for a secret; may hold several lines.",
)
@click.option(
    "--short-secrets",
    type=click.Choice(["warn", "error", "mask"]),
    default="warn",
    show_default=True,
    help="What to do with a secret too short to mask safely.",
)
@click.option(
    "--no-ansi-aware",
    is_flag=True,
    help="Do not look for secrets that have colour codes inside: faster on coloured output.",
)
def command(
    secrets_file: str | None,
    names: tuple[str, ...],
    short_secrets: ShortSecrets,
    no_ansi_aware: bool,
) -> int:
    """Copy standard input to standard output, and mask every secret on the way.

    \b
    calamari mask --secrets-file secrets.txt < build.log > masked.log
    make 2>&1 | calamari mask --from-env API_TOKEN --from-env DB_PASSWORD

    Secrets are found in the same forms as in the output of a step, also where they are encoded or
    split between two writes. What cannot be part of a secret is never held back. Uses no AWS.
    """
    _require_streams()
    if secrets_file is None and not names:
        raise UsageError(
            "there is nothing to mask",
            hint="name the secrets: --secrets-file FILE, --from-env NAME, or both",
        )
    harden()
    registry = SecretRegistry(short_secrets, ansi_aware=not no_ansi_aware)
    try:
        _register(secrets_file, names, os.environ, registry)
    except ManifestError as error:
        return _refuse(error, registry)
    try:
        mask_stdin(registry)
    except BrokenPipeError:
        # click makes a 1 of it.
        return 128 + signal.SIGPIPE
    return EX_OK


def mask_stdin(registry: SecretRegistry) -> None:
    """Copy stdin to stdout, masked, to its end. Raises what `mask_stream` does, OutputNotWritable,
    and InternalError where masking failed on the way."""
    masker, pulse = Masker(registry), Pulse()

    def show(data: bytes) -> None:
        if data:
            write_all(sys.stdout.buffer, data, pulse.beat)

    try:
        with SignalInbox() as inbox, inbox.queued(), pulse.heeding(inbox):
            mask_stream(sys.stdin.fileno(), masker, show, inbox)
    except OutputNotWritable as error:
        raise OutputNotWritable(error.message, hint="make room where the log goes") from None
    finally:
        if masker.fault:
            raise InternalError(
                f"masking failed ({masker.fault}), and the last {masker.withheld} bytes of the "
                "log were withheld",
                hint="keep the log where nobody else can read it, and report this",
            )


def _require_streams() -> None:
    """A log from nowhere is no empty log, and one to nowhere is lost."""
    closed = click.get_current_context().find_root().obj
    if STDIN in closed:
        raise UsageError("standard input is closed", hint="name the log: calamari mask … < log")
    if STDOUT in closed:
        raise OutputNotWritable("stdout is closed, and the log goes there")


def _register(
    file: str | None, names: Sequence[str], environ: Mapping[str, str], registry: SecretRegistry
) -> None:
    """Every secret, before the first byte of the log is read. What holds nothing is warned about:
    somebody meant it to."""
    found = Findings()
    from_environment = _from_environment(names, environ)
    from_file = _lines_of(file) if file is not None else ()
    blank = [f"${name}" for name, value in from_environment if not value.strip()]
    if file is not None and not from_file:
        blank.append(f"'{file}'")
    named = [(f"${name}", value) for name, value in from_environment]
    for name, value in (*from_file, *named):
        with found:
            registry.add_json(value, name=name)
    found.raise_if_any(lambda problems: ManifestError(problems, subject="the secrets"))
    for source in blank:
        _warn(f"{source} holds no secret", registry)
    for warning in registry.take_warnings():
        _warn(warning, registry)


def _from_environment(names: Sequence[str], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    for name in names:
        if "=" in name:
            # Not quoted: what follows may be the secret itself.
            raise UsageError(
                "--from-env takes a name only",
                hint="put the secret into an environment variable, and give the variable's name",
            )
    if missing := [name for name in dict.fromkeys(names) if name not in environ]:
        several = any("," in name or " " in name for name in missing)
        raise UsageError(
            f"not in the environment: {_listed(names, missing)}",
            hint="write --from-env once for each variable" if several else
            "export it, and see whether the CI system passes that secret to this job",
        )  # fmt: skip
    return [(name, environ[name]) for name in dict.fromkeys(names)]


def _listed(names: Sequence[str], missing: Iterable[str]) -> str:
    """`missing` by name; one that does not look like a name may be the secret itself, and is called
    by its place."""
    places = {name: f"the name in place {number}" for number, name in enumerate(names, 1)}
    return ", ".join(f"'{n}'" if _LIKELY_NAME.fullmatch(n) else places[n] for n in missing)


def _lines_of(file: str) -> list[tuple[str, bytes]]:
    """The secrets of `file`, each with the place that it is called by."""
    data = _read_file(file)
    if data.startswith(_WIDE_BOMS):
        raise _unusable(file, "is UTF-16 text", "save it as UTF-8, as the log is")
    lines = data.removeprefix(_BOM).split(b"\n")
    return [
        (f"line {number} of {file}", value)
        for number, line in enumerate(lines, 1)
        if (value := line.removesuffix(b"\r"))
    ]


def _read_file(file: str) -> bytes:
    """The bytes of `file`, which may be a pipe: ``<(vault …)`` leaves nothing on a disk."""
    if file == "-":
        raise UsageError(
            "standard input is the log, and no file of secrets",
            hint="name a file, or a program's output: --secrets-file <(program)",
        )
    try:
        with open(file, "rb") as opened:
            data = opened.read(FILE_LIMIT + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        why = f"cannot be read: {(reason or 'not a file name').lower()}"
        problem = _unusable(file, why, "correct the path, or the permissions of the file")
        raise FileMissing(problem.problems, subject=problem.subject) from None
    if len(data) > FILE_LIMIT:
        raise _unusable(file, f"is larger than {FILE_LIMIT // 1_000_000} MB", "name another file")
    return data


def _unusable(file: str, why: str, hint: str) -> ManifestError:
    problem = Problem(message=f"the file of secrets {why}", file=file, hint=hint)
    return ManifestError([problem], subject="the secrets")


def _refuse(error: ManifestError, registry: SecretRegistry) -> int:
    """Tell every problem with its place, as `validate` does."""
    from calamari_py.output import describe_failure
    from calamari_py.runner.record import failure_of

    with suppress(BrokenPipeError):
        click.echo("\n".join(describe_failure(failure_of(error, registry))), err=True)
    return error.exit_code


def _warn(text: str, registry: SecretRegistry) -> None:
    click.echo(f"calamari: warning: {registry.mask_text(text)}", err=True)
