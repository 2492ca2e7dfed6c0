"""The operator's policy: which identities a manifest may name, decided before any call.

The manifest is a step author's, the policy belongs to whoever keeps the launcher: a launcher that
may assume many roles is a deputy, and the policy says for whom. docs/policy.md describes the file.
"""

from __future__ import annotations

from calamari_py.policy.loading import load_policy
from calamari_py.policy.operator import OperatorPolicy
from calamari_py.policy.rules import PolicyRules

__all__ = ["OperatorPolicy", "PolicyRules", "load_policy"]
