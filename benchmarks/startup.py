"""How long ``calamari run`` takes for a step that does nothing, beside the shell idiom.

Both get the same keys in the environment, assume the same role at the same STS (moto, on loopback,
in a process of its own) and start ``bash`` for a no-op. A third line is the plain interpreter, the
floor under every Python program. Real STS answers in 20 to 100 ms more, the same for both.

Run it with the interpreter of an ordinary installation. One that imports things at each start
through a ``.pth`` file, as an editable installation does, makes both Python lines slower and the
ratio between them too good: that is said below the tables.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _measure import (
    DEPLOYMENT_ROLE,
    MANIFEST,
    CommandFailedError,
    clean_environment,
    find_calamari,
    find_program,
    interleave,
    print_times,
    run,
    sandbox_beside,
    timed,
)

CALAMARI, IDIOM, PYTHON = "calamari run", "shell idiom", "python -c pass"

_IDIOM = """\
answer=$("$1" sts assume-role --role-arn "$2" --role-session-name benchmark \
    --query 'Credentials.[AccessKeyId,SecretAccessKey,SessionToken]' --output text)
read -r AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN <<< "$answer"
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
"$BASH" -c :
"""


def measure(command: Sequence[str], rounds: int) -> None:
    """Run all rounds and print the two tables."""
    aws, bash = find_program("aws"), find_program("bash")
    with tempfile.TemporaryDirectory() as folder, sandbox_beside() as sandbox:
        home = Path(folder)
        manifest = home / "step.yaml"
        manifest.write_text(MANIFEST, encoding="utf-8")
        environment = {**clean_environment(home), **sandbox}
        idiom = [bash, "-euo", "pipefail", "-c", _IDIOM, "idiom", aws, DEPLOYMENT_ROLE]
        version = run([aws, "--version"], environment)
        times = interleave(
            {
                CALAMARI: timed([*command, "run", str(manifest)], environment),
                IDIOM: timed(idiom, environment),
                PYTHON: timed([sys.executable, "-c", "pass"], environment),
            },
            rounds=rounds,
            warm_up=2,
        )
    print_times(times, rounds=rounds, version=version.stdout or version.stderr)


def main() -> int:
    """The exit code: 1 when a command that was to be measured failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--command", help="what stands in for 'calamari'; gets: run MANIFEST")
    options = parser.parse_args()
    command = shlex.split(options.command) if options.command else find_calamari()
    try:
        measure(command, options.rounds)
    except CommandFailedError as error:
        print(f"startup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
