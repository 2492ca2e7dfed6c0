"""Whatever the worker is, an SDK in the step is the step: no launcher's endpoint is asked again.

Each case is a worker in a network of its own, with live metadata services at their real addresses.
calamari finds its launcher there; from the moment the step starts nobody may ask them anything.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.fake_metadata import FakeContainer, FakeImds, FakeServer, credential_document
from tests.fake_sts import FakeSts
from tests.netns import call_in_network
from tests.preloaded import calamari_command
from tests.tools import require_tool

pytestmark = pytest.mark.process

ECS, EKS, IMDS = "169.254.170.2", "169.254.170.23", "169.254.169.254"
LAUNCHER = "arn:aws:iam::123456789012:role/Worker"
STEP = "arn:aws:iam::111111111111:role/DevDeployRole"
SESSION = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy"
TASK_PATH, POD_PATH = "/v2/credentials/1-2", "/v1/credentials"
POD_TOKEN, JWT = "authorization-of-the-pod", "token-of-the-service-account"
CANARY = "AKIACANARYOFTHEWORKER"

TASK = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": TASK_PATH}
POD = {
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{EKS}{POD_PATH}",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{home}/pod",
}
IRSA = {"AWS_ROLE_ARN": LAUNCHER, "AWS_WEB_IDENTITY_TOKEN_FILE": "{home}/jwt"}
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

FOUND_AT = {
    "ECS": ["ECS"],
    "EKS Pod Identity": ["EKS"],
    "EKS IRSA": ["STS with the token"],
    "EC2": ["IMDS"],
    "all at once": ["ECS"],
}

BOTO3 = [sys.executable, "-c",
         "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"]  # fmt: skip
FILES = {
    "pod": POD_TOKEN,
    "jwt": JWT,
    ".aws/credentials": f"[default]\naws_access_key_id = {CANARY}\n"
    "aws_secret_access_key = secret-of-the-canary\n",
    ".aws/config": "[default]\nregion = us-west-2\n",
    "main.tf": """
terraform {
  backend "s3" {
    bucket = "b"
    key = "k"
    region = "eu-west-1"
    use_path_style = true
    skip_region_validation = true
  }
}
""",
}
"""What lies in the home of each, and the working folder at the same time."""


@dataclass(frozen=True, slots=True)
class Worker:
    """A machine with everything that a launcher may come from."""

    home: Path
    sts: FakeSts
    endpoints: Mapping[str, FakeServer]
    environment: Mapping[str, str]

    def asked(self) -> dict[str, int]:
        """How often each launcher's endpoint was connected to; STS with the launcher's token."""
        tokens = self.sts.actions().count("AssumeRoleWithWebIdentity")
        return {name: server.connections for name, server in self.endpoints.items()} | {
            "STS with the token": tokens
        }


@contextmanager
def a_worker(kind: str) -> Iterator[Worker]:
    """The real addresses, answering; a proxy that notes who comes; a home with canary keys."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sts = stack.enter_context(FakeSts())
        launcher = sts.add_session(LAUNCHER, "worker")
        sts.add_token(JWT, roles=[LAUNCHER])
        sts.add_role(LAUNCHER)
        sts.add_role(STEP, trust=[LAUNCHER], allow=["sts:TagSession"])
        imds = FakeImds(address=(IMDS, 80))
        # ECS asks for what its variables name, so for the pod's token where they name that.
        asked_for = POD_TOKEN if kind == "all at once" else None
        task = FakeContainer(address=(ECS, 80), path=TASK_PATH, authorization=asked_for)
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
        for name, text in FILES.items():
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text(text)
        proxy = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), endpoints["proxy"].url)
        selecting = {**STRAY, **WORKERS[kind][1]}
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL": sts.url, "CHECKPOINT_DISABLE": "1", "NO_PROXY": "127.0.0.1",
            **proxy,
            **{name: text.format(home=home) for name, text in selecting.items()},
        }  # fmt: skip
        yield Worker(home, sts, endpoints, environment)


def steps_on_all(workers: Mapping[str, Sequence[str]], script: str) -> list[list[dict[str, Any]]]:
    """What is seen of `script` as a step on such workers, one time for each delivery."""
    found = []
    for kind, deliveries in workers.items():
        with a_worker(kind) as worker:
            source = WORKERS[kind][0]
            found.append([_step(worker, source, delivery, script) for delivery in deliveries])
    return found


