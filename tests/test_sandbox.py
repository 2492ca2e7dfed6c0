"""The embedded AWS: what it holds, what it refuses, and that it leaves no trace."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from calamari_py.errors import EX_UNAVAILABLE, EX_USAGE, ToolMissing, UsageError
from calamari_py.sandbox import DISTURBING_ENVIRONMENT, INSTALL_COMMAND, Sandbox
from calamari_py.sandbox.refusal import Caller, Role, access_refusal, input_refusal, trusts

LAUNCHER_ROLE = "arn:aws:iam::123456789012:role/OctoLauncherRole"
LAUNCHER = "arn:aws:sts::123456789012:assumed-role/OctoLauncherRole/octopus-pod"
DEV_ROLE = "arn:aws:iam::111111111111:role/DevDeployRole"

SESSION = Caller(arn=LAUNCHER, account="123456789012", role_arn=LAUNCHER_ROLE)
USER = Caller(arn="arn:aws:iam::123456789012:user/ann", account="123456789012")


def statement(principal: object, **more: object) -> dict[str, object]:
    """An Allow of ``sts:AssumeRole`` for `principal`."""
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


def document(*statements: Mapping[str, object]) -> str:
    """A policy document in JSON."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def external_id(value: object) -> dict[str, object]:
    """A condition on the external ID."""
    return {"Condition": {"StringEquals": {"sts:ExternalId": value}}}


@pytest.mark.parametrize(
    ("policy", "caller", "given", "expected"),
    [
        pytest.param(document(statement({"AWS": LAUNCHER_ROLE})), SESSION, None, True, id="role"),
        pytest.param(document(statement({"AWS": [LAUNCHER]})), SESSION, None, True, id="session"),
        pytest.param(document(statement({"AWS": USER.arn})), USER, None, True, id="user"),
        pytest.param(document(statement("*")), SESSION, None, True, id="star"),
        pytest.param(document(statement({"AWS": "*"})), USER, None, True, id="aws-star"),
        pytest.param(document(statement({"AWS": "123456789012"})), USER, None, True, id="account"),
        pytest.param(
            document(statement({"AWS": "arn:aws:iam::123456789012:root"})),
            SESSION,
            None,
            True,
            id="root",
        ),
        pytest.param(
            document(statement({"AWS": "arn:aws:iam::111111111111:root"})),
            SESSION,
            None,
            False,
            id="other-account",
        ),
        pytest.param(document(statement({"AWS": USER.arn})), SESSION, None, False, id="other"),
        pytest.param(
            document(statement({"Service": "pods.eks.amazonaws.com"})),
            SESSION,
            None,
            False,
            id="service",
        ),
        pytest.param(document(), SESSION, None, False, id="no-statement"),
        pytest.param(
            document(statement("*", Action=["sts:TagSession", "sts:Assume*"])),
            SESSION,
            None,
            True,
            id="action-pattern",
        ),
        pytest.param(
            document(statement("*", Action="sts:TagSession")), SESSION, None, False, id="action"
        ),
        pytest.param(
            document(statement("*"), statement({"AWS": LAUNCHER_ROLE}, Effect="Deny")),
            SESSION,
            None,
            False,
            id="deny-wins",
        ),
        pytest.param(
            document(statement("*"), statement({"AWS": USER.arn}, Effect="Deny")),
            SESSION,
            None,
            True,
            id="deny-of-another",
        ),
        pytest.param(
            document(statement("*", **external_id("x1"))), SESSION, "x1", True, id="external-id"
        ),
        pytest.param(
            document(statement("*", **external_id(["x0", "x1"]))),
            SESSION,
            "x1",
            True,
            id="one-of-external-ids",
        ),
        pytest.param(
            document(statement("*", **external_id("x1"))),
            SESSION,
            "x2",
            False,
            id="wrong-external-id",
        ),
        pytest.param(
            document(statement("*", **external_id("x1"))),
            SESSION,
            None,
            False,
            id="missing-external-id",
        ),
    ],
)
def test_trust(policy: str, caller: Caller, given: str | None, expected: bool) -> None:
    """A role is open to whom its trust policy names, and to nobody else."""
    assert trusts(policy, caller, given) is expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"RoleArn": "garbage"}, "garbage is invalid", id="arn"),
        pytest.param(
            {"RoleSessionName": "bad name!"},
            "1 validation error detected: Value 'bad name!' at 'roleSessionName' failed to satisfy "
            r"constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*",
            id="session-name",
        ),
        pytest.param({"RoleSessionName": "x"}, "greater than or equal to 2", id="short-name"),
        pytest.param({"RoleSessionName": ""}, "greater than or equal to 2", id="no-name"),
        pytest.param({"RoleSessionName": "x" * 65}, "less than or equal to 64", id="long-name"),
        pytest.param({"DurationSeconds": "899"}, "greater than or equal to 900", id="short"),
        pytest.param({"DurationSeconds": "soon"}, "greater than or equal to 900", id="no-number"),
        pytest.param({"DurationSeconds": "43201"}, "less than or equal to 43200", id="long"),
    ],
)
def test_invalid_input(change: Mapping[str, str], message: str) -> None:
    """Values that STS does not take are a ValidationError in STS's words."""
    form = {"RoleArn": DEV_ROLE, "RoleSessionName": "step", **change}
    refused = input_refusal(form)
    assert refused is not None
    assert (refused.code, refused.status) == ("ValidationError", 400)
    assert message in refused.message


