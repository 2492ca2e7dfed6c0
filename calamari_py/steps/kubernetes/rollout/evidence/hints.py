"""What to do about a rollout that failed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from calamari_py.steps.kubernetes.rollout.rules.signs import Sign, Trouble
from calamari_py.steps.kubernetes.rollout.standing import Row

_BY_TROUBLE: Mapping[Trouble, str] = {
    "crash": "the container starts and ends: its last lines are above",
    "unschedulable": (
        "no node takes the pod: compare its requests, node selector and tolerations with what the "
        "scheduler says, and see whether the node group or autoscaler may grow"
    ),
    "quota": (
        "its controller may not make pods: raise the quota, or change what the message names (a "
        "quota, an admission webhook, the service account)"
    ),
    "evicted": "the pods were ended by their node: see its disk and memory pressure",
    "absent": "something has removed it, or it was never made: see the namespace and the name",
}
_BY_REASON: Mapping[str, str] = {
    "ProgressDeadlineExceeded": (
        "spec.progressDeadlineSeconds is over: see the pods above, then apply again"
    ),
    "BackoffLimitExceeded": (
        "see the job's log above; a job is only run again when it is deleted first"
    ),
    "DeadlineExceeded": "the job took longer than its activeDeadlineSeconds",
    "Replaced": "see who else deploys it, then run the step again",
    "Terminating": "wait until it is gone, or see what its finalizers wait for; then apply again",
}
_BY_KIND: Mapping[str, str] = {
    "Service": "see kubectl describe service: the load balancer controller says why",
    "Ingress": "see whether an ingress controller serves its ingressClassName",
    "PersistentVolumeClaim": (
        "see kubectl describe pvc, and whether its storage class has a provisioner"
    ),
    "StatefulSet": (
        "a pod that never gets ready blocks the following ones, a corrected template, too: delete "
        "that pod, or use podManagementPolicy: Parallel"
    ),
}
_ECR = re.compile(r"(\d{12})\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(.+)\Z")
_MISSING = re.compile(r"(secret|configmap) \"([^\"]+)\" not found", re.IGNORECASE)
_NO_KEY = re.compile(r"couldn't find key (\S+) in (Secret|ConfigMap) (\S+)", re.IGNORECASE)
_DENIED = re.compile(r"denied|unauthorized|forbidden|no basic auth|401|403", re.IGNORECASE)


def hint_of(row: Row, sign: Sign | None) -> str | None:
    """The cure, as far as the reason tells; None where it says nothing to us."""
    if sign is None or sign.trouble == "verdict":
        return _BY_REASON.get(row.judgement.reason) or _BY_KIND.get(row.ref.kind)
    if sign.is_old:
        return _BY_KIND.get(row.ref.kind)
    if sign.trouble == "image":
        return _image(sign)
    if sign.trouble in {"config", "volume"}:
        return _config(sign)
    if sign.reason == "OOMKilled":
        return "give the container more memory (resources.limits.memory), or let it use less"
    return _BY_TROUBLE[sign.trouble]


def _image(sign: Sign) -> str:
    image = sign.image or "the image"
    if sign.reason == "InvalidImageName":
        return f"'{image}' is no image name"
    if ecr := _ECR.search(sign.image):
        account, region, rest = ecr.groups()
        name, _, tag = rest.partition("@")[0].partition(":")
        return (
            f"see whether the image exists: aws ecr describe-images --registry-id {account} "
            f"--region {region} --repository-name {name} --image-ids imageTag={tag or 'latest'}; "
            "the node's role must be allowed to pull it (AmazonEC2ContainerRegistryPullOnly), and "
            "a repository of another account must let it in"
        )
    if _DENIED.search(sign.message):
        return f"the registry refuses '{image}': name a pull secret that it knows, or correct it"
    return f"see whether '{image}' exists in its registry, and whether its name and tag are right"


def _config(sign: Sign) -> str:
    if found := _NO_KEY.search(sign.message):
        key, kind, name = found.groups()
        return f"{kind} '{name}' has no key '{key}': add it, or name another"
    if found := _MISSING.search(sign.message):
        kind = "Secret" if found[1].lower() == "secret" else "ConfigMap"
        return f"there is no {kind} '{found[2]}' in the pod's namespace: apply it with the step"
    if sign.reason == "FailedAttachVolume":
        return "a volume in use elsewhere is let go within minutes; see kubectl describe pod"
    return "correct what the message names in the pod's template"
