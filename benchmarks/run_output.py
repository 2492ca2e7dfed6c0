"""How fast a step's output gets through ``calamari run``, beside the same script in plain bash.

The script writes one large log. Its reader is this process, through a pipe or a terminal, or there
is none and it goes to a file. ``calamari run`` masks it meanwhile, with one secret known. What
calamari takes for a script that writes nothing is taken off for the throughput, not for the ratio.
"""

from __future__ import annotations

import argparse
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import tty
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter

from _corpus import make_log, make_secrets
from _measure import (
    CommandFailedError,
    clean_environment,
    find_calamari,
    find_program,
    interleave,
    median_ratio,
    print_table,
)

_READ_SIZE = 1 << 20
_MANIFEST = """\
name: benchmark
account: none
variables: {{TOKEN: {{value: {secret}, sensitive: true}}}}
script: "{script}"
"""


def _finish(argv: Sequence[str], environment: Mapping[str, str], stdout: int) -> float:
    """Seconds until `argv` has ended."""
    start = perf_counter()
    with _started(argv, environment, stdout) as process:
        code = process.wait()
    _require_success(argv, code)
    return perf_counter() - start


def _started(
    argv: Sequence[str], environment: Mapping[str, str], stdout: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.DEVNULL,
    )


def _require_success(argv: Sequence[str], code: int) -> None:
    if code != 0:
        raise CommandFailedError(f"'{shlex.join(argv)}' ended with {code}")


def to_file(argv: Sequence[str], environment: Mapping[str, str]) -> Callable[[], float]:
    """A case: stdout is a file on disk."""

    def once() -> float:
        with tempfile.TemporaryFile() as file:
            return _finish(argv, environment, file.fileno())

    return once


def to_pipe(
    argv: Sequence[str], environment: Mapping[str, str], lines: list[int] | None = None
) -> Callable[[], float]:
    """A case: this process reads stdout; the number of its lines is added to `lines`."""

    def once() -> float:
        return _read(argv, environment, *os.pipe(), lines=lines)

    return once


def to_terminal(argv: Sequence[str], environment: Mapping[str, str]) -> Callable[[], float]:
    """A case: stdout is a terminal."""

    def once() -> float:
        reader, writer = pty.openpty()
        tty.setraw(writer)
        return _read(argv, environment, reader, writer)

    return once


def _read(
    argv: Sequence[str],
    environment: Mapping[str, str],
    reader: int,
    writer: int,
    *,
    lines: list[int] | None = None,
) -> float:
    count = 0
    start = perf_counter()
    with _started(argv, environment, writer) as process:
        os.close(writer)
        while data := _some(reader):
            if lines is not None:
                count += data.count(b"\n")
        code = process.wait()
    os.close(reader)
    _require_success(argv, code)
    if lines is not None:
        lines.append(count)
    return perf_counter() - start


def _some(reader: int) -> bytes:
    try:
        return os.read(reader, _READ_SIZE)
    except OSError:  # the end of a terminal
        return b""


def measure(command: Sequence[str], size: int, rounds: int) -> None:
    """Run all rounds and print the table."""
    bash = find_program("bash")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environment = clean_environment(home)
        log = home / "log"
        log.write_bytes(make_log(size * 1_000_000))
        loud, quiet = home / "loud.yaml", home / "quiet.yaml"
        secret = make_secrets(1)[0]
        loud.write_text(_MANIFEST.format(secret=secret, script=f"cat {log}"), encoding="utf-8")
        quiet.write_text(_MANIFEST.format(secret=secret, script=":"), encoding="utf-8")
        plain = [bash, "-c", f"cat {log}"]
        events: list[int] = []
        run = [*command, "run"]
        json = [*run, str(loud), "--format", "json"]
        times = interleave(
            {
                "nothing": to_pipe([*run, str(quiet)], environment),
                "pipe": to_pipe([*run, str(loud)], environment),
                "pipe, bash": to_pipe(plain, environment),
                "file": to_file([*run, str(loud)], environment),
                "file, bash": to_file(plain, environment),
                "terminal": to_terminal([*run, str(loud)], environment),
                "terminal, bash": to_terminal(plain, environment),
                "pipe, json": to_pipe(json, environment, events),
            },
            rounds=rounds,
        )
    start = median(times["nothing"])
    print(f"{rounds} interleaved rounds of {size} MB; a script that writes nothing {start:.2f} s\n")
    print_table(
        ["calamari run, stdout to a", "s", "MB/s", "bash, s", "calamari run ÷ bash"],
        [
            [
                name,
                f"{median(times[name]):.2f}",
                f"{median(size / (whole - start) for whole in times[name]):.0f}",
                f"{median(times[bare]):.2f}",
                f"{median_ratio(times[name], times[bare]):.1f}",
            ]
            for name, bare in [
                ("pipe", "pipe, bash"),
                ("file", "file, bash"),
                ("terminal", "terminal, bash"),
                ("pipe, json", "pipe, bash"),
            ]
        ],
    )
    rate = median(
        count / (whole - start)
        for count, whole in zip(events[-rounds:], times["pipe, json"], strict=True)
    )
    print(f"\njson: {median(events):.0f} events, {rate:.0f} a second")


def main() -> int:
    """The exit code: 1 when a command that was to be measured failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=100, help="of the log, in MB")
    parser.add_argument("--command", help="what stands in for 'calamari'; gets: run MANIFEST")
    options = parser.parse_args()
    command = shlex.split(options.command) if options.command else find_calamari()
    try:
        measure(command, options.size, options.rounds)
    except CommandFailedError as error:
        print(f"run_output: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