@pytest.mark.parametrize(
    ("duration", "caller", "longest", "code", "message"),
    [
        pytest.param(None, SESSION, 3600, None, "", id="default"),
        pytest.param("3600", SESSION, 43200, None, "", id="chained-hour"),
        pytest.param("3601", SESSION, 43200, "ValidationError", "role chaining", id="chained"),
        pytest.param("43200", USER, 43200, None, "", id="twelve-hours"),
        pytest.param("3601", USER, 3600, "ValidationError", "MaxSessionDuration", id="role-limit"),
    ],
)
def test_duration(
    duration: str | None, caller: Caller, longest: int, code: str | None, message: str
) -> None:
    """A session lasts as long as its role allows, and an hour at most when it is chained."""
    form = {"RoleArn": DEV_ROLE, "RoleSessionName": "step"}
    if duration is not None:
        form["DurationSeconds"] = duration
    role = Role(trust_policy=document(statement("*")), longest=longest)
    assert input_refusal(form) is None
    refused = access_refusal(form, caller, role)
    assert (refused and refused.code) == code
    assert message in (refused.message if refused else "")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A fresh one: only the first in a process has to import moto."""
    with Sandbox() as running:
        yield running


@cache
def boto_session() -> Any:
    """One session for all tests, for what it has read of botocore's models."""
    import boto3

    return boto3.session.Session()


def client(
    sandbox: Sandbox,
    service: str,
    keys: Mapping[str, str] | None = None,
    region: str = "us-east-1",
) -> Any:
    """A boto3 client of `service` with an STS answer's `keys`, or as the launcher."""
    from botocore.config import Config

    launcher = {
        "AccessKeyId": sandbox.environment["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": sandbox.environment["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": sandbox.environment["AWS_SESSION_TOKEN"],
    }
    keys = keys or launcher
    return boto_session().client(
        service,
        endpoint_url=sandbox.endpoint,
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1}),
    )


def assume(
    sandbox: Sandbox, role: str, keys: Mapping[str, str] | None = None, **more: object
) -> Any:
    """The credentials that STS gives for `role`."""
    sts = client(sandbox, "sts", keys)
    return sts.assume_role(RoleArn=role, RoleSessionName="step", **more)["Credentials"]


