"""How the child gets its credentials: the manifest's ``credentials.delivery``."""

from __future__ import annotations

from calamari_py.delivery.base import Deferred, Delivery, DeliveryContext

__all__ = ["DELIVERIES", "Delivery", "DeliveryContext"]

DELIVERIES: dict[str, Delivery] = {
    "env": Deferred(module="env", renews=False),
    "endpoint": Deferred(module="endpoint", renews=True),
    "profile": Deferred(module="profile", renews=True),
}
"""``with DELIVERIES[name].open(context) as names:`` around everything that uses the names."""
