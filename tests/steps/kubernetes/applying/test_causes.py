"""Why an object failed, in one sentence. The texts are those of kubectl 1.32."""

from __future__ import annotations

import pytest

from calamari_py.steps.kubernetes.access.failures import read_failure
from calamari_py.steps.kubernetes.applying.causes import cause_of

ADVICE = """
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the `--force-conflicts` flag.
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts
"""


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        pytest.param(
            'error: Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: '
            ".spec.replicas" + ADVICE,
            "'kubectl-edit' owns .spec.replicas",
            id="one",
        ),
        pytest.param(
            "error: Apply failed with 3 conflicts: conflicts with "
            '"kube-controller-manager" with subresource "scale" using apps/v1:\n- .spec.replicas\n'
            '- .spec.paused\nconflicts with "other" using apps/v1:\n- .metadata.labels.a' + ADVICE,
            "'kube-controller-manager' owns .spec.replicas, .spec.paused;"
            " 'other' owns .metadata.labels.a",
            id="several",
        ),
        pytest.param(
            'error: Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using '
            "v1 at 2026-11-22T22:25:49Z: .data.k" + ADVICE,
            "'kubectl-client-side-apply' owns .data.k",
            id="update",
        ),
        pytest.param(
            'error: Apply failed with 2 conflicts: conflicts with "k" using v1 at '
            "2026-11-22T22:25:49Z:\n- .data.k\n- .data.l" + ADVICE,
            "'k' owns .data.k, .data.l",
            id="updates",
        ),
        pytest.param(
            'error: Apply failed with 7 conflicts: conflicts with "o" using v1:\n'
            + "\n".join(f"- .data.k{number}" for number in range(7)) + ADVICE,
            "'o' owns .data.k0, .data.k1, .data.k2, .data.k3, .data.k4 and 2 more",
            id="many",
        ),
        pytest.param(
            'Error from server (BadRequest): admission webhook "v.x.io" denied the request: no',
            'admission webhook "v.x.io" denied the request: no',
            id="webhook",
        ),
        pytest.param(
            'Error from server (Invalid): Deployment.apps "web" is invalid: spec.replicas: '
            "Invalid value: -1: must be >= 0",
            'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -1: must be >= 0',
            id="invalid",
        ),
        pytest.param(
            'The Deployment "web" is invalid: \n* spec.a: Required value\n* spec.b: Invalid value',
            'The Deployment "web" is invalid: * spec.a: Required value * spec.b: Invalid value',
            id="invalid-list",
        ),
        pytest.param(
            "Error from server (Forbidden): error when deleting "
            '"/run/p/objects-ab_1/0002.yaml": configmaps "x" is forbidden: no',
            'configmaps "x" is forbidden: no',
            id="private-path",
        ),
        pytest.param(
            'error: resource mapping not found for name: "tom" namespace: "app" from '
            '"/run/p/objects-ab/0001.yaml": no matches for kind "Cat" in version "example.com/v1"\n'
            "ensure CRDs are installed first",
            'no matches for kind "Cat" in version "example.com/v1"',
            id="no-kind",
        ),
    ],
)  # fmt: skip
def test_cause(stderr: str, expected: str) -> None:
    """The server's own words, or who owns what."""
    assert cause_of(read_failure(stderr.encode()), stderr.encode()) == expected


def test_long_causes_are_cut() -> None:
    """A row stays a row."""
    stderr = f"Error from server (Invalid): {'x' * 5000}".encode()
    assert len(cause_of(None, stderr)) < 600
