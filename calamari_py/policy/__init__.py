"""The operator's policy: which identities a manifest may name, decided before any call.

The manifest is a step author's, the policy belongs to whoever keeps the launcher: a launcher that
may assume many roles is a deputy, and the policy says for whom. docs/policy.md describes the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from calamari_py.errors import FileMissing, ManifestError, Problem
from calamari_py.identity import (
    DEFAULT_DURATION,
    RoleArn,
    RoleRequest,
    build_session_name,
    duration_text,
    request_violations,
)
from calamari_py.manifest.convert import Converter, Leaf
from calamari_py.manifest.definitions import check_text
from calamari_py.manifest.nodes import Malformed, Place, Scalar, parse_document
from calamari_py.manifest.nodes import Mapping as MappingNode
from calamari_py.manifest.report import Report
from calamari_py.manifest.shapes import fields_of
from calamari_py.manifest.types import StepManifest, TokenFrom
from calamari_py.policy.rules import PolicyRules, endpoint_origin
from calamari_py.trust.patterns import is_arn_like, is_like
from calamari_py.variables import SourceUnreadable, from_file

__all__ = ["OperatorPolicy", "PolicyRules", "load_policy"]

POLICY_LIMIT = 1_000_000
"""Bytes of one policy file."""
ENDPOINT_PREFIX = "AWS_ENDPOINT_URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorPolicy:
    """What a manifest may name. `name` is how messages call the policy (its path)."""

    name: str
    rules: PolicyRules

    def check(
        self,
        manifest: StepManifest,
        requests: tuple[RoleRequest, ...],
        *,
        region: str | None,
        endpoints: Mapping[str, str],
    ) -> list[Problem]:
        """Everything in `manifest` that the policy does not allow, by the manifest's paths.

        `requests` are the hops of ``assume_role``, one for each. `region` is the step's as far as
        it is known (`check_region` is for one that turns up later). `endpoints` are the URLs that
        the caller's environment sets, by the name of their variable or service.
        """
        return [
            *self._account(manifest, requests),
            *self._last_identity(manifest, requests),
            *(problem for index, request in enumerate(requests)
              for problem in self._hop(f"assume_role[{index}]", request)),
            *self._session_policy(manifest),
            *self.check_region(region),
            *self._endpoints(manifest.env, endpoints),
        ]  # fmt: skip

    def check_region(self, region: str | None) -> list[Problem]:
        """The problem of a region that is not allowed; none while it is not known."""
        patterns = self.rules.regions
        if region is None or patterns is None or _is_any(region, patterns):
            return []
        return [self._refused("region", f"region '{region}'", "regions")]

    def restrict(self, requests: tuple[RoleRequest, ...]) -> tuple[RoleRequest, ...]:
        """`requests` with the policy's limits: every session within ``max_duration``, the last
        one under the policy's session policy alone."""
        rules = self.rules
        if (longest := rules.max_duration) is not None:
            requests = tuple(replace(r, duration=min(r.duration, longest)) for r in requests)
        if not requests or not self._restricts_sessions:
            return requests
        last = replace(
            requests[-1],
            policy=_as_text(rules.session_policy),
            policy_arns=rules.session_policy_arns or (),
        )
        return (*requests[:-1], last)

    @property
    def _restricts_sessions(self) -> bool:
        return self.rules.session_policy is not None or self.rules.session_policy_arns is not None

    def check_launcher(self) -> list[Problem]:
        """What is wrong with handing out the launcher's own credentials."""
        if self._launcher_may_run:
            return []
        return [
            Problem(
                path="account",
                message=f"is not handed out: the policy '{self.name}' lets nobody be the launcher",
                hint="ask for a role's; the policy can say allow_launcher_as_role: true",
            )
        ]

    @property
    def _launcher_may_run(self) -> bool:
        """Whether a step may run as the launcher: not where its roles are chosen by somebody."""
        rules = self.rules
        if rules.allow_launcher_as_role is not None:
            return rules.allow_launcher_as_role
        limits = (rules.roles, rules.accounts, rules.partitions)
        return not self._restricts_sessions and all(limit is None for limit in limits)

    def _account(
        self, manifest: StepManifest, requests: tuple[RoleRequest, ...]
    ) -> Iterator[Problem]:
        account, rules = manifest.account, self.rules
        if rules.account_types is not None and account.type not in rules.account_types:
            yield self._refused("account.type", f"account type '{account.type}'", "account_types")
        if account.expose_to_step and not rules.allow_expose_to_step:
            yield self._refused(
                "account.expose_to_step",
                "handing the launcher's values to the step",
                "allow_expose_to_step: true",
            )
        named = account.profile if account.type == "profile" else None
        if named is not None and rules.profiles is not None and named not in rules.profiles:
            yield self._refused("account.profile", f"profile '{named}'", "profiles")
        if account.type in {"oidc", "ambient", "auto"}:
            # calamari names the session that it gets for a token.
            name = build_session_name(
                manifest.project, manifest.environment, manifest.name, manifest.deployment_id
            )
            yield from self._name("account", "session name", name, "session_names")
        if account.type != "oidc":
            return
        if account.role_arn:
            yield from self._role("account.role_arn", RoleArn.parse(account.role_arn))
        seconds = account.session_duration
        if seconds is None and not requests:
            seconds = DEFAULT_DURATION
        if seconds is not None and rules.max_duration is not None and seconds > rules.max_duration:
            what = f"a session of {duration_text(int(seconds))}"
            yield self._refused("account.session_duration", what, "max_duration")
        if isinstance(account.token_from, TokenFrom):
            yield from self._token_command(account.token_from.command)

    def _token_command(self, command: tuple[str, ...] | None) -> Iterator[Problem]:
        allowed = self.rules.token_commands
        if command and allowed is not None and command[0] not in allowed:
            yield self._refused(
                "account.token_from", f"token command '{command[0]}'", "token_commands"
            )

    def _last_identity(
        self, manifest: StepManifest, requests: tuple[RoleRequest, ...]
    ) -> Iterator[Problem]:
        if requests or manifest.account.type == "none" or self._launcher_may_run:
            return
        yield Problem(
            path="assume_role",
            message=f"is missing, and the policy '{self.name}' lets no step run as the launcher",
            hint="name a role under assume_role; the policy can say allow_launcher_as_role: true",
        )

    def _hop(self, path: str, request: RoleRequest) -> Iterator[Problem]:
        yield from self._role(f"{path}.role_arn", request.role)
        yield from self._name(
            f"{path}.session_name", "session name", request.session_name, "session_names"
        )
        if request.source_identity is not None:
            where = f"{path}.source_identity"
            yield from self._name(
                where, "source identity", request.source_identity, "source_identities"
            )
        allowed = self.rules.external_ids
        if request.external_id is not None and allowed is not None \
                and request.external_id not in allowed:  # fmt: skip
            # Not quoted: whoever knows a role's external id is half way in.
            yield self._refused(f"{path}.external_id", "this external id", "external_ids")
        yield from self._tags(path, request.tags)

    def _role(self, path: str, role: RoleArn) -> Iterator[Problem]:
        rules = self.rules
        if rules.partitions is not None and role.partition not in rules.partitions:
            yield self._refused(path, f"partition '{role.partition}'", "partitions")
        elif rules.accounts is not None and role.account not in rules.accounts:
            yield self._refused(path, f"account '{role.account}'", "accounts")
        elif rules.roles is not None and not any(is_arn_like(str(role), p) for p in rules.roles):
            yield self._refused(path, f"role '{role}'", "roles")

    def _name(self, path: str, what: str, name: str, key: str) -> Iterator[Problem]:
        patterns: tuple[str, ...] | None = getattr(self.rules, key)
        if patterns is not None and not _is_any(name, patterns):
            yield self._refused(path, f"{what} '{name}'", key)

    def _tags(self, path: str, tags: Mapping[str, str]) -> Iterator[Problem]:
        allowed = self.rules.tags
        if allowed is None:
            return
        for key, value in tags.items():
            where = f"{path}.tags.{key}"
            if key not in allowed:
                yield self._refused(where, f"session tag '{key}'", "tags")
            elif not _is_any(value, allowed[key]):
                yield self._refused(where, f"value '{value}' of session tag '{key}'", "tags")

    def _session_policy(self, manifest: StepManifest) -> Iterator[Problem]:
        if not manifest.assume_role or not self._restricts_sessions:
            return
        last = len(manifest.assume_role) - 1
        for field in ("policy", "policy_arns"):
            if getattr(manifest.assume_role[last], field):
                yield Problem(
                    path=f"assume_role[{last}].{field}",
                    message=f"is not allowed: the policy '{self.name}' sets the session policy, "
                    "and a second one would add to what it permits",
                    hint="remove it; the last role's session policy is the operator's",
                )

    def _endpoints(self, env: Mapping[str, str], own: Mapping[str, str]) -> Iterator[Problem]:
        allowed = self.rules.endpoints
        if allowed is None:
            return
        asked = [(f"env.{name}", f"{name} names", url) for name, url in env.items()
                 if name.startswith(ENDPOINT_PREFIX)]  # fmt: skip
        asked += [("", f"the environment names, for '{name or 'every service'}',", url)
                  for name, url in own.items()]  # fmt: skip
        for path, names, url in asked:
            try:
                origin = endpoint_origin(url.strip()) if url.strip() else None
            except ValueError as error:
                # The value is not repeated: it may hold a password.
                yield Problem(path=path, message=f"{names} an endpoint that {error}")
                continue
            if origin is not None and origin not in allowed:
                yield self._refused(path, f"{names} endpoint '{origin}', which", "endpoints")

    def _refused(self, path: str, what: str, key: str) -> Problem:
        return Problem(
            path=path,
            message=f"{what} is not allowed by the policy '{self.name}'",
            hint=f"whoever keeps the policy can allow it under '{key}'",
        )


