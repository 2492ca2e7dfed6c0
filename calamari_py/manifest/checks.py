"""Checks across fields, after each was parsed by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from calamari_py.identity import (
    DEFAULT_DURATION,
    MAX_CHAINED_DURATION,
    MAX_DURATION,
    MIN_DURATION,
    PARTITIONS,
    RoleArn,
    RoleRequest,
    request_violations,
)
from calamari_py.manifest.nodes import Mapping as MappingNode
from calamari_py.manifest.nodes import Place, Sequence, nearest_place
from calamari_py.manifest.report import Report
from calamari_py.manifest.token_from import token_from_problems
from calamari_py.manifest.types import (
    Account,
    CredentialSettings,
    Expect,
    Hop,
    Retry,
    as_account,
    as_hops,
    as_token_from,
)

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_ENV_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\*?", re.ASCII)
_ROLE_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
_KEY_FIELDS = ("access_key_id", "secret_access_key", "session_token")
_TOKEN_FIELDS = ("token", "token_file", "token_from")
_ACCOUNT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "ambient": ("source", "fallback"),
    "access-key": _KEY_FIELDS,
    "oidc": ("role_arn", "session_duration", *_TOKEN_FIELDS),
    "profile": ("profile",),
    "auto": ("fallback", *_KEY_FIELDS),
    "none": (),
}
_ANY_ACCOUNT = ("type", "name", "expose_to_step")
_METADATA = ("name", "project", "environment", "deployment_id")
_SAMPLE_SESSION = "calamari"


def check_metadata(
    places: Mapping[str, Place], secret_paths: frozenset[str], report: Report
) -> None:
    """Report metadata that were made from a sensitive variable."""
    for key in _METADATA:
        if key in secret_paths and not report.has(key):
            report.add(
                places[key],
                key,
                "is made from a sensitive variable; it stands in the role's session name and in "
                "CloudTrail",
                "use a value that may be seen",
            )


def check_fields(
    fields: Mapping[str, Any],
    *,
    root: MappingNode,
    late: bool,
    places: Mapping[str, Place],
    hidden: frozenset[str],
    report: Report,
) -> None:
    """Report what does not fit together.

    `fields` maps the path of everything that is sound to its value
    (`Converter.parsed`). `late` says that some variable is fetched with the step's own credentials.
    """
    checks = _Checks(fields, root, places, hidden=hidden, report=report)
    checks.account()
    checks.roles()
    checks.expectation()
    checks.credentials()
    checks.without_account(late=late)
    checks.environment()
    checks.times()
    checks.texts()
    checks.retry()


class _Checks:
    def __init__(
        self,
        fields: Mapping[str, Any],
        root: MappingNode,
        places: Mapping[str, Place],
        *,
        hidden: frozenset[str],
        report: Report,
    ) -> None:
        self._fields = fields
        self._root = root
        self._places = places
        self._hidden = hidden
        self._report = report
        self._account = as_account(self._get("account", Account()))
        self._sound_account = not report.has("account.type") and not report.has("account")
        self._hops = self._find_hops()

    def _find_hops(self) -> dict[str, Hop]:
        """The hops by their path, in their order, without those that could not be parsed."""
        node = self._root.get("assume_role")
        items = len(node.items) if isinstance(node, Sequence) else None
        paths = ["assume_role"] if items is None else [f"assume_role[{i}]" for i in range(items)]
        return {path: as_hops(self._fields[path])[0] for path in paths if path in self._fields}

    def _get(self, key: str, default: Any) -> Any:
        value = self._fields.get(key)
        return default if value is None else value

    def _add(self, path: str, message: str, hint: str | None = None) -> None:
        """One problem, unless that field is known to be wrong already.

        What came from a secret is not shown.
        """
        if any(secret.startswith(path) for secret in self._hidden):
            message, hint = "has a value that is not allowed here", "look at its variables"
        if not self._report.has(path):
            place = nearest_place(self._places, path) or self._root.place
            self._report.add(place, path, message, hint)

    def account(self) -> None:
        """Which fields belong to which account type, and which of them are needed."""
        if not self._sound_account:
            return
        account = self._account
        node = self._root.get("account")
        written = list(node.entries) if isinstance(node, MappingNode) else []
        legal = _ACCOUNT_FIELDS[account.type]
        for name in written:
            if name in legal or name in _ANY_ACCOUNT:
                continue
            if self._report.has(f"account.{name}"):
                continue
            owners = [kind for kind, names in _ACCOUNT_FIELDS.items() if name in names]
            typed = "type" in written
            hint = "correct the type" if typed else f"write 'type: {owners[0]}'"
            self._add(
                f"account.{name}",
                f"belongs to account type '{owners[0]}', not '{account.type}'",
                f"remove it, or {hint}",
            )
        if account.type == "access-key" or (
            account.type == "auto" and any(getattr(account, name) for name in _KEY_FIELDS)
        ):
            self._need_keys(account)
        elif account.type == "oidc":
            self._check_oidc(account)

    def _need_keys(self, account: Account) -> None:
        for name in _KEY_FIELDS[:2]:
            if not (getattr(account, name) or "").strip():
                self._add(
                    f"account.{name}",
                    f"is needed by account type '{account.type}'",
                    'write "{{ variables[…] }}" of a sensitive variable',
                )

    def _check_oidc(self, account: Account) -> None:
        if account.role_arn is None:
            self._add("account.role_arn", "is needed by account type 'oidc'", "name the role")
        node = self._root.get("account")
        written = node.entries if isinstance(node, MappingNode) else {}
        given = [name for name in _TOKEN_FIELDS if name in written]
        if len(given) != 1:
            found = " and ".join(f"'{name}'" for name in given) if given else "no token"
            self._add(
                f"account.{given[1]}" if given else "account",
                f"has {found}",
                f"write exactly one of {', '.join(_TOKEN_FIELDS)}",
            )
        for name in given:
            value = getattr(account, name)
            if isinstance(value, str) and not value.strip():
                self._add(f"account.{name}", "is empty", "see where its value comes from")
        if account.token_from is not None:
            path = "account.token_from"
            for field, *said in token_from_problems(as_token_from(account.token_from)):
                self._add(f"{path}.{field}" if field else path, *said)
            self._check_token_command(f"{path}.command")
        seconds = account.session_duration
        if seconds is not None and not MIN_DURATION <= seconds <= MAX_DURATION:
            self._add("account.session_duration", "must be between 15m and 12h")

    def _check_token_command(self, path: str) -> None:
        """Its arguments are no place for a secret."""
        if any(secret.startswith(path) for secret in self._hidden):
            self._report.add(
                nearest_place(self._places, path) or self._root.place,
                path,
                "holds a secret, which the process list would show to everybody",
                "let the command read it from a file or from its environment",
            )

    def roles(self) -> None:
        """STS's input rules for each hop, hops that are there twice, and a chain of none."""
        node = self._root.get("assume_role")
        if isinstance(node, Sequence) and not node.items:
            self._add(
                "assume_role",
                "is an empty list",
                "name the role, or leave the key out for a step without one",
            )
        seen: dict[str, str] = {}
        for path, hop in self._hops.items():
            for name, message in request_violations(_request(hop)):
                self._add(f"{path}.{name}", message)
            if hop.role_arn in seen:
                self._add(
                    path,
                    f"is the same role as {seen[hop.role_arn]}",
                    "name each role of the chain once",
                )
            seen.setdefault(hop.role_arn, path)

    def expectation(self) -> None:
        """A guard has to guard something, in the words that it is compared with."""
        if "expect" not in self._root.entries or self._report.has("expect"):
            return
        expect = self._get("expect", Expect())
        node = self._root.get("expect")
        if not (isinstance(node, MappingNode) and node.entries):
            self._add("expect", "checks nothing", "name account, role, region or partition")
        if expect.role is not None and not _ROLE_NAME.fullmatch(expect.role):
            self._add("expect.role", f"'{expect.role}' is no role name", _role_hint(expect.role))
        if expect.partition is not None and expect.partition not in PARTITIONS:
            self._add(
                "expect.partition",
                f"'{expect.partition}' is not one of {', '.join(PARTITIONS)}",
            )

    def credentials(self) -> None:
        """``min_validity`` has to be shorter than what it is a part of."""
        settings: CredentialSettings = self._get("credentials", CredentialSettings())
        least = settings.min_validity
        if least is None or not self._hops:
            return
        lives = list(self._hops.values())[-1].duration or DEFAULT_DURATION
        if len(self._hops) > 1:
            lives = min(lives, MAX_CHAINED_DURATION)
        if least >= lives:
            self._add(
                "credentials.min_validity",
                f"is not shorter than the credentials live ({_minutes(lives)})",
                "ask for less, or for a longer duration of the last role",
            )

    def without_account(self, *, late: bool) -> None:
        """Account type ``none`` gives nothing that could be used or checked."""
        if not self._sound_account or self._account.type != "none":
            return
        unusable = {
            "assume_role": bool(self._hops),
            "expect": "expect" in self._root.entries,
            "credentials": "credentials" in self._root.entries,
        }
        for key, there in unusable.items():
            if there:
                self._add(key, "needs a launcher, and account is 'none'", "remove one of the two")
        if late:
            self._add(
                "account",
                "is 'none', and a variable is fetched from AWS",
                "use from_env or from_file for the variable, or name an account",
            )

    def environment(self) -> None:
        """Names under ``env``, and patterns of ``inherit_env``."""
        node = self._root.get("env")
        if isinstance(node, MappingNode):
            for name, entry in node:
                if not _ENV_NAME.fullmatch(name):
                    self._report.add(
                        entry.key,
                        f"env.{name}",
                        "is no name of an environment variable",
                        "use letters, digits and _, and no digit first",
                    )
        patterns = self._get("inherit_env", True)
        if isinstance(patterns, bool):
            return
        for index, pattern in enumerate(patterns):
            if not _ENV_PATTERN.fullmatch(pattern):
                self._add(
                    f"inherit_env[{index}]",
                    f"'{pattern}' is no name and no prefix",
                    "write NAME or PREFIX_*; for everything write inherit_env: true",
                )

    def times(self) -> None:
        """A limit of no time at all would end every step."""
        for key in ("timeout", "idle_timeout"):
            if self._get(key, 1) <= 0:
                self._add(key, "must be longer than 0", "remove it for no limit")

    def texts(self) -> None:
        """The name and the metadata, which appear in logs and session names."""
        for key in _METADATA:
            text = self._fields.get(key)
            if not isinstance(text, str):
                continue
            if key == "name" and not text.strip():
                self._add(key, "is empty", "name the step")
            elif not text.isprintable():
                self._add(key, "holds a line break or control character", "write it on one line")

    def retry(self) -> None:
        """At least one attempt, and more only for exit codes that exist."""
        retry: Retry = self._get("retry", Retry())
        if not 1 <= retry.attempts <= 100:
            self._add("retry.attempts", f"must be between 1 and 100, is {retry.attempts}")
        for index, code in enumerate(retry.on_exit_codes):
            if not 1 <= code <= 255:
                self._add(f"retry.on_exit_codes[{index}]", f"must be between 1 and 255, is {code}")
        if retry.attempts > 1 and not retry.on_exit_codes:
            self._add(
                "retry.attempts",
                "needs 'on_exit_codes': which codes mean that the step may run again",
                "name them, as in on_exit_codes: [75]",
            )


def _request(hop: Hop) -> RoleRequest:
    """`hop` as STS would be asked, with a sound session name where calamari makes one later."""
    policy = None
    if isinstance(hop.policy, dict):
        import json

        policy = json.dumps(hop.policy, separators=(",", ":"))
    return RoleRequest(
        role=RoleArn.parse(hop.role_arn),
        session_name=_SAMPLE_SESSION if hop.session_name is None else hop.session_name,
        duration=int(DEFAULT_DURATION if hop.duration is None else hop.duration),
        external_id=hop.external_id,
        policy=policy,
        policy_arns=hop.policy_arns,
        tags=hop.tags,
        transitive_tags=hop.transitive_tags,
        source_identity=hop.source_identity,
    )


def _role_hint(text: str) -> str:
    if "/" in text:
        return f"write the name alone: {text.rsplit('/', 1)[1]}"
    return "write the role's name, not its ARN"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:g}m"