def refusal_of(call: Any, *arguments: object, **more: object) -> tuple[str, str]:
    """The code and the text of the error that `call` ends in."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call(*arguments, **more)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.sandbox
def test_launcher(sandbox: Sandbox) -> None:
    """The launcher's keys are a session of the launcher role, everywhere where they are said."""
    launcher = sandbox.launcher
    assert client(sandbox, "sts").get_caller_identity()["Arn"] == LAUNCHER == launcher.arn
    assert (launcher.source, launcher.description) == ("sandbox", "embedded sandbox")
    assert launcher.is_session
    credentials = launcher.credentials
    assert credentials.session_token is not None
    assert {
        "AWS_ENDPOINT_URL": sandbox.endpoint,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key.reveal(),
        "AWS_SESSION_TOKEN": credentials.session_token.reveal(),
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    } == sandbox.environment


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("account", "name"),
    [
        pytest.param("111111111111", "DevDeployRole", id="dev"),
        pytest.param("222222222222", "StagingDeployRole", id="staging"),
        pytest.param("333333333333", "ProdDeployRole", id="prod"),
        pytest.param("123456789012", "ToolingDeployRole", id="tooling"),
    ],
)
def test_deployment_roles(sandbox: Sandbox, account: str, name: str) -> None:
    """The launcher may become each deployment role, which has its account and its policy."""
    keys = assume(sandbox, f"arn:aws:iam::{account}:role/{name}")
    identity = client(sandbox, "sts", keys).get_caller_identity()
    assert identity["Account"] == account
    assert identity["Arn"] == f"arn:aws:sts::{account}:assumed-role/{name}/step"
    iam = client(sandbox, "iam", keys)
    policy = iam.get_role_policy(RoleName=name, PolicyName="deployment")["PolicyDocument"]
    assert all(allowed["Effect"] == "Allow" for allowed in policy["Statement"])


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "role",
    [
        pytest.param("arn:aws:iam::111111111111:role/Nobody", id="unknown-role"),
        pytest.param("arn:aws:iam::999999999999:role/DevDeployRole", id="unknown-account"),
        pytest.param("arn:aws-cn:iam::111111111111:role/DevDeployRole", id="other-partition"),
        pytest.param("arn:aws:iam::123456789012:role/OctoLauncherRole", id="trusts-pods-only"),
    ],
)
def test_no_access(sandbox: Sandbox, role: str) -> None:
    """A role that is not there or does not trust the launcher is refused in AWS's words."""
    assert refusal_of(assume, sandbox, role) == (
        "AccessDenied",
        f"User: {LAUNCHER} is not authorized to perform: sts:AssumeRole on resource: {role}",
    )


@pytest.mark.sandbox
def test_wrong_caller(sandbox: Sandbox) -> None:
    """A deployment role is not open to another deployment role."""
    dev = assume(sandbox, DEV_ROLE)
    code, message = refusal_of(
        assume, sandbox, "arn:aws:iam::333333333333:role/ProdDeployRole", dev
    )
    assert code == "AccessDenied"
    assert "User: arn:aws:sts::111111111111:assumed-role/DevDeployRole/step is not" in message


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"AccessKeyId": "ASIAUNKNOWNUNKNOWN00"}, id="unknown-key"),
        pytest.param({"SessionToken": "another"}, id="wrong-token"),
    ],
)
def test_unknown_keys(sandbox: Sandbox, change: Mapping[str, str]) -> None:
    """Keys that this sandbox did not make, or half of them, assume nothing."""
    keys = {**assume(sandbox, DEV_ROLE), **change}
    assert refusal_of(assume, sandbox, DEV_ROLE, keys)[0] == "InvalidClientTokenId"


@pytest.mark.sandbox
def test_unsigned(sandbox: Sandbox) -> None:
    """An unsigned AssumeRole is no success, as it is for moto, which takes it for S3."""
    form = f"Action=AssumeRole&RoleArn={DEV_ROLE}&RoleSessionName=step&Version=2011-06-15"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(sandbox.endpoint, form.encode(), timeout=10)
    with caught.value as answer:
        assert answer.code == 403
        assert b"<Code>MissingAuthenticationToken</Code>" in answer.read()