def _step(worker: Worker, source: str, delivery: str, script: str) -> dict[str, Any]:
    (worker.home / "step.yaml").write_text(
        f"name: deploy\nregion: eu-west-1\nassume_role: {STEP}\n"
        f"account: {{type: ambient, source: {source}}}\n"
        f"credentials: {{delivery: {delivery}}}\n"
        f"script: |\n  echo started; read -r _\n  {script}\n"
    )
    idle = worker.asked()
    process = subprocess.Popen(
        [*calamari_command(worker.environment), "run", "step.yaml", "--interactive"],
        cwd=worker.home,
        env=worker.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        started, requests = worker.asked(), len(worker.sts.requests)
        out, err = process.communicate("go\n", timeout=50)
    finally:
        process.kill()
        process.wait()
    of_step = {key for key, keys in worker.sts.keys.items() if keys.role_arn == STEP}
    return {
        "code": process.returncode, "out": first + out, "err": err,
        "launcher": _more(idle, started), "since": _more(started, worker.asked()),
        "requests": [
            (log.action, "step" if log.access_key_id in of_step else log.access_key_id)
            for log in worker.sts.requests[requests:]
        ],
    }  # fmt: skip


def _more(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    return sorted(name for name, count in after.items() if count != before[name])


def seen_on(kind: str, argv: Sequence[str], deliveries: Sequence[str]) -> list[dict[str, Any]]:
    """What `argv` does as a step, one time for each delivery.

    Checked here is what holds on every worker: calamari found its launcher at the worker's own
    endpoint and nowhere else; from the start of the step on nobody was there; and every request
    that AWS got was signed by the step.
    """
    (found,) = seen_on_all({kind: deliveries}, argv)
    return found


def seen_on_all(
    workers: Mapping[str, Sequence[str]], argv: Sequence[str]
) -> list[list[dict[str, Any]]]:
    """The same for several workers, one after the other in one network."""
    found = call_in_network(
        steps_on_all, workers, shlex.join(argv), addresses=[ECS, EKS, IMDS], timeout=150
    )
    for (kind, deliveries), all_seen in zip(workers.items(), found, strict=True):
        for delivery, seen in zip(deliveries, all_seen, strict=True):
            assert seen["out"].startswith("started\n"), seen["err"]
            assert seen["launcher"] == FOUND_AT[kind], (kind, delivery)
            assert seen["since"] == [], (kind, delivery)
            assert {who for _, who in seen["requests"]} <= {"step"}, (kind, delivery)
    return list(found)


BOTO3_WORKERS = {
    # Where the launcher is found does not depend on the delivery. Each worker has the one that
    # a variable of its own would defeat in an SDK, were it left to the step.
    "ECS": ["endpoint"],
    "EKS Pod Identity": ["endpoint"],
    "EKS IRSA": ["profile"],
    "EC2": ["env"],
    "all at once": ["endpoint", "profile"],
}


@pytest.mark.slow(8)
def test_boto3_is_the_step() -> None:
    """On every worker and with every delivery: the step's role, and no launcher's endpoint is
    hit."""
    assert set(BOTO3_WORKERS) == set(WORKERS)
    for kind, all_seen in zip(BOTO3_WORKERS, seen_on_all(BOTO3_WORKERS, BOTO3), strict=True):
        for seen in all_seen:
            assert (seen["code"], seen["out"]) == (0, f"started\n{SESSION}\n"), (kind, seen["err"])
            assert seen["requests"] == [["GetCallerIdentity", "step"]], kind


def test_the_aws_cli_is_the_step() -> None:
    """The same of the AWS CLI, where every source is at hand."""
    aws = require_tool("aws")
    argv = [aws, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"]
    (seen,) = seen_on("all at once", argv, ["profile"])
    assert (seen["code"], seen["out"]) == (0, f"started\n{SESSION}\n"), seen["err"]
    assert seen["requests"] == [["GetCallerIdentity", "step"]]


def test_terraform_is_the_step() -> None:
    """Its S3 backend signs with the step's keys. That there is no bucket does not matter here."""
    argv = [require_tool("terraform"), "init", "-input=false", "-no-color"]
    (seen,) = seen_on("all at once", argv, ["profile"])
    actions = [action for action, _ in seen["requests"]]
    assert any(action.endswith("GET") for action in actions), seen["out"] + seen["err"]


def test_without_its_own_a_step_is_nobody() -> None:
    """A step that throws its credentials away finds no others, and does not look where they are."""
    shell = 'unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN; exec "$@"'
    (seen,) = seen_on("all at once", ["sh", "-c", shell, "sh", *BOTO3], ["env"])
    assert seen["code"] == 1
    assert "Unable to locate credentials" in seen["err"]
    assert seen["requests"] == []


def explained_on(kind: str) -> dict[str, Any]:
    """What ``explain --online`` says of the metadata services on such a worker."""
    with a_worker(kind) as worker:
        (worker.home / "step.yaml").write_text(
            f"name: deploy\nregion: eu-west-1\nassume_role: {STEP}\n"
            f"account: {{type: ambient, source: {WORKERS[kind][0]}}}\nscript: 'true'\n"
        )
        done = subprocess.run(
            [sys.executable, "-m", "calamari_py", "explain", "step.yaml", "--online",
             "--format", "json"],
            cwd=worker.home, env=worker.environment, capture_output=True, text=True, timeout=50,
            check=True,
        )  # fmt: skip
        found = json.loads(done.stdout)["checks"]
        return next(check for check in found if check["name"] == "metadata")


def test_explain_says_what_a_step_could_ask() -> None:
    """That the services answer whoever asks by plain HTTP is no secret: each is named."""
    check = call_in_network(explained_on, "EC2", addresses=[ECS, EKS, IMDS])
    assert check["state"] == "warn"
    for address in (ECS, EKS, IMDS):
        assert address in check["evidence"]
    assert "hop limit" in check["hint"]
