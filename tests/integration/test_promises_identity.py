"""Who a step runs as is the launcher's and the operator's choice, and settled before it starts."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from calamari_py.delivery._request import CREDENTIALS_PATH, refusal_of
from tests.fake_metadata import FakeServer
from tests.integration.conftest import Calamari
from tests.integration.promises import DEV, LAUNCHER, Cloud, assert_nowhere, head, without

JWT = "the-token.of-the-service-account.0123456789abcdef"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

pytestmark = pytest.mark.preloaded


@pytest.mark.process
@pytest.mark.parametrize(
    ("command", "expect"),
    [
        ("run", "account: '999999999999'"),
        ("run", "role: Other"),
        ("run", "region: us-east-1"),
        ("run", "partition: aws-cn"),
        ("exec", "account: '999999999999'"),
        ("credentials", "role: Other"),
        ("console", "account: '999999999999'"),
    ],
)
def test_the_guard_is_before_everything(
    command: str, expect: str, trusted: Calamari, cloud: Cloud
) -> None:
    """An identity that is not the expected one starts nothing, and nothing of it gets out."""
    trusted.write(head(more=f"expect: {{{expect}}}\n") + "script: touch ran\n")
    more = ["--", "touch", "ran"] if command == "exec" else []
    ran = trusted(command, "--audit-log", "a.jsonl", "step.yaml", *more)
    assert ran.code == 77
    assert "expected" in ran.err
    assert ran.out == ""
    assert sorted(os.listdir(trusted.folder)) == ["a.jsonl", "step.yaml"]
    events = [json.loads(line) for line in (trusted.folder / "a.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "refused"
    assert "assumed" not in [event["event"] for event in events]
    assert "getSigninToken" not in cloud.sts.actions()


@pytest.mark.process
def test_a_step_does_not_choose_where_tokens_go(
    trusted: Calamari, cloud: Cloud, tmp_path: Path
) -> None:
    """Endpoints, proxies and certificates that a manifest sets are for its child: calamari itself
    sends the launcher's token, and everything else, where its own environment says.
    """
    token = tmp_path / "token"
    token.write_text(JWT)
    cloud.sts.add_token(JWT, roles=[LAUNCHER])
    cloud.sts.add_role(LAUNCHER)
    pod = {"AWS_ROLE_ARN": LAUNCHER, "AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    names = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
             "http_proxy")  # fmt: skip
    with FakeServer() as elsewhere:
        settings = {**dict.fromkeys(names, elsewhere.url), "AWS_CA_BUNDLE": str(tmp_path / "none")}
        text = head().replace("env: {", f"env: {{{json.dumps(settings)[1:-1]}, ")
        trusted.write(text + 'script: echo "$AWS_ENDPOINT_URL_STS"\nfinally: echo again\n')
        worker = replace(trusted, environment=without(KEYS, trusted.environment))
        ran = worker("run", "step.yaml", env=pod)
        assert ran.code == 0, ran.err
        assert ran.out == f"{elsewhere.url}\nagain\n"
        assert elsewhere.connections == 0
    assert cloud.sts.actions()[:2] == ["AssumeRoleWithWebIdentity", "AssumeRole"]
    others = [log for log in cloud.sts.requests if log.action != "AssumeRoleWithWebIdentity"]
    assert_nowhere([JWT], {"other requests": repr([(log.params, log.headers) for log in others])})


@pytest.mark.process
@pytest.mark.parametrize("command", ["run", "exec", "whoami", "credentials", "console", "explain"])
def test_the_operator_decides(command: str, trusted: Calamari, cloud: Cloud) -> None:
    """Under a policy no command obtains a role, or gives away an external id, that it forbids."""
    policy = {
        "version": 1,
        "roles": ["arn:aws:iam::111111111111:role/Other"],
        "external_ids": ["x1"],
    }
    trusted.write(json.dumps(policy), "ops.json")
    role = f"{{role_arn: '{DEV}', external_id: canary-of-the-deputy}}"
    trusted.write(
        head().replace(f"assume_role: {DEV}", f"assume_role: {role}") + "script: 'true'\n"
    )
    more = ["--online"] if command == "explain" else []
    words = ["--", "true"] if command == "exec" else []
    ran = trusted(command, "--policy", "ops.json", *more, "step.yaml", *words)
    assert ran.code == 77
    assert "ops.json" in ran.err
    assert "canary-of-the-deputy" not in ran.out + ran.err
    assert cloud.sts.requests == []


class OfUnknownTime(str):
    """A token that must not be compared character by character."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> NoReturn:
        raise AssertionError("compared in a time that tells how much was right")

    def __ne__(self, other: object) -> NoReturn:
        raise AssertionError("compared in a time that tells how much was right")


@pytest.mark.parametrize(
    ("given", "status"), [("a" * 64, None), ("a" * 63 + "b", 401), ("a" * 63, 401), ("", 401)]
)
def test_tokens_are_compared_in_constant_time(given: str, status: int | None) -> None:
    """How long a refusal takes does not say how much of a token was right."""
    request = f"GET {CREDENTIALS_PATH} HTTP/1.1\r\nHost: h\r\nAuthorization: {given}".encode()
    refusal = refusal_of(request, host="h", token=OfUnknownTime("a" * 64))
    assert (refusal.status if refusal else None) == status
