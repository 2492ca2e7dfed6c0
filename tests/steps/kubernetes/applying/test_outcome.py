"""Whether an application has changed an object."""

from __future__ import annotations

from typing import Any

import pytest

from calamari_py.steps.kubernetes.applying.outcome import is_same


def body(version: str = "1", *, data: str = "a", uid: str = "u", **more: Any) -> dict[str, Any]:
    """An object at `version`."""
    labels = more.pop("labels", {})
    return {
        "metadata": {"resourceVersion": version, "uid": uid, "labels": labels,
                     "managedFields": [version], "generation": int(version)},
        "data": data,
        **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(body(), True, id="same-version"),
        pytest.param(body("2", status={"ready": 1}), True, id="status-only"),
        pytest.param(body("2", data="b"), False, id="data"),
        pytest.param(body("2", labels={"a": "b"}), False, id="label"),
        pytest.param(body("2", uid="v"), False, id="made-anew"),
    ],
)
def test_is_same(after: dict[str, Any], expected: bool) -> None:
    """A controller that writes a status meanwhile changes nothing."""
    assert is_same(body(), after, body()) is expected


@pytest.mark.parametrize(
    ("wanted", "after", "expected"),
    [
        pytest.param(None, 5, True, id="autoscaled"),
        pytest.param(None, 1, False, id="no file names them any more"),
        pytest.param(5, 5, False, id="as the file says"),
    ],
)
def test_replicas(wanted: int | None, after: int, expected: bool) -> None:
    """Those that no file names are an autoscaler's; a server makes one of none."""
    file = body(spec={} if wanted is None else {"replicas": wanted})
    old, new = (body(str(count), spec={"replicas": count}) for count in (3, after))
    assert is_same(old, new, file) is expected
