"""`calamari eks-token`: what kubectl starts for every command."""

from __future__ import annotations

import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from calamari_py.__main__ import _plain_token_request
from tests.cli.conftest import Call, Ended, start

KEYS = {
    "AWS_ACCESS_KEY_ID": "ASIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "session/token+0123456789==",
}
WORDS = ("eks-token", "--cluster-name", "blue", "--region", "eu-west-1")
INFO = "KUBERNETES_EXEC_INFO"


def plugin(*words: str, folder: Path, **environ: str) -> Ended:
    """The process that a kubeconfig of ours starts."""
    return start([sys.executable, "-E", "-P", "-m", "calamari_py", *words], folder, environ)


def url_of(ended: Ended) -> str:
    """The URL in the token that was printed."""
    assert (ended.code, ended.err) == (0, "")
    token = json.loads(ended.out)["status"]["token"].removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


@pytest.mark.process
def test_it_prints_what_kubectl_takes(tmp_path: Path) -> None:
    """One document on stdout, in the version that was asked for, signed as whoever is around."""
    version = "client.authentication.k8s.io/v1"
    # An endpoint that is set is for SDKs: the cluster asks STS itself and nobody else.
    ended = plugin(
        *WORDS,
        folder=tmp_path,
        **KEYS,
        **{INFO: json.dumps({"apiVersion": version, "kind": "ExecCredential"})},
        AWS_ENDPOINT_URL="http://127.0.0.1:1",
    )
    parts = urlsplit(url_of(ended))
    asked = parse_qs(parts.query)
    assert parts.netloc == "sts.eu-west-1.amazonaws.com"
    assert asked["X-Amz-Credential"][0].startswith("ASIAIOSFODNN7EXAMPLE/")
    assert asked["X-Amz-Security-Token"] == [KEYS["AWS_SESSION_TOKEN"]]
    assert json.loads(ended.out)["apiVersion"] == version
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in ended.out


@pytest.mark.process
@pytest.mark.parametrize(
    ("environ", "code", "words"),
    [
        pytest.param({}, 77, "no credentials of a step here; run it in a step", id="nobody"),
        pytest.param(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
             "AWS_CONTAINER_AUTHORIZATION_TOKEN": "tok"}, 77, "was changed", id="a-pods-agent",
        ),
        pytest.param(
            {**KEYS, "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}, 77,
            "the credentials ended at 2020-01-01T00:00:00Z", id="ended",
        ),
        pytest.param(
            {**KEYS, INFO: '{"apiVersion": "client.authentication.k8s.io/v1alpha1"}'}, 2,
            "a version that is not spoken", id="v1alpha1",
        ),
    ],
)  # fmt: skip
def test_what_it_refuses(environ: dict[str, str], code: int, words: str, tmp_path: Path) -> None:
    """In one line that kubectl passes on, and without a secret."""
    ended = plugin(*WORDS, folder=tmp_path, **environ)
    assert (ended.code, ended.out) == (code, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("calamari: ")
    assert words in line
    assert KEYS["AWS_SESSION_TOKEN"] not in line


@pytest.mark.parametrize(
    ("offset", "is_plain"),
    [
        pytest.param("3600", True, id="ahead"),
        pytest.param("-3600", True, id="behind"),
        pytest.param("9" * 20, False, id="without-end"),
        pytest.param("\N{ARABIC-INDIC DIGIT THREE}", False, id="foreign-digit"),
        pytest.param("", False, id="blank"),
    ],
)
def test_clocks_that_are_believed(offset: str, *, is_plain: bool) -> None:
    """Without the command line proper, which says what is wrong with all others."""
    asked = _plain_token_request([*WORDS, "--clock-offset", offset])
    assert asked == (("blue", "eu-west-1", float(offset)) if is_plain else None)


@pytest.mark.process
def test_it_loads_next_to_nothing(tmp_path: Path) -> None:
    """kubectl starts it for every command: no command line, no manifest, no botocore, and no HTTP
    library."""
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['calamari', *{WORDS!r}]\n"
        "try:\n    runpy.run_module('calamari_py', run_name='__main__')\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    loaded = set(start([sys.executable, "-c", code], tmp_path, KEYS).err.split())
    assert "calamari_py.aws.eks_token" in loaded
    assert not loaded & {
        "click", "msgspec", "yaml", "botocore", "http.client", "ssl", "calamari_py.cli",
        "calamari_py.masking", "calamari_py.manifest",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("--region", "eu-west-1"), "missing option '--cluster-name'", id="no-name"),
        pytest.param(("--cluster-name", "blue"), "missing option '--region'", id="no-region"),
        pytest.param(
            ("--cluster-name", "a b", "--region", "eu-west-1"), "no name of an EKS", id="name"
        ),
        pytest.param(
            ("--cluster-name", "blue", "--region", "evil.test/"), "no region", id="region"
        ),
        pytest.param(
            ("--cluster-name", "blue", "--region", "eu-west-1", "--clock-offset", "x"),
            "--clock-offset", id="offset",
        ),
        pytest.param(
            (*WORDS[1:], "--clock-offset", "9" * 20), "--clock-offset", id="offset-without-end"
        ),
    ],
)  # fmt: skip
def test_wrong_usage(words: tuple[str, ...], message: str, call: Call) -> None:
    """Nothing is signed for what is no cluster."""
    ended = call("eks-token", *words)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err


@pytest.mark.parametrize("words", [(), ("--show",)], ids=["as-it-is", "show"])
def test_a_terminal_is_shown_no_token(
    words: tuple[str, ...], call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless somebody asks for it."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_CREDENTIAL_EXPIRATION", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    ended = call(*WORDS, *words)
    if words:
        assert url_of(ended)
    else:
        assert (ended.code, ended.out) == (2, "")
        assert "this prints a secret" in ended.err


def test_the_clock_of_aws_counts(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is an hour behind still gets in; kubectl asks anew by its own clock."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    ended = call(*WORDS, "--clock-offset", "3600")
    asked = parse_qs(urlsplit(url_of(ended)).query)
    signed = datetime.strptime(asked["X-Amz-Date"][0], "%Y%m%dT%H%M%S%z")
    assert timedelta(minutes=59) < signed - datetime.now(UTC) < timedelta(minutes=61)
    again = datetime.fromisoformat(json.loads(ended.out)["status"]["expirationTimestamp"])
    assert again - datetime.now(UTC) < timedelta(minutes=15)
