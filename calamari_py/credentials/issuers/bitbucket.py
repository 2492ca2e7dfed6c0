"""Bitbucket Pipelines: a token for every step that asks for one."""

from __future__ import annotations

from calamari_py.credentials.issuers.base import VariableIssuer

ISSUER = VariableIssuer(
    description="Bitbucket Pipelines OIDC",
    names=("BITBUCKET_STEP_OIDC_TOKEN",),
    hint="write `oidc: true` in the pipeline's step",
)
