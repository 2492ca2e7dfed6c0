"""What kubectl lists, and which of it is which object."""

from __future__ import annotations

import pytest

from calamari_py.errors import ToolFailed
from calamari_py.steps.kubernetes.tool.listed import matched, read_items
from calamari_py.steps.kubernetes.values import ObjectRef
from tests.steps.kubernetes.fakes import body_of, list_of, to_json

MAP = ObjectRef(kind="ConfigMap", name="m", namespace="app")


@pytest.mark.parametrize(
    ("stdout", "count"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(list_of(), 0, id="empty"),
        pytest.param(list_of(body_of("Pod", "a"), body_of("Pod", "b")), 2, id="list"),
        pytest.param(to_json(body_of("Pod", "a")), 1, id="one"),
        pytest.param(to_json({**body_of("Cart", "a"), "items": [{}]}), 1, id="one-with-items"),
    ],
)
def test_read_items(stdout: bytes, count: int) -> None:
    """None, one, or a list of them."""
    assert len(read_items(stdout)) == count


def test_no_json() -> None:
    """What is no JSON is no answer."""
    with pytest.raises(ToolFailed, match="no JSON"):
        read_items(b"hello")


@pytest.mark.parametrize(
    ("ref", "body", "found"),
    [
        pytest.param(MAP, body_of("ConfigMap", "m"), True, id="same"),
        pytest.param(MAP, body_of("ConfigMap", "n"), False, id="name"),
        pytest.param(MAP, body_of("ConfigMap", "m", metadata={"namespace": "b"}), False,
                     id="namespace"),
        pytest.param(ObjectRef(kind="ConfigMap", name="m"), body_of("ConfigMap", "m"), True,
                     id="of-the-context"),
        pytest.param(ObjectRef(kind="Node", name="n", namespace="app"),
                     body_of("Node", "n", metadata={"namespace": ""}), True, id="of-the-cluster"),
        pytest.param(ObjectRef(group="autoscaling", version="v1", kind="HPA", name="h"),
                     body_of("HPA", "h", apiVersion="autoscaling/v2"), True, id="other-version"),
        pytest.param(ObjectRef(group="a.io", kind="Service", name="s"), body_of("Service", "s"),
                     False, id="group"),
    ],
)  # fmt: skip
def test_matched(ref: ObjectRef, body: dict[str, object], found: bool) -> None:
    """By group, kind, name and namespace; the version is the server's business."""
    assert (ref in matched([ref], [body])) is found


def test_named_namespaces_first() -> None:
    """What is left is of the context's namespace."""
    plain = ObjectRef(kind="ConfigMap", name="m")
    other = body_of("ConfigMap", "m", metadata={"namespace": "other"})
    pairs = matched([plain, MAP], [body_of("ConfigMap", "m"), other])
    assert [pairs[ref]["metadata"]["namespace"] for ref in (plain, MAP)] == ["other", "app"]
