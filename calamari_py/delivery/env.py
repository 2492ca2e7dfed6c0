"""``delivery: env``: the keys themselves, once, in the variables that every AWS SDK reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from calamari_py.delivery.base import DeliveryContext
from calamari_py.environment import credential_environment


@contextmanager
def deliver(context: DeliveryContext) -> Iterator[Mapping[str, str]]:
    """The three variables (two for long-lived keys). Nothing is renewed."""
    yield credential_environment(context.current())
