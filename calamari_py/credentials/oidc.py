"""A role for a token that a CI system or an orchestrator minted (OpenID Connect)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from calamari_py.credentials._http import Client, NoAnswerError, Request, Target, parse_target
from calamari_py.credentials._keys import setting
from calamari_py.credentials._metadata import excerpt
from calamari_py.credentials._tokens import (
    Exchange,
    checked_token,
    exchange_token,
    read_token_file,
)
from calamari_py.credentials.base import Absent, Found, SourceContext
from calamari_py.errors import SourceBroken
from calamari_py.identity import DEFAULT_DURATION
from calamari_py.masking import Secret

BUDGET = 7.0
"""Seconds for asking GitHub for a token."""
AUDIENCE = "sts.amazonaws.com"
_GITHUB_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
_GITHUB_BEARER = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"

TOKEN_VARIABLES: Mapping[str, tuple[str, tuple[str, ...], str]] = {
    "circleci": (
        "CircleCI",
        ("CIRCLE_OIDC_TOKEN_V2", "CIRCLE_OIDC_TOKEN"),
        "CircleCI sets it in every job that uses at least one context",
    ),
    "bitbucket": (
        "Bitbucket Pipelines",
        ("BITBUCKET_STEP_OIDC_TOKEN",),
        "write `oidc: true` in the pipeline's step",
    ),
}
"""CI systems that hand the token over in a variable: title, variables by rank, what sets them."""

TOKEN_ADVICE: Mapping[str, str] = {
    "gitlab": "GitLab lets the job name the variable: write "
    f"`id_tokens: {{AWS_TOKEN: {{aud: {AUDIENCE}}}}}` in the job and "
    "`token_from: {from_env: AWS_TOKEN}` here",
    "buildkite": "Buildkite's agent mints it: run "
    f'`export AWS_TOKEN="$(buildkite-agent oidc request-token --audience {AUDIENCE})"` first '
    "and write `token_from: {from_env: AWS_TOKEN}` here",
    "octopus": "Octopus puts it into a variable of the account: write "
    "`token: '{{ variables[\"ACCOUNT.OpenIdConnect.Jwt\"] }}'` here",
}
"""CI systems whose token has no name of its own, and what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Minted:
    """A token, where it came from, and the variables that were read for it."""

    token: Secret
    where: str
    description: str = "OIDC"
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSource:
    """``account.role_arn`` by ``token``, ``token_file`` or ``token_from``."""

    name: str = "oidc"
    client: Client = field(default_factory=Client)
    timeout: float = 2.0

    def resolve(self, context: SourceContext) -> Found | Absent:
        """The role's session. The token is taken anew each time."""
        account = context.account
        if not account.role_arn:
            raise SourceBroken(
                "'account.role_arn' is empty", hint="name the role that trusts the token's issuer"
            )
        minted = self._token(context)
        duration = account.session_duration
        return exchange_token(
            context,
            Exchange(
                token=minted.token,
                role_arn=str(account.role_arn),
                session_name=context.session_name,
                where=minted.where,
                source=self.name,
                description=minted.description,
                duration=DEFAULT_DURATION if duration is None else int(duration),
                environment_names=minted.names,
            ),
        )

    def _token(self, context: SourceContext) -> _Minted:
        account, registry = context.account, context.registry
        given = [name for name in ("token", "token_file", "token_from")
                 if getattr(account, name) is not None]  # fmt: skip
        if len(given) != 1:
            raise SourceBroken(
                f"the account section names {len(given)} tokens",
                hint="write exactly one of token, token_file and token_from",
            )
        if given == ["token"]:
            where = "'account.token'"
            return _Minted(token=checked_token(account.token, registry, where=where), where=where)
        if given == ["token_file"]:
            path = (context.folder or Path()) / account.token_file.strip()
            token = read_token_file(path, registry, where="the token file")
            return _Minted(token=token, where="the token of 'account.token_file'")
        if not isinstance(account.token_from, str):
            return _from_variable(context, (account.token_from.from_env,), "OIDC")
        return self._from_ci(context, account.token_from.strip())

    def _from_ci(self, context: SourceContext, system: str) -> _Minted:
        if system == "github-actions":
            return self._from_github(context)
        if variables := TOKEN_VARIABLES.get(system):
            title, names, hint = variables
            return _from_variable(context, names, f"{title} OIDC", hint=hint)
        if advice := TOKEN_ADVICE.get(system):
            raise SourceBroken(f"'{system}' keeps its token under no fixed name", hint=advice)
        known = ("github-actions", *TOKEN_VARIABLES, *TOKEN_ADVICE)
        close = [name for name in known if system and name.startswith(system)]
        close = close or difflib.get_close_matches(system, known, n=1)
        raise SourceBroken(
            f"'{system}' is no CI system that calamari knows the token of",
            hint=f"did you mean '{close[0]}'?"
            if close
            else f"write one of {', '.join(known)}, or {{from_env: NAME}}",
        )

    def _from_github(self, context: SourceContext) -> _Minted:
        """GitHub's answer to a request for a token with STS as its audience."""
        url, bearer = (
            setting(context.environ, _GITHUB_URL),
            setting(context.environ, _GITHUB_BEARER),
        )
        if not url or not bearer:
            raise SourceBroken(
                f"'{_GITHUB_BEARER if url else _GITHUB_URL}' is not set",
                hint="give the job `permissions: {id-token: write, contents: read}`",
            )
        secret = checked_token(bearer, context.registry, where=f"'{_GITHUB_BEARER}'")
        request = Request(
            target=_github_target(url),
            headers={
                "Authorization": f"Bearer {secret.reveal()}",
                "Accept": "application/json; api-version=2.0",
            },
            timeout=self.timeout,
        )
        try:
            reply = self.client.ask(request, deadline=self.client.pace.clock() + BUDGET)
        except NoAnswerError as error:
            raise SourceBroken(
                f"GitHub's token service '{request.target.host}' gave no answer: {error}",
                hint="check the runner's network; proxies are not used for this request",
            ) from None
        if reply.status != 200:
            raise SourceBroken(
                f"GitHub's token service '{request.target.host}' answered {reply.status}",
                hint="give the job `permissions: {id-token: write, contents: read}`",
                evidence=excerpt(reply, context.registry),
            )
        return _Minted(
            token=checked_token(
                _github_value(reply.body), context.registry, where="GitHub's answer"
            ),
            where="the token of GitHub Actions",
            description="GitHub Actions OIDC",
            names=frozenset({_GITHUB_URL, _GITHUB_BEARER}),
        )


