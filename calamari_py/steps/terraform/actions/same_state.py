"""A plan is applied to the state that it was made for, whatever the manifest says: both agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.parsing.backend import (
    doubts_about,
    roles_in,
    secrets_in_backend,
    secrets_of_address,
)
from calamari_py.steps.terraform.reading.plan_file import PlannedState, planned_state
from calamari_py.steps.terraform.reading.sensitive import hide_all
from calamari_py.steps.terraform.running.backend import configured_backend
from calamari_py.steps.terraform.work import Work

_PLACES = (
    "address", "bucket", "container_name", "datacenter", "endpoint", "host", "hostname", "key",
    "namespace", "organization", "path", "prefix", "region", "schema_name", "secret_suffix",
    "storage_account_name", "workspace_dir", "workspace_key_prefix", "workspaces",
)  # fmt: skip
"""The arguments of backends that say where a state lies. Others say how it is reached.
Source: developer.hashicorp.com/terraform/language/backend, the pages of all backends."""
_DEFAULTS = {
    "local": {"path": "terraform.tfstate", "workspace_dir": "terraform.tfstate.d"},
    "s3": {"workspace_key_prefix": "env:"},
}
_DEFAULT_WORKSPACE = "default"


def check_same_state(work: Work) -> None:
    """ToolFailed where the plan that was taken in is for another state than the step's, or reaches
    it as somebody else. Where nobody can tell it is said."""
    planned = planned_state(work.files.plan)
    if planned is None:
        work.report.warn(
            "nobody can tell which state the plan is for: it is written in another way than those "
            "of Terraform 1.0 and later",
            hint="look yourself that it was made with the same backend and workspace",
        )
        return
    hide_all(work.report, secrets_in_backend(planned.config))
    theirs, ours = _shown(planned), _shown(_own(work))
    others = [name for name in theirs if theirs[name] != ours[name]]
    if not others:
        return
    first = others[0]
    raise ToolFailed(
        f"the plan is for another state: {first} {_quoted(theirs[first])}, and this step has "
        f"{_quoted(ours[first])}",
        evidence=tuple(
            f"{name}\t{_quoted(theirs[name])} in the plan, {_quoted(ours[name])} here"
            for name in others[1:]
        ),
        hint="nothing was applied; plan anew with the backend and the workspace of this step, or "
        "correct 'terraform.backend' and 'terraform.workspace'",
    )


def _own(work: Work) -> PlannedState:
    """What Terraform would plan for: `init` has set it up."""
    kind, config = configured_backend(work.files.data)
    workspace = work.spec.workspace
    name = workspace.name if workspace else _DEFAULT_WORKSPACE
    return PlannedState(backend=kind or "local", config=config, workspace=name)


def _shown(state: PlannedState) -> dict[str, str]:
    """What must agree, as it may be shown."""
    config = {**_DEFAULTS.get(state.backend, {}), **_given(state.config)}
    endpoints = config.get("endpoints")
    if isinstance(endpoints, dict) and endpoints.get("s3"):
        config["endpoint"] = endpoints["s3"]
    places = {name: _text(config.get(name)) for name in _PLACES}
    return {
        "backend": state.backend,
        **places,
        "workspace": state.workspace,
        "role": ", ".join(sorted({arn for _, arn in roles_in(config)})),
        "credentials by": ", ".join(sorted(key for key, _ in doubts_about(config))),
    }


def _given(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if value not in (None, "")}


def _text(value: Any) -> str:
    """Without passwords and tokens: each run may have its own."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    for secret in secrets_of_address(text):
        text = text.replace(secret, "")
    return text


def _quoted(text: str) -> str:
    return f"'{text}'" if text else "none"
