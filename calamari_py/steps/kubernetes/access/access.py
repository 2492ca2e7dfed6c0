"""Access: a cluster that was found, and a kubeconfig by which kubectl and helm reach it."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from calamari_py.aws.eks_token import MOST_OFFSET
from calamari_py.channel import write_private
from calamari_py.errors import CloudError, IdentityError, ToolFailed, ToolMissing
from calamari_py.steps.base import StepContext
from calamari_py.steps.kubernetes.access import kubeconfig as config_of
from calamari_py.steps.kubernetes.access.environment import names_for_scripts, names_for_tools
from calamari_py.steps.kubernetes.spec import ClusterSpec

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOLERATED = 5.0
"""Seconds that two clocks may differ by. A cluster tolerates minutes."""
_NOT_ACTIVE = {
    "CREATING": "is still being created",
    "PENDING": "is still being registered",
    "DELETING": "is being deleted",
    "FAILED": "could not be created",
}
_OVERRIDE = "or write server and certificate_authority beside eks: EKS is not asked then"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How one step reaches one cluster.

    `name` is what messages call it, `namespace` that of the context. `cluster_arn` and `version`
    are "" where nobody was asked, `eks` where it is no cluster of EKS, `region` likewise.
    `environment` is complete, for tools whose output is read; `script_environment` are the names
    that join the environment of a command that others wrote.
    """

    kubeconfig: Path
    name: str
    server: str
    namespace: str
    cluster_arn: str = ""
    version: str = ""
    way: Literal["eks", "server", "kubeconfig", "in-cluster"]
    eks: str = ""
    region: str = ""
    is_public: bool = True
    environment: Mapping[str, str] = field(repr=False)
    script_environment: Mapping[str, str] = field(repr=False)

    def fields(self) -> dict[str, Any]:
        """JSON values for ``details.cluster``."""
        return {
            "name": self.eks or self.name,
            "arn": self.cluster_arn or None,
            "server": self.server,
            "version": self.version or None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A cluster, and the kubeconfig of it."""

    config: Mapping[str, Any] = field(repr=False)
    name: str
    arn: str = ""
    version: str = ""
    region: str = ""
    is_public: bool = True


def open_access(
    spec: ClusterSpec,
    *,
    namespace: str,
    context: StepContext,
    service_account: Path = SERVICE_ACCOUNT,
    machine_time: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Access:
    """Find the cluster and write the kubeconfig, 0600. `namespace` is "" for the context's own.

    Raises ToolFailed for a cluster that is not to be used, IdentityError for one of another
    account, ToolMissing for a pod's that is not there, CloudError when EKS refuses to say.
    """
    if spec.way == "eks":
        offset = (context.clock.now() - machine_time()).total_seconds()
        found = _eks(spec, namespace, offset, context)
    elif spec.way == "server":
        found = _server(spec, namespace, context)
    elif spec.way == "kubeconfig":
        found = _kubeconfig(spec, namespace, context)
    else:
        found = _in_cluster(namespace, context, service_account)
    path = context.private / "kubeconfig"
    path.unlink(missing_ok=True)
    write_private(path, config_of.to_bytes(found.config))
    home = context.private / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    for_scripts = names_for_scripts(kubeconfig=path, cache=context.temp / "kube-cache")
    return Access(
        kubeconfig=path,
        name=found.name,
        server=config_of.server_of(found.config),
        namespace=config_of.namespace_of(found.config),
        cluster_arn=found.arn,
        version=found.version,
        way=spec.way,
        eks=spec.eks,
        region=found.region,
        is_public=found.is_public,
        environment={
            **context.environment,
            **for_scripts,
            **names_for_tools(home=home, temp=context.temp),
        },
        script_environment=for_scripts,
    )


def _eks(spec: ClusterSpec, namespace: str, offset: float, context: StepContext) -> _Found:
    region = spec.region or context.aws.region
    name = f"EKS cluster '{spec.eks}' in {region}"
    arn = version = ""
    is_public = True
    server, authority = spec.server, spec.authority
    if server and authority is not None:
        # The plugin would say it, too, but after kubectl has started it several times.
        context.credentials()
    else:
        body = _described(spec, name, region, context)
        _check(body, name, region, context)
        arn, version = str(body.get("arn", "")), str(body.get("version", ""))
        server = str(body.get("endpoint") or "").rstrip("/")
        authority = _authority(body, name)
        is_public = (body.get("resourcesVpcConfig") or {}).get("endpointPublicAccess", True)
    return _Found(
        config=config_of.of_eks(
            server=server,
            authority=authority,
            namespace=namespace or "default",
            argv=plugin_argv(spec.eks, region, offset),
        ),
        name=name,
        arn=arn,
        version=version,
        region=region,
        is_public=bool(is_public),
    )


def plugin_argv(cluster: str, region: str, offset: float = 0.0) -> tuple[str, ...]:
    """The command that prints a token: by absolute interpreter, and without a secret. `offset` is
    how many seconds AWS's clock is ahead of this machine's. Pure."""
    # Neither the folder nor PYTHONPATH of a step may choose what is run with its credentials.
    argv = (sys.executable, "-E", "-P", "-m", "calamari_py", "eks-token",
            "--cluster-name", cluster, "--region", region)  # fmt: skip
    offset = max(-MOST_OFFSET, min(MOST_OFFSET, offset))
    return argv if abs(offset) < _TOLERATED else (*argv, "--clock-offset", str(round(offset)))


def _described(
    spec: ClusterSpec, name: str, region: str, context: StepContext
) -> Mapping[str, Any]:
    if region != context.aws.region:
        raise ToolFailed(
            f"{name} cannot be asked for: the step is in {context.aws.region}",
            hint=f"write 'region: {region}' for the step, {_OVERRIDE}",
        )
    try:
        answer = context.aws.call("eks", "DescribeCluster", {"name": spec.eks}, subject=name)
    except CloudError as error:
        raise _why_not_described(error, name, context) from None
    body = answer.get("cluster")
    if not isinstance(body, Mapping):
        raise ToolFailed(f"EKS did not say what {name} is", hint="run the step again")
    return body


def _why_not_described(error: CloudError, name: str, context: StepContext) -> CloudError:
    """The same error with what is known of its cure, where something is."""
    account = f" of account {context.aws.account}" if context.aws.account else ""
    if error.code == "ResourceNotFoundException":
        message = f"there is no {name}{account}"
        hint = "check cluster.eks, the region and the account that the step runs in"
    elif error.code in ("AccessDeniedException", "AccessDenied"):
        message = error.message
        hint = f"allow the step's role eks:DescribeCluster on the cluster, {_OVERRIDE}"
    else:
        return error
    return type(error)(
        message,
        service=error.service,
        operation=error.operation,
        code=error.code,
        request_id=error.request_id,
        status=error.status,
        evidence=error.evidence,
        hint=hint,
    )


def _check(body: Mapping[str, Any], name: str, region: str, context: StepContext) -> None:
    """That it is a cluster of the step's account which answers."""
    parts = str(body.get("arn", "")).split(":")
    account = context.aws.account
    if len(parts) < 6 or parts[3] != region or (account and parts[4] != account):
        of_step = f"account {account or 'unknown'} and region {region}"
        raise IdentityError(
            f"EKS answered with '{':'.join(parts)}' for {name}, which is not of {of_step}",
            hint="check AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_EKS: somebody else's EKS answers",
        )
    status = body.get("status")
    if status not in ("ACTIVE", "UPDATING"):
        why = _NOT_ACTIVE.get(str(status), f"is in status {status}")
        health = (body.get("health") or {}).get("issues") or ()
        raise ToolFailed(
            f"{name} {why}",
            hint="look at it with 'aws eks describe-cluster', and run the step again when it is "
            "ACTIVE",
            evidence=tuple(str(issue.get("message", "")) for issue in health),
        )
    if not str(body.get("endpoint") or "").startswith("https://"):
        raise ToolFailed(f"{name} has no API server", hint=f"wait for it, {_OVERRIDE}")


def _authority(body: Mapping[str, Any], name: str) -> bytes:
    try:
        text = (body.get("certificateAuthority") or {})["data"]
        return base64.b64decode(text, validate=True)
    except (KeyError, TypeError, ValueError):
        raise ToolFailed(
            f"EKS did not say who signed the certificate of {name}",
            hint=f"wait for it, {_OVERRIDE}",
        ) from None


def _server(spec: ClusterSpec, namespace: str, context: StepContext) -> _Found:
    context.report.hide(spec.token, "cluster.token")
    context.report.note("the cluster is reached by cluster.token, not as the step's role")
    return _Found(
        config=config_of.of_token(
            server=spec.server,
            authority=spec.authority or b"",
            namespace=namespace or "default",
            token=spec.token,
        ),
        name=f"the API server {spec.server}",
    )


def _kubeconfig(spec: ClusterSpec, namespace: str, context: StepContext) -> _Found:
    config = json.loads(spec.config)
    for name, secret in config_of.secrets_in(config):
        context.report.hide(secret, name)
    context.report.note("the cluster is reached as the kubeconfig's user")
    own = config_of.namespace_of(config)
    return _Found(
        config=config_of.with_namespace(config, namespace or own or "default"),
        name=f"context '{spec.context}' of {spec.kubeconfig}",
    )


def _in_cluster(namespace: str, context: StepContext, folder: Path) -> _Found:
    names = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
    host, port = (context.environment.get(name, "") for name in names)
    if not host or not port:
        raise ToolMissing(
            f"there is no cluster around us: {names[0]} or {names[1]} is not set",
            hint="in_cluster is for a calamari that runs in a pod; where inherit_env is a list, "
            "put KUBERNETES_* on it",
        )
    try:
        authority = (folder / "ca.crt").read_bytes()
        # Read once for the masker. It is rotated: kubectl and helm read it anew from its file.
        context.report.hide((folder / "token").read_text("ascii").strip(), "service account token")
        own = _text_of(folder / "namespace")
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or "unreadable").lower()
        raise ToolMissing(
            f"the pod's service account cannot be read from '{folder}': {why}",
            hint="set automountServiceAccountToken: true for the pod",
        ) from None
    address = f"[{host}]" if ":" in host else host
    return _Found(
        config=config_of.of_pod(
            server=f"https://{address}:{port}",
            authority=authority,
            namespace=namespace or own or "default",
            token_file=folder / "token",
        ),
        name="the cluster around this pod",
    )


def _text_of(path: Path) -> str:
    return path.read_text("utf-8").strip() if path.exists() else ""
