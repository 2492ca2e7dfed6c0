"""The role of an EC2 instance, by the instance metadata service version 2 only."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from calamari_py.credentials._http import (
    Client,
    NoAnswerError,
    Reply,
    Request,
    Target,
    parse_target,
)
from calamari_py.credentials._keys import setting
from calamari_py.credentials._metadata import excerpt, parse_document
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.errors import SourceBroken
from calamari_py.identity import LauncherCredentials, is_region
from calamari_py.masking import SecretRegistry

BUDGET = 15.0
"""Seconds for everything the source does."""
_ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
_DISABLED = "AWS_EC2_METADATA_DISABLED"
_DEFAULTS = {"ipv4": "http://169.254.169.254", "ipv6": "http://[fd00:ec2::254]"}
_OPEN_PATH = "/latest/api/token"
_ROLE_PATH = "/latest/meta-data/iam/security-credentials/"
_REGION_PATH = "/latest/meta-data/placement/region"
_LIFE = "21600"
_TOKEN = re.compile(r"[A-Za-z0-9+/=_.~-]{1,1024}")
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


_KUBERNETES = "KUBERNETES_SERVICE_HOST"
_HOPS = (
    "aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID --http-endpoint enabled "
    "--http-tokens required --http-put-response-hop-limit 2"
)


def _in_container(environ: Mapping[str, str]) -> bool:
    if _KUBERNETES in environ or "ECS_CONTAINER_METADATA_URI_V4" in environ:
        return True
    return any(mark.exists() for mark in (Path("/.dockerenv"), Path("/run/.containerenv")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImdsSource:
    """Token, role name, credentials, region: each asked with the token, none without.

    Absent when nothing answers the token request, and on an instance without a role: an answer of
    404 to "which role?" is the service's documented way to say that there is none.
    """

    name: str = "imds"
    client: Client = field(default_factory=Client)
    token_timeout: float = 1.0
    timeout: float = 2.0
    in_container: Callable[[Mapping[str, str]], bool] = _in_container

    def resolve(self, context: SourceContext) -> Found | Absent:
        """The instance role's credentials; everything that answers and is no IMDSv2 is broken."""
        if setting(context.environ, _DISABLED).lower() == "true":
            return Absent(why=f"{_DISABLED} is true", hint=f"unset {_DISABLED}")
        endpoint = _endpoint(context.environ)
        session = self._open(context, endpoint)
        if isinstance(session, Absent):
            return session
        listed = session.get(_ROLE_PATH, what="the role list")
        if listed.status == 404:
            return Absent(
                why="the instance has no instance profile",
                hint="attach an instance profile with a role to the EC2 instance",
                asked=True,
            )
        role = session.text(listed, what="the role list").partition("\n")[0].strip()
        if not _ROLE_NAME.fullmatch(role):
            raise SourceBroken(
                f"{session.who} answered no role name to the role list",
                hint="something else answers at this address, or the role is being replaced",
            )
        answer = session.get(f"{_ROLE_PATH}{role}", what="the credentials")
        session.text(answer, what="the credentials")
        document = parse_document(answer, context.registry, who=session.who)
        return Found(
            launcher=LauncherCredentials(
                credentials=document.credentials,
                source=self.name,
                description="EC2 instance role",
                region=session.region(),
            ),
            why=f"{endpoint.authority}, role {role}",
            warnings=document.warnings,
        )

    def look(self, context: SourceContext) -> Presence:
        """Only asking tells, unless it is switched off."""
        if setting(context.environ, _DISABLED).lower() == "true":
            return Presence(state="absent", why=f"{_DISABLED} is true")
        try:
            endpoint = _endpoint(context.environ)
        except SourceBroken as error:
            return Presence(state="broken", why=error.message)
        return Presence(state="unknown", why=f"{endpoint.authority} would be asked")

    def _open(self, context: SourceContext, endpoint: Target) -> _Session | Absent:
        """A session with a token; Absent when nobody answers."""
        who = f"the instance metadata service '{endpoint.authority}'"
        deadline = self.client.pace.clock() + BUDGET
        request = Request(
            target=_at(endpoint, _OPEN_PATH),
            method="PUT",
            headers={"X-aws-ec2-metadata-token-ttl-seconds": _LIFE},
            timeout=self.token_timeout,
            silent_tries=2,
        )
        try:
            reply = self.client.ask(request, deadline=deadline)
        except NoAnswerError as error:
            if not error.heard:
                return self._silent(context.environ, endpoint, error)
            raise SourceBroken(
                f"{who} gave no token: {error}", hint="something else answers at this address"
            ) from None
        token = reply.body.decode("ascii", "replace").strip()
        if reply.status == 200 and _TOKEN.fullmatch(token):
            context.registry.add(token, name="instance metadata token")
            return _Session(
                client=self.client,
                endpoint=endpoint,
                registry=context.registry,
                token=token,
                deadline=deadline,
                timeout=self.timeout,
                who=who,
            )
        answered = "something that is no token" if reply.status == 200 else str(reply.status)
        raise SourceBroken(
            f"{who} answered {answered} to the token request",
            hint="version 1 is never used; enable version 2 (HttpEndpoint enabled, "
            f"HttpTokens required) or set {_DISABLED}=true",
            # A 200 may be a token in a shape that is not known here.
            evidence=() if reply.status == 200 else excerpt(reply, context.registry),
        )

    def _silent(self, environ: Mapping[str, str], endpoint: Target, error: NoAnswerError) -> Absent:
        """In a container an answer that vanishes most often died on its way, of its hop limit."""
        why, evidence = f"{endpoint.authority}: {error}", ""
        if error.timed_out and self.in_container(environ):
            why += "; in a container the hop limit may be too low"
            evidence = (
                "on EKS give the service account a role of its own (Pod Identity or IRSA); a "
                "bigger hop limit would give every pod the node's role"
                if _KUBERNETES in environ
                else f"if this container may have the instance's role, allow a second hop: {_HOPS}"
            )
        return Absent(
            why=why,
            hint=evidence or "run on an EC2 instance that has an instance profile",
            asked=True,
            evidence=(evidence,) if evidence else (),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    """An endpoint with the token that every request carries. `token` never leaves it."""

    client: Client
    endpoint: Target
    registry: SecretRegistry
    token: str = field(repr=False)
    deadline: float
    timeout: float
    who: str

    def get(self, path: str, *, what: str) -> Reply:
        """The reply of whatever status; SourceBroken when there is none."""
        try:
            return self.client.ask(self._request(path), deadline=self.deadline)
        except NoAnswerError as error:
            raise SourceBroken(
                f"{self.who} stopped answering at {what}: {error}",
                hint="run again; when it stays so, look at the instance's network",
            ) from None

    def text(self, reply: Reply, *, what: str) -> str:
        """The body of a 200 answer; SourceBroken for any other."""
        if reply.status == 200:
            return reply.body.decode("utf-8", "replace")
        raise SourceBroken(
            f"{self.who} answered {reply.status} to {what}",
            hint="a firewall or a metadata proxy on the instance refuses this process"
            if reply.status < 500
            else "run again; AWS's side of the instance has a fault",
            evidence=excerpt(reply, self.registry),
        )

    def region(self) -> str | None:
        """Where the instance is; a courtesy, so asked once and never a failure."""
        request = replace(self._request(_REGION_PATH), tries=1, timeout=min(self.timeout, 1.0))
        try:
            reply = self.client.ask(request, deadline=self.deadline)
        except NoAnswerError:
            return None
        text = reply.body.decode("utf-8", "replace").strip()
        return text if reply.status == 200 and is_region(text) else None

    def _request(self, path: str) -> Request:
        return Request(
            target=_at(self.endpoint, path),
            headers={"X-aws-ec2-metadata-token": self.token},
            timeout=self.timeout,
        )


def _at(endpoint: Target, path: str) -> Target:
    return replace(endpoint, path=endpoint.path.rstrip("/") + path)


def _endpoint(environ: Mapping[str, str]) -> Target:
    """Where the service is; SourceBroken when the variables that say so make no sense."""
    mode = setting(environ, _MODE).lower() or "ipv4"
    if mode not in _DEFAULTS:
        raise SourceBroken(f"'{_MODE}' is neither IPv4 nor IPv6", hint=f"unset {_MODE} or mend it")
    hint = f"{_ENDPOINT} is a URL without a query, such as {_DEFAULTS['ipv4']}/"
    try:
        target = parse_target(setting(environ, _ENDPOINT) or _DEFAULTS[mode])
    except ValueError as error:
        raise SourceBroken(f"'{_ENDPOINT}' is refused: {error}", hint=hint) from None
    if "?" in target.path:
        raise SourceBroken(f"'{_ENDPOINT}' is refused: it has a query", hint=hint)
    return target


SOURCE = ImdsSource()
