"""How the child gets its credentials: the manifest's ``credentials.delivery``."""

from __future__ import annotations

from calamari_py.delivery._request import TOKEN_NAME, URI_NAME
from calamari_py.delivery.base import Deferred, Delivery, DeliveryContext

__all__ = ["DELIVERIES", "Delivery", "DeliveryContext"]

DELIVERIES: dict[str, Delivery] = {
    "env": Deferred(
        module="env",
        renews=False,
        names=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ),
    "endpoint": Deferred(
        module="endpoint",
        renews=True,
        names=("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    ),
    "profile": Deferred(
        module="profile",
        renews=True,
        names=("AWS_CONFIG_FILE", "AWS_PROFILE", "AWS_SDK_LOAD_CONFIG", URI_NAME, TOKEN_NAME),
    ),
}
"""``with DELIVERIES[name].open(context) as names:`` around everything that uses the names."""