@pytest.mark.sandbox
def test_chain(sandbox: Sandbox) -> None:
    """A role created while the sandbox runs can be the second hop, for an hour at most."""
    dev = assume(sandbox, DEV_ROLE)
    client(sandbox, "iam", dev).create_role(
        RoleName="Second",
        AssumeRolePolicyDocument=document(statement({"AWS": DEV_ROLE}, **external_id("x1"))),
        MaxSessionDuration=7200,
    )
    second = "arn:aws:iam::111111111111:role/Second"
    keys = assume(sandbox, second, dev, ExternalId="x1", DurationSeconds=3600)
    assert client(sandbox, "sts", keys).get_caller_identity()["Arn"].endswith("/Second/step")
    assert refusal_of(assume, sandbox, second, dev)[0] == "AccessDenied"
    code, message = refusal_of(assume, sandbox, second, dev, ExternalId="x1", DurationSeconds=7200)
    assert code == "ValidationError"
    assert "role chaining" in message


@pytest.mark.sandbox
def test_user(sandbox: Sandbox) -> None:
    """A user's long-lived keys get as long a session as the role allows."""
    iam = client(sandbox, "iam")
    user = iam.create_user(UserName="ann")["User"]["Arn"]
    keys = iam.create_access_key(UserName="ann")["AccessKey"]
    iam.create_role(
        RoleName="Long",
        AssumeRolePolicyDocument=document(statement({"AWS": user})),
        MaxSessionDuration=7200,
    )
    role = "arn:aws:iam::123456789012:role/Long"
    assert assume(sandbox, role, keys, DurationSeconds=7200)["AccessKeyId"].startswith("ASIA")
    message = refusal_of(assume, sandbox, role, keys, DurationSeconds=7201)[1]
    assert "MaxSessionDuration" in message
    assert refusal_of(assume, sandbox, role)[0] == "AccessDenied"


@pytest.mark.sandbox
def test_demonstration_data(sandbox: Sandbox) -> None:
    """The dev account has a bucket, a SecureString and a JSON secret; others do not."""
    dev = assume(sandbox, DEV_ROLE)
    s3 = client(sandbox, "s3", dev)
    s3.put_object(Bucket="dev-artifacts", Key="app.zip", Body=b"content")
    assert s3.get_object(Bucket="dev-artifacts", Key="app.zip")["Body"].read() == b"content"
    ssm = client(sandbox, "ssm", dev)
    license_ = ssm.get_parameter(Name="/app/license", WithDecryption=True)["Parameter"]
    assert license_["Type"] == "SecureString"
    assert license_["Value"]
    database = client(sandbox, "secretsmanager", dev).get_secret_value(SecretId="app/db")
    assert set(json.loads(database["SecretString"])) == {"username", "password"}
    staging = assume(sandbox, "arn:aws:iam::222222222222:role/StagingDeployRole")
    assert client(sandbox, "s3", staging).list_buckets()["Buckets"] == []
    missing = refusal_of(client(sandbox, "ssm", staging).get_parameter, Name="/app/license")
    assert missing[0] == "ParameterNotFound"


@pytest.mark.sandbox
def test_demonstration_data_in_every_region(sandbox: Sandbox) -> None:
    """A step in any region finds the parameter and the secret there, and the one bucket."""
    dev = assume(sandbox, DEV_ROLE)
    for region in ("us-east-1", "eu-west-1", "eu-west-1"):
        buckets = client(sandbox, "s3", dev, region).list_buckets()["Buckets"]
        assert [bucket["Name"] for bucket in buckets] == ["dev-artifacts"]
        ssm = client(sandbox, "ssm", dev, region)
        assert ssm.get_parameter(Name="/app/license", WithDecryption=True)["Parameter"]["Value"]
        secrets = client(sandbox, "secretsmanager", dev, region)
        assert secrets.get_secret_value(SecretId="app/db")["SecretString"]


