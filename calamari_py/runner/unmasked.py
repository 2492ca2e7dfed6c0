"""Which secrets of a run are shown as they are, and why: for its result and for ``explain``."""

from __future__ import annotations

from calamari_py.masking import MASK, SecretRegistry
from calamari_py.variables import VariableSet


def unmasked_secrets(variables: VariableSet, registry: SecretRegistry) -> dict[str, str]:
    """Name → why it is not masked: a clause, or ``mask: false`` with the reason that the manifest
    gives. Nothing of it is masked yet.

    A value that is masked under another name stays masked, and is not among them.
    """
    allowed = {
        name: f"mask: false ({variable.reason})"
        for name, variable in variables.items()
        if variable.sensitive
        and not variable.mask
        and registry.mask_text(variable.text.strip()) not in {"", MASK}
    }
    return {**registry.skipped, **allowed}
