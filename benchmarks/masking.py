"""How fast output is masked beside a plain pump of the same pipe, and how much memory it takes.

Both read what ``cat`` writes into a pipe, 64 KiB at a time, and write it to ``/dev/null``; one of
them masks between the two. The text looks like a build log: every hundredth line holds a secret.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from _measure import CommandFailedError, interleave, median_ratio, print_table, run

from calamari_py.masking import Masker, SecretRegistry

COUNTS = (1, 10, 100, 1000)
_READ_SIZE = 65_536
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def make_secrets(count: int) -> Sequence[str]:
    """Secrets as long as AWS's secret keys, the same in every run."""
    source = random.Random(4711)
    return ["".join(source.choices(_ALPHABET, k=40)) for _ in range(count)]


def make_registry(count: int) -> SecretRegistry:
    """A registry of `count` secrets."""
    registry = SecretRegistry()
    for number, secret in enumerate(make_secrets(count)):
        registry.add(secret, name=f"secret {number}")
    return registry


def write_log(path: Path, size: int) -> None:
    """About `size` bytes of log."""
    source = random.Random(1147)
    secrets = make_secrets(max(COUNTS))
    words = ["".join(source.choices(_ALPHABET[26:52], k=length)) for length in range(2, 14)]
    lines = [" ".join(source.choices(words, k=9)) for _ in range(10_000)]
    for number in range(0, len(lines), 100):
        lines[number] += f" token={secrets[number % len(secrets)]}"
    block = ("\n".join(lines) + "\n").encode()
    with path.open("wb") as log:
        for _ in range(max(1, size // len(block))):
            log.write(block)


def pump(log: Path, masker: Masker | None) -> float:
    """Seconds that the log takes from the pipe to ``/dev/null``."""
    with (
        subprocess.Popen(["cat", log], stdout=subprocess.PIPE, bufsize=0) as source,
        open(os.devnull, "wb", buffering=0) as sink,
    ):
        assert source.stdout is not None
        data = source.stdout.read(_READ_SIZE)
        start = time.perf_counter()  # not before the first bytes: `cat` has to start
        while data:
            sink.write(data if masker is None else masker.feed(data))
            data = source.stdout.read(_READ_SIZE)
        if masker is not None:
            sink.write(masker.close())
        return time.perf_counter() - start


def measure_throughput(log: Path, rounds: int) -> None:
    """One line for each number of secrets."""
    cases: dict[str, Callable[[], float]] = {"plain": lambda: pump(log, None)}
    for count in COUNTS:
        registry = make_registry(count)
        cases[str(count)] = lambda registry=registry: pump(log, Masker(registry))  # type: ignore[misc]
    times = interleave(cases, rounds=rounds)
    size = log.stat().st_size / 1e6
    print(f"{size:.0f} MB a round, {rounds} interleaved rounds\n")
    rows = []
    for name, values in times.items():
        count = 0 if name == "plain" else int(name)
        start = time.perf_counter()
        make_registry(count)
        registering = 1000 * (time.perf_counter() - start)
        ratio = median_ratio(values, times["plain"])
        rows.append([name, f"{size / median(values):.0f}", f"{ratio:.1f}", f"{registering:.1f}"])
    print_table(["secrets", "MB/s", "time / plain pump", "registering, ms"], rows)
    growth = median_ratio(times[str(COUNTS[-1])], times[str(COUNTS[0])])
    print(f"\n{COUNTS[-1]} secrets take {growth:.2f} times as long as {COUNTS[0]}")


def own_peak() -> int:
    """KiB that this process needed at most.

    Linux hands ``ru_maxrss`` on from the parent through exec, so the kernel's own mark comes first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        mark = re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(encoding="ascii"), re.MULTILINE)
        if mark is not None:
            return int(mark[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_memory(log: Path, count: int) -> int:
    """KiB that a process of its own needs at most for masking the whole log."""
    said = run([sys.executable, __file__, "--peak-of", str(log), str(count)], os.environ)
    return int(said.stdout)


def measure_memory(folder: Path, size: int) -> None:
    """Peak memory for a tenth of the stream and for all of it, which should not differ."""
    short, long = folder / "short.log", folder / "long.log"
    write_log(short, size // 10)
    write_log(long, size)
    rows = [
        [str(count), *(f"{peak_memory(log, count) / 1024:.1f}" for log in (short, long))]
        for count in COUNTS
    ]
    print()
    headings = [f"peak at {size / 10e6:.0f} MB, MiB", f"at {size / 1e6:.0f} MB, MiB"]
    print_table(["secrets", *headings], rows)


def main() -> int:
    """The exit code: 1 when a process that was to be measured failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--round-size", type=int, default=8, help="MB a round")
    parser.add_argument("--stream-size", type=int, default=200, help="MB for the memory table")
    parser.add_argument("--peak-of", nargs=2, metavar=("LOG", "SECRETS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        pump(Path(options.peak_of[0]), Masker(make_registry(int(options.peak_of[1]))))
        print(own_peak())
        return 0
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_log(folder / "round.log", options.round_size * 1_000_000)
            measure_throughput(folder / "round.log", options.rounds)
            measure_memory(folder, options.stream_size * 1_000_000)
    except CommandFailedError as error:
        print(f"masking: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
