"""Terraform's words for what a plan does and why, as people say it."""

from __future__ import annotations

_REASONS = {
    "replace_because_tainted": "it is tainted",
    "replace_because_cannot_update": "cannot be updated in place",
    "replace_by_request": "its replacement is asked for",
    "replace_by_triggers": "what it has in 'replace_triggered_by' changed",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_wrong_repetition": "its 'count' or 'for_each' was added, removed or exchanged",
    "delete_because_count_index": "its index is beyond 'count'",
    "delete_because_each_key": "its key is no longer in 'for_each'",
    "delete_because_enabled_false": "its 'enabled' is false",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_no_move_target": "moved to what is not in the configuration",
    "read_because_config_unknown": "what is asked for is not known before the apply",
    "read_because_dependency_pending": "what it depends on changes first",
    "read_because_check_nested": "belongs to a check",
}


def reason_of(action_reason: str) -> str:
    """The reason in words; one that is not known here as Terraform names it."""
    return _REASONS.get(action_reason) or action_reason.replace("_", " ")


def unknown_action(actions: tuple[str, ...]) -> str:
    """What is said of actions that are not known here."""
    named = ", ".join(actions) or "none"
    return f"what Terraform calls '{named}' is not known here and taken for a destruction"


def replaced_because(paths: tuple[str, ...]) -> str:
    """``ami, subnet_id changed (cannot be updated in place)``."""
    return f"{', '.join(paths)} changed ({_REASONS['replace_because_cannot_update']})"
