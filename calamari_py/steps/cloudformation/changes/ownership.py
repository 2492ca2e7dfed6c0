"""Whose a change set is, and whether anybody may execute it: by what it says of itself."""

from __future__ import annotations

import re

from calamari_py.steps.cloudformation.values import ChangeSet

_OURS = re.compile(
    r"made by calamari: (?P<token>[A-Za-z0-9][A-Za-z0-9-]*)"
    r"(?P<approval>, for approval: .+)?",
    re.ASCII,
)


def description(token: str, *, for_approval: bool = False) -> str:
    """What a change set of ours says: the request `token` of whoever made it, and how it is carried
    out, where it is left for approval. The command is not the whole one: who may look at the stack
    need not see the variables of a run."""
    said = f"made by calamari: {token}"
    return f"{said}, for approval: calamari run MANIFEST --action execute" if for_approval else said


def token_of(said: str) -> str | None:
    """The request token in the description of a change set of ours; None for anybody else's."""
    found = _OURS.fullmatch(said)
    return found["token"] if found is not None else None


def is_ours(change_set: ChangeSet) -> bool:
    """Whether calamari made it, whatever its name."""
    return token_of(change_set.description) is not None


def waits_for_approval(change_set: ChangeSet) -> bool:
    """Whether calamari made it to be executed by another run: not for itself, not to look only."""
    found = _OURS.fullmatch(change_set.description)
    return found is not None and found["approval"] is not None


def is_of_step(change_set: ChangeSet, token_prefix: str) -> bool:
    """Whether the step whose tokens begin with `token_prefix` made it."""
    token = token_of(change_set.description) or ""
    return token.rpartition("-")[0] == token_prefix
