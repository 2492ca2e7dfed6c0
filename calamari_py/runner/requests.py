"""The manifest's ``assume_role`` as STS will be asked for it. Makes no call."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

from calamari_py.errors import FileMissing, Findings, ManifestError, Problem
from calamari_py.identity import (
    DEFAULT_DURATION,
    MIN_DURATION,
    TAG_PREFIX,
    RoleArn,
    RoleRequest,
    build_session_name,
    clean_tag_value,
    request_violations,
)
from calamari_py.manifest.types import Hop, StepManifest
from calamari_py.variables import SourceUnreadable, from_file

READ_ONLY_PRESET = "preset:read-only"
_TITLE_LIMIT = 90
_NOT_IN_TITLE = re.compile(r"[^A-Za-z0-9]+")
_MARGIN = 300
"""Seconds that credentials live longer than the step may take, when nobody says how long."""


def build_role_requests(
    manifest: StepManifest, *, longest_run: float | None
) -> tuple[RoleRequest, ...]:
    """The hops as STS will be asked for them; ManifestError when one breaks STS's input rules.

    `longest_run` is how many seconds the last role's credentials may be needed for, None when
    nobody knows.
    """
    found = Findings()
    requests = []
    last = len(manifest.assume_role) - 1
    for index, hop in enumerate(manifest.assume_role):
        path = f"assume_role[{index}]"
        # A role on the way is used once, to assume the next.
        needed = longest_run if index == last else 0.0
        with found:
            request = _role_request(
                hop,
                manifest,
                path,
                duration=_duration(hop, needed),
                default_tags=_default_tags(manifest) if index == last and hop.default_tags else {},
            )
            requests.append(request)
            found.problems.extend(
                Problem(path=f"{path}.{name}", message=message)
                for name, message in request_violations(request)
            )
    found.raise_if_any()
    return tuple(requests)


def default_session_name(manifest: StepManifest) -> str:
    """What CloudTrail shows of a step unless the manifest says otherwise."""
    return build_session_name(
        manifest.project, manifest.environment, manifest.name, manifest.deployment_id
    )


def step_title(manifest: StepManifest) -> str:
    """The parts of the session name as ``[A-Za-z][A-Za-z0-9-]{0,89}``, for names that a kind makes
    up itself. A long one ends in a short hash of the whole."""
    parts = (manifest.project, manifest.environment, manifest.name, manifest.deployment_id)
    whole = "-".join(part for part in parts if part)
    title = _NOT_IN_TITLE.sub("-", whole).strip("-")
    if not title[:1].isalpha():
        title = f"step-{title}".strip("-")
    if len(title) <= _TITLE_LIMIT:
        return title
    import hashlib

    digest = hashlib.sha256(whole.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{title[: _TITLE_LIMIT - 9].rstrip('-')}-{digest}"


def _duration(hop: Hop, needed: float | None) -> int:
    """The manifest's own duration, else the least that will do, and never more than 1 h."""
    if hop.duration is not None:
        return int(hop.duration)
    if needed is None:
        return DEFAULT_DURATION
    return min(DEFAULT_DURATION, max(MIN_DURATION, math.ceil(needed) + _MARGIN))


def _default_tags(manifest: StepManifest) -> dict[str, str]:
    """Who the step is, for policies and for CloudTrail; nothing for a step that does not say."""
    described = {
        "project": manifest.project,
        "environment": manifest.environment,
        "deployment": manifest.deployment_id,
    }
    given = {key: value for key, value in described.items() if value}
    if not given:
        return {}
    return {
        f"{TAG_PREFIX}{key}": clean_tag_value(value)
        for key, value in {**given, "step": manifest.name}.items()
    }


def _role_request(
    hop: Hop, manifest: StepManifest, path: str, *, duration: int, default_tags: Mapping[str, str]
) -> RoleRequest:
    role = RoleArn.parse(hop.role_arn)
    policy, policy_arns = _session_policy(hop, role, manifest.folder, f"{path}.policy")
    return RoleRequest(
        role=role,
        session_name=hop.session_name or default_session_name(manifest),
        duration=duration,
        external_id=hop.external_id,
        policy=policy,
        policy_arns=policy_arns,
        tags=hop.tags,
        transitive_tags=hop.transitive_tags,
        source_identity=hop.source_identity,
        default_tags=default_tags,
    )


def _session_policy(
    hop: Hop, role: RoleArn, folder: Path, path: str
) -> tuple[str | None, tuple[str, ...]]:
    """The inline session policy's text, and the policy ARNs."""
    if hop.policy == READ_ONLY_PRESET:
        preset = f"arn:{role.partition}:iam::aws:policy/ReadOnlyAccess"
        return None, (*hop.policy_arns, preset)
    if not isinstance(hop.policy, str):
        document = hop.policy
    elif hop.policy.startswith("preset:"):
        message = f"'{hop.policy}' is no preset; write '{READ_ONLY_PRESET}'"
        raise ManifestError([Problem(path=path, message=message)])
    else:
        try:
            document = json.loads(from_file(folder / hop.policy, shown=hop.policy))
        except SourceUnreadable as error:
            problem = Problem(path=path, message=error.message, hint=error.hint)
            raise (FileMissing if error.missing else ManifestError)([problem]) from None
        except ValueError:
            message = f"the policy file '{hop.policy}' is no JSON"
            hint = f"write an IAM policy document, or '{READ_ONLY_PRESET}'"
            raise ManifestError([Problem(path=path, message=message, hint=hint)]) from None
    text = None if document is None else json.dumps(document, separators=(",", ":"))
    return text, hop.policy_arns
