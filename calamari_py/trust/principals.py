"""Whom a statement trusts, against who asked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from calamari_py.identity import Principal, RoleArn
from calamari_py.trust.conditions import Verdict, listed, plain, texts

_PROVIDER = re.compile(r"arn:([a-z-]+):iam::(\d{12}):oidc-provider/(.+)", re.ASCII)
_UNIQUE_ID = re.compile(r"A(ROA|IDA)[A-Z0-9]{12,}", re.ASCII)
_KINDS = {"Service": "services", "Federated": "federated identities", "AWS": "AWS principals"}


def judge_provider(statement: Mapping[str, object], *, issuer: str, role: RoleArn) -> Verdict:
    """Whether `statement` trusts tokens of `issuer` (without ``https://``) for `role`."""
    named = _named(statement, "Federated")
    if isinstance(named, Verdict):
        return named
    if "*" in named:
        return Verdict(unjudged=["the principal '*'"])
    own = f"arn:{role.partition}:iam::{role.account}:oidc-provider/{issuer}"
    if own in named or issuer in named:
        return Verdict()
    for value in named:
        if why := _provider_slip(value, issuer):
            return Verdict([why], near=True)
    for value in named:
        if why := _provider_difference(value, issuer, role):
            return Verdict([why])
    return Verdict([f"it trusts {listed(named)}, the token is from '{plain(issuer)}'"])


def _provider_difference(value: str, issuer: str, role: RoleArn) -> str:
    match = _PROVIDER.fullmatch(value)
    if match is None:
        return ""
    partition, account, provider = match.groups()
    if provider == issuer and partition == role.partition:
        return (
            f"it trusts the provider of account '{account}', "
            f"it must be one of the role's own account '{role.account}'"
        )
    if provider == issuer:
        return f"it trusts a provider of the partition '{partition}', not '{role.partition}'"
    return ""


def _provider_slip(value: str, issuer: str) -> str:
    """A difference that nobody means, or ""."""
    match = _PROVIDER.fullmatch(value)
    provider = match[3] if match else ""
    if provider == issuer:
        return ""
    if provider.casefold() == issuer.casefold():
        return (
            f"it trusts '{plain(provider)}', the token is from '{plain(issuer)}': "
            "they differ in letter case only"
        )
    if provider.rstrip("/") == issuer.rstrip("/"):
        return (
            f"it trusts '{plain(provider)}', the token is from '{plain(issuer)}': "
            "they differ in a slash at the end only"
        )
    return ""


def judge_caller(statement: Mapping[str, object], *, caller_arn: str) -> Verdict:
    """Whether `statement` trusts the AWS principal `caller_arn`."""
    named = _named(statement, "AWS")
    if isinstance(named, Verdict):
        return named
    if "*" in named:
        return Verdict()
    try:
        caller = Principal.parse(caller_arn)
    except ValueError:
        return Verdict(unjudged=["the principal, because the caller's ARN is not known"])
    if any(_is_caller(value, caller) for value in named):
        return Verdict()
    shown = f"it trusts {listed(named)}, and the caller is '{plain(caller.arn)}'"
    if any(_is_caller_but_for_case(value, caller) for value in named):
        return Verdict([f"{shown}: they differ in letter case only"], near=True)
    return Verdict([f"{shown}{_caller_difference(named, caller)}"])


def _named(statement: Mapping[str, object], kind: str) -> tuple[str, ...] | Verdict:
    """The principals of `kind` that `statement` names, or the verdict when there are none."""
    principal = statement.get("Principal")
    if "NotPrincipal" in statement:
        return Verdict(unjudged=["NotPrincipal"])
    if not isinstance(principal, Mapping):
        return ("*",) if principal == "*" else Verdict(["it names no principal"])
    if "*" in texts(principal.get("AWS", ())):
        return ("*",)
    if named := texts(principal.get(kind, ())):
        return named
    others = [f"{_KINDS.get(str(other), plain(other))} ({listed(texts(value))})"
              for other, value in principal.items()]  # fmt: skip
    trusted = " and ".join(others) or "nobody"
    return Verdict([f"it trusts {trusted}, no {_KINDS[kind]}"])


def _is_caller(value: str, caller: Principal) -> bool:
    if value in {caller.arn, caller.account, f"arn:{caller.partition}:iam::{caller.account}:root"}:
        return True
    role = _role(value)
    # The ARN of a session leaves out the role's path; names are unique in an account.
    return (
        role is not None
        and caller.role == role.name
        and (caller.partition, caller.account) == (role.partition, role.account)
    )


def _caller_difference(named: tuple[str, ...], caller: Principal) -> str:
    """What is worth saying of the difference, or ""."""
    for value in named:
        role = _role(value)
        if role and role.name == caller.role and role.account != caller.account:
            return ": the role of that name in another account"
        if role and role.name == caller.role:
            return ": they differ in the partition"
    for value in named:
        if _UNIQUE_ID.fullmatch(value):
            return (
                f": '{plain(value)}' is what AWS leaves of a role or user that was deleted; "
                "write the ARN again"
            )
    return ""


def _is_caller_but_for_case(value: str, caller: Principal) -> bool:
    if value.casefold() == caller.arn.casefold():
        return True
    role = _role(value)
    own = f":{caller.account}:" in value
    return (
        own
        and role is not None
        and caller.role is not None
        and role.name != caller.role
        and role.name.casefold() == caller.role.casefold()
    )


def _role(value: str) -> RoleArn | None:
    try:
        return RoleArn.parse(value)
    except ValueError:
        return None
