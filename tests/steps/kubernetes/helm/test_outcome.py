"""What is said of the objects of a release afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calamari_py.steps.kubernetes.values import ObjectRef
from tests.steps.kubernetes.fakes import Answer, list_of
from tests.steps.kubernetes.helm.room import CONFIG_MAP, HelmWorld, live, row

SCALER = "apiVersion: autoscaling/%s\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\n"
REFUSED = b"Error from server (Forbidden): configmaps is forbidden: User cannot get configmaps\n"
FAILED = row(2, "failed", 'Upgrade "web" failed: pre-upgrade hooks failed')


@pytest.fixture
def world(tmp_path: Path) -> HelmWorld:
    """See `HelmWorld`. Its upgrade is a success."""
    found = HelmWorld(tmp_path)
    found.upgrades(row(1, "superseded"), row(2, "deployed"))
    return found


def sees(world: HelmWorld, before: list[Any], *after: Answer) -> None:
    """The objects before the upgrade, and how later looks end."""
    first = Answer(stdout=list_of(live("Namespace", "app"), *before))
    world.tool.on("kubectl get", first, first, *after)


def actions(world: HelmWorld) -> list[tuple[str, str]]:
    """Which object, and what became of it."""
    return [(each["kind"], each["action"]) for each in world.report.facts["objects"]]


def scalers() -> list[dict[str, Any]]:
    """One object, in each version that it may be asked for."""
    body = live("HorizontalPodAutoscaler", "web")
    return [{**body, "apiVersion": f"autoscaling/{version}"} for version in ("v1", "v2")]


def test_another_version_of_its_type(world: HelmWorld) -> None:
    """It is one object, and nothing of it was deleted."""
    world.holds(SCALER % "v1")
    world.would_have(SCALER % "v2")
    sees(world, scalers(), Answer(stdout=list_of(*scalers())))
    world.step()
    assert actions(world) == [("HorizontalPodAutoscaler", "unchanged")]


def test_what_goes_is_there_still(world: HelmWorld) -> None:
    """The upgrade failed before it came to that: it is not said to be deleted."""
    world.upgrades(row(1, "deployed"), FAILED, code=1, stderr=b"Error: x\n")
    world.would_have((CONFIG_MAP % 1).replace("name: web", "name: new"))
    sees(world, [live("ConfigMap", "web")], Answer(stdout=list_of(live("ConfigMap", "web"))))
    world.failure(on_failure="keep")
    assert actions(world) == [("ConfigMap", "unchanged")]


def test_what_is_being_deleted(world: HelmWorld) -> None:
    """It goes as soon as its finalizers let it."""
    world.would_have((CONFIG_MAP % 1).replace("name: web", "name: new"))
    going = live("ConfigMap", "web")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    new = live("ConfigMap", "new")
    sees(world, [live("ConfigMap", "web")], Answer(stdout=list_of(going, new)))
    world.step()
    assert actions(world) == [("ConfigMap", "created"), ("ConfigMap", "deleted")]


@pytest.mark.parametrize(
    "fails", [pytest.param(False, id="after a success"), pytest.param(True, id="after a failure")]
)
def test_what_cannot_be_looked_at_afterwards(world: HelmWorld, fails: bool) -> None:
    """Nobody knows what became of it: it is not gone."""
    if fails:
        world.upgrades(row(1, "deployed"), FAILED, code=1, stderr=b"Error: x\n")
    sees(world, [live("ConfigMap", "web")], Answer(code=1, stderr=REFUSED))
    if fails:
        world.failure(on_failure="keep")
    else:
        world.step()
    assert actions(world) == [("ConfigMap", "unknown")]


def test_what_never_was_there(world: HelmWorld) -> None:
    """It was looked for before and after: there is nothing to say."""
    sees(world, [], Answer(stdout=list_of()))
    world.step()
    assert actions(world) == []


def test_replicas_of_an_autoscaler(world: HelmWorld) -> None:
    """A deployment that was scaled meanwhile was not configured by this run."""
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {}\n"
    world.holds(text)
    world.would_have(text, values={"a": 1})
    two, five = (
        {**live("Deployment", "web", spec={"replicas": number}), "apiVersion": "apps/v1"}
        for number in (2, 5)
    )
    five["metadata"]["resourceVersion"] = "2"
    sees(world, [two], Answer(stdout=list_of(five)))
    world.step()
    assert actions(world) == [("Deployment", "unchanged")]


def test_a_reference_is_one_of_helm() -> None:
    """Only its version may differ."""
    from calamari_py.steps.kubernetes.helm.rendered import identity

    old, new = (
        ObjectRef(group="apps", version=version, kind="Deployment", name="web", namespace=namespace)
        for version, namespace in (("v1beta1", ""), ("v1", "app"))
    )
    assert identity(old, "app") == identity(new, "app")
    assert identity(old, "other") != identity(new, "other")
