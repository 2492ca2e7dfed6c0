"""``python -m calamari_py`` and the ``calamari`` command."""

from __future__ import annotations

import os
import sys
from typing import NoReturn


def print_step_credentials() -> NoReturn:
    """Print what the credential server of the step around us gives, and exit.

    The one command that calamari itself writes into a config file. SDKs start it for every
    process: it imports nothing that it does not need.
    """
    from calamari_py.delivery.fetch import fetch_process_document
    from calamari_py.errors import IdentityError

    if sys.stdout is None:
        sys.stderr.write("calamari: stdout is closed, and the answer goes there\n")
        sys.exit(1)
    try:
        document = fetch_process_document(os.environ)
    except IdentityError as error:
        sys.stderr.write(f"calamari: {error.message}; {error.hint}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(f"{document}\n")
    sys.exit(0)


def main() -> NoReturn:
    """What the command ``calamari`` and ``python -m calamari_py`` do."""
    try:
        if sys.argv[1:] == ["credentials", "--from-step"]:
            print_step_credentials()
        from calamari_py import cli

        cli.main()
    except KeyboardInterrupt:  # before anybody listens: imports take most of the start
        sys.exit(130)


if __name__ == "__main__":
    main()
