"""What a loaded policy says of a step: what it refuses, and how it narrows the rest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from calamari_py.errors import Problem
from calamari_py.identity import RoleArn, RoleRequest
from calamari_py.manifest.types import StepManifest
from calamari_py.policy.account import account_limits
from calamari_py.policy.limits import (
    Refusal,
    description_limits,
    hop_limits,
    is_any,
    output_limits,
    role_limits,
    sent_tags,
)
from calamari_py.policy.rules import PolicyRules, endpoint_origin

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
        environ: Mapping[str, str] | None = None,
    ) -> list[Problem]:
        """Everything in `manifest` that the policy does not allow, by the manifest's paths.

        `requests` are the hops of ``assume_role``, one for each. `region` is the step's as far as
        it is known (`check_region` is for one that turns up later). `endpoints` are the URLs that
        the caller's environment sets, by the name of their variable or service. `environ` is that
        environment: its ``AWS_PROFILE`` names a profile where the manifest does not.
        """
        rules = self.rules
        refusals = [
            *description_limits(rules, manifest),
            *output_limits(rules, manifest),
            *account_limits(rules, manifest, environ or {}, is_last=not requests),
            *(refusal for index, request in enumerate(requests)
              for refusal in hop_limits(rules, f"assume_role[{index}]", request)),
        ]  # fmt: skip
        return [
            *map(self._problem, refusals),
            *self._last_identity(manifest, requests),
            *self._session_policy(manifest),
            *self.check_region(region),
            *self._endpoints(manifest.env, endpoints),
        ]

    def check_region(self, region: str | None) -> list[Problem]:
        """The problem of a region that is not allowed; none while it is not known."""
        patterns = self.rules.regions
        if region is None or patterns is None or is_any(region, patterns):
            return []
        return [self._problem(Refusal("region", f"region '{region}'", "regions"))]

    def check_roles(self, roles: Iterable[tuple[str, str]]) -> list[Problem]:
        """The problems of further roles that the step hands to AWS: their places and ARNs. Where
        roles are limited, one that cannot be read is none of those that are allowed."""
        rules = self.rules
        if rules.roles is None and rules.accounts is None and rules.partitions is None:
            return []
        problems = []
        for path, arn in roles:
            try:
                role = RoleArn.parse(arn)
            except ValueError:
                problems.append(self._problem(Refusal(path, f"role '{arn}'", "roles")))
                continue
            problems += map(self._problem, role_limits(rules, path, role))
        return problems

    def restrict(self, requests: tuple[RoleRequest, ...]) -> tuple[RoleRequest, ...]:
        """`requests` with the policy's limits: every session within ``max_duration`` and without
        those of calamari's own tags that ``tags`` does not list, the last one under the policy's
        session policy alone."""
        requests = tuple(map(self._narrowed, requests))
        if not requests or not self._restricts_sessions:
            return requests
        last = replace(
            requests[-1],
            policy=as_text(self.rules.session_policy),
            policy_arns=self.rules.session_policy_arns or (),
        )
        return (*requests[:-1], last)

    def _narrowed(self, request: RoleRequest) -> RoleRequest:
        longest = self.rules.max_duration
        return replace(
            request,
            duration=request.duration if longest is None else min(request.duration, longest),
            default_tags=sent_tags(self.rules, request.default_tags),
        )

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
                yield self._problem(
                    Refusal(path, f"{names} endpoint '{origin}', which", "endpoints")
                )

    def _problem(self, refusal: Refusal) -> Problem:
        return Problem(
            path=refusal.path,
            message=f"{refusal.what} is not allowed by the policy '{self.name}'",
            hint=f"whoever keeps the policy can allow it under '{refusal.key}'",
        )


def as_text(document: Mapping[str, Any] | None) -> str | None:
    """An IAM policy document as STS takes it: compact, for its length counts."""
    return None if document is None else json.dumps(document, separators=(",", ":"))
