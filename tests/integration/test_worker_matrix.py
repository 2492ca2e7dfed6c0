"""Whatever the worker is, an SDK in the step is the step: no launcher's endpoint is asked again.

Each case is a worker in a network of its own, with live metadata services at their real addresses.
calamari finds its launcher there; from the moment the step starts nobody may ask them anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fake_metadata import FakeContainer, FakeImds, FakeServer, credential_document
from tests.fake_sts import FakeSts
from tests.netns import call_in_network
from tests.tools import require_tool

pytestmark = pytest.mark.process

ECS, EKS, IMDS = "169.254.170.2", "169.254.170.23", "169.254.169.254"
LAUNCHER = "arn:aws:iam::123456789012:role/Worker"
STEP = "arn:aws:iam::111111111111:role/DevDeployRole"
SESSION = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/t"
TASK_PATH, POD_PATH = "/v2/credentials/1-2", "/v1/credentials"
POD_TOKEN, JWT = "authorization-of-the-pod", "token-of-the-service-account"
CANARY = "AKIACANARYOFTHEWORKER"

TASK = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": TASK_PATH}
POD = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{EKS}{POD_PATH}",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{pod}",
}
IRSA = {"AWS_ROLE_ARN": LAUNCHER, "AWS_WEB_IDENTITY_TOKEN_FILE": "{jwt}"}
STRAY = {
    "AWS_PROFILE": "default",
    "AWS_DEFAULT_PROFILE": "default",
    "AWS_CONFIG_FILE": "{home}/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "{home}/.aws/credentials",
    "AWS_ACCESS_KEY_ID": CANARY,
    "AWS_SECRET_ACCESS_KEY": "secret-of-the-canary",
    "AWS_SECURITY_TOKEN": "token-of-the-canary",
    "AWS_CREDENTIAL_EXPIRATION": "2001-01-01T00:00:00Z",
    "AWS_ACCOUNT_ID": "999999999999",
}
"""What is left on a worker by whoever used it before; each has made a child its launcher."""

WORKERS: dict[str, tuple[str, Mapping[str, str]]] = {
    "ECS": ("container", TASK),
    "EKS Pod Identity": ("container", POD),
    "EKS IRSA": ("web-identity", IRSA),
    "EC2": ("imds", {}),
    "all at once": ("container", {**POD, **IRSA, **TASK}),
}
"""Each worker: the source that its launcher comes from, and its variables."""

BOTO3 = [sys.executable, "-c",
         "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"]  # fmt: skip
BACKEND = """
terraform {
  backend "s3" {
    bucket = "b"
    key = "k"
    region = "eu-west-1"
    use_path_style = true
    skip_region_validation = true
  }
}
"""


@dataclass(frozen=True, slots=True)
class Worker:
    """A machine with everything that a launcher may come from. `keys` is the launcher's key id."""

    home: Path
    sts: FakeSts
    endpoints: Mapping[str, FakeServer]
    keys: str

    def asked(self) -> dict[str, int]:
        """How often each launcher's endpoint was connected to; STS with the launcher's token."""
        tokens = self.sts.actions().count("AssumeRoleWithWebIdentity")
        return {name: server.connections for name, server in self.endpoints.items()} | {
            "STS with the token": tokens
        }


