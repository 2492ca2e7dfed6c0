"""The embedded AWS for ``--sandbox`` and ``calamari sandbox``: moto's server in this process.

It answers on 127.0.0.1 only and knows the accounts and roles of `calamari_py.sandbox.seed`. What
it answers is moto's, but ``sts:AssumeRole`` refuses as AWS does (`calamari_py.sandbox.refusal`).
moto is an extra, and a slow import: nothing here imports it before a `Sandbox` is made.
"""

from __future__ import annotations

from calamari_py.sandbox.embedded import (
    DISTURBING_ENVIRONMENT,
    INSTALL_COMMAND,
    SANDBOX_REGION,
    Sandbox,
)

__all__ = ["DISTURBING_ENVIRONMENT", "INSTALL_COMMAND", "SANDBOX_REGION", "Sandbox"]
