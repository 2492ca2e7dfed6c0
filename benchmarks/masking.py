"""How fast output is masked, how late, and for how much memory, beside its targets.

Everything that is compared is measured in turn within one run: the masker beside a plain pump of
the same log through the same two pipes (64 KiB a read), and beside ``sed`` with one expression a
secret. All encoded forms are on, and terminal sequences inside secrets are seen through. A target
that is missed is said so; it is no failure.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median

from _corpus import degenerate_inputs, make_log, make_secrets
from _measure import CommandFailedError, interleave, median_ratio, print_table, run
from _pump import (
    in_process,
    make_registry,
    memory_of,
    pump,
    ready_time,
    sed,
    small_writes,
    write_sed_script,
)

from calamari_py.masking import SecretRegistry

COUNTS = (1, 10, 100, 1000, 10_000)
MANY = 10_000
PLANTED = (0, 1000, 100, 10, 1)

Registries = Mapping[int, SecretRegistry]


class Targets:
    """The table at the end."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, str, str, str]] = []

    def least(self, name: str, what: str, measured: float, target: float, unit: str = "") -> None:
        """Enter what should be at least `target`."""
        self._enter(name, what, measured, target, unit, met=measured >= target, sign="≥")

    def most(self, name: str, what: str, measured: float, target: float, unit: str = "") -> None:
        """Enter what should be at most `target`."""
        self._enter(name, what, measured, target, unit, met=measured <= target, sign="≤")

    def _enter(
        self,
        name: str,
        what: str,
        measured: float,
        target: float,
        unit: str,
        *,
        met: bool,
        sign: str,
    ) -> None:
        unit = unit and f" {unit}"
        row = (
            name,
            what,
            f"{sign} {target:g}{unit}",
            f"{measured:.3g}{unit}",
            "yes" if met else "NO",
        )
        self._rows.append(row)

    def show(self) -> None:
        """Print everything that was entered."""
        print("\n## Targets\n")
        print_table(["", "what", "target", "measured", "met"], sorted(self._rows, key=_by_number))


def _by_number(row: Sequence[str]) -> int:
    return int(row[0].removeprefix("T"))


def measure_throughput(
    folder: Path, options: argparse.Namespace, registries: Registries
) -> Targets:
    """T1, T2: masked beside passed on, for each number of secrets."""
    targets = Targets()
    size = options.round_size * 1_000_000
    for name, what, coloured in (("T1", "plain log", 0), ("T2", "8 % of the lines coloured", 8)):
        log = folder / f"{name}.log"
        log.write_bytes(make_log(size, coloured=coloured))
        cases: dict[str, Callable[[], float]] = {}
        for count, registry in registries.items():
            cases[f"plain {count}"] = partial(pump, log, None)
            cases[str(count)] = partial(pump, log, registry)
        times = interleave(cases, rounds=options.rounds)
        rows = []
        for count in registries:
            plain, masked = times[f"plain {count}"], times[str(count)]
            ratio = median_ratio(plain, masked)
            speeds = (f"{size / median(each) / 1e6:.0f}" for each in (plain, masked))
            rows.append([f"{count:,}", *speeds, f"{ratio:.2f}"])
            least = _throughput_target(name, count)
            targets.least(name, f"masked ÷ passed on, {what}, {count:,} secrets", ratio, least)
        print(f"\n## {name}: {what}, {options.rounds} interleaved pairs of {size / 1e6:.0f} MB\n")
        print_table(["secrets", "passed on, MB/s", "masked, MB/s", "ratio"], rows)
    return targets


def _throughput_target(name: str, count: int) -> float:
    if name == "T1":
        return 0.3 if count >= MANY else 0.7
    return 0.15 if count >= MANY else 0.35


def measure_sed(
    folder: Path, options: argparse.Namespace, registries: Registries, to: Targets
) -> None:
    """T5: beside what needs no installation."""
    log = folder / "sed.log"
    log.write_bytes(make_log(options.round_size * 250_000))
    rows = []
    for count, target in ((1, 1), (10, 5), (100, 30)):
        script = folder / f"{count}.sed"
        write_sed_script(script, make_secrets(count))
        cases = {"sed": partial(sed, log, script), "masked": partial(pump, log, registries[count])}
        times = interleave(cases, rounds=options.rounds)
        ratio = median_ratio(times["sed"], times["masked"])
        rows.append([str(count), f"{ratio:.1f}"])
        to.least("T5", f"as fast as 'sed' with {count} expressions, times", ratio, target)
    print("\n## T5: times as fast as 'sed -f' with one expression a secret\n")
    print_table(["secrets", "times"], rows)


def measure_ready(options: argparse.Namespace, to: Targets) -> None:
    """T6: from the first secret to the first byte that can be masked."""
    limits = {1: 15, 10: 15, 100: 60, 1000: 400, MANY: 5000}
    rows = []
    ready_time(1)
    for count, limit in limits.items():
        rounds = 1 if count == MANY else options.rounds
        needed = 1000 * median([ready_time(count) for _ in range(rounds)])
        rows.append([f"{count:,}", f"{needed:.1f}"])
        to.most("T6", f"ready with {count:,} secrets", needed, limit, "ms")
    print("\n## T6: ready, ms\n")
    print_table(["secrets", "ms"], rows)


