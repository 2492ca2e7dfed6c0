"""What goes when an object of a client-side kubectl apply is applied on the server's side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from calamari_py.steps.kubernetes.applying.adopted import LAST_APPLIED, without_dropped


def live_of(last: dict[str, Any] | None) -> dict[str, Any]:
    """An object that was applied as `last`."""
    text = {} if last is None else {LAST_APPLIED: json.dumps(last)}
    return {"metadata": {"name": "m", "namespace": "app", "annotations": text}}


@pytest.mark.parametrize(
    ("wanted", "last", "file", "expected"),
    [
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 2}, {"a": 1}, {"a": 1}, id="key"),
        pytest.param({"a": 1, "b": 2}, {"a": 1}, {"a": 1}, {"a": 1, "b": 2}, id="of another"),
        pytest.param({"a": 1}, {"a": None}, {}, {"a": 1}, id="null"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}},
                     {"a": {"c": 2}}, id="deep"),
        pytest.param({"e": [{"name": "a"}, {"name": "b"}, {"name": "c"}]},
                     {"e": [{"name": "a"}, {"name": "b"}]}, {"e": [{"name": "a"}]},
                     {"e": [{"name": "a"}, {"name": "c"}]}, id="named item"),
        pytest.param({"e": [1, 2]}, {"e": [1, 2]}, {"e": [1]}, {"e": [1, 2]}, id="plain list"),
        pytest.param({"kind": "Secret", "data": {"a": "eA==", "b": "eA=="}},
                     {"kind": "Secret", "stringData": {"a": "x", "b": "x"}},
                     {"kind": "Secret", "data": {"a": "eA=="}},
                     {"kind": "Secret", "data": {"a": "eA=="}}, id="secret"),
        pytest.param({"metadata": {"namespace": "app", "labels": {"a": "b"}}},
                     {"metadata": {"namespace": "app", "labels": {"a": "b"}}}, {"metadata": {}},
                     {"metadata": {"namespace": "app", "labels": {}}}, id="metadata"),
        pytest.param({"a": 1}, None, {}, {"a": 1}, id="never client-side"),
    ],
)  # fmt: skip
def test_without_dropped(
    wanted: dict[str, Any],
    last: dict[str, Any] | None,
    file: dict[str, Any],
    expected: dict[str, Any],
) -> None:
    """What the last file had and this one has not; nothing else."""
    assert without_dropped(wanted, live_of(last), file) == expected
