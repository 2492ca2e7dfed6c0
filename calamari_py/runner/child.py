"""What a step's child gets, from everything that is known of a step."""

from __future__ import annotations

from collections.abc import Mapping

from calamari_py.delivery import DELIVERIES
from calamari_py.environment import EnvironmentSpec
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.prepared import PreparedStep
from calamari_py.steps.base import KindEnvironment


def environment_spec(
    step: PreparedStep,
    identity: ResolvedIdentity,
    *,
    environ: Mapping[str, str],
    credential_names: Mapping[str, str],
    names: Mapping[str, str],
    kind: KindEnvironment,
) -> EnvironmentSpec:
    """Everything that decides the child's environment. `names` are calamari's own, `kind` is what
    the child's kind says. What no child of the step's own kind inherits, no other child of the step
    does: its commands are run there, too.
    """
    loaded, deployment = step.loaded, identity.deployment
    manifest = loaded.manifest
    principal = deployment.principal if deployment else None
    launcher_names = identity.launcher.environment_names if identity.launcher else frozenset()
    # What is renewed has no one end; a past one would make SDKs refuse good keys.
    ends = None if deployment is None or DELIVERIES[step.delivery].renews else deployment
    return EnvironmentSpec(
        inherited=environ,
        inherit=manifest.inherit_env,
        scrub_names=loaded.scrub_names | launcher_names,
        scrub=(*step.scrub, *kind.scrub),
        credential_names=credential_names,
        account=principal.account if principal else None,
        region=identity.region,
        expires_at=ends.credentials.expires_at if ends else None,
        kind_names={**names, **kind.names},
        prepend=kind.prepend,
        overlay=manifest.env,
    )
