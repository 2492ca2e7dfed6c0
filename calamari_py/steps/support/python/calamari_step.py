"""For Python steps: variables, outputs and messages. Uses the standard library alone.

``import calamari_step`` works in every step that calamari starts. Other languages can start
``python -m calamari_step mask -``, which masks what comes on stdin; with ``--pass`` it hands it on.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import sys
from typing import NoReturn

_SEQUENCE = itertools.count(1)


def get_variable(name: str) -> str:
    """The value of a variable; KeyError when there is none of that name."""
    with open(os.environ["CALAMARI_VARIABLES_JSON"], encoding="utf-8") as file:
        variables: dict[str, str] = json.load(file)
    return variables[name]


def set_output(name: str, value: str, *, sensitive: bool = False) -> None:
    """Publish a value of this step."""
    if not name.strip() or any(part in name for part in ("=", "<<", "\n", "\r")):
        raise ValueError(f"{name!r} cannot be the name of an output")
    if sensitive:
        _declare("sensitive", f"{name}\n{value}")
    delimiter = secrets.token_hex(12)
    with open(os.environ["CALAMARI_OUTPUT"], "ab") as file:
        file.write(_bytes(f"{name}<<{delimiter}\n{value}\n{delimiter}\n"))


def mask(value: str | bytes) -> None:
    """From now on the value appears as ``***`` in everything this step prints."""
    _declare("mask", value)


def create_artifact(path: str | os.PathLike[str], name: str | None = None) -> None:
    """The file is collected when the step has ended."""
    whole = os.path.abspath(path)
    if not os.path.isfile(whole):
        raise FileNotFoundError(whole)
    _declare("artifact", f"{os.path.basename(name or whole)}\n{whole}")


def fail_step(message: str = "the step failed") -> NoReturn:
    """End the step as failed."""
    _declare("message", f"fail\n{message}")
    sys.exit(1)


def write_warning(message: str) -> None:
    """Say something that may be wrong."""
    _declare("message", f"warning\n{message}")


def write_verbose(message: str) -> None:
    """Say something for those who asked for it."""
    _declare("message", f"verbose\n{message}")


def write_highlight(message: str) -> None:
    """Say something that should be seen."""
    _declare("message", f"highlight\n{message}")


def update_progress(percent: float, message: str = "") -> None:
    """Say how far the step is."""
    _declare("progress", f"{percent}\n{message}")


def _declare(kind: str, content: str | bytes) -> None:
    # What was printed before comes out before: the runner takes declarations in as it reads.
    sys.stdout.flush()
    sys.stderr.flush()
    folder = os.environ["CALAMARI_DECLARATIONS"]
    token = secrets.token_hex(8)
    hidden = os.path.join(folder, f".{token}")
    descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.fchmod(descriptor, 0o600)  # whatever the script's umask is
    with open(descriptor, "wb") as file:
        file.write(content if isinstance(content, bytes) else _bytes(content))
    os.rename(hidden, os.path.join(folder, f"{kind}-{next(_SEQUENCE)}-{os.getpid()}-{token}"))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _main(arguments: list[str]) -> int:
    if arguments not in (["mask", "-"], ["mask", "-", "--pass"]):
        sys.stderr.write("usage: calamari_step mask - [--pass]\n")
        return 2
    value = sys.stdin.buffer.read()
    mask(value)
    if "--pass" in arguments:
        sys.stdout.buffer.write(value)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
