"""Client request tokens: what tells one operation from another."""

from __future__ import annotations

import secrets
from dataclasses import replace

from calamari_py.steps.cloudformation.work import Work


def new_token(prefix: str) -> str:
    """A client request token that nobody has used."""
    return f"{prefix}-{secrets.token_hex(6)}"


def anew(work: Work) -> Work:
    """The same with another token: to AWS a second operation with the first one's would be the
    first one."""
    return replace(work, token=new_token(work.spec.token_prefix))
