"""GitLab CI: the job's own ``id_tokens``, and the token that older versions set by themselves."""

from __future__ import annotations

from calamari_py.credentials.issuers.base import AUDIENCE, VariableIssuer

ISSUER = VariableIssuer(
    description="GitLab CI OIDC",
    names=("GITLAB_OIDC_TOKEN", "CI_JOB_JWT_V2"),
    hint=f"write `id_tokens: {{GITLAB_OIDC_TOKEN: {{aud: {AUDIENCE}}}}}` in the job; under another "
    "name there, write `token_from: {from_env: NAME}` here",
)
