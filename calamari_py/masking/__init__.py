"""Masking: which values are secret, how they look in output, and the streams without them."""

from __future__ import annotations

from calamari_py.masking.masker import Masker
from calamari_py.masking.registry import SecretRegistry, ShortSecrets
from calamari_py.masking.secret import MASK, Masked, MaskedBytes, Secret

__all__ = [
    "MASK",
    "Masked",
    "MaskedBytes",
    "Masker",
    "Secret",
    "SecretRegistry",
    "ShortSecrets",
]
