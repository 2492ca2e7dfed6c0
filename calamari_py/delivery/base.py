"""Delivery: what every way of giving the child its credentials promises, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from calamari_py.identity import AwsCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryContext:
    """What a delivery may use while the child runs.

    `current` gives the deployment credentials, renewed when they have to be; it never gives
    expired ones, blocks while they are renewed, may be called from any thread, and raises a
    CalamariError when there are none to give. `private` is a 0700 folder in memory, removed at the
    end. `register` makes a secret, given with its name, known to the masker. `tell` takes one plain
    sentence for the log from any thread. `region` and `account` are the step's, where known.
    """

    current: Callable[[], AwsCredentials]
    private: Path
    register: Callable[[str, str], None]
    tell: Callable[[str], None]
    region: str | None = None
    account: str | None = None


class Delivery(Protocol):
    """One value of ``credentials.delivery``: one file, one line in `DELIVERIES`, one test."""

    @property
    def renews(self) -> bool:
        """Whether a child that asks again gets renewed credentials."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it puts into the child's environment; long-lived keys have no token."""

    def open(self, context: DeliveryContext) -> AbstractContextManager[Mapping[str, str]]:
        """The `names` with their values, which are valid while the context is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The function ``deliver`` of ``calamari_py.delivery.MODULE``, imported when it is opened."""

    module: str
    renews: bool
    names: tuple[str, ...]

    def open(self, context: DeliveryContext) -> AbstractContextManager[Mapping[str, str]]:
        """What the module's function gives."""
        module = import_module(f"calamari_py.delivery.{self.module}")
        deliver = cast(
            "Callable[[DeliveryContext], AbstractContextManager[Mapping[str, str]]]",
            module.deliver,
        )
        return deliver(context)
