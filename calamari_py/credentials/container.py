"""The credential endpoint of a container: EKS Pod Identity and the ECS task role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
from calamari_py.credentials._tokens import read_text, why_unreadable
from calamari_py.credentials.base import Absent, Found, Presence, SourceContext
from calamari_py.errors import SourceBroken
from calamari_py.identity import LauncherCredentials
from calamari_py.masking import SecretRegistry

BUDGET = 8.0
"""Seconds for everything the source does."""
_RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
_AUTHORIZATION = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
_AUTHORIZATION_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
_ECS = "169.254.170.2"
_POD_IDENTITY = ("169.254.170.23", "fd00:ec2::23")
_POD_IDENTITY_TITLE = "EKS Pod Identity"
_HEADER_VALUE = re.compile(r"[ -~]{1,20000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSource:
    """``AWS_CONTAINER_CREDENTIALS_RELATIVE_URI``, or ``…_FULL_URI``, and its token.

    The relative one and the token's file win, as in the AWS SDKs.
    """

    name: str = "container"
    client: Client = field(default_factory=Client)
    timeout: float = 2.0

    def resolve(self, context: SourceContext) -> Found | Absent:
        """What the endpoint gives; a refusal, silence or nonsense is broken."""
        environ = context.environ
        target = _target(environ)
        if target is None:
            return Absent(
                why=f"{_FULL} is not set",
                hint=f"run in an ECS task with a task role or in an EKS pod with a Pod Identity "
                f"association; they set {_RELATIVE} or {_FULL}",
            )
        token = _authorization(environ, context.registry)
        where = f"the container credential endpoint '{target.authority}'"
        request = Request(
            target=target,
            headers={"Authorization": token} if token else {},
            timeout=self.timeout,
        )
        try:
            reply = self.client.ask(request, deadline=self.client.pace.clock() + BUDGET)
        except NoAnswerError as error:
            raise SourceBroken(
                f"{where} gave no answer: {error}",
                hint="check that the agent runs (EKS: eks-pod-identity-agent) and that "
                "no network policy blocks it",
            ) from None
        if reply.status != 200:
            raise _refused(reply, context.registry, where=where)
        document = parse_document(reply, context.registry, who=where)
        return Found(
            launcher=LauncherCredentials(
                credentials=document.credentials,
                source=self.name,
                description=(kind := _description(target, environ)),
                has_session_tags=kind == _POD_IDENTITY_TITLE,
            ),
            why=target.authority,
            warnings=document.warnings,
        )

    def look(self, context: SourceContext) -> Presence:
        """Whether a variable names an endpoint, and one that may be asked."""
        try:
            target = _target(context.environ)
        except SourceBroken as error:
            return Presence(state="broken", why=error.message)
        if target is None:
            return Presence(state="absent", why=f"{_FULL} is not set")
        kind = _description(target, context.environ)
        path = setting(context.environ, _AUTHORIZATION_FILE)
        if path and (why := why_unreadable(Path(path))):
            return Presence(state="broken", why=f"the token file '{path}' {why}")
        return Presence(state="present", why=f"{kind} at {target.authority}")


def _target(environ: Mapping[str, str]) -> Target | None:
    """Where to ask; None when no variable says so, SourceBroken when it must not be asked."""
    relative, full = setting(environ, _RELATIVE), setting(environ, _FULL)
    if not relative and not full:
        return None
    name = _RELATIVE if relative else _FULL
    hint = (
        f"{_RELATIVE} is a path that begins with '/'; the host is always {_ECS}"
        if relative
        else f"{_FULL} is an https URL, or an http one whose host is written as 127.0.0.1, "
        f"[::1], {_ECS}, {_POD_IDENTITY[0]} or [{_POD_IDENTITY[1]}]"
    )
    if relative and not relative.startswith("/"):
        raise SourceBroken(f"'{_RELATIVE}' does not begin with '/'", hint=hint)
    try:
        target = parse_target(f"http://{_ECS}{relative}" if relative else full)
    except ValueError as error:
        raise SourceBroken(f"'{name}' is refused: {error}", hint=hint) from None
    if not _may_be_asked(target):
        raise SourceBroken(
            f"'{name}' is refused: plain http to '{target.host}' would show the credentials "
            "to the network",
            hint=hint,
        )
    return target


def _may_be_asked(target: Target) -> bool:
    """Https to anybody; http only to addresses that do not leave this machine."""
    if target.scheme == "https":
        return True
    if target.address is None:
        return False
    if str(target.address) in (_ECS, *_POD_IDENTITY):
        return True
    # Python calls ::ffff:127.0.0.1 a loopback from 3.13 on; SDKs do not.
    mapped = target.address.version == 6 and target.address.ipv4_mapped is not None
    return target.address.is_loopback and not mapped


def _authorization(environ: Mapping[str, str], registry: SecretRegistry) -> str:
    """The Authorization header's value, registered; ``""`` when none is set."""
    where, token = f"'{_AUTHORIZATION}'", setting(environ, _AUTHORIZATION)
    if path := setting(environ, _AUTHORIZATION_FILE):
        where = f"the authorization token file '{path}'"
        token = read_text(Path(path), where="the authorization token file")
        if not token:
            raise SourceBroken(f"{where} is empty", hint="whatever writes it wrote nothing")
    if not token:
        return ""
    # An endpoint may want "Basic …" or "Bearer …": what follows is the secret on its own, too.
    for value in {token, token.rpartition(" ")[2]}:
        registry.add(value, name="container authorization token")
    if not _HEADER_VALUE.fullmatch(token):
        raise SourceBroken(
            f"{where} is too long or holds a line break or another character that no header has",
            hint="it must be the value of the Authorization header, and nothing else",
        )
    return token


def _refused(reply: Reply, registry: SecretRegistry, *, where: str) -> SourceBroken:
    if reply.status in (401, 403):
        hint = (
            f"check {_AUTHORIZATION_FILE} or {_AUTHORIZATION}, and on EKS the Pod Identity "
            "association of this service account"
        )
    elif reply.status < 400:
        hint = "redirects are not followed: name the endpoint itself"
    elif reply.status < 500:
        hint = f"check the path in {_RELATIVE} or {_FULL}: the endpoint does not know it"
    else:
        hint = "the endpoint fails itself: look at its agent's log, then run again"
    return SourceBroken(
        f"{where} answered {reply.status}", hint=hint, evidence=excerpt(reply, registry)
    )


def _description(target: Target, environ: Mapping[str, str]) -> str:
    address = str(target.address)
    if address in _POD_IDENTITY or "pods.eks.amazonaws.com" in environ.get(_AUTHORIZATION_FILE, ""):
        return _POD_IDENTITY_TITLE
    return "ECS task role" if address == _ECS else "container credentials"


SOURCE = ContainerSource()
