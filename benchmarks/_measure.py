"""What the benchmarks share: interleaved rounds, clean environments, a sandbox beside, a table.

A machine is never quiet, so no number here stands alone: everything that is compared is measured in
turn within one run, and compared round by round. The median of those ratios survives a busy
neighbour; a ratio of two separate runs does not.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

_TIMEOUT = 120.0
_VERSION_MANAGERS = ("pyenv", "asdf", "mise", "rtx")
_SERVE = """
import json, sys
from calamari_py.sandbox import Sandbox
with Sandbox() as sandbox:
    print(json.dumps(dict(sandbox.environment)), flush=True)
    sys.stdin.read()
"""

DEPLOYMENT_ROLE = "arn:aws:iam::111111111111:role/DevDeployRole"
MANIFEST = f"""\
name: benchmark
account: {{type: ambient, source: environment}}
assume_role: {DEPLOYMENT_ROLE}
script: ":"
"""


class CommandFailedError(Exception):
    """A measured command did not succeed, so its time means nothing."""


def run(argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """The finished process, or CommandFailedError with what it said."""
    finished = subprocess.run(
        argv,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    if finished.returncode != 0:
        raise CommandFailedError(
            f"'{' '.join(argv)}' ended with {finished.returncode}:\n{finished.stderr.strip()}"
        )
    return finished


def timed(argv: Sequence[str], environment: Mapping[str, str]) -> Callable[[], float]:
    """A case for `interleave`: the wall time of the command, in seconds."""

    def once() -> float:
        start = time.perf_counter()
        run(argv, environment)
        return time.perf_counter() - start

    return once


def interleave(
    cases: Mapping[str, Callable[[], float]], *, rounds: int, warm_up: int = 1
) -> Mapping[str, Sequence[float]]:
    """Each case once a round, beginning with another one each time; the warm-up is not kept."""
    measured: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for number in range(-warm_up, rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            value = cases[name]()
            if number >= 0:
                measured[name].append(value)
    return measured


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """The median of the ratios of each round."""
    return median(a / b for a, b in zip(numerators, denominators, strict=True))


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The first column is aligned to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())


def print_times(times: Mapping[str, Sequence[float]], *, rounds: int, version: str) -> None:
    """The times of each, and the first one's beside those of all others. `version` is what an
    ``aws --version`` said."""
    print(f"{rounds} interleaved rounds; {version.split(maxsplit=1)[0]}\n")
    print_table(
        ["wall time, ms", "median", "min", "max"],
        [
            [name, *(f"{1000 * pick(values):.1f}" for pick in (median, min, max))]
            for name, values in times.items()
        ],
    )
    print()
    first, *others = times
    print_table(
        ["median of the rounds' ratios", ""],
        [
            [f"{first} / {other}", f"{median_ratio(times[first], times[other]):.2f}"]
            for other in others
        ],
    )
    if code := start_up_code():
        print(f"\nthis interpreter runs code at each start: {', '.join(code)}")


def find_program(name: str) -> str:
    """The absolute path of the real program, behind a version manager's shim if there is one.

    A shim is a shell script that finds the program anew at each start, which costs the competitor
    as much as some programs take: measuring through it would flatter us.
    """
    found = shutil.which(name)
    if found is None:
        raise CommandFailedError(f"'{name}' is not on PATH")
    if Path(found).parent.name != "shims":
        return str(Path(found).resolve())
    for manager in _VERSION_MANAGERS:
        path = shutil.which(manager)
        if path is None:
            continue
        asked = subprocess.run(
            [path, "which", name], capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
        if asked.returncode == 0 and asked.stdout.strip():
            return str(Path(asked.stdout.strip()).resolve())
    raise CommandFailedError(f"'{found}' is a shim, and no version manager says what is behind it")


def find_calamari() -> Sequence[str]:
    """The installed command beside this interpreter, or the package run as a module."""
    script = Path(sys.executable).parent / "calamari"
    return [str(script)] if script.exists() else [sys.executable, "-m", "calamari_py"]


def start_up_code() -> Sequence[str]:
    """Names of ``.pth`` files that run code at each start of this interpreter."""
    folders = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    return sorted(
        path.name
        for folder in folders
        for path in folder.glob("*.pth")
        if re.search(r"^import\s", path.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    )


def clean_environment(home: Path) -> Mapping[str, str]:
    """Nothing of the caller's: an empty home, the system's programs, no AWS settings."""
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}


@contextmanager
def sandbox_beside() -> Iterator[Mapping[str, str]]:
    """The environment of an embedded AWS in a process of its own, gone at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", _SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise CommandFailedError("the sandbox did not start; it needs the extra 'sandbox'")
        try:
            environment: Mapping[str, str] = json.loads(line)
            yield environment
        finally:
            server.stdin.close()
