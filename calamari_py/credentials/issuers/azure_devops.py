"""Azure Pipelines: the job's token endpoint, with or without a service connection as subject.

The audience is always ``api://AzureADTokenExchange``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from calamari_py.credentials._keys import setting
from calamari_py.credentials._tokens import checked_token
from calamari_py.credentials.base import Presence
from calamari_py.credentials.issuers._service import TokenService, extended
from calamari_py.credentials.issuers.base import Minted, TokenRequest, look_for
from calamari_py.errors import SourceBroken

_URL = "SYSTEM_OIDCREQUESTURI"
_BEARER = "SYSTEM_ACCESSTOKEN"
_HINTS = {
    _URL: "Azure Pipelines sets it in every job: is this one?",
    _BEARER: "Azure Pipelines hands it to a step that asks: "
    "`env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)}`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureDevops:
    """A token of the job, or of the service connection that the manifest names by its id."""

    service: TokenService = field(
        default_factory=lambda: TokenService(title="Azure's token service", variable=_URL)
    )

    def mint(self, request: TokenRequest) -> Minted:
        """Azure's answer."""
        for name, hint in _HINTS.items():
            if not setting(request.environ, name):
                raise SourceBroken(f"'{name}' is not set", hint=hint)
        bearer = checked_token(
            request.environ[_BEARER], request.registry, where=f"the variable '{_BEARER}'"
        )
        query = {"api-version": "7.1"}
        if request.service_connection:
            query["serviceConnectionId"] = request.service_connection
        fields = self.service.ask(
            "POST",
            extended(setting(request.environ, _URL), urlencode(query)),
            headers={
                "Authorization": f"Bearer {bearer.reveal()}",
                "Content-Type": "application/json",
                # Without it a refusal is a redirect to a page where people log in.
                "X-TFS-FedAuthRedirect": "Suppress",
            },
            request=request,
            refused="check service_connection: the id of one that this pipeline may use",
        )
        return Minted(
            token=checked_token(
                str(fields.get("oidcToken") or ""), request.registry, where="Azure's answer"
            ),
            where="the token of Azure Pipelines",
            description="Azure Pipelines OIDC",
            environment_names=frozenset(_HINTS),
        )

    def look(self, request: TokenRequest) -> Presence:
        """Whether the job may ask."""
        return look_for((_URL, _BEARER), request)


ISSUER = AzureDevops()
