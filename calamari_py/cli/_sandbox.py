"""Opening the embedded AWS from the command line."""

from __future__ import annotations

import os

from calamari_py.sandbox import DISTURBING_ENVIRONMENT, Sandbox


def open_sandbox(port: int = 0) -> Sandbox:
    """A running sandbox. What would disturb it is taken out of this process's environment first:
    the step's environment was read before, so it is not affected."""
    for name, value in DISTURBING_ENVIRONMENT.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    return Sandbox(port=port)
