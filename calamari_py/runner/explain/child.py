"""What a step's child would get, by name: its environment and its variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calamari_py.channel import Channel
from calamari_py.delivery import DELIVERIES
from calamari_py.environment import ChildEnvironment, build_child_environment
from calamari_py.masking import SecretRegistry
from calamari_py.output.explanation import NamedVariable, Names
from calamari_py.runner.child import environment_spec
from calamari_py.runner.folders import ChildFolders
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.prepared import PreparedStep
from calamari_py.runner.specs import SCRIPT
from calamari_py.runner.unmasked import unmasked_secrets
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import KindEnvironment


def foreseen_environment(
    step: PreparedStep, identity: ResolvedIdentity, environ: Mapping[str, str]
) -> ChildEnvironment:
    """The child's environment. Only its names are right."""
    private = Path("{private}")
    folders = ChildFolders(
        memory=private, channel=Channel(private / "channel"), temp=private / "temp"
    )
    kind = KindEnvironment()
    if not step.kind.starts_processes:
        kind = STEP_KINDS[SCRIPT].environment(step.finally_spec)
    elif step.spec is not None:
        kind = step.kind.environment(step.spec)
    delivered: set[str] = set()
    if identity.deployment is not None:
        delivered = set(DELIVERIES[step.delivery].names)
        if identity.deployment.credentials.session_token is None:
            delivered.discard("AWS_SESSION_TOKEN")
    return build_child_environment(
        environment_spec(
            step,
            identity,
            environ=environ,
            credential_names=dict.fromkeys(delivered, ""),
            names={**folders.environment(), **dict.fromkeys((*_own_names(step), *kind.later), "")},
            kind=kind,
        )
    )


def _own_names(step: PreparedStep) -> tuple[str, ...]:
    """What the step's child is told; `finally`'s, where it is the only one."""
    if step.kind.starts_processes:
        return ("CALAMARI_ATTEMPT",)
    return ("CALAMARI_OUTCOME", "CALAMARI_EXIT_CODE")


def environment_names(environment: ChildEnvironment) -> Names:
    """What calamari sets counts as added, also where it was set to the same before."""
    added = sorted(set(environment.values) - set(environment.passed))
    return Names(removed=environment.removed, added=tuple(added), passed=environment.passed)


def named_variables(step: PreparedStep, registry: SecretRegistry) -> tuple[NamedVariable, ...]:
    """The step's variables, those that are not fetched yet among them."""
    loaded = step.loaded
    unmasked = unmasked_secrets(loaded.variables, registry)
    known = [
        NamedVariable(
            name=name,
            sensitive=variable.sensitive,
            masked=variable.sensitive and name not in unmasked,
            withheld=name in loaded.withheld,
        )
        for name, variable in loaded.variables.items()
    ]
    late = [
        NamedVariable(
            name=variable.name,
            sensitive=variable.sensitive,
            masked=variable.sensitive and variable.mask,
            withheld=variable.name in loaded.withheld,
            late=variable.source,
        )
        for variable in loaded.late
    ]
    return (*known, *late)
