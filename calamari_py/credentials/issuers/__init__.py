"""Who mints OIDC tokens: one file an issuer, one line here."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.credentials.issuers.base import DeferredIssuer, Issuer, Minted, TokenRequest

__all__ = ["ISSUERS", "Issuer", "Minted", "TokenRequest"]

ISSUERS: Mapping[str, Issuer] = {
    "github-actions": DeferredIssuer(module="github_actions"),
    "gitlab": DeferredIssuer(module="gitlab"),
    "buildkite": DeferredIssuer(module="buildkite"),
    "circleci": DeferredIssuer(module="circleci"),
    "bitbucket": DeferredIssuer(module="bitbucket"),
    "azure-devops": DeferredIssuer(module="azure_devops"),
}
"""By the name in ``account.token_from``."""
