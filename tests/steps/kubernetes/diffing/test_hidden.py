"""What a difference leaves out."""

from __future__ import annotations

import pytest

from calamari_py.steps.kubernetes.diffing.difference import compare
from calamari_py.steps.kubernetes.values import ObjectRef

REF = ObjectRef(kind="Secret", name="db")
LONG = "a-value-of-a-secret " * 20


def secret(**annotations: str) -> dict[str, object]:
    """One in the step's namespace."""
    metadata = {"name": "db", "namespace": "shop", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}


@pytest.mark.parametrize("is_there", [True, False], ids=["delete", "create"])
def test_the_steps_own_namespace_is_no_difference(is_there: bool) -> None:
    """The line of the object says where it is; its body begins with what it is."""
    body = {"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "web", "namespace": "shop"}}  # fmt: skip
    ref = ObjectRef(kind="ConfigMap", name="web")
    found = compare(ref, body if is_there else None, None if is_there else body)
    assert found.lines
    assert not any("shop" in line for line in found.lines)


def test_a_long_annotation_of_a_secret() -> None:
    """Whatever its form: tools keep copies there. A short one is shown."""
    found = compare(REF, secret(copy="x", note="old"), secret(copy=LONG, note="new"))
    text = "\n".join(found.lines)
    assert "a-value-of-a-secret" not in text
    assert '+    copy: "*** (no. 1)"' in text
    assert "note: new" in text
