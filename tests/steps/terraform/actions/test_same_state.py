"""A plan for another state than the step's is not applied: Terraform itself would ask nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.terraform.spec import Workspace
from tests.steps.terraform.plan_files import archive, plan_bytes
from tests.steps.terraform.world import CREATED, TerraformWorld

_HERE = {"bucket": "states", "key": "dev.tfstate"}


def _backend(world: TerraformWorld, kind: str | None, **config: Any) -> None:
    """The configuration has this backend."""

    def initialise() -> None:
        data = world.folder / "temp" / "data"
        data.mkdir(exist_ok=True)
        backend = {"backend": {"type": kind, "config": config}} if kind else {}
        (data / "terraform.tfstate").write_text(json.dumps({"version": 3, **backend}))

    world.on("init", act=initialise)


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        pytest.param({**_HERE, "key": "prod.tfstate"},
                     "key 'prod.tfstate', and this step has 'dev.tfstate'", id="key"),
        pytest.param({**_HERE, "bucket": "others"},
                     "bucket 'others', and this step has 'states'", id="bucket"),
        pytest.param({**_HERE, "region": "eu-west-1"},
                     "region 'eu-west-1', and this step has none", id="region"),
        pytest.param({**_HERE, "workspace_key_prefix": "w"},
                     "workspace_key_prefix 'w', and this step has 'env:'", id="prefix"),
        pytest.param({**_HERE, "endpoints": {"s3": "http://x"}},
                     "endpoint 'http://x', and this step has none", id="store"),
        pytest.param({**_HERE, "workspace": "prod"},
                     "workspace 'prod', and this step has 'default'", id="workspace"),
        pytest.param({**_HERE, "backend": "gcs"},
                     "backend 'gcs', and this step has 's3'", id="type"),
        pytest.param({**_HERE, "assume_role": {"role_arn": "arn:aws:iam::1:role/x"}},
                     "role 'arn:aws:iam::1:role/x', and this step has none", id="role"),
        pytest.param({**_HERE, "profile": "admin"},
                     "credentials by 'profile', and this step has none", id="profile"),
    ],
)  # fmt: skip
def test_another_state_is_refused(
    world: TerraformWorld, planned: dict[str, Any], message: str
) -> None:
    """Before the plan is even shown; the difference is named."""
    world.leaves_plan(CREATED, content=plan_bytes(**planned))
    error = world.fail(action="apply")
    assert isinstance(error, ToolFailed)
    assert error.message == f"the plan is for another state: {message}"
    assert error.hint is not None
    assert world.verbs == ["version", "init", "show"]
    assert world.plan_file.exists()
    assert world.report.has_changed is False


@pytest.mark.parametrize(
    ("kind", "config", "planned"),
    [
        pytest.param("s3", {**_HERE, "use_lockfile": True, "profile": None},
                     {**_HERE, "workspace_key_prefix": "env:"}, id="defaults and locks"),
        pytest.param(None, {}, {"backend": "local", "path": None}, id="no backend is local"),
        pytest.param("local", {"path": "terraform.tfstate"}, {"backend": "local", "path": None},
                     id="a local default"),
        pytest.param("http", {"address": "https://a:one@h/s", "password": "one"},
                     {"backend": "http", "address": "https://a:two@h/s", "password": "two"},
                     id="each run has a token of its own"),
        pytest.param("pg", {"schema_name": "a"}, {"backend": "pg", "schema_name": "a"}, id="pg"),
    ],
)  # fmt: skip
def test_the_same_state_in_other_words(
    world: TerraformWorld, kind: str | None, config: dict[str, Any], planned: dict[str, Any]
) -> None:
    """It is applied without a word about it."""
    world.leaves_plan(CREATED, content=plan_bytes(**planned))
    _backend(world, kind, **config)
    assert world.run(action="apply").changed
    assert "state the plan is for" not in world.report.everything


def test_the_step_s_workspace(world: TerraformWorld) -> None:
    """That of the manifest is the one that the plan must name."""
    world.leaves_plan(CREATED, content=plan_bytes(workspace="dev"))
    assert world.run(action="apply", workspace=Workspace(name="dev")).changed


def test_all_differences_are_told_without_secrets(world: TerraformWorld) -> None:
    """The first in the sentence, the others below; a password in an address is cut out."""
    planned = plan_bytes(backend="http", workspace="w", address="https://a:s3cr3t-two@g/s")
    world.leaves_plan(CREATED, content=planned)
    _backend(world, "http", address="https://a:s3cr3t-one@h/s")
    error = world.fail(action="apply")
    assert isinstance(error, ToolFailed)
    assert error.evidence == ("workspace\t'w' in the plan, 'default' here",)
    assert "s3cr3t" not in str(error)
    assert {"s3cr3t-one", "s3cr3t-two"} <= world.report.hidden.keys()


def test_a_plan_that_nobody_can_read(world: TerraformWorld) -> None:
    """It is said, once, and Terraform decides."""
    world.leaves_plan(CREATED, content=archive(("encrypted", b"")))
    assert world.run(action="apply").changed
    (_unverified, warning) = world.report.said("warning")
    assert warning.startswith("nobody can tell which state the plan is for")