def measure_latency(options: argparse.Namespace, registries: Registries, to: Targets) -> None:
    """T7: what a small write waits for."""
    writes = 2000 * options.rounds
    rows = []
    for count in (1, 100, MANY):
        plain, masked = small_writes(None, writes), small_writes(registries[count], writes)
        at = {"p50": len(plain) // 2, "p99": len(plain) * 99 // 100}
        added = {name: 1e6 * (masked[place] - plain[place]) for name, place in at.items()}
        rows.append([f"{count:,}", *(f"{value:.1f}" for value in added.values())])
        to.most("T7", f"added to a small write, p50, {count:,} secrets", added["p50"], 15, "µs")
        to.most("T7", f"added to a small write, p99, {count:,} secrets", added["p99"], 50, "µs")
    print("\n## T7: added to a small write, µs\n")
    print_table(["secrets", "p50", "p99"], rows)


def measure_memory(options: argparse.Namespace, to: Targets) -> None:
    """T8: each in a process of its own, whose peak the kernel keeps."""
    rows = []
    plain = 0.0
    for count, limit in ((0, 0), (100, 15), (1000, 45), (MANY, 300)):
        argv = [sys.executable, __file__, "--memory-of", str(count), str(options.stream_size)]
        said = run(argv, os.environ).stdout.split()
        early_peak, early, peak, late = (int(mark) / 1024 for mark in said)
        rows.append(
            [f"{count:,}", f"{early_peak:.1f}", f"{peak:.1f}", f"{early:.1f}", f"{late:.1f}"]
        )
        if not count:
            plain = peak
            continue
        to.most("T8", f"above the plain pump, {count:,} secrets", peak - plain, limit, "MiB")
        what = f"growth over {options.stream_size} MB, {count:,} secrets"
        to.most("T8", what, max(late - early, peak - early_peak), 10, "MiB")
    print("\n## T8: memory, MiB\n")
    end = f"{options.stream_size} MB"
    print_table(["secrets", "peak at 8 MB", f"at {end}", "then at 8 MB", f"at {end}"], rows)


def measure_planted(options: argparse.Namespace, registries: Registries, to: Targets) -> None:
    """T9: the more secrets a log holds, the more there is to do."""
    logs = {every: make_log(4_000_000, planted=every, secrets=100) for every in PLANTED}
    times = interleave(
        {str(every): partial(in_process, registries[100], log) for every, log in logs.items()},
        rounds=options.rounds,
    )
    print("\n## T9: a secret in every … line (100 secrets, no pipes)\n")
    print_table(
        ["one in", "MB/s"],
        [
            [str(every) if every else "none", f"{4 / median(times[str(every)]):.0f}"]
            for every in logs
        ],
    )
    to.least("T9", "one secret a line", 4 / median(times["1"]), 100, "MB/s")
    ratio = median_ratio(times["0"], times["100"])
    to.least("T9", "one in 100 lines ÷ none", ratio, 0.7)


def measure_degenerate(options: argparse.Namespace, to: Targets) -> None:
    """T10: no input makes it stand still."""
    rows = []
    for case in degenerate_inputs():
        registry = make_registry(case.secrets)
        once = partial(in_process, registry, case.data, case.chunk)
        needed = min(once() for _ in range(min(2, options.rounds)))
        speed = len(case.data) / needed / 1e6
        rows.append([case.name, f"{speed:.2f}"])
        to.least("T10", case.name, speed, 0.25, "MB/s")
        if case.name.startswith("200 KB"):
            to.most("T10", case.name, needed, 1, "s")
    print("\n## T10: degenerate inputs\n")
    print_table(["input", "MB/s"], rows)


def measure_fallback(options: argparse.Namespace, to: Targets) -> None:
    """T11: where there is no native library."""
    log = make_log(4_000_000)
    rows = []
    for count, target in ((1, 150), (10, 30), (100, 0), (1000, 0), (MANY, 0)):
        registry = make_registry(make_secrets(count), fallback=True)
        needed = median([in_process(registry, log) for _ in range(options.rounds)])
        rows.append([f"{count:,}", f"{4 / needed:.0f}"])
        if target:
            to.least("T11", f"without hyperscan, {count:,} secrets", 4 / needed, target, "MB/s")
    print("\n## T11: without hyperscan, no pipes\n")
    print_table(["secrets", "MB/s"], rows)


def measure(options: argparse.Namespace) -> None:
    """Everything, one after the other."""
    registries = {count: make_registry(make_secrets(count)) for count in COUNTS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        targets = measure_throughput(folder, options, registries)
        measure_sed(folder, options, registries, targets)
    measure_ready(options, targets)
    measure_latency(options, registries, targets)
    measure_planted(options, registries, targets)
    measure_fallback(options, targets)
    measure_degenerate(options, targets)
    measure_memory(options, targets)
    targets.show()


def main() -> int:
    """The exit code: 1 when a process that was to be measured failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--round-size", type=int, default=64, help="MB a round")
    parser.add_argument("--stream-size", type=int, default=200, help="MB for the memory table")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter streams")
    parser.add_argument("--memory-of", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.round_size, options.stream_size = 3, 16, 50
    if options.memory_of:
        count, size = options.memory_of
        print(*memory_of(count, size * 1_000_000))
        return 0
    try:
        measure(options)
    except (CommandFailedError, OSError) as error:
        print(f"masking: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
