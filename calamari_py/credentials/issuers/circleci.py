"""CircleCI: a token for every job with a context; its audience is the organization's id."""

from __future__ import annotations

from calamari_py.credentials.issuers.base import VariableIssuer

ISSUER = VariableIssuer(
    description="CircleCI OIDC",
    names=("CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN"),
    hint="CircleCI sets it in every job that uses at least one context",
)