@pytest.mark.sandbox
def test_silence(sandbox: Sandbox, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither a request, nor a service that is missing, nor a defect of moto's prints a line."""
    client(sandbox, "sts").get_caller_identity()
    refused = refusal_of(client(sandbox, "detective").list_graphs)
    assert "does not have the service detective" in refused[1]
    request = urllib.request.Request(
        f"{sandbox.endpoint}/moto-api/reset-auth",
        b"x",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    with caught.value as answer:
        assert answer.code == 500
    logging.getLogger("moto").warning("said by moto")
    assert capfd.readouterr() == ("", "")


@pytest.mark.sandbox
def test_no_trace() -> None:
    """The process's environment, signal handlers and threads are after a sandbox as before."""
    before = dict(os.environ), [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with Sandbox() as sandbox:
        assume(sandbox, DEV_ROLE)
        address = sandbox.endpoint.removeprefix("http://").split(":")
        assert address[0] == "127.0.0.1"
        assert (dict(os.environ), [signal.getsignal(n) for n in (2, 15)]) == before
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}
    with socket.socket() as probe:
        assert probe.connect_ex((address[0], int(address[1]))) != 0


@pytest.mark.sandbox
def test_fresh_state() -> None:
    """What one sandbox was given, its keys too, is unknown to the next one."""
    with Sandbox() as first:
        old = assume(first, DEV_ROLE)
        client(first, "s3", old).create_bucket(Bucket="dev-mine")
    first.close()
    with Sandbox() as second:
        assert refusal_of(assume, second, DEV_ROLE, old)[0] == "InvalidClientTokenId"
        dev = assume(second, DEV_ROLE)
        buckets = client(second, "s3", dev).list_buckets()["Buckets"]
    assert [bucket["Name"] for bucket in buckets] == ["dev-artifacts"]


@pytest.mark.sandbox
def test_one_at_a_time(sandbox: Sandbox) -> None:
    """A second sandbox in the process is refused, and the first one goes on."""
    with pytest.raises(UsageError, match="is running already") as caught:
        Sandbox()
    assert caught.value.hint
    assert assume(sandbox, DEV_ROLE)


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "too_high", [pytest.param(False, id="taken"), pytest.param(True, id="too-high")]
)
def test_port(too_high: bool) -> None:
    """A port that cannot be had is a usage error, and another one works afterwards."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = 70_000 if too_high else holder.getsockname()[1]
        with pytest.raises(UsageError, match=f"cannot listen on port '{port}'") as caught:
            Sandbox(port)
    assert caught.value.exit_code == EX_USAGE
    with Sandbox() as sandbox:
        assert sandbox.endpoint


@pytest.mark.parametrize("name", ["moto", "werkzeug", "flask", "flask_cors"])
def test_missing_extra(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without the extra, the error names the command that installs it."""
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ToolMissing, match=f"'{name}'") as caught:
        Sandbox()
    assert caught.value.exit_code == EX_UNAVAILABLE
    assert INSTALL_COMMAND in str(caught.value.hint)


def python(program: str, environ: Mapping[str, str | None]) -> str:
    """What a fresh interpreter prints for `program`."""
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={name: value for name, value in environ.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stderr == ""
    return finished.stdout


@pytest.mark.process
def test_import_is_cheap() -> None:
    """Importing the sandbox imports no moto: a run without it pays nothing."""
    program = "import sys, calamari_py.sandbox; print({'moto', 'boto3', 'flask'} & {*sys.modules})"
    assert python(program, os.environ) == "set()\n"


@pytest.mark.process
@pytest.mark.sandbox
def test_disturbing_environment() -> None:
    """With the disturbing names set right, a caller's profile and moto settings do not matter."""
    program = """
from calamari_py.sandbox import Sandbox
with Sandbox() as sandbox:
    from moto.ssm.models import ssm_backends
    print(len(ssm_backends["111111111111"]["us-east-1"].__dict__) > 0)
"""
    hostile = {"AWS_PROFILE": "nowhere", "MOTO_ACCOUNT_ID": "1", "AWS_CONFIG_FILE": "/nowhere"}
    environ = {**os.environ, **hostile, **DISTURBING_ENVIRONMENT}
    assert python(program, environ) == "True\n"