def load_policy(path: Path) -> OperatorPolicy:
    """The policy in the YAML or JSON file `path`.

    Raises ManifestError with every problem and its place, FileMissing for a file that is not
    there. A policy that is empty or not understood is refused: it would limit nothing.
    """
    name = str(path)
    report = Report(name)
    try:
        root = parse_document(
            from_file(path, shown=name, limit=POLICY_LIMIT), name, report.problems
        )
    except SourceUnreadable as error:
        problem = Problem(message=error.message, hint=error.hint, file=name)
        kind = FileMissing if error.missing else ManifestError
        raise kind([problem], subject=name) from None
    except Malformed as error:
        report.problems.extend(error.problems)
        raise report.error() from None
    if not isinstance(root, MappingNode):
        place = Place(name) if root is None else root.place
        message = "the policy is empty" if root is None else "must be a mapping of keys"
        report.add(place, "", message, f"keys: {', '.join(fields_of(PolicyRules))}")
        raise report.error()

    def read(node: Scalar, at: str, _body: bool) -> Leaf | None:
        return Leaf(node.text) if check_text(node, at, report) else None

    converter = Converter(report, read)
    rules = converter.convert(root, PolicyRules, "")
    if isinstance(rules, PolicyRules):
        _check_session_policy(rules, converter.places, report)
    report.raise_if_any()
    return OperatorPolicy(name=name, rules=rules)


def _check_session_policy(rules: PolicyRules, places: Mapping[str, Place], report: Report) -> None:
    """STS would refuse every role under a session policy that it cannot take."""
    if rules.session_policy is not None and "Statement" not in rules.session_policy:
        report.add(places["session_policy"], "session_policy", "has no 'Statement'",
                   "write an IAM policy document")  # fmt: skip
    sample = RoleRequest(
        role=RoleArn(partition="aws", account="0" * 12, path="/", name="any"),
        session_name="calamari",
        policy=_as_text(rules.session_policy),
        policy_arns=rules.session_policy_arns or (),
    )
    for field, message in request_violations(sample):
        path = f"session_{field}"
        report.add(places[path], path, message)


def _as_text(document: Mapping[str, Any] | None) -> str | None:
    return None if document is None else json.dumps(document, separators=(",", ":"))


def _is_any(text: str, patterns: tuple[str, ...]) -> bool:
    return any(is_like(text, pattern) for pattern in patterns)
