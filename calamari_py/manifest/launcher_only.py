"""What only the launcher is for: variables that ``account`` and ``assume_role`` use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from calamari_py.manifest.definitions import Definition
from calamari_py.manifest.types import Account, TokenFrom
from calamari_py.manifest.values import Values

_ACCOUNT = ("account",)
_IDENTITY = ("account", "assume_role")


class LauncherOnly:
    """Decides, after everything was rendered, what the child may not have.

    `account` is the parsed section; anything else counts as the default one.
    """

    def __init__(self, values: Values, definitions: Mapping[str, Definition], account: Any) -> None:
        self._values = values
        self._definitions = definitions
        self._account = account if isinstance(account, Account) else Account()
        self._of_account = self._reads_under(_ACCOUNT)
        self._of_identity = self._reads_under(_IDENTITY)
        exposed = self._account.expose_to_step
        self.secrets = frozenset() if exposed else self._sensitive(self._of_account)
        """The sensitive variables that ``account`` uses, if the child may not have them."""

    def leaks(self) -> Iterator[tuple[str, list[str]]]:
        """Texts outside the two sections that use such a secret: path and names."""
        for path, rendered in self._values.rendered.items():
            used = sorted(self.secrets & rendered.reads)
            if used and not _is_under(path, _IDENTITY):
                yield path, used

    def withheld(self) -> frozenset[str]:
        """The variables that the child does not get: all that the two sections use, and all that
        are made from the sensitive ones among them."""
        if self._account.expose_to_step:
            return frozenset()
        secret = self._sensitive(self._of_identity)
        made = (name for name in self._definitions if self._values.reads_of(name) & secret)
        return self._of_identity | frozenset(made)

    def environment_names(self) -> frozenset[str]:
        """The environment variables that ``account`` and sensitive variables were read from."""
        names = {
            read
            for name, read in self._values.environment_reads.items()
            if name in self._of_account or self._definitions[name].sensitive
        }
        if isinstance(self._account.token_from, TokenFrom):
            names.add(self._account.token_from.from_env)
        return frozenset(names)

    def warnings(self) -> Iterator[str]:
        """What the log has to say of ``expose_to_step``."""
        if self._account.expose_to_step and self._of_identity:
            names = ", ".join(f"'{name}'" for name in sorted(self._of_identity))
            yield f"account.expose_to_step: the step gets the launcher's own {names}"

    def _sensitive(self, names: frozenset[str]) -> frozenset[str]:
        return frozenset(name for name in names if self._definitions[name].sensitive)

    def _reads_under(self, keys: tuple[str, ...]) -> frozenset[str]:
        found: set[str] = set()
        for path, rendered in self._values.rendered.items():
            if _is_under(path, keys):
                found |= rendered.reads
        return frozenset(found)


def handed_over(names: list[str]) -> tuple[str, str]:
    """Message and hint of a text that uses secrets of the launcher."""
    shown = ", ".join(f"'{name}'" for name in names)
    return (
        f"would hand the launcher's secret {shown} to the step",
        "remove it, or set account.expose_to_step: true if the step really needs it",
    )


def _is_under(path: str, keys: tuple[str, ...]) -> bool:
    return any(path == key or path.startswith((f"{key}.", f"{key}[")) for key in keys)
