"""How long ``calamari eks-token`` takes, beside ``aws eks get-token``.

Both sign with the same keys from the environment and ask nobody. kubectl starts one of them for
each of its commands. A third line is the plain interpreter, the floor under both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from _measure import (
    CommandFailedError,
    clean_environment,
    find_program,
    interleave,
    print_times,
    run,
    timed,
)

OURS, THEIRS, PYTHON = "calamari eks-token", "aws eks get-token", "python -c pass"
_WORDS = ["--cluster-name", "benchmark", "--region", "eu-west-1"]
_KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
}


def measure(rounds: int) -> None:
    """Run all rounds and print the two tables."""
    aws = find_program("aws")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**clean_environment(Path(folder)), **_KEYS}
        version = run([aws, "--version"], environment)
        # As a kubeconfig of ours has it.
        ours = [sys.executable, "-E", "-P", "-m", "calamari_py", "eks-token", *_WORDS]
        times = interleave(
            {
                OURS: timed(ours, environment),
                THEIRS: timed([aws, "eks", "get-token", *_WORDS], environment),
                PYTHON: timed([sys.executable, "-c", "pass"], environment),
            },
            rounds=rounds,
            warm_up=2,
        )
    print_times(times, rounds=rounds, version=version.stdout or version.stderr)


def main() -> int:
    """The exit code: 1 when one of the commands failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    try:
        measure(parser.parse_args().rounds)
    except CommandFailedError as error:
        print(f"eks_token: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
