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
        pytest.param(
            "Saved plan does not match the given state",
            "write the 'backend' and the 'workspace' under 'terraform' that it was made with",
            id="another-state",
        ),
        pytest.param(
            'Failed to request discovery document: Get "https://app.terraform.io/.well-known/'
            'terraform.json": dial tcp: lookup app.terraform.io: no such host',
            "app.terraform.io does not answer: look at the network and the proxy",
            id="not-aws",
        ),
        pytest.param(
            'reading config: Get "https://u:p@vault.example:8200/v1/x?y=1": dial tcp 10.0.0.1:8200',
            "vault.example:8200 does not answer",
            id="another-service",
        ),
        pytest.param(
            'RequestError: send request failed caused by: Post "https://sts.eu-west-1.amazonaws.com'
            '/": dial tcp: lookup sts.eu-west-1.amazonaws.com: no such host',
            "AWS does not answer",
            id="aws-by-its-host",
        ),
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


@pytest.mark.parametrize(
    ("file", "hint"),
    [
        pytest.param(
            "terraform.backend", "'regoin' is a key of 'terraform.backend' that", id="ours"
        ),
        pytest.param("main.tf.json", "", id="configuration"),
    ],
)
def test_a_key_that_the_backend_does_not_know(file: str, hint: str) -> None:
    """Of our own file it is a key of the manifest; of another one Terraform says all."""
    diagnostic = Diagnostic(
        severity="error",
        summary="Extraneous JSON object property",
        detail='No argument or block type is named "regoin". Did you mean "region"?',
        file=file,
    )
    assert (hint_of(diagnostic) or "").startswith(hint)
    assert bool(hint_of(diagnostic)) is bool(hint)
