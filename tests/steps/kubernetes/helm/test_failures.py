"""What Helm says went wrong, told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.steps.kubernetes.helm.failures import (
    helm_failed,
    is_not_found,
    is_timeout,
    warning_of,
)
from calamari_py.steps.kubernetes.spec import ChartRepository
from tests.steps.kubernetes.helm.room import DEBUG, SECTION, HelmWorld


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        pytest.param(
            "UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
            "another operation", "helm history web --namespace=app", id="another operation",
        ),
        pytest.param(
            'UPGRADE FAILED: "web" has no deployed releases', "has no deployed releases",
            "helm uninstall web --namespace=app", id="never deployed",
        ),
        pytest.param(
            "INSTALLATION FAILED: cannot re-use a name that is still in use", "cannot re-use",
            "somebody installed it meanwhile", id="name in use",
        ),
        pytest.param(
            "values don't meet the specifications of the schema(s) in the following chart(s):\nweb:"
            "\n- replicas: Invalid type. Expected: integer, given: string",
            "values don't meet", "values.schema.json", id="schema",
        ),
        pytest.param(
            'UPGRADE FAILED: Unable to continue with update: ConfigMap "web" in namespace "app"'
            " exists and cannot be imported into the current release: invalid ownership metadata",
            "Unable to continue", "by the label and the annotations", id="ownership",
        ),
        pytest.param(
            'UPGRADE FAILED: cannot patch "web" with kind Deployment: Deployment.apps "web" is'
            " invalid: spec.selector: Invalid value: field is immutable",
            "field is immutable", "delete the object", id="immutable",
        ),
        pytest.param(
            "UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred:\n\t* job web-pre failed:"
            " BackoffLimitExceeded\n",
            "pre-upgrade hooks failed", "hooks: false", id="hook",
        ),
        pytest.param(
            'UPGRADE FAILED: Operation cannot be fulfilled on deployments.apps "web": the object'
            " has been modified",
            "could not upgrade release 'web': Operation cannot be fulfilled", "", id="conflict",
        ),
        pytest.param(
            "INSTALLATION FAILED: library charts are not installable", "library charts are not",
            "name the chart that depends on it", id="library",
        ),
        pytest.param(
            "UPGRADE FAILED: context deadline exceeded", "deadline", "wait.timeout", id="time"
        ),
        pytest.param(
            "execution error at (web/templates/a.yaml:1:3): image is needed", "image is needed",
            "action: template", id="template",
        ),
        pytest.param(
            "An error occurred while checking for chart dependencies. You may need to run `helm"
            " dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in"
            " charts/ directory: db",
            "dependencies", "dependency_update: true", id="dependencies",
        ),
        pytest.param(
            'Kubernetes cluster unreachable: Get "https://x/version": dial tcp 127.0.0.1:9:'
            " connect: connection refused",
            "refused", "", id="unreachable",
        ),
    ],
)  # fmt: skip
def test_what_it_is_and_what_to_do(tmp_path: Path, text: str, message: str, hint: str) -> None:
    """The message is Helm's first line, the hint a cure."""
    world = HelmWorld(tmp_path)
    spec = world.parse("helm", SECTION)
    context = world.context()
    access = world.access()
    stderr = DEBUG + b"preparing\nError: " + text.encode() + b"\nhelm.go:86: 2026 [debug] x\nmain\n"
    error = helm_failed("upgrade release 'web'", stderr, spec=spec, access=access, context=context)
    assert error.message.startswith("could not upgrade release 'web': ")
    assert message in error.message
    assert "FAILED" not in error.message
    assert hint in (error.hint or "")
    assert "main" not in error.evidence


REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.mark.parametrize(
    ("chart", "username", "words", "others"),
    [
        pytest.param("r/web", "", "wants a login", "ecr:", id="no-login"),
        pytest.param("r/web", "eve", "refuses repository.username or", "ecr:", id="wrong-login"),
        pytest.param("/web", "", "in the chart's charts/", "under", id="dependency"),
        pytest.param("oci://x.org/web", "", "wants a login", "ecr:", id="registry"),
        pytest.param(f"oci://{REGISTRY}/web", "", "ecr:BatchGetImage", "under", id="ecr"),
        pytest.param(f"oci://{REGISTRY}/web", "AWS", "refuses repo", "ecr:", id="ecr-wrong-login"),
    ],
)
def test_a_login_that_is_missing_or_refused(
    tmp_path: Path, chart: str, username: str, words: str, others: str
) -> None:
    """What is written already is not asked for, and ECR is named where it is ECR."""
    world = HelmWorld(tmp_path)
    repository = ChartRepository(url="https://x.org", username=username, password=username)
    is_path = chart.startswith("/")
    spec = replace(
        world.parse("helm", SECTION),
        chart=chart,
        chart_is_path=is_path,
        repository=None if is_path else repository,
    )
    stderr = b"Error: failed to fetch https://x.org/index.yaml : 401 Unauthorized\n"
    error = helm_failed("fetch it", stderr, spec=spec, access=None, context=world.context())
    assert words in (error.hint or "")
    assert others not in (error.hint or "")


def test_a_helm_that_was_killed(tmp_path: Path) -> None:
    """What it was at is not what went wrong."""
    world = HelmWorld(tmp_path)
    error = helm_failed(
        "upgrade release 'web'",
        DEBUG + b"connection refused by nobody\n",
        spec=world.parse("helm", SECTION),
        access=world.access(),
        context=world.context(),
        code=137,
    )
    assert error.message.endswith("helm ended with 137 and did not say why")


def test_what_is_asked_of_an_error() -> None:
    """Not there, and too slow, are read from the error alone."""
    assert is_not_found(b"Error: release: not found\n")
    assert not is_not_found(b'Error: namespaces "app" not found\n')
    assert is_timeout(b"Error: UPGRADE FAILED: context deadline exceeded\n")
    assert not is_timeout(DEBUG + b"context deadline exceeded\nError: x\n")


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        pytest.param("WARNING: old", "old", id="helm"),
        pytest.param('W0301 09:30:00.000000    7 warnings.go:70] unknown field "x"',
                     'unknown field "x"', id="API server"),
        pytest.param("coalesce.go:286: warning: cannot overwrite table", "cannot overwrite table",
                     id="values"),
        pytest.param(DEBUG.decode() + "creating", None, id="what it is at"),
        pytest.param("Error: x", None, id="an error"),
        pytest.param("Digest: sha256:0", None, id="chatter"),
        pytest.param("", None, id="nothing"),
    ],
)  # fmt: skip
def test_warnings(line: str, warning: str | None) -> None:
    """What loggers put before them is left out."""
    assert warning_of(line.encode()) == warning
