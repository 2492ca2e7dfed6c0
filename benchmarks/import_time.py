"""What the common commands import, and what each import costs: the ten heaviest, and the totals.

Each command really runs, under ``python -X importtime``, so that lazy imports count where they
happen. What the bare interpreter imports is taken off. The profiler itself makes imports about a
third slower: the order is right, the sum is not a wall time.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from _measure import (
    MANIFEST,
    CommandFailedError,
    clean_environment,
    print_table,
    run,
    sandbox_beside,
)

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s+(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One module; both times in microseconds, `whole` with what it imported in turn."""

    own: int
    whole: int


def imports_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Mapping[str, Import]:
    """What ``python ARGUMENTS`` imports."""
    said = run([sys.executable, "-X", "importtime", *arguments], environment).stderr
    return {
        match[3]: Import(own=int(match[1]), whole=int(match[2])) for match in _LINE.finditer(said)
    }


def show(title: str, found: Mapping[str, Import], count: int) -> None:
    """The `count` modules with the greatest time of their own, and the totals."""
    total = sum(module.own for module in found.values())
    print(f"\n{title}: {len(found)} modules, {total / 1000:.1f} ms")
    heaviest = sorted(found.items(), key=lambda item: item[1].own, reverse=True)[:count]
    print_table(
        ["module", "own ms", "with its imports"],
        [[name, f"{it.own / 1000:.1f}", f"{it.whole / 1000:.1f}"] for name, it in heaviest],
    )


def main() -> int:
    """The exit code: 1 when one of the commands failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--count", type=int, default=10, help="how many modules to print")
    options = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder, sandbox_beside() as sandbox:
            home = Path(folder)
            manifest = home / "step.yaml"
            manifest.write_text(MANIFEST, encoding="utf-8")
            environment = {**clean_environment(home), **sandbox}
            bare = imports_of(["-c", "pass"], environment)
            for arguments in (["--help"], ["validate", str(manifest)], ["run", str(manifest)]):
                command = ["-m", "calamari_py", *arguments]
                run([sys.executable, *command], environment)  # writes the bytecode
                found = imports_of(command, environment)
                rest = {name: module for name, module in found.items() if name not in bare}
                show(f"calamari {arguments[0]}", rest, options.count)
    except CommandFailedError as error:
        print(f"import_time: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
