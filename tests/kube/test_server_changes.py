"""Patches, field owners, selectors and the store of the loopback API server, without a socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.kube.server import fields, matching, patches, watch
from tests.kube.server.failures import ApiError
from tests.kube.server.kinds import BUILT_IN, Type
from tests.kube.server.store import Store

Body = dict[str, Any]
DEPLOYMENT = next(one for one in BUILT_IN if one.kind == "Deployment")
SERVICE = next(one for one in BUILT_IN if one.kind == "Service")


def containers(*items: Body) -> Body:
    return {"spec": {"template": {"spec": {"containers": [*items]}}}}


def ports(*items: Body) -> Body:
    return {"spec": {"ports": [*items]}}


@pytest.mark.parametrize(
    ("type_", "before", "patch", "after"),
    [
        pytest.param(
            DEPLOYMENT,
            containers({"name": "a", "image": "1"}, {"name": "b", "image": "1"}),
            containers({"name": "a", "image": "2"}),
            containers({"name": "a", "image": "2"}, {"name": "b", "image": "1"}),
            id="list-by-key",
        ),
        pytest.param(
            DEPLOYMENT,
            containers({"name": "a"}, {"name": "b"}),
            containers({"name": "a", "$patch": "delete"}),
            containers({"name": "b"}),
            id="item-deleted",
        ),
        pytest.param(
            DEPLOYMENT,
            containers({"name": "a"}, {"name": "b"}),
            {
                "spec": {
                    "template": {
                        "spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}
                    }
                }
            },
            containers({"name": "b"}, {"name": "a"}),
            id="reordered",
        ),
        pytest.param(
            DEPLOYMENT,
            containers({"name": "a", "args": ["1", "2"]}),
            containers({"name": "a", "args": ["3"]}),
            containers({"name": "a", "args": ["3"]}),
            id="plain-list-replaced",
        ),
        pytest.param(
            DEPLOYMENT,
            {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}},
            {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
            {"spec": {"strategy": {"type": "Recreate"}}},
            id="retained-keys",
        ),
        pytest.param(
            SERVICE,
            ports({"port": 80, "name": "a"}),
            ports({"port": 80, "name": "b"}, {"port": 81}),
            ports({"port": 80, "name": "b"}, {"port": 81}),
            id="ports-by-number",
        ),
        pytest.param(
            SERVICE,
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None}}},
            {"metadata": {"labels": {"b": "2"}}},
            id="null-removes",
        ),
    ],
)
def test_strategic_merge(type_: Type, before: Body, patch: Body, after: Body) -> None:
    """Lists that have keys are merged by them; directives do as they say."""
    assert patches.strategic(type_, before, patch) == after


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        pytest.param({"op": "add", "path": "/a/-", "value": 3}, {"a": [1, 2, 3]}, id="append"),
        pytest.param({"op": "add", "path": "/b~1c", "value": 1}, {"a": [1, 2], "b/c": 1}, id="add"),
        pytest.param({"op": "remove", "path": "/a/0"}, {"a": [2]}, id="remove"),
        pytest.param({"op": "replace", "path": "/a", "value": 0}, {"a": 0}, id="replace"),
        pytest.param({"op": "move", "from": "/a", "path": "/d"}, {"d": [1, 2]}, id="move"),
        pytest.param({"op": "test", "path": "/a/1", "value": 2}, {"a": [1, 2]}, id="test"),
        pytest.param({"op": "test", "path": "/a/1", "value": 3}, None, id="test-fails"),
        pytest.param({"op": "remove", "path": "/none"}, None, id="nothing-there"),
        pytest.param({"op": "replace", "path": "/a/7", "value": 3}, None, id="beyond"),
    ],
)
def test_json_patch(operation: Body, after: Body | None) -> None:
    """422 for what cannot be done; the object that was given stays as it is."""
    before = {"a": [1, 2]}
    if after is None:
        with pytest.raises(ApiError) as refused:
            patches.json_patch(before, [operation])
        assert refused.value.code == 422
    else:
        assert patches.json_patch(before, [operation]) == after
    assert before == {"a": [1, 2]}


def applied(
    live: Body | None, patch: Body, *, by: str = "me", force: bool = False, type_: Type = DEPLOYMENT
) -> Body:
    entry = fields.Entry(
        name=by, operation="Apply", subresource="", version="apps/v1", time="2026-01-01T00:00:00Z"
    )
    return fields.apply(type_, live, {"metadata": {}, **patch}, entry, force=force)


def owned(body: Body, by: str) -> set[str]:
    return {
        fields.told_path(path)
        for entry in fields.entries_of(body) if entry.name == by for path in entry.paths
    }  # fmt: skip


def test_an_apply_owns_leaves_and_items() -> None:
    """By the keys of items; a selector is one field."""
    body = applied(
        None,
        {
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                **containers({"name": "w", "ports": [{"containerPort": 80}]})["spec"],
            }
        },
    )
    item = '.spec.template.spec.containers[name="w"]'
    port = f'{item}.ports[containerPort=80,protocol="TCP"]'
    wanted = {".spec.selector", item, f"{item}.name", port, f"{port}.containerPort"}
    assert owned(body, "me") == wanted


def test_two_appliers_share_what_they_agree_on() -> None:
    """It stays until the last of them leaves it out; what is only one's goes at once."""
    both = applied(
        applied(None, {"spec": {"replicas": 2, "paused": True}}), {"spec": {"replicas": 2}}, by="b"
    )
    assert owned(both, "b") == {".spec.replicas"}
    left = applied(both, {"spec": {}})
    assert left["spec"] == {"replicas": 2}
    assert "spec" not in applied(left, {}, by="b")