def _from_variable(
    context: SourceContext, names: tuple[str, ...], description: str, *, hint: str = ""
) -> _Minted:
    """The first of `names` that is set and not blank."""
    name = next((name for name in names if setting(context.environ, name)), None)
    if name is None:
        raise SourceBroken(
            f"the environment variable '{names[0]}' is not set",
            hint=hint or f"set {names[0]} to the token, or correct account.token_from",
        )
    where = f"the environment variable '{name}'"
    return _Minted(
        token=checked_token(context.environ[name], context.registry, where=where),
        where=where,
        description=description,
        names=frozenset(names),
    )


def _github_target(url: str) -> Target:
    """`url` with our audience; the bearer token leaves this machine by https only."""
    hint = f"{_GITHUB_URL} is set by the Actions runner; do not set it yourself"
    try:
        target = parse_target(url)
    except ValueError as error:
        raise SourceBroken(f"'{_GITHUB_URL}' is refused: {error}", hint=hint) from None
    loopback = target.address is not None and target.address.is_loopback
    if target.scheme != "https" and not loopback:
        raise SourceBroken(f"'{_GITHUB_URL}' is refused: it is no https URL", hint=hint)
    joint = "&" if "?" in target.path else "?"
    return replace(target, path=f"{target.path}{joint}audience={AUDIENCE}")


def _github_value(body: bytes) -> str:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    value = answer.get("value") if isinstance(answer, dict) else None
    return value if isinstance(value, str) else ""


SOURCE = OidcSource()
