"""A run held against the operator's policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from calamari_py.errors import PolicyRefused, Problem
from calamari_py.manifest import LoadedManifest
from calamari_py.runner.prepared import PreparedStep, placed
from calamari_py.runner.trail import Trail

if TYPE_CHECKING:
    from calamari_py.policy import OperatorPolicy


class Policing:
    """PolicyRefused for what lies outside of `policy`, noted in `trail`. Everything is allowed
    where there is none."""

    def __init__(self, policy: OperatorPolicy | None, trail: Trail) -> None:
        self._policy = policy
        self._trail = trail

    @property
    def name(self) -> str | None:
        """The policy's name."""
        return self._policy.name if self._policy is not None else None

    def restricted(
        self,
        step: PreparedStep,
        *,
        region: str | None,
        endpoints: Mapping[str, str],
        environ: Mapping[str, str],
    ) -> PreparedStep:
        """The step within the policy. `endpoints` are the variables that say where AWS is, and
        `environ` is the caller's environment."""
        policy = self._policy
        if policy is None:
            return step
        problems = policy.check(
            step.loaded.manifest,
            step.requests,
            region=region,
            endpoints=endpoints,
            environ=environ,
        )
        self._refuse([*problems, *_problems_of_roles(policy, step)], step.loaded)
        return replace(step, requests=policy.restrict(step.requests))

    def check_roles(self, step: PreparedStep) -> None:
        """The roles that the step's kind hands to AWS, as far as they are known."""
        if self._policy is not None:
            self._refuse(_problems_of_roles(self._policy, step), step.loaded)

    def check_role(self, loaded: LoadedManifest, path: str, arn: str) -> None:
        """A role that only AWS knew of; it stands at `path` of the manifest."""
        if self._policy is not None:
            self._refuse(self._policy.check_roles([(path, arn)]), loaded)

    def check_region(self, region: str, *, subject: str) -> None:
        """A region that only the launcher's source knew; `subject` is the manifest's name. Whoever
        looks for the launcher notes the refusal."""
        if self._policy is not None and (problems := self._policy.check_region(region)):
            raise PolicyRefused(problems, subject=subject)

    def check_launcher(self, loaded: LoadedManifest) -> None:
        """That somebody asks for the launcher's own credentials."""
        if self._policy is not None and (problems := self._policy.check_launcher()):
            with placed(loaded):
                raise PolicyRefused(problems)

    def _refuse(self, problems: Sequence[Problem], loaded: LoadedManifest) -> None:
        """PolicyRefused, noted and with its places, where there are `problems`."""
        if not problems:
            return
        refused = PolicyRefused(problems)
        self._trail.refused(refused)
        with placed(loaded):
            raise refused


def _problems_of_roles(policy: OperatorPolicy, step: PreparedStep) -> list[Problem]:
    if step.spec is None:
        return []
    roles = step.kind.roles(step.spec)
    return policy.check_roles(role for role in roles if role[0] not in step.loaded.late_paths)
