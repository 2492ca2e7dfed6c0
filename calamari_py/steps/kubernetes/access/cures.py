"""What a person can do about a failure of an API server."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from calamari_py.errors import CalamariError
from calamari_py.identity import Principal
from calamari_py.steps.base import StepContext
from calamari_py.steps.kubernetes.access.access import Access

if TYPE_CHECKING:
    from calamari_py.steps.kubernetes.access.failures import ApiFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """`what` completes ``could not …: ``."""

    what: str
    hint: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A failure, and where it happened."""

    failure: ApiFailure
    access: Access
    context: StepContext


def cure_of(failure: ApiFailure, access: Access, context: StepContext) -> Cure:
    """What is said of `failure`."""
    says = {
        "unauthorized": _unauthorized,
        "forbidden": _forbidden,
        "unreachable": _unreachable,
        "timeout": _timeout,
        "tls": _tls,
        "expired": _expired,
        "plugin": _plugin,
        "not-found": _not_found,
        "conflict": _conflict,
        "quota": _quota,
        "unknown-type": _unknown_type,
    }.get(failure.kind)
    if says is None:
        return Cure(what=failure.text)
    return says(_Case(failure=failure, access=access, context=context))


def access_entry_command(access: Access, context: StepContext) -> str | None:
    """The command that lets the step's role into an EKS cluster; None where nobody knows who the
    step is."""
    principal = _principal(context)
    if not access.eks or principal is None:
        return None
    return shlex.join(
        ("aws", "eks", "create-access-entry", "--cluster-name", access.eks,
         "--principal-arn", principal, "--region", access.region)
    )  # fmt: skip


def _principal(context: StepContext) -> str | None:
    """Who an access entry names: the role, and no session of it."""
    aws = context.aws
    if aws.role is not None:
        return aws.role
    if aws.arn is None:
        return None
    try:
        seen = Principal.parse(aws.arn)
    except ValueError:
        return None
    if seen.role is not None:
        # STS does not tell a role's path, and the launcher's role is named by nobody.
        return f"arn:{seen.partition}:iam::{seen.account}:role/{seen.role}"
    return aws.arn


def _unauthorized(case: _Case) -> Cure:
    if not case.access.eks:
        of = {
            "server": "check cluster.token: it is wrong, or has ended",
            "kubeconfig": "renew the user's credentials in the kubeconfig, and check its context",
            "in-cluster": "check the pod's service account: its token is not this cluster's",
        }
        return Cure(
            what=f"{case.access.name} does not know who asks (401)",
            hint=of.get(case.access.way, ""),
        )
    who = case.context.aws.arn or case.context.aws.role
    seen = f"'{who}'" if who else "the step's identity"
    command = access_entry_command(case.access, case.context)
    hint = "give the step's role an access entry"
    if command:
        hint = f"give it an access entry:\n        {command}"
    return Cure(
        what=f"{case.access.name} does not let {seen} in (401 Unauthorized)",
        hint=f"{hint}\n        or, where the cluster's authentication mode is CONFIG_MAP, a line in"
        " the aws-auth ConfigMap (the role's ARN there is without its path)",
    )


def _forbidden(case: _Case) -> Cure:
    failure, name = case.failure, case.access.name
    if failure.text in ("unknown", ""):
        what = f"{name} does not let the step see its types (403)"
        return Cure(what=what, hint=_right_hint(case.access, case.context, "system:discovery"))
    if failure.user == "system:anonymous":
        return Cure(
            what=f"{name} found no token that it reads (403, system:anonymous)",
            hint="check how the cluster is reached: 'cluster' in the step's section",
        )
    if not failure.verb:
        # Nobody's right would help.
        return Cure(what=failure.text)
    where = f"in namespace '{failure.namespace}'" if failure.namespace else "in the whole cluster"
    if failure.resource.startswith("/"):
        where = "at the API server"
    return Cure(
        what=f"'{failure.user}' may not {failure.verb} {failure.resource} {where} (403 Forbidden)",
        hint=_right_hint(case.access, case.context, _rule(failure)),
    )


def _rule(failure: ApiFailure) -> str:
    resource, _, group = failure.resource.partition(".")
    kind = "Role" if failure.namespace else "ClusterRole"
    rule = f'{{apiGroups: ["{group}"], resources: [{resource}], verbs: [{failure.verb}]}}'
    return f"a {kind} with {rule}, and its binding"


