"""GitHub Actions: the runner's token service, for jobs with the permission ``id-token: write``."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

from calamari_py.credentials._keys import setting
from calamari_py.credentials._tokens import checked_token
from calamari_py.credentials.base import Presence
from calamari_py.credentials.issuers._service import TokenService, extended
from calamari_py.credentials.issuers.base import Minted, TokenRequest, look_for
from calamari_py.errors import SourceBroken

_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_BEARER = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
_HINT = "give the job `permissions: {id-token: write, contents: read}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class GithubActions:
    """A token for the audience that the manifest asks for, by the job's own bearer."""

    service: TokenService = field(
        default_factory=lambda: TokenService(title="GitHub's token service", variable=_URL)
    )

    def mint(self, request: TokenRequest) -> Minted:
        """GitHub's answer."""
        for name in (_URL, _BEARER):
            if not setting(request.environ, name):
                raise SourceBroken(f"'{name}' is not set", hint=_HINT)
        bearer = checked_token(
            request.environ[_BEARER], request.registry, where=f"the variable '{_BEARER}'"
        )
        fields = self.service.ask(
            "GET",
            extended(setting(request.environ, _URL), urlencode({"audience": request.audience})),
            headers={
                "Authorization": f"Bearer {bearer.reveal()}",
                "Accept": "application/json; api-version=2.0",
            },
            request=request,
            refused=_HINT,
        )
        return Minted(
            token=checked_token(
                str(fields.get("value") or ""), request.registry, where="GitHub's answer"
            ),
            where="the token of GitHub Actions",
            description="GitHub Actions OIDC",
            environment_names=frozenset({_URL, _BEARER}),
        )

    def look(self, request: TokenRequest) -> Presence:
        """Whether the job may ask."""
        return look_for((_URL, _BEARER), request)


ISSUER = GithubActions()
