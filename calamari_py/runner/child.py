"""What a step's child gets, and what it must not see, from everything that is known of a step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calamari_py.delivery import DELIVERIES
from calamari_py.environment import EnvironmentSpec
from calamari_py.manifest.types import StepManifest
from calamari_py.runner.identity import ResolvedIdentity
from calamari_py.runner.prepare import PreparedStep
from calamari_py.steps.base import KindEnvironment

_LAUNCHER_FILES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
)
"""Environment variables that name a file of the launcher's."""
_LAUNCHER_FOLDERS = (
    "/var/run/secrets/eks.amazonaws.com",
    "/var/run/secrets/pods.eks.amazonaws.com",
)
"""Where the kubelet puts the tokens of a pod's launcher."""


def environment_spec(
    step: PreparedStep,
    identity: ResolvedIdentity,
    *,
    environ: Mapping[str, str],
    credential_names: Mapping[str, str],
    names: Mapping[str, str],
    kind: KindEnvironment,
) -> EnvironmentSpec:
    """Everything that decides the child's environment. `names` are calamari's own."""
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
        credential_names=credential_names,
        account=principal.account if principal else None,
        region=identity.region,
        expires_at=ends.credentials.expires_at if ends else None,
        kind_names={**names, **kind.names},
        prepend=kind.prepend,
        overlay=manifest.env,
    )


def hidden_paths(manifest: StepManifest, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files and folders that lead to the launcher, which ``--isolate`` hides; none that the
    manifest itself lies in."""
    paths = [
        Path(environ[name].strip()) for name in _LAUNCHER_FILES if environ.get(name, "").strip()
    ]
    paths += [Path(folder) for folder in _LAUNCHER_FOLDERS]
    if home := environ.get("HOME"):
        paths.append(Path(home, ".aws"))
    if manifest.account.token_file:
        paths.append(manifest.folder / manifest.account.token_file.strip())
    needed = {manifest.folder, *manifest.folder.parents}
    return tuple(
        path
        for path in dict.fromkeys(paths)
        if path.is_absolute() and path.exists() and path not in needed
    )