def _right_hint(access: Access, context: StepContext, rule: str) -> str:
    if not access.eks:
        return f"the cluster's administrator gives it that right: {rule}"
    principal = _principal(context) or "ROLE_ARN"
    command = shlex.join(
        ("aws", "eks", "associate-access-policy", "--cluster-name", access.eks,
         "--region", access.region, "--principal-arn", principal, "--policy-arn")
    )  # fmt: skip
    partition = context.aws.partition
    policy = f"arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
    scope = f"--access-scope type=namespace,namespaces={access.namespace}"
    return f"give the role {rule},\n        or an access policy: {command} {policy} {scope}"


def _unreachable(case: _Case) -> Cure:
    hint = f"check that this machine reaches {case.access.server}"
    if not case.access.is_public:
        hint = (
            f"the endpoint of {case.access.name} is private: run the step within its VPC, or where "
            "that is reached"
        )
    elif any(case.context.environment.get(name) for name in ("HTTPS_PROXY", "https_proxy")):
        hint += "; HTTPS_PROXY is set: should it be asked by that, or does NO_PROXY lack it?"
    return Cure(what=f"{case.access.name} cannot be reached: {case.failure.text}", hint=hint)


def _timeout(case: _Case) -> Cure:
    hint = f"check that this machine reaches {case.access.server}, or run the step again"
    if not case.access.is_public:
        hint = f"the endpoint of {case.access.name} is private: does this machine reach it?"
    return Cure(what=f"no answer in time: {case.failure.text}", hint=hint)


def _tls(case: _Case) -> Cure:
    what = f"{case.access.name} does not prove who it is: {case.failure.text}"
    if "expired" in case.failure.text or "not yet valid" in case.failure.text:
        return Cure(what=what, hint="check the clock of this machine, and renew the certificate")
    if "signed by unknown authority" in case.failure.text:
        hint = "certificate_authority is not who signed it, or somebody stands between (a proxy)"
        return Cure(what=what, hint=hint)
    return Cure(what=what, hint=f"check the address: {case.access.server}")


def _expired(case: _Case) -> Cure:
    return Cure(
        what=f"the step's credentials have ended: {case.failure.text}",
        hint="write 'credentials: {delivery: endpoint}', which renews them",
    )


def _plugin(case: _Case) -> Cure:
    if not case.access.eks:
        return Cure(
            what=f"the kubeconfig's plugin gives no token: {case.failure.text}",
            hint="run it by hand: calamari exec step.yaml -- COMMAND",
        )
    what = f"there is no token for {case.access.name}: {case.failure.text}"
    try:
        # Why credentials cannot be renewed is known better here.
        case.context.credentials()
    except CalamariError as error:
        return Cure(
            what=f"there is no token for {case.access.name}: {error.message}", hint=error.hint
        )
    return Cure(what=what, hint="the lines above that begin with 'calamari:' say why")


def _not_found(case: _Case) -> Cure:
    if case.failure.namespace:
        return Cure(
            what=f"there is no namespace '{case.failure.namespace}' in {case.access.name}",
            hint="make the namespace, or let the role make it (create_namespace: true); or correct"
            " namespace",
        )
    return Cure(what=case.failure.text)


def _conflict(case: _Case) -> Cure:
    if "Apply failed with" in case.failure.text:
        return Cure(
            what=case.failure.text,
            hint="leave those fields out of the files, or take them: force_conflicts: true",
        )
    if "has been modified" in case.failure.text:
        return Cure(
            what=case.failure.text, hint="run the step again: somebody changed it meanwhile"
        )
    return Cure(what=case.failure.text)


def _quota(case: _Case) -> Cure:
    return Cure(
        what=case.failure.text, hint="ask for less, or raise the ResourceQuota of the namespace"
    )


def _unknown_type(case: _Case) -> Cure:
    version = f" (Kubernetes {case.access.version})" if case.access.version else ""
    return Cure(
        what=case.failure.text,
        hint=f"does {case.access.name}{version} know that type? Put its CustomResourceDefinition "
        "into the files, or correct apiVersion and kind",
    )
