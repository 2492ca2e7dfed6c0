"""The policy's keys against what a manifest names: each refusal with its place and its key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from calamari_py.identity import TAG_PREFIX, RoleArn, RoleRequest
from calamari_py.manifest.types import StepManifest
from calamari_py.policy.rules import PolicyRules
from calamari_py.trust.patterns import is_arn_like, is_like

_DESCRIPTIONS = {
    "projects": "project",
    "environments": "environment",
    "deployments": "deployment_id",
}
"""What a manifest says it is: the policy's key and the manifest's."""
_TAGGED = {
    f"{TAG_PREFIX}project": "project",
    f"{TAG_PREFIX}environment": "environment",
    f"{TAG_PREFIX}deployment": "deployment_id",
    f"{TAG_PREFIX}step": "name",
}
"""Which key of the manifest calamari's own session tags are made of."""


class Refusal(NamedTuple):
    """What the policy does not allow. `path` is the manifest's, `key` the policy's to change."""

    path: str
    what: str
    key: str


def is_any(text: str, patterns: tuple[str, ...]) -> bool:
    """Whether `text` fits one of `patterns`."""
    return any(is_like(text, pattern) for pattern in patterns)


def description_limits(rules: PolicyRules, manifest: StepManifest) -> Iterator[Refusal]:
    """What the step may say it is: its session, and whoever reads the audit log, believe it.

    What is left out counts as the empty text: a step that says nothing is nobody's.
    """
    for key, field in _DESCRIPTIONS.items():
        patterns: tuple[str, ...] | None = getattr(rules, key)
        value = getattr(manifest, field) or ""
        if patterns is not None and not is_any(value, patterns):
            what = f"{field} '{value}'" if value else f"a step without '{field}'"
            yield Refusal(field, what, key)


def output_limits(rules: PolicyRules, manifest: StepManifest) -> Iterator[Refusal]:
    """Whether the step's output may be asked for unmasked."""
    if manifest.allow_no_mask and not rules.allow_no_mask:
        yield Refusal("allow_no_mask", "output without masking", "allow_no_mask: true")


def hop_limits(rules: PolicyRules, path: str, request: RoleRequest) -> Iterator[Refusal]:
    """One hop of ``assume_role``."""
    yield from role_limits(rules, f"{path}.role_arn", request.role)
    name, where = request.session_name, f"{path}.session_name"
    if not _fits(name, rules.session_names):
        yield Refusal(where, f"session name '{name}'", "session_names")
    source = request.source_identity
    if source is not None and not _fits(source, rules.source_identities):
        yield Refusal(f"{path}.source_identity", f"source identity '{source}'", "source_identities")
    allowed = rules.external_ids
    if request.external_id is not None and allowed is not None \
            and request.external_id not in allowed:  # fmt: skip
        # Not quoted: whoever knows a role's external id is half way in.
        yield Refusal(f"{path}.external_id", "this external id", "external_ids")
    yield from _tag_limits(rules, path, request)


def role_limits(rules: PolicyRules, path: str, role: RoleArn) -> Iterator[Refusal]:
    """Any role that the manifest names."""
    if rules.partitions is not None and role.partition not in rules.partitions:
        yield Refusal(path, f"partition '{role.partition}'", "partitions")
    elif rules.accounts is not None and role.account not in rules.accounts:
        yield Refusal(path, f"account '{role.account}'", "accounts")
    elif rules.roles is not None and not any(is_arn_like(str(role), p) for p in rules.roles):
        yield Refusal(path, f"role '{role}'", "roles")


def _tag_limits(rules: PolicyRules, path: str, request: RoleRequest) -> Iterator[Refusal]:
    if rules.tags is None:
        return
    for key, value in request.tags.items():
        where = f"{path}.tags.{key}"
        if key not in rules.tags:
            yield Refusal(where, f"session tag '{key}'", "tags")
        elif not is_any(value, rules.tags[key]):
            yield Refusal(where, f"value '{value}' of session tag '{key}'", "tags")
    for key, value in sent_tags(rules, request.default_tags).items():
        if not is_any(value, rules.tags[key]):
            yield Refusal(_TAGGED.get(key, path), f"value '{value}' of session tag '{key}'", "tags")


def sent_tags(rules: PolicyRules, default_tags: Mapping[str, str]) -> Mapping[str, str]:
    """Those of calamari's own tags that the policy lets go along: all, unless it lists tags."""
    if rules.tags is None:
        return default_tags
    return {key: value for key, value in default_tags.items() if key in rules.tags}


def _fits(text: str, patterns: tuple[str, ...] | None) -> bool:
    return patterns is None or is_any(text, patterns)