@contextmanager
def a_worker() -> Iterator[Worker]:
    """The real addresses, answering; a proxy that notes who comes; a home with canary keys."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sts = stack.enter_context(FakeSts())
        sts.add_role(STEP, trust=[LAUNCHER], allow=["sts:TagSession"])
        launcher = sts.add_session(LAUNCHER, "worker")
        sts.add_token(JWT, roles=[LAUNCHER])
        sts.add_role(LAUNCHER)
        imds = FakeImds(address=(IMDS, 80))
        task = FakeContainer(address=(ECS, 80), path=TASK_PATH)
        pod = FakeContainer(address=(EKS, 80), path=POD_PATH, authorization=POD_TOKEN)
        for server in (imds, task, pod):
            server.document = credential_document(
                AccessKeyId=launcher.access_key_id,
                SecretAccessKey=launcher.secret_access_key,
                Token=launcher.session_token,
            )
        endpoints = {"IMDS": imds, "ECS": task, "EKS": pod, "proxy": FakeServer()}
        for each in endpoints.values():
            stack.enter_context(each)
        for name, text in {
            "pod": POD_TOKEN, "jwt": JWT,
            ".aws/credentials": f"[default]\naws_access_key_id = {CANARY}\n"
                                "aws_secret_access_key = secret-of-the-canary\n",
            ".aws/config": "[default]\nregion = us-west-2\n",
        }.items():  # fmt: skip
            path = home / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        yield Worker(home, sts, endpoints, launcher.access_key_id)


def step_on(
    kind: str, delivery: str, script: str, files: Mapping[str, str]
) -> tuple[dict[str, Any], Worker]:
    """Run `script` as a step on a worker of `kind`; what was seen from its start on."""
    source, variables = WORKERS[kind]
    with a_worker() as worker:
        for name, text in files.items():
            (worker.home / name).write_text(text)
        (worker.home / "step.yaml").write_text(
            f"name: t\nregion: eu-west-1\nassume_role: {STEP}\n"
            f"account: {{type: ambient, source: {source}}}\n"
            f"credentials: {{delivery: {delivery}}}\n"
            "script: |\n  echo started\n  read -r _\n"
            + "".join(f"  {line}\n" for line in script.splitlines())
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "calamari_py", "run", "step.yaml", "--interactive"],
            cwd=worker.home,
            env=_environment(worker, variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            before, requests = worker.asked(), len(worker.sts.requests)
            out, err = process.communicate("go\n", timeout=50)
        finally:
            process.kill()
            process.wait()
        step_keys = [key for key, keys in worker.sts.keys.items() if keys.role_arn == STEP]
        after = worker.asked()
        return {
            "first": first, "out": out, "err": err, "code": process.returncode,
            "launcher": {name for name, count in before.items() if count},
            "since": {name for name, count in after.items() if count != before[name]},
            "requests": [
                (log.action, "step" if log.access_key_id in step_keys else log.access_key_id)
                for log in worker.sts.requests[requests:]
            ],
        }, worker  # fmt: skip


def _environment(worker: Worker, variables: Mapping[str, str]) -> dict[str, str]:
    places = {"home": worker.home, "pod": worker.home / "pod", "jwt": worker.home / "jwt"}
    given = {name: text.format(**places) for name, text in {**STRAY, **variables}.items()}
    proxy = worker.endpoints["proxy"].url
    return {
        "PATH": os.environ["PATH"], "HOME": str(worker.home), "LANG": "C.UTF-8",
        "AWS_ENDPOINT_URL": worker.sts.url, "CHECKPOINT_DISABLE": "1", "AWS_PAGER": "",
        "http_proxy": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": "127.0.0.1",
        **given,
    }  # fmt: skip


def visit(kind: str, delivery: str, argv: list[str], files: Mapping[str, str]) -> dict[str, Any]:
    """`argv` in a step on that worker; runs in the private network."""
    import shlex

    seen, _ = step_on(kind, delivery, shlex.join(argv), files)
    return {name: sorted(what) if isinstance(what, set) else what for name, what in seen.items()}


def seen_on(
    kind: str, delivery: str, argv: list[str], files: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The same, from here. What holds on every worker is checked: calamari found its launcher at
    the worker's own endpoint and nowhere else, and from the start of the step on nobody was there.
    """
    answer = call_in_network(visit, kind, delivery, argv, files or {}, addresses=[ECS, EKS, IMDS])
    assert isinstance(answer, dict)
    seen: dict[str, Any] = answer
    assert seen["first"] == "started\n", seen["err"]
    assert seen["launcher"] == FOUND_AT[kind]
    assert seen["since"] == []
    return seen


FOUND_AT = {
    "ECS": ["ECS"],
    "EKS Pod Identity": ["EKS"],
    "EKS IRSA": ["STS with the token"],
    "EC2": ["IMDS"],
    "all at once": ["ECS"],
}
DELIVERIES = ["env", "endpoint", "profile"]


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("kind", WORKERS)
def test_boto3_is_the_step(kind: str, delivery: str) -> None:
    """On every worker, with every delivery: the step's role, and no launcher's endpoint is hit."""
    seen = seen_on(kind, delivery, BOTO3)
    assert (seen["code"], seen["out"]) == (0, f"{SESSION}\n"), seen["err"]
    assert seen["requests"] == [["GetCallerIdentity", "step"]]


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_the_aws_cli_is_the_step(delivery: str) -> None:
    """The same of the AWS CLI, where every source is at hand."""
    aws = _behind_a_shim(require_tool("aws"))
    argv = [aws, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
    seen = seen_on("all at once", delivery, argv)
    assert (seen["code"], seen["out"]) == (0, f"{SESSION}\n"), seen["err"]
    assert seen["requests"] == [["GetCallerIdentity", "step"]]


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_terraform_is_the_step(delivery: str) -> None:
    """Its S3 backend signs with the step's keys. That there is no bucket does not matter here."""
    terraform = require_tool("terraform")
    argv = [terraform, "init", "-input=false", "-no-color"]
    seen = seen_on("all at once", delivery, argv, {"main.tf": BACKEND})
    assert ["GET", "step"] in seen["requests"], seen["out"] + seen["err"]
    assert {who for _, who in seen["requests"]} == {"step"}


@pytest.mark.parametrize("kind", WORKERS)
def test_without_its_own_a_step_is_nobody(kind: str) -> None:
    """A step that throws its credentials away finds no others, and does not look where they are."""
    shell = 'unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN; exec "$@"'
    seen = seen_on(kind, "env", ["sh", "-c", shell, "sh", *BOTO3])
    assert seen["code"] == 1
    assert "Unable to locate credentials" in seen["err"]
    assert seen["requests"] == []
