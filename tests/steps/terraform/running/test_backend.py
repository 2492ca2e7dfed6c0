"""The backend, when ``init`` has set it up: whether it is there, and whose it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import PolicyRefused, Problem, ToolFailed
from calamari_py.steps.terraform.running.backend import works_as_step
from calamari_py.steps.terraform.running.tool import Terraform
from tests.steps.terraform.running.room import Room

ROLE = "arn:aws:iam::222222222222:role/State"


def test_a_backend_without_its_block_is_refused(tmp_path: Path) -> None:
    """Terraform would only warn, and keep the state on a disk that is thrown away."""
    room = Room(tmp_path, backend={"bucket": "b"})
    with pytest.raises(ToolFailed, match="no backend block") as caught:
        room.tool.init()
    assert 'terraform { backend "s3" {} }' in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("left", "action", "is_said"),
    [
        pytest.param(None, "deploy", True, id="no-block"),
        pytest.param('{"backend": {"type": "local", "config": {}}}', "deploy", True, id="local"),
        pytest.param(
            '{"backend": {"type": "local", "config": {"path": "s/x.tfstate"}}}',
            "plan",
            True,
            id="inside",
        ),
        pytest.param(
            '{"backend": {"type": "local", "config": {"path": "/srv/x.tfstate"}}}',
            "deploy",
            False,
            id="elsewhere",
        ),
        pytest.param('{"backend": {"type": "s3", "config": {}}}', "deploy", False, id="s3"),
        pytest.param(None, "output", False, id="only-read"),
    ],
)
def test_a_state_in_the_folder_is_warned_of(
    left: str | None, action: str, is_said: bool, tmp_path: Path
) -> None:
    """A state that goes with the worker is said once, where something may be written to it."""
    room = Room(tmp_path, action=action)
    if left is not None:
        room.has_backend(left)
    room.tool.init()
    said = [f"the state lies in '{room.directory}', and is lost with it"]
    assert room.report.said("warning") == (said if is_said else [])


def test_a_state_in_the_folder_is_warned_of_once_a_run(tmp_path: Path) -> None:
    """Not at each attempt: what the first one said is true of all."""
    room = Room(tmp_path)
    for _attempt in range(3):
        room.tool.init()
    assert len(room.report.said("warning")) == 1


def configures(room: Room, **config: Any) -> None:
    """The configuration itself says so of its backend; what it does not say is null."""
    document = {"backend": {"type": "s3", "config": {"profile": None, **config}}}
    room.has_backend(json.dumps(document))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        pytest.param({"bucket": "b"}, [], id="the step itself"),
        pytest.param({"profile": "prod"}, ["profile"], id="a profile"),
        pytest.param({"access_key": "AKIAIOSFODNN7EXAMPLE"}, ["access_key"], id="a key"),
        pytest.param({"shared_config_files": ["/x"]}, ["shared_config_files"], id="files"),
        pytest.param({"assume_role": {"role_arn": ROLE}}, ["assume_role"], id="a role"),
        pytest.param({"shared_config_files": [], "assume_role": {}}, [], id="empty"),
    ],
)
def test_whoever_else_it_works_as_is_warned_of(
    tmp_path: Path, config: dict[str, Any], said: list[str]
) -> None:
    """By the same rules as what the manifest says."""
    room = Room(tmp_path)
    configures(room, **config)
    room.tool.init()
    warnings = room.report.said("warning")
    assert [text.split("'")[2] for text in warnings] == said
    assert works_as_step(room.spec, room.files.data) is (not said)


def test_what_the_manifest_says_is_warned_of_once(tmp_path: Path) -> None:
    """It was, when the manifest was read; it is somebody else all the same."""
    room = Room(tmp_path, backend={"profile": "prod"})
    configures(room, profile="prod")
    room.tool.init()
    assert room.report.said("warning") == []
    assert not works_as_step(room.spec, room.files.data)


def test_its_secrets_are_hidden(tmp_path: Path) -> None:
    """Those that stand in the configuration, too."""
    room = Room(tmp_path)
    configures(room, secret_key="s3cr3t-key", address="https://u:pass-word@host/state")
    room.tool.init()
    assert room.report.hidden.keys() == {"s3cr3t-key", "pass-word"}


def test_its_role_is_held_against_the_policy(tmp_path: Path) -> None:
    """Of a role in the manifest that was done before."""
    asked: list[tuple[str, str]] = []

    def check_role(place: str, arn: str) -> None:
        asked.append((place, arn))
        raise PolicyRefused([Problem(path=place, message="not that one")])

    room = Room(tmp_path)
    configures(room, assume_role={"role_arn": ROLE})
    tool = Terraform(room.spec, replace(room.context, check_role=check_role), room.files)
    with pytest.raises(PolicyRefused):
        tool.init()
    assert asked == [("terraform.backend.assume_role.role_arn", ROLE)]


@pytest.mark.parametrize("content", ["[" * 100_000, "no JSON"])
def test_what_init_left_may_be_unreadable(tmp_path: Path, content: str) -> None:
    """That is told, and no defect of ours."""
    room = Room(tmp_path)
    room.has_backend(content)
    with pytest.raises(ToolFailed, match="cannot be read"):
        room.tool.init()
