"""Which secrets of a run are shown as they are, and why: for its log, result and ``explain``."""

from __future__ import annotations

from collections.abc import Iterator

from calamari_py.masking import MASK, SecretRegistry
from calamari_py.variables import VariableSet


def unmasked_secrets(variables: VariableSet, registry: SecretRegistry) -> dict[str, str]:
    """Name → why it is not masked: a clause, or ``mask: false`` with the reason that the manifest
    gives. Nothing of it is masked yet.

    A value that is masked under another name stays masked, and is not among them.
    """
    allowed = {name: f"mask: false ({why})" for name, why in _allowed(variables, registry)}
    return {**registry.skipped, **allowed}


def unmasked_warnings(variables: VariableSet, registry: SecretRegistry) -> Iterator[str]:
    """One sentence for each variable that the manifest leaves unmasked; the registry warns of the
    others. To be asked when every secret is registered: until then another name may hide one."""
    for name, why in _allowed(variables, registry):
        yield f"variable '{name}' is sensitive and not masked: {why}"


def _allowed(variables: VariableSet, registry: SecretRegistry) -> Iterator[tuple[str, str | None]]:
    for name, variable in variables.items():
        if (
            variable.sensitive
            and not variable.mask
            and registry.mask_text(variable.text.strip()) not in {"", MASK}
        ):
            yield name, variable.reason
