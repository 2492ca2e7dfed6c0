"""What each action of `fake_sts` answers."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from tests.fake_sts_rules import assume_role
from tests.fake_sts_sessions import SessionFacts
from tests.fake_sts_signature import authenticate
from tests.fake_sts_tables import Keys, Log, Refusal
from tests.fake_sts_tokens import web_identity

if TYPE_CHECKING:
    from tests.fake_sts import FakeSts

STS_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
IAM_NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_IAM_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}


def query_answer(
    sts: FakeSts, handler: BaseHTTPRequestHandler, log: Log, body: bytes
) -> tuple[str, dict[str, Any]]:
    """The XML namespace and the result of an action of STS or IAM."""
    version = log.params.pop("Version", None)
    if version == "2010-05-08" and log.action == "GetRole":
        return IAM_NAMESPACE, _get_role(sts, handler, log, body)
    if version != "2011-06-15":
        raise Refusal(400, "InvalidAction", f"Could not find operation {log.action}")
    if log.action == "AssumeRoleWithWebIdentity":
        return STS_NAMESPACE, _assume_with_token(sts, log)
    caller = _caller(sts, handler, body, "sts")
    if log.action == "GetCallerIdentity":
        return STS_NAMESPACE, {"Arn": caller.arn, "UserId": "AIDA", "Account": caller.account}
    if log.action == "AssumeRole":
        facts = assume_role(caller, sts.roles, log.params, sts.space)
        return STS_NAMESPACE, _session(sts, log, facts, chained=caller.role_arn is not None)
    raise Refusal(400, "InvalidAction", f"Could not find operation {log.action}")


def _caller(
    sts: FakeSts,
    handler: BaseHTTPRequestHandler,
    body: bytes,
    service: str,
    *,
    regions: Mapping[str, str] | None = None,
) -> Keys:
    return authenticate(
        handler,
        body,
        service,
        sts.keys,
        sts.now(),
        signing_now=sts.signing_now(),
        regions=regions,
    )


def _assume_with_token(sts: FakeSts, log: Log) -> dict[str, Any]:
    subject = web_identity(
        log.params,
        tokens=sts.tokens,
        providers=sts.providers,
        roles=sts.roles,
        now=sts.now(),
    )
    fields = _session(sts, log, SessionFacts(packed=6), chained=False)
    return {**fields, "SubjectFromWebIdentityToken": subject}


def _session(sts: FakeSts, log: Log, facts: SessionFacts, *, chained: bool) -> dict[str, Any]:
    params = log.params
    keys = sts.add_session(
        params["RoleArn"],
        params["RoleSessionName"],
        duration=int(params.get("DurationSeconds", 3600)),
        tags=facts.tags,
        transitive=facts.transitive,
        source_identity=facts.source_identity,
        policy=facts.policy,
        policy_arns=facts.policy_arns,
        chained=chained,
    )
    assert keys.expires_at is not None
    fields: dict[str, Any] = {
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROA{keys.access_key_id[4:]}:{params['RoleSessionName']}",
            "Arn": keys.arn,
        },
        "Credentials": {
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
            "SessionToken": keys.session_token,
            "Expiration": keys.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "PackedPolicySize": str(facts.packed),
    }
    if facts.source_identity:
        fields["SourceIdentity"] = facts.source_identity
    return fields


def _get_role(
    sts: FakeSts, handler: BaseHTTPRequestHandler, log: Log, body: bytes
) -> dict[str, Any]:
    """IAM knows the roles of the caller's account, by their names alone."""
    caller = _caller(sts, handler, body, "iam", regions=_IAM_REGIONS)
    name = log.params["RoleName"]
    for role in sts.roles.values():
        if role.arn.split(":")[4] == caller.account and role.arn.rsplit("/", 1)[1] == name:
            return {
                "Role": {
                    "Path": role.arn.split(":role", 1)[1].rsplit("/", 1)[0] + "/",
                    "RoleName": name,
                    "RoleId": "AROAFAKE",
                    "Arn": role.arn,
                    "CreateDate": "2026-01-01T00:00:00Z",
                    "AssumeRolePolicyDocument": quote(json.dumps(role.document)),
                    "MaxSessionDuration": str(role.max_session_duration),
                }
            }
    raise Refusal(404, "NoSuchEntity", f"The role with name {name} cannot be found.")


def json_answer(
    sts: FakeSts, handler: BaseHTTPRequestHandler, log: Log, body: bytes
) -> dict[str, Any]:
    """The answer of SSM or Secrets Manager."""
    service = "ssm" if log.action == "GetParameter" else "secretsmanager"
    _caller(sts, handler, body, service)
    if log.action == "GetParameter":
        return _parameter(sts, log)
    if log.action == "GetSecretValue":
        return _secret(sts, log)
    raise Refusal(400, "UnknownOperationException", "")


def _parameter(sts: FakeSts, log: Log) -> dict[str, Any]:
    name = log.params["Name"]
    if name not in sts.parameters:
        raise Refusal(400, "ParameterNotFound", "")
    kind, value = sts.parameters[name]
    if kind == "SecureString" and not log.params.get("WithDecryption"):
        value = "AQICAHencrypted"
    return {"Parameter": {"Name": name, "Type": kind, "Value": value, "Version": 1}}


def _secret(sts: FakeSts, log: Log) -> dict[str, Any]:
    name = log.params["SecretId"]
    if name not in sts.secrets:
        raise Refusal(
            400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
        )
    secret = sts.secrets[name]
    part = (
        {"SecretString": secret}
        if isinstance(secret, str)
        else {"SecretBinary": base64.b64encode(secret).decode()}
    )
    return {"Name": name, "ARN": name, **part}


def s3_answer(sts: FakeSts, handler: BaseHTTPRequestHandler, body: bytes) -> bytes:
    """What S3 says of a bucket without objects."""
    _caller(sts, handler, body, "s3")
    bucket, _, key = urlsplit(handler.path).path.lstrip("/").partition("/")
    if key:
        raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
    return (
        f'<ListBucketResult xmlns="{S3_NAMESPACE}"><Name>{bucket}</Name><KeyCount>0</KeyCount>'
        "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"
    ).encode()


def sign_in_answer(sts: FakeSts, params: dict[str, Any]) -> dict[str, str]:
    """A sign-in token for a session's keys."""
    keys = _session_keys(sts, params.get("Session", ""))
    duration = params.get("SessionDuration")
    if duration is not None and (keys.chained or not 900 <= int(duration) <= 43200):
        raise _bad_sign_in()
    token = secrets.token_urlsafe(600)
    sts.sign_in_tokens[token] = keys
    return {"SigninToken": token}


def _session_keys(sts: FakeSts, text: str) -> Keys:
    try:
        session = json.loads(text)
        keys = sts.keys[session["sessionId"]]
    except (ValueError, KeyError, TypeError):
        raise _bad_sign_in() from None
    given = (session.get("sessionKey"), session.get("sessionToken"))
    is_alive = keys.expires_at is not None and keys.expires_at > sts.now()
    if given != (keys.secret_access_key, keys.session_token) or not is_alive:
        raise _bad_sign_in()
    return keys


def _bad_sign_in() -> Refusal:
    return Refusal(400, "", "Invalid credentials parameter")
