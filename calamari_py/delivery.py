"""How the child gets its credentials: the manifest's ``credentials.delivery``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calamari_py.environment import credential_environment
from calamari_py.identity import AwsCredentials

DELIVERIES: dict[str, Callable[[AwsCredentials], Mapping[str, str]]] = {
    "env": credential_environment,
}
"""Delivery name → the names it puts into the child's environment."""
