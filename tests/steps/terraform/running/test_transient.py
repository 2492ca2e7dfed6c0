"""Which errors of ``init`` are tried again. The texts are Terraform's own."""

from __future__ import annotations

import pytest

from calamari_py.steps.terraform.running.transient import why_transient
from calamari_py.steps.terraform.values import Diagnostic

QUERY = """Could not retrieve the list of available versions for provider
registry.local/x/f: could not query provider registry for registry.local/x/f:
"""
MODULE = """Could not download module "z" (main.tf:7) source code from
"http://127.0.0.1:15711/x.zip": """
GIT = """Could not download module "y" (main.tf:4) source code from
"git::http://127.0.0.1:15711/x.git": error downloading
'http://127.0.0.1:15711/x.git': /usr/bin/git exited with 128: Cloning into
'/tmp/dx/modules/y'...
fatal: """


def _error(detail: str, summary: str = "Failed to query available provider packages") -> Diagnostic:
    return Diagnostic(severity="error", summary=summary, detail=detail)


@pytest.mark.parametrize(
    ("detail", "why"),
    [
        pytest.param(
            QUERY + "the request failed after 2 attempts, please try again later: 503 Service\n"
            "Unavailable returned from 127.0.0.1:15711",
            "503 Service Unavailable",
            id="503-broken-over-lines",
        ),
        pytest.param(
            QUERY + "the request failed after 2 attempts, please try again later: 429 Too Many\n"
            "Requests returned from 127.0.0.1:15711",
            "429 Too Many Requests",
            id="429",
        ),
        pytest.param(
            QUERY + "the request failed after 2 attempts, please try again later: Get\n"
            '"http://127.0.0.1:15711/v1/providers/x/f/versions": EOF',
            "the connection was closed",
            id="eof",
        ),
        pytest.param(
            "could not connect to registry.terraform.io: failed to request\ndiscovery document: "
            'Get\n"https://registry.terraform.io/.well-known/terraform.json": dial tcp: lookup\n'
            "registry.terraform.io on 10.0.0.53:53: no such host",
            "the name service",
            id="dns",
        ),
        pytest.param("lookup x on 10.0.0.53:53: server misbehaving", "the name service", id="dns2"),
        pytest.param(
            'Get "https://registry/": dial tcp 10.1.1.1:443: connect: connection\nrefused',
            "connection refused",
            id="refused",
        ),
        pytest.param("read tcp 10.1.1.1:443: read: connection reset by peer", "connection reset",
                     id="reset"),
        pytest.param("api.x.io: 504 Gateway Time-out returned", "504 Gateway Time-out", id="504"),
        pytest.param("net/http: TLS handshake\ntimeout", "TLS handshake timeout", id="tls"),
        pytest.param("dial tcp 10.1.1.1:443: i/o timeout", "no answer in time", id="io-timeout"),
        pytest.param("context deadline exceeded", "no answer in time", id="deadline"),
        pytest.param(MODULE + "bad response code: 503", "code 503", id="module-http"),
        pytest.param(
            GIT + "unable to access 'http://127.0.0.1:15711/x.git/': The requested URL\n"
            "returned error: 503",
            "code 503",
            id="module-git",
        ),
        pytest.param(
            GIT + "unable to access 'http://x/': Empty reply from\nserver",
            "the connection was closed",
            id="git-empty",
        ),
        pytest.param(
            "failed to retrieve authentication checksums for provider: the request failed after 2\n"
            "attempts, please try again later: 502 Bad Gateway returned from github.com",
            "502 Bad Gateway",
            id="checksums-not-fetched",
        ),
        pytest.param("the request failed after 3 attempts: tide", "the registry does not answer",
                     id="unknown-reason"),
    ],
)  # fmt: skip
def test_what_may_pass_is_tried_again(detail: str, why: str) -> None:
    """An error of the network or of an overloaded registry says why in a few words."""
    assert why_transient([_error(detail)]) == why


@pytest.mark.parametrize(
    "detail",
    [
        pytest.param(QUERY + "host registry.local requires authentication credentials", id="401"),
        pytest.param(
            "Failed to retrieve available versions for module: error looking up module versions:\n"
            "403 Forbidden.",
            id="403",
        ),
        pytest.param(MODULE + "bad response code: 404", id="404"),
        pytest.param(GIT + "repository 'http://127.0.0.1:15711/x.git/' not found", id="no-repo"),
        pytest.param(
            QUERY + "provider registry registry.local does not have a provider\n"
            "named registry.local/x/f",
            id="no-provider",
        ),
        pytest.param("no available releases match the given constraints ~> 99.0", id="constraint"),
        pytest.param(
            "the local package for registry.terraform.io/x/f 1.0.0 doesn't match any of the\n"
            "checksums previously recorded in the dependency lock file",
            id="checksum",
        ),
        pytest.param(
            "provider registry.local/x/f was not found in any of the\nsearch locations\n\n"
            "- /mirror",
            id="mirror",
        ),
        pytest.param(
            'Failed to get existing workspaces: S3 bucket "b" does not exist.\n\nError: operation '
            "error S3: ListObjectsV2, https response error StatusCode: 404, RequestID: 503 EOF,\n"
            "NoSuchBucket:",
            id="no-bucket",
        ),
        pytest.param(
            "operation error S3: ListObjectsV2, https response error StatusCode: 403, RequestID:\n"
            "x, api error AccessDenied: User is not authorized to perform: s3:ListBucket",
            id="denied",
        ),
        pytest.param(
            "No valid credential sources found: request canceled, context deadline exceeded",
            id="no-credentials",
        ),
        pytest.param("This configuration does not support Terraform version 1.11.4.", id="core"),
        pytest.param("Error parsing .terraformrc: object expected RBRACE got: EOF", id="syntax"),
        pytest.param("the module has 512 lines, and 500 of them are wrong", id="a-number"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_will_stay_is_not_tried_again(detail: str) -> None:
    """Waiting changes nothing about a refusal, a mismatch or a typo."""
    assert why_transient([_error(detail)]) is None


def test_one_lasting_error_among_passing_ones_decides() -> None:
    """Another attempt would fail by the lasting error all the same."""
    passing, lasting = _error("connection refused"), _error("requires authentication")
    assert why_transient([passing, lasting]) is None


def test_warnings_do_not_count() -> None:
    """A warning neither forbids another attempt nor asks for one."""
    warning = Diagnostic(severity="warning", summary="EOF")
    assert why_transient([warning]) is None
    assert why_transient([warning, _error("i/o timeout")]) == "no answer in time"
