"""What a caller may ask about itself."""

from __future__ import annotations

from tests.kube.server.failures import Body
from tests.kube.server.rights import Asked, Rights
from tests.kube.server.routes import Target
from tests.kube.server.wire import Answer, Request, answer


def reviewed(rights: Rights, target: Target, request: Request) -> Answer:
    """A SelfSubjectReview, SelfSubjectAccessReview or SelfSubjectRulesReview."""
    body = request.object()
    spec = body.get("spec") or {}
    status: Body
    if target.type.kind == "SelfSubjectReview":
        caller = request.caller
        user: Body = {"username": caller.name, "groups": list(caller.groups)}
        if caller.uid:
            user["uid"] = caller.uid
        if caller.arn:
            user["extra"] = {"arn": [caller.arn]}
        status = {"userInfo": user}
    elif target.type.kind == "SelfSubjectAccessReview":
        wanted = spec.get("resourceAttributes") or {}
        part = wanted.get("subresource")
        asked = Asked(
            verb=wanted.get("verb", ""),
            resource=wanted.get("resource", "") + (f"/{part}" if part else ""),
            group=wanted.get("group", ""),
            namespace=wanted.get("namespace", ""),
            name=wanted.get("name", ""),
        )
        status = {"allowed": rights.allows(asked)}
    else:
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        status = {"resourceRules": [everything], "nonResourceRules": [], "incomplete": False}
    told = {"kind": target.type.kind, "apiVersion": target.type.api_version}
    return answer({**told, "metadata": {}, "spec": spec, "status": status}, 201)
