"""The operator's policy on what a step says it is: its metadata, and the tags made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.identity import RoleRequest
from calamari_py.runner.requests import build_role_requests
from tests.manifest.support import load_text
from tests.test_policy import PATHED, UNRELATED, WITH_ROLE, check, paths, policy_of

METADATA = "project: payments\nenvironment: dev\ndeployment_id: deployments-4\n"
DEFAULTS = {
    "calamari:project": "payments",
    "calamari:environment": "dev",
    "calamari:deployment": "deployments-4",
    "calamari:step": "step",
}


def requests_of(text: str) -> tuple[RoleRequest, ...]:
    """The hops of the manifest `text`."""
    return build_role_requests(load_text(text).manifest, longest_run=None)


@pytest.mark.parametrize(
    ("rules", "metadata", "refused"),
    [
        pytest.param("projects: [payments]", "project: payments", [], id="listed"),
        pytest.param("projects: [payments]", "project: other-team", ["project"], id="another"),
        pytest.param("projects: [payments]", "project: Payments", ["project"], id="case counts"),
        pytest.param("projects: [payments]", "project: payments-2", ["project"], id="no prefix"),
        pytest.param("projects: ['a b/*']", "project: a b/c", [], id="any characters"),
        pytest.param("projects: ['[p]*']", "project: pay", ["project"], id="brackets are literal"),
        pytest.param("projects: [payments]", "environment: dev", ["project"], id="left out"),
        pytest.param("projects: [payments]", "project: ''", ["project"], id="empty"),
        pytest.param("projects: ['?*']", "environment: dev", ["project"], id="some project"),
        pytest.param("projects: ['', payments]", "environment: dev", [], id="none is listed"),
        pytest.param("projects: ['*']", "environment: dev", [], id="any or none"),
        pytest.param("projects: [payments]\nenvironments: [dev]\ndeployments: ['d-*']",
                     "project: dev\nenvironment: d-1\ndeployment_id: payments",
                     ["project", "environment", "deployment_id"], id="each by its own key"),
        pytest.param(UNRELATED, "project: other-team\nenvironment: prod", [], id="absent"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "step",
    [
        pytest.param(WITH_ROLE, id="with a role"),
        pytest.param("name: step\naccount: none\nscript: echo\n", id="without credentials"),
    ],
)
def test_nobody_poses_as_another(
    tmp_path: Path, rules: str, metadata: str, refused: list[str], step: str
) -> None:
    """Project, environment and deployment are the operator's to give, none included."""
    assert paths(check(policy_of(tmp_path, rules), f"{metadata}\n{step}")) == refused


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    """A step that says nothing is told what it has to say."""
    (problem,) = check(policy_of(tmp_path, "projects: [payments]"), WITH_ROLE)
    assert problem.message.startswith("a step without 'project' is not allowed by the policy '")


@pytest.mark.parametrize(
    ("rules", "sent"),
    [
        pytest.param(UNRELATED, list(DEFAULTS), id="no limit on tags"),
        pytest.param("projects: [payments]", list(DEFAULTS), id="held by their own key"),
        pytest.param("tags: {}", [], id="no tags"),
        pytest.param("tags: {Project: ['*'], project: ['*']}", [], id="other tags"),
        pytest.param("tags: {Calamari:Project: ['*']}", [], id="case counts"),
        pytest.param("tags: {'calamari:project': ['pay*'], 'calamari:step': ['*']}",
                     ["calamari:project", "calamari:step"], id="two are listed"),
    ],
)  # fmt: skip
def test_calamaris_own_tags(tmp_path: Path, rules: str, sent: list[str]) -> None:
    """Where the policy lists tags, those that it does not list are not sent."""
    policy = policy_of(tmp_path, rules)
    text = f"{METADATA}name: step\nassume_role: ['{PATHED}', '{PATHED}2']\nscript: echo\n"
    assert check(policy, text) == []
    first, last = policy.restrict(requests_of(text))
    assert not first.default_tags
    assert last.default_tags == {key: DEFAULTS[key] for key in sent}


@pytest.mark.parametrize(
    ("key", "path"),
    [
        pytest.param("calamari:project", "project", id="project"),
        pytest.param("calamari:environment", "environment", id="environment"),
        pytest.param("calamari:deployment", "deployment_id", id="deployment"),
        pytest.param("calamari:step", "name", id="step"),
    ],
)
def test_the_values_of_calamaris_own_tags(tmp_path: Path, key: str, path: str) -> None:
    """A listed tag with a value outside of its patterns is refused where the manifest says it."""
    policy = policy_of(tmp_path, f"tags: {{'{key}': [nobody]}}")
    (problem,) = check(policy, f"{METADATA}{WITH_ROLE}")
    assert problem.path == path
    assert f"'{DEFAULTS[key]}' of session tag '{key}'" in problem.message
    assert check(policy, WITH_ROLE) == []
    unsent = WITH_ROLE.replace("assume_role: ", "assume_role: {default_tags: false, role_arn: '")
    unsent = unsent.replace("\nscript", "'}\nscript")
    assert check(policy, f"{METADATA}{unsent}") == []


def test_without_its_tags_a_step_keeps_the_manifests(tmp_path: Path) -> None:
    """What the manifest writes itself is sent or refused, never dropped."""
    policy = policy_of(tmp_path, "tags: {Cost: ['1']}")
    hop = f"assume_role: {{role_arn: '{PATHED}', tags: {{Cost: '1'}}}}"
    text = f"{METADATA}name: step\n{hop}\nscript: echo\n"
    assert check(policy, text) == []
    (request,) = policy.restrict(requests_of(text))
    assert (request.tags, request.default_tags) == ({"Cost": "1"}, {})
