"""Who a manifest may start as: its ``account`` section against the policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from calamari_py.identity import DEFAULT_DURATION, RoleArn, build_session_name, duration_text
from calamari_py.manifest.types import Account, StepManifest, TokenFrom
from calamari_py.policy.limits import Refusal, is_any, role_limits
from calamari_py.policy.rules import PolicyRules

_SEARCHING = ("ambient", "auto")
"""The account types that look for a launcher in the environment."""


def account_limits(
    rules: PolicyRules, manifest: StepManifest, environ: Mapping[str, str], *, is_last: bool
) -> Iterator[Refusal]:
    """Everything of the account section. `is_last` says that no role is assumed from it."""
    account = manifest.account
    if rules.account_types is not None and account.type not in rules.account_types:
        yield Refusal("account.type", f"account type '{account.type}'", "account_types")
    yield from _search_limits(rules, account)
    yield from _profile_limits(rules, account, environ)
    if account.expose_to_step and not rules.allow_expose_to_step:
        yield Refusal(
            "account.expose_to_step",
            "handing the launcher's values to the step",
            "allow_expose_to_step: true",
        )
    if account.type in {"oidc", "profile", *_SEARCHING} and rules.session_names is not None:
        # calamari names the session that it gets for a token, or by a profile that names none.
        name = build_session_name(
            manifest.project, manifest.environment, manifest.name, manifest.deployment_id
        )
        if not is_any(name, rules.session_names):
            yield Refusal("account", f"session name '{name}'", "session_names")
    if account.type == "oidc":
        yield from _token_limits(rules, account, is_last=is_last)


def _search_limits(rules: PolicyRules, account: Account) -> Iterator[Refusal]:
    """Where the launcher is looked for, and whether a broken place may be passed over."""
    if account.type not in _SEARCHING:
        return
    # Type `auto` has no `source`: it looks at all of them.
    if rules.sources is not None and account.source not in rules.sources:
        yield Refusal("account.source", f"account source '{account.source}'", "sources")
    if account.fallback and not rules.allow_fallback:
        yield Refusal("account.fallback", "passing over a broken source", "allow_fallback: true")


def _profile_limits(
    rules: PolicyRules, account: Account, environ: Mapping[str, str]
) -> Iterator[Refusal]:
    if rules.profiles is None:
        return
    name, path = _profile_of(account, environ)
    if name and name not in rules.profiles:
        yield Refusal(path, f"profile '{name}'", "profiles")


def _profile_of(account: Account, environ: Mapping[str, str]) -> tuple[str, str]:
    """The profile that the launcher comes or may come from, or "", and where it is named: the
    rules of ``credentials/profile.py``."""
    of_environment = environ.get("AWS_PROFILE", "").strip()
    if account.type == "profile":
        if named := (account.profile or "").strip():
            return named, "account.profile"
        return of_environment or "default", "account"
    searches_all = account.type in _SEARCHING and account.source == "auto"
    return (of_environment if searches_all else ""), "account"


def _token_limits(rules: PolicyRules, account: Account, *, is_last: bool) -> Iterator[Refusal]:
    """The role that a token becomes, for how long, and the program that mints it."""
    if account.role_arn:
        yield from role_limits(rules, "account.role_arn", RoleArn.parse(account.role_arn))
    seconds = account.session_duration
    if seconds is None and is_last:
        seconds = DEFAULT_DURATION
    if seconds is not None and rules.max_duration is not None and seconds > rules.max_duration:
        what = f"a session of {duration_text(int(seconds))}"
        yield Refusal("account.session_duration", what, "max_duration")
    asked, allowed = account.token_from, rules.token_commands
    command = asked.command if isinstance(asked, TokenFrom) else None
    if command and allowed is not None and command[0] not in allowed:
        yield Refusal("account.token_from", f"token command '{command[0]}'", "token_commands")
