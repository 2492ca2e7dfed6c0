"""Well-known errors, in Terraform's own recorded words, each with what to do about it."""

from __future__ import annotations

import pytest

from calamari_py.steps.terraform.following.hints import hint_of
from calamari_py.steps.terraform.values import Diagnostic
from tests.steps.terraform.following.recordings import error_of, errors_of_text


@pytest.mark.parametrize(
    ("case", "hint"),
    [
        ("missing-variable", "write 'size' under 'terraform.variables' in the manifest"),
        ("ephemeral-missing", "write 'a' under 'terraform.variables' for the apply, too"),
        ("undeclared-variable", "or declare variable 'zone' in the root module"),
        ("changed-variable", "leave 'a' as it was, or plan again"),
        ("stale", "plan again, and apply the new plan"),
        ("bad-plan", "give 'plan_file' a plan that action 'plan' has left"),
        ("required-version", "install a version that 'required_version' allows"),
        ("newer-state", "use Terraform 1.99.0 or newer"),
        ("invalid-value", "correct the value under 'terraform.variables'"),
        ("prevent-destroy", "take 'prevent_destroy' out of the configuration first"),
        ("module-not-installed", "correct the module's 'source'"),
        ("lockfile-inconsistent", "write 'upgrade: true'"),
        ("lockfile-constraint", "write 'upgrade: true'"),
        ("plugin-handshake", "the provider itself does not work on this machine"),
        ("backend-init-required", "the state is somewhere else than before"),
        ("locked", "wait longer with 'lock_timeout'"),
        ("denied-lock", "give the step's role s3:PutObject on arn:aws:s3:::tf-state/a/b.tflock"),
    ],
)
def test_errors_of_streams(case: str, hint: str) -> None:
    """What the machine-readable output says."""
    assert hint in (hint_of(error_of(case)) or "")


@pytest.mark.parametrize(
    ("case", "hint"),
    [
        ("required-version", "install a version that 'required_version' allows"),
        ("no-credentials", "let backend and provider take the step's credentials"),
        ("denied", "s3:GetObject and s3:ListBucket on the state's bucket"),
        ("expired", "'credentials.delivery: endpoint' renews them"),
        ("invalid-key", "AWS does not know these credentials"),
        ("no-bucket", "create the state's bucket first"),
        ("redirect", "correct 'region' under 'terraform.backend'"),
        ("no-region", "write 'region' under 'terraform.backend'"),
        ("no-bucket-name", "write 'bucket' under 'terraform.backend'"),
        ("refused", "AWS does not answer"),
        ("not-in-mirror", "put registry.terraform.io/hashicorp/null into 'plugin_mirror'"),
        ("mirror-version", "change the version constraint"),
        ("no-registry", "let this machine reach the registry"),
        ("lockfile-readonly", "leave out 'lockfile: readonly'"),
        ("lockfile-constraint", "run 'terraform init -upgrade'"),
        ("module-gone", "correct the module's 'source'"),
    ],
)
def test_errors_of_texts(case: str, hint: str) -> None:
    """What commands without -json say, wrapped as they wrap it."""
    assert hint in (hint_of(errors_of_text(case)[0]) or "")


@pytest.mark.parametrize(
    ("summary", "hint"),
    [
        pytest.param(
            "creating Role (x): operation error IAM: CreateRole, https response error StatusCode: "
            "403, RequestID: 1, api error AccessDenied: User: arn:aws:sts::1:assumed-role/D/s is "
            "not authorized to perform: iam:CreateRole on resource: arn:aws:iam::1:role/x with an "
            "explicit deny in a service control policy",
            "a policy forbids iam:CreateRole on arn:aws:iam::1:role/x explicitly: whoever keeps "
            "that policy has to change it",
            id="explicit-deny",
        ),
        pytest.param(
            "creating VPC: operation error EC2: CreateVpc, https response error StatusCode: 403, "
            "RequestID: 1, api error UnauthorizedOperation: You are not authorized",
            "give the step's role the permission for CreateVpc of EC2",
            id="another-service",
        ),
        pytest.param(
            "Invalid provider configuration", "look at the provider's block", id="provider"
        ),
        pytest.param("Terraform crashed", "a defect of Terraform or of a provider", id="crash"),
    ],
)
def test_errors_of_providers(summary: str, hint: str) -> None:
    """The form of AWS's own messages."""
    assert hint in (hint_of(Diagnostic(severity="error", summary=summary)) or "")


@pytest.mark.parametrize("case", ["unsupported-attribute"])
def test_what_needs_no_hint_has_none(case: str) -> None:
    """Terraform's own words have to do where they say it all."""
    assert hint_of(error_of(case)) is None


def test_no_hint_takes_long() -> None:
    """A long text that is nearly known by every pattern."""
    nearly = "Value for undeclared variable operation error S3: X, not authorized to perform: a:b "
    assert hint_of(Diagnostic(severity="error", summary="", detail=nearly * 300))