def test_conflicts_are_told_by_manager_and_force_takes_the_field() -> None:
    """Each with its cause; nothing is changed by the attempt."""
    live = applied(None, {"spec": {"replicas": 1, "paused": False}})
    kept = json.dumps(live)
    with pytest.raises(ApiError) as refused:
        applied(live, {"spec": {"replicas": 2, "paused": True}}, by="other")
    assert refused.value.message == (
        'Apply failed with 2 conflicts: conflicts with "me":\n- .spec.paused\n- .spec.replicas'
    )
    assert [cause["field"] for cause in refused.value.details["causes"]] == [
        ".spec.paused",
        ".spec.replicas",
    ]
    assert json.dumps(live) == kept
    taken = applied(live, {"spec": {"replicas": 2}}, by="other", force=True)
    assert (owned(taken, "me"), owned(taken, "other")) == ({".spec.paused"}, {".spec.replicas"})


def test_an_update_takes_what_it_changes() -> None:
    """As kubectl scale takes the replicas from who applied them."""
    before = applied(None, {"spec": {"replicas": 1, "paused": True}})
    after = json.loads(json.dumps(before))
    after["spec"]["replicas"] = 5
    entry = fields.Entry(
        name="scaler", operation="Update", subresource="scale", version="apps/v1", time="T"
    )
    fields.record_update(DEPLOYMENT, before, after, entry)
    assert (owned(after, "me"), owned(after, "scaler")) == ({".spec.paused"}, {".spec.replicas"})
    with pytest.raises(ApiError, match='"scaler" with subresource "scale" using apps/v1 at T'):
        applied(after, {"spec": {"replicas": 1, "paused": True}})


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        pytest.param("a=1", True, id="equal"),
        pytest.param("a==1,b!=1", True, id="both"),
        pytest.param("a in (1, 2)", True, id="in"),
        pytest.param("a notin (1)", False, id="notin"),
        pytest.param("a", True, id="there"),
        pytest.param("!a", False, id="not-there"),
        pytest.param("c!=1", True, id="missing-is-not-equal"),
        pytest.param("", True, id="none"),
    ],
)
def test_label_selectors(selector: str, *, fits: bool) -> None:
    """As kubectl writes them."""
    body = {"metadata": {"labels": {"a": "1", "b": "2"}}}
    assert matching.labels(selector)(body) is fits


def a_store() -> Store:
    return Store(lambda: datetime(2026, 1, 1, tzinfo=UTC))


def config_map(name: str = "a", **data: str) -> Body:
    meta = {"name": name, "namespace": "app"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def lines_of(store: Store, version: str, matches: Callable[[Body], bool]) -> list[Body]:
    ends = time.monotonic() + 0.01
    told = watch.events(
        store, fits=lambda _: True, matches=matches, told=lambda body: body, kind={},
        version=version, bookmarks=False, ends=ends, open_=lambda: True,
    )  # fmt: skip
    return [json.loads(line) for line in told if line]


def test_a_watch_sees_what_begins_and_ceases_to_match() -> None:
    """As ADDED and DELETED, whatever became of the object itself."""
    store = a_store()
    store.add(config_map(colour="blue"))
    start = str(store.version)
    for colour in ("red", "red", "blue"):
        store.add(config_map(colour=colour))
    found = lines_of(store, start, lambda body: body["data"]["colour"] == "red")
    assert [line["type"] for line in found] == ["ADDED", "DELETED"]


def test_a_watch_from_what_is_forgotten_is_410() -> None:
    """In the stream, as an ERROR."""
    store = a_store()
    store.add(config_map())
    store.compact()
    [line] = lines_of(store, "1", lambda _: True)
    assert (line["type"], line["object"]["code"]) == ("ERROR", 410)


def test_controllers_are_told_in_order_and_may_change_more() -> None:
    """One after the other, without the store's lock; what they do wrong is kept to be told."""
    store = a_store()
    seen: list[tuple[str, str]] = []

    def controller(body: Body) -> None:
        seen.append((body["metadata"]["name"], body["data"].get("n", "")))
        if body["data"].get("n") == "1":
            store.add(config_map(n="2"))
            store.add(config_map("b"))
        if body["metadata"]["name"] == "b":
            raise ValueError("of the controller")

    store.on_change(controller)
    store.add(config_map(n="1"))
    assert seen == [("a", "1"), ("a", "2"), ("b", "")]
    assert len(store.faults) == 1
    assert "of the controller" in store.faults[0]


def test_controllers_are_told_without_the_lock() -> None:
    """They have locks of their own, and others wait for the store meanwhile."""
    store = a_store()
    free: list[bool] = []

    def look() -> None:
        found = store.lock.acquire(timeout=0.5)
        free.append(found)
        if found:
            store.lock.release()

    def controller(_: Body) -> None:
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()

    store.on_change(controller)
    with store.changing():
        store.add(config_map())
        assert free == []
    assert free == [True]


def test_what_does_not_differ_keeps_its_version() -> None:
    """And nobody is told of it."""
    store = a_store()
    first = store.add(config_map(a="1"))
    told: list[Body] = []
    store.on_change(told.append)
    assert store.add(config_map(a="1")) == first
    assert told == []
