"""Trust policies explained: why each statement refuses, and never a match that was not checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.identity import RoleArn
from calamari_py.trust import (
    LINE_LIMIT,
    allowing_condition,
    explain_assume_role,
    explain_web_identity,
    trust_statement_for,
)
from calamari_py.trust.conditions import TEXT_LIMIT
from calamari_py.trust.patterns import is_arn_like, is_like

ROLE = RoleArn.parse("arn:aws:iam::111111111111:role/Deploy")
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::111111111111:oidc-provider/{GITHUB}"
SUB = "repo:Org/app:ref:refs/heads/main"
CLAIMS = {"iss": f"https://{GITHUB}", "aud": "sts.amazonaws.com", "sub": SUB}
ACTION = "sts:AssumeRoleWithWebIdentity"
CALLER = "arn:aws:sts::222222222222:assumed-role/Launcher/pod-1"


def policy(*statements: Mapping[str, Any]) -> dict[str, Any]:
    """A trust policy."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def web(condition: Any = None, **values: Any) -> dict[str, Any]:
    """A statement that trusts GitHub's tokens under `condition`; `values` replace its keys."""
    statement = {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": ACTION}
    return {**statement, **({"Condition": condition} if condition else {}), **values}


def aws(principal: Any = CALLER, **values: Any) -> dict[str, Any]:
    """A statement that trusts an AWS principal."""
    action = values.pop("Action", "sts:AssumeRole")
    return {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, **values}


def explain(*statements: Mapping[str, Any], **claims: Any) -> tuple[str, ...]:
    """What is said of a token with `CLAIMS`, changed by `claims`."""
    return explain_web_identity(policy(*statements), role=ROLE, claims={**CLAIMS, **claims})


def explain_caller(*statements: Mapping[str, Any], **values: Any) -> tuple[str, ...]:
    """What is said of `CALLER`."""
    options = {"caller_arn": CALLER, "external_id": None, "tags": False, "source_identity": False}
    return explain_assume_role(policy(*statements), role=ROLE, **{**options, **values})


def on_sub(operator: str, wanted: Any, key: str = "sub") -> dict[str, Any]:
    """A condition on a claim of GitHub's tokens."""
    return {operator: {f"{GITHUB}:{key}": wanted}}


CAUSES = [
    pytest.param(on_sub("StringEquals", "repo:org/app:ref:refs/heads/main"), {},
                 "they differ in letter case only", id="letter case"),
    pytest.param(on_sub("StringLike", "repo:org/app:*"), {},
                 "they differ in letter case only", id="letter case under a wildcard"),
    pytest.param(on_sub("StringEquals", "repo:Org/app:*"), {},
                 "'*' and '?' are ordinary characters in StringEquals, StringLike has wildcards",
                 id="a wildcard in StringEquals"),
    pytest.param(on_sub("StringEquals", "repo:org/app:*"), {},
                 "StringEquals has no wildcards, and letter case differs, too", id="both"),
    pytest.param(on_sub("StringLike", "repo:Org/app"), {},
                 "it is the beginning only; StringLike with 'repo:Org/app:*' would match",
                 id="a star is missing"),
    pytest.param(on_sub("StringLike", "repo:Org/ap"), {}, "they part after 'repo:Org/ap'",
                 id="a star that would let others in is not proposed"),
    pytest.param(on_sub("StringLike", "repo:Org/app:ref:*"),
                 {"sub": "repo:Org/app:environment:prod"},
                 "the subject of a job with an environment ends in ':environment:NAME'",
                 id="an environment"),
    pytest.param(on_sub("StringEquals", SUB), {"sub": "repo:Org/app:pull_request"},
                 "the subject of a run for a pull request ends in ':pull_request'",
                 id="a pull request"),
    pytest.param(on_sub("StringLike", "repo:Org/app:environment:*"), {},
                 "the subject of a job without an environment ends in ':ref:REF'", id="a branch"),
    pytest.param(on_sub("StringEquals", "repo:Org/app:ref:refs/heads/dev"), {},
                 "they part after 'repo:Org/app:ref:refs/heads/'", id="another branch"),
    pytest.param(on_sub("StringEquals", f"{SUB} "), {}, "they differ in white space only",
                 id="a space"),
    pytest.param(on_sub("StringEquals", "https://github.com/Org", "aud"), {},
                 f"'{GITHUB}:aud' must be 'https://github.com/Org' (StringEquals), "
                 "and the token has 'sts.amazonaws.com'", id="the audience"),
    pytest.param(on_sub("StringEquals", "https://x.test", "aud"), {"aud": "https://x.test/"},
                 "they differ in a slash at the end only", id="a slash"),
    pytest.param(on_sub("StringEquals", "other", "aud"), {"azp": "mine", "aud": "other"},
                 "and the token has 'mine'", id="azp counts as the audience"),
    pytest.param({"StringEquals": {"gitlab.com:sub": SUB}}, {},
                 "it is a key of another issuer, this token's is "
                 f"'{GITHUB}:sub'", id="another issuer's key"),
    pytest.param(on_sub("StringEquals", "main", "environment"), {},
                 "and the token does not have it", id="a claim that is not there"),
    pytest.param(on_sub("StringEquals", "prod", "environment"), {"environment": "Prod"},
                 "they differ in letter case only", id="a claim of the issuer's own"),
    pytest.param(on_sub("StringNotEquals", [SUB, "x"]), {},
                 f"must not be '{SUB}' or 'x' (StringNotEquals), and the token has '{SUB}'",
                 id="a forbidden value"),
    pytest.param(on_sub("StringNotLike", "repo:Org/*"), {}, "must not be", id="forbidden pattern"),
    pytest.param(on_sub("ForAnyValue:StringLike", ["repo:x/*", "repo:org/*"]), {},
                 "they differ in letter case only", id="ForAnyValue"),
    pytest.param(on_sub("ForAnyValue:StringEquals", "x", "nothing"), {},
                 "does not have it", id="ForAnyValue of what is not there"),
    pytest.param(on_sub("ForAllValues:StringEquals", ["a", "b"], "aud"), {"aud": ["a", "c"]},
                 "the token has 'a' or 'c'", id="ForAllValues"),
    pytest.param(on_sub("StringEqualsIfExists", "x"), {}, "must be 'x'", id="IfExists, it does"),
    pytest.param(on_sub("StringEqualsIgnoreCase", "repo:x"), {}, "must be 'repo:x'",
                 id="another one, whatever the case"),
    pytest.param(on_sub("Null", "true"), {}, "must not be there, and the token has it", id="Null"),
    pytest.param(on_sub("Null", "false", "amr"), {}, "must be there, and the token does not",
                 id="not Null"),
    pytest.param({**on_sub("StringEquals", SUB), "StringLike": {f"{GITHUB}:aud": ["a", "b"]}}, {},
                 "'a' or 'b' (StringLike)", id="the second of two conditions"),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "claims", "expected"), CAUSES)
def test_conditions_that_refuse(
    condition: dict[str, Any], claims: dict[str, Any], expected: str
) -> None:
    """One line says what the policy wants, what the token has, and how they differ."""
    (line,) = explain(web(condition), **claims)
    assert line.startswith("statement 1: ")
    assert expected in line


ALLOWED = "the trust policy allows this token"


@pytest.mark.parametrize(
    ("condition", "claims"),
    [
        pytest.param({}, {}, id="no condition"),
        pytest.param(on_sub("StringEquals", SUB), {}, id="the same"),
        pytest.param(on_sub("StringEquals", ["x", SUB]), {}, id="one of several"),
        pytest.param(on_sub("StringLike", "repo:Org/ap?:*"), {}, id="wildcards"),
        pytest.param(on_sub("StringEqualsIgnoreCase", SUB.upper()), {}, id="whatever the case"),
        pytest.param(on_sub("StringNotEquals", "x"), {}, id="not another"),
        pytest.param(on_sub("StringNotEquals", "x", "amr"), {}, id="not, of what is not there"),
        pytest.param(on_sub("StringEqualsIfExists", "x", "amr"), {}, id="if it exists"),
        pytest.param(on_sub("ForAllValues:StringEquals", "x", "amr"), {}, id="all of none"),
        pytest.param(on_sub("ForAnyValue:StringEquals", "b", "aud"), {"aud": ["a", "b"]}, id="any"),
        pytest.param(on_sub("Null", False), {}, id="there"),
        pytest.param(on_sub("Null", ["true"], "amr"), {}, id="not there"),
        pytest.param(on_sub("StringEquals", "a", "oaud"), {"aud": "a", "azp": "b"}, id="oaud"),
    ],
)
def test_conditions_that_are_met(condition: dict[str, Any], claims: dict[str, Any]) -> None:
    """Where all is met, the cause is elsewhere, and that is said."""
    line, end = explain(web(condition), **claims)
    assert line == "statement 1 matches"
    assert end.startswith(ALLOWED)


@pytest.mark.parametrize(
    ("condition", "claims", "expected"),
    [
        pytest.param({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, {},
                     "IpAddress on 'aws:SourceIp'", id="an operator that is not known"),
        pytest.param({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, {},
                     "StringEquals on 'aws:PrincipalOrgID'", id="a key that is not known"),
        pytest.param({"Bool": {"aws:SecureTransport": "true"}}, {}, "Bool on", id="Bool"),
        pytest.param(on_sub("stringequals", SUB), {}, "stringequals on", id="spelling"),
        pytest.param(on_sub("StringEquals", "${aws:PrincipalTag/x}"), {}, "StringEquals on",
                     id="a policy variable"),
        pytest.param(on_sub("StringEquals", "a", "aud"), {"aud": ["a", "b"]},
                     "of which the token has several values", id="several values"),
        pytest.param(on_sub("StringEquals", "prod", "environment"), {"environment": "prod"},
                     "STS may not pass this claim on", id="a claim of the issuer's own"),
        pytest.param(on_sub("StringNotEquals", "dev", "environment"), {"environment": "dev"},
                     "STS may not pass this claim on", id="the same, forbidden"),
        pytest.param({"StringEquals": {f"{GITHUB.upper()}:sub": SUB}}, {},
                     "the key is in another letter case", id="a key's letter case"),
        pytest.param("everybody", {}, "its Condition, which cannot be read", id="no mapping"),
        pytest.param({"StringEquals": []}, {}, "StringEquals, which cannot be read", id="no keys"),
        pytest.param(on_sub("Null", "perhaps"), {}, "Null on", id="Null of neither"),
        pytest.param({"ArnEqualsIgnoreCase": {f"{GITHUB}:sub": SUB}}, {}, "ArnEqualsIgnoreCase on",
                     id="an operator that does not exist"),
    ],
)  # fmt: skip
def test_what_was_not_judged_is_said(condition: Any, claims: dict[str, Any], expected: str) -> None:
    """No match is claimed that was not checked."""
    (line,) = explain(web(condition), **claims)
    assert line.startswith("statement 1 may match; not judged: ")
    assert expected in line


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        pytest.param({"Service": "ec2.amazonaws.com"},
                     "it trusts services ('ec2.amazonaws.com'), no federated identities",
                     id="a service"),
        pytest.param({"AWS": "111111111111"},
                     "it trusts AWS principals ('111111111111'), no federated identities",
                     id="an account"),
        pytest.param({"Federated": PROVIDER.replace("111111111111", "222222222222")},
                     "it trusts the provider of account '222222222222', it must be one of the "
                     "role's own account '111111111111'", id="another account's provider"),
        pytest.param({"Federated": PROVIDER.replace("arn:aws:", "arn:aws-cn:")},
                     "a provider of the partition 'aws-cn'", id="another partition"),
        pytest.param({"Federated": "arn:aws:iam::111111111111:oidc-provider/gitlab.com"},
                     f"the token is from '{GITHUB}'", id="another issuer"),
        pytest.param({"Federated": "arn:aws:iam::111111111111:saml-provider/idp"},
                     "it trusts 'arn:aws:iam::111111111111:saml-provider/idp'", id="SAML"),
        pytest.param(None, "it names no principal", id="nobody"),
        pytest.param({}, "it trusts nobody", id="an empty principal"),
    ],
)  # fmt: skip
def test_providers_that_are_not_trusted(principal: Any, expected: str) -> None:
    """A statement about others is one line: its conditions do not matter."""
    (line,) = explain(web(on_sub("StringEquals", "x"), Principal=principal))
    assert expected in line


@pytest.mark.parametrize(
    ("provider", "expected"),
    [
        pytest.param(PROVIDER.replace("token", "Token"), "they differ in letter case only",
                     id="letter case"),
        pytest.param(f"{PROVIDER}/", "they differ in a slash at the end only", id="a slash"),
    ],
)  # fmt: skip
def test_a_slip_in_the_provider_hides_nothing(provider: str, expected: str) -> None:
    """A statement that means the token's issuer is looked at to its end."""
    principal = {"Federated": ["arn:aws:iam::222222222222:oidc-provider/x.test", provider]}
    slip, subject = explain(web(on_sub("StringEquals", "x"), Principal=principal))
    assert expected in slip
    assert "must be 'x'" in subject


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"iss": "https://accounts.google.com"}, id="Google"),
        pytest.param({"iss": "accounts.google.com"}, id="without https"),
    ],
)
def test_built_in_providers(claims: dict[str, Any]) -> None:
    """Some issuers are trusted by name."""
    lines = explain(web(Principal={"Federated": "accounts.google.com"}), **claims)
    assert lines[0] == "statement 1 matches"


@pytest.mark.parametrize("principal", ["*", {"AWS": "*"}])
def test_everybody_is_not_judged_for_tokens(principal: Any) -> None:
    """Whether `*` takes in tokens is not known here."""
    (line,) = explain(web(Principal=principal))
    assert line == "statement 1 may match; not judged: the principal '*'"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"Action": "sts:AssumeRole"}, f"its Action is 'sts:AssumeRole', not {ACTION}",
                     id="another action"),
        pytest.param({"NotAction": "sts:*"}, f"its NotAction leaves out {ACTION}", id="NotAction"),
        pytest.param({"Effect": "allow"}, "its Effect is 'allow', not 'Allow'", id="no effect"),
    ],
)  # fmt: skip
def test_statements_that_allow_something_else(values: dict[str, Any], expected: str) -> None:
    """What a statement does allow is named."""
    assert explain(web(**values))[0] == f"statement 1: {expected}"


@pytest.mark.parametrize("action", ["*", "sts:*", "STS:assumerolewithwebidentity", ["x", ACTION]])
def test_actions_have_wildcards_and_no_letter_case(action: Any) -> None:
    """IAM reads actions that way."""
    assert explain(web(Action=action))[0] == "statement 1 matches"


def test_every_statement_is_explained() -> None:
    """Each by its number and name; one that is a mapping alone is a list of one."""
    first = web(on_sub("StringEquals", "x"), Sid="GitHub")
    lines = explain(first, web(Action="sts:AssumeRole"))
    assert [line.partition(":")[0] for line in lines] == ["statement 1 'GitHub'", "statement 2"]
    alone = explain_web_identity({"Statement": web()}, role=ROLE, claims=CLAIMS)
    assert alone[0] == "statement 1 matches"


@pytest.mark.parametrize(
    ("denial", "expected"),
    [
        pytest.param({"Principal": "*", "Action": "sts:*"},
                     f"statement 2 may deny {ACTION}; not judged: the principal '*'",
                     id="everybody"),
        pytest.param({"Principal": {"Federated": PROVIDER}, "Action": ACTION},
                     f"statement 2 denies {ACTION} to the token", id="the issuer"),
        pytest.param({"Principal": {"Federated": PROVIDER}, "Action": ACTION,
                      "Condition": on_sub("StringNotLike", "repo:org/*")},
                     f"statement 2 denies {ACTION} to the token", id="all but a pattern"),
        pytest.param({"NotPrincipal": {"AWS": "111111111111"}, "Action": ACTION},
                     f"statement 2 may deny {ACTION}; not judged: NotPrincipal",
                     id="NotPrincipal"),
        pytest.param({"Principal": {"Federated": PROVIDER}, "Action": "sts:TagSession"}, None,
                     id="another action"),
        pytest.param({"Principal": {"Federated": PROVIDER}, "Action": ACTION,
                      "Condition": on_sub("StringLike", "repo:evil/*")}, None, id="others"),
    ],
)  # fmt: skip
def test_denials(denial: dict[str, Any], expected: str | None) -> None:
    """A Deny that applies is said, and then nobody says that the policy allows it."""
    lines = explain(web(), {"Effect": "Deny", **denial})
    assert lines[0] == "statement 1 matches"
    assert (expected in lines) if expected else (len(lines) == 2)
    assert any(line.startswith(ALLOWED) for line in lines) is (expected is None)


@pytest.mark.parametrize(
    ("claim", "action"),
    [
        pytest.param("https://aws.amazon.com/tags", "sts:TagSession", id="tags"),
        pytest.param("https://aws.amazon.com/source_identity", "sts:SetSourceIdentity",
                     id="source identity"),
    ],
)  # fmt: skip
def test_what_else_a_token_needs(claim: str, action: str) -> None:
    """Tags and a source identity in the token need actions of their own, in any statement."""
    lines = explain(web(), **{claim: {}})
    assert lines[1].startswith(f"no statement allows {action}, and the token carries")
    allowed = explain(web(), web(Action=action), **{claim: {}})
    assert not any(line.startswith("no statement allows") for line in allowed)
    assert allowed[-1].startswith(ALLOWED)


@pytest.mark.parametrize(
    "document",
    [
        pytest.param({}, id="empty"),
        pytest.param({"Statement": None}, id="null"),
        pytest.param({"Statement": ["x", 1, None]}, id="no statements"),
        pytest.param(policy(web(Effect="Deny", Action="x")), id="denials only"),
    ],
)
def test_a_policy_that_allows_nothing(document: dict[str, Any]) -> None:
    """A policy without an Allow says so."""
    lines = explain_web_identity(document, role=ROLE, claims=CLAIMS)
    assert lines == ("the trust policy has no statement that allows anything",)


@pytest.mark.parametrize("claims", [{}, {"iss": 7}, {"iss": ""}])
def test_a_token_that_says_nothing(claims: dict[str, Any]) -> None:
    """Without an issuer there is nothing to compare."""
    (line,) = explain_web_identity(policy(web()), role=ROLE, claims=claims)
    assert line.startswith("the token has no issuer")


CALLERS = [
    pytest.param("arn:aws:iam::222222222222:role/Other",
                 f"it trusts 'arn:aws:iam::222222222222:role/Other', and the caller is '{CALLER}'",
                 id="another role"),
    pytest.param("arn:aws:iam::222222222222:role/launcher", "they differ in letter case only",
                 id="letter case"),
    pytest.param("arn:aws:iam::333333333333:role/Launcher",
                 "the role of that name in another account", id="another account"),
    pytest.param("arn:aws-cn:iam::222222222222:role/Launcher", "they differ in the partition",
                 id="another partition"),
    pytest.param("AROAEXAMPLEEXAMPLE123",
                 "'AROAEXAMPLEEXAMPLE123' is what AWS leaves of a role or user that was deleted; "
                 "write the ARN again", id="a deleted role"),
    pytest.param("333333333333", "it trusts '333333333333'", id="an account"),
    pytest.param("arn:aws:sts::222222222222:assumed-role/Launcher/pod-2",
                 "assumed-role/Launcher/pod-2'", id="another session"),
    pytest.param(["a", "b", "c", "d", "e"], "it trusts 'a' or 'b' or 'c' or 2 more", id="many"),
]  # fmt: skip


@pytest.mark.parametrize(("principal", "expected"), CALLERS)
def test_callers_that_are_not_trusted(principal: Any, expected: str) -> None:
    """Whom the statement trusts, who asked, and what makes them differ."""
    (line,) = explain_caller(aws(principal))
    assert line.startswith("statement 1: ")
    assert expected in line


@pytest.mark.parametrize(
    ("principal", "lines"),
    [
        pytest.param("arn:aws:iam::222222222222:role/launcher", 2, id="its own but for the case"),
        pytest.param(["arn:aws:iam::333333333333:role/Launcher",
                      "arn:aws:iam::222222222222:role/LAUNCHER"], 2, id="beside another one"),
        pytest.param("arn:aws:iam::333333333333:role/Launcher", 1, id="another account's"),
        pytest.param("arn:aws-cn:iam::222222222222:role/Launcher", 1, id="another partition's"),
    ],
)  # fmt: skip
def test_a_slip_in_the_caller_hides_nothing(principal: Any, lines: int) -> None:
    """Who mends the letter case must not come back for the external id."""
    condition = {"StringEquals": {"sts:ExternalId": "known"}}
    found = explain_caller(aws(principal, Condition=condition), external_id="other")
    assert len(found) == lines
    assert ("they differ in letter case only" in found[0]) == (lines == 2)
    assert any("sts:ExternalId" in line for line in found) == (lines == 2)


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param("222222222222", id="the account"),
        pytest.param("arn:aws:iam::222222222222:root", id="its root"),
        pytest.param("arn:aws:iam::222222222222:role/Launcher", id="the role"),
        pytest.param("arn:aws:iam::222222222222:role/team/Launcher", id="the role with its path"),
        pytest.param(CALLER, id="the session"),
        pytest.param(["arn:aws:iam::333333333333:root", "*"], id="everybody"),
    ],
)
def test_callers_that_are_trusted(principal: Any) -> None:
    """Then the other side is to be looked at."""
    line, end = explain_caller(aws(principal))
    assert line == "statement 1 matches"
    assert (
        "its own policy must allow sts:AssumeRole on 'arn:aws:iam::111111111111:role/Deploy'"
        in (end)
    )


def test_a_caller_that_is_not_known() -> None:
    """An access key id is no principal that could be compared."""
    (line,) = explain_caller(aws("222222222222"), caller_arn="access key AKIAEXAMPLE")
    assert line.startswith("statement 1 may match; not judged: the principal")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(None, "statement 1: 'sts:ExternalId' must be there, and no external_id is "
                     "given", id="none"),
        pytest.param("wrong-id", "statement 1: 'sts:ExternalId' must be another value than the "
                     "one given", id="another"),
        pytest.param("right-id", "statement 1 matches", id="the right one"),
    ],
)  # fmt: skip
def test_external_ids(given: str | None, expected: str) -> None:
    """The right external id is not told: it would open the door to whoever asks."""
    statement = aws(Condition={"StringEquals": {"sts:ExternalId": "right-id"}})
    lines = explain_caller(statement, external_id=given)
    assert lines[0] == expected
    assert "right-id" not in "".join(lines)


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        pytest.param({"StringEquals": {"aws:PrincipalAccount": "333333333333"}}, {},
                     "statement 1: 'aws:PrincipalAccount' must be '333333333333'", id="account"),
        pytest.param({"StringLike": {"sts:SourceIdentity": "*"}}, {},
                     "statement 1: 'sts:SourceIdentity' must be '*' (StringLike), and the caller "
                     "does not have it: set source_identity", id="a source identity"),
        pytest.param({"StringLike": {"sts:SourceIdentity": "*"}}, {"source_identity": True},
                     "statement 1 may match", id="a source identity that is there"),
        pytest.param({"StringLike": {"aws:RequestTag/Project": "?*"}}, {},
                     "and the caller does not have it: set it under tags", id="a tag"),
        pytest.param({"StringLike": {"aws:RequestTag/Project": "?*"}}, {"tags": True},
                     "statement 1 may match", id="some tag"),
        pytest.param({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/x/*"}}, {},
                     "statement 1 may match; not judged: ArnLike on 'aws:PrincipalArn'",
                     id="the path of a role is not in its session's ARN"),
    ],
)  # fmt: skip
def test_conditions_on_a_caller(
    condition: dict[str, Any], values: dict[str, Any], expected: str
) -> None:
    """What the request has is compared, what only AWS knows is not judged."""
    assert expected in explain_caller(aws(Condition=condition), **values)[0]


@pytest.mark.parametrize(
    ("values", "action"),
    [
        pytest.param({"tags": True}, "sts:TagSession", id="tags"),
        pytest.param({"source_identity": True}, "sts:SetSourceIdentity", id="source identity"),
    ],
)
def test_what_else_a_session_needs(values: dict[str, Any], action: str) -> None:
    """A right role with a missing action is one of the commonest refusals."""
    lines = explain_caller(aws(), **values)
    assert f"no statement allows {action}, and the session carries" in lines[-1]
    allowed = explain_caller(aws(Action=["sts:AssumeRole", action]), **values)
    assert not any(line.startswith("no statement") for line in allowed)
    denied = explain_caller(aws(Action="sts:*"), aws(Effect="Deny", Action=action), **values)
    assert denied[-1] == f"statement 2 denies {action} to the caller"


def test_the_line_that_would_allow_a_token() -> None:
    """It is JSON of a policy, exact to the letter."""
    text = allowing_condition(CLAIMS)
    assert text.startswith('"Condition": {\n')
    wanted = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": SUB}
    assert json.loads(f"{{{text}}}") == {"Condition": {"StringEquals": wanted}}
    lines = explain(web(json.loads(f"{{{text}}}")["Condition"]))
    assert lines[0] == "statement 1 matches"


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"iss": "https://x.test", "aud": "a"}, id="no subject"),
        pytest.param({"aud": "a", "sub": "b"}, id="no issuer"),
        pytest.param({"iss": "https://x.test", "sub": "b" * 5000}, id="too long"),
    ],
)
def test_no_line_that_would_allow_others(claims: dict[str, Any]) -> None:
    """Half a condition would let in every token of the issuer."""
    assert allowing_condition(claims) == ""


def test_a_statement_for_a_caller() -> None:
    """What it proposes is what would let the caller in."""
    text = trust_statement_for(CALLER, external_id="x-1", tags=True, source_identity=True)
    statement = json.loads(text)
    assert statement["Principal"] == {"AWS": "arn:aws:iam::222222222222:role/Launcher"}
    lines = explain_caller(statement, external_id="x-1", tags=True, source_identity=True)
    assert lines[0] == "statement 1 matches"
    assert len(lines) == 2
    user = "arn:aws:iam::222222222222:user/ops"
    assert json.loads(trust_statement_for(user))["Principal"] == {"AWS": user}
    with pytest.raises(ValueError, match="is not the ARN of a principal"):
        trust_statement_for("access key AKIAEXAMPLE")


def test_texts_of_others_are_harmless() -> None:
    """Control characters do not reach a terminal, and no text or policy floods it."""
    evil = "\x1b[31m\n::set-output\u2028" + "x" * 10_000
    statements = [
        web({"StringEquals": {f"{GITHUB}:sub": [evil] * 50}}, Sid=evil, Action=[evil, ACTION]),
        web(Principal={"Federated": evil}),
        web(Principal={evil: evil}),
        web({evil: {evil: evil}}),
        *[web(on_sub("StringEquals", "x"))] * 100,
    ]
    lines = explain(*statements, sub=evil, aud=evil)
    assert len(lines) == LINE_LIMIT + 1
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 8 * TEXT_LIMIT
    condition = allowing_condition({**CLAIMS, "sub": "\x1b[31m\u2028"})
    assert all(line.isprintable() for line in condition.split("\n"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["Statement", "Effect", "Principal", "AWS", "Federated", "Action", "NotAction",
             "Condition", "StringLike", "Null", f"{GITHUB}:sub", "sts:ExternalId", "Sid"]
        ),
        inner | st.sampled_from(["Allow", "Deny", "*", ACTION, "sts:AssumeRole", CALLER, PROVIDER]),
        max_size=6,
    ),
    max_leaves=30,
)  # fmt: skip


@given(statements=_JSON)
def test_no_policy_breaks_the_explanation(statements: Any) -> None:
    """A diagnosis never becomes a failure of its own."""
    document = {"Statement": statements}
    lines = explain_web_identity(document, role=ROLE, claims=CLAIMS)
    lines += explain_assume_role(
        document, role=ROLE, caller_arn=CALLER, external_id=None, tags=True, source_identity=True
    )
    assert all(line.isprintable() for line in lines)


@given(claims=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "azp", "amr"]), _JSON))
def test_no_claims_break_the_explanation(claims: dict[str, Any]) -> None:
    """Nor does a token, whoever made it."""
    statement = web({**on_sub("StringLike", "repo:*"), "ForAnyValue:StringLike": {":aud": "x"}})
    explain_web_identity(policy(statement), role=ROLE, claims=claims)
    allowing_condition(claims)


@pytest.mark.parametrize(
    ("text", "pattern", "fits"),
    [
        pytest.param("a/b:c", "a*c", True, id="a star crosses everything"),
        pytest.param("abc", "a?c", True, id="one character"),
        pytest.param("ac", "a?c", False, id="not none"),
        pytest.param("Abc", "abc", False, id="letter case"),
        pytest.param("b", "[abc]", False, id="brackets are no class"),
        pytest.param("[abc]", "[abc]", True, id="brackets are themselves"),
        pytest.param("abc\n", "abc", False, id="a newline at the end"),
        pytest.param("a\nc", "a*c", True, id="a newline inside"),
        pytest.param("a" * 5000, "*a" * 40 + "b", False, id="no blow-up"),
    ],
)
def test_patterns(text: str, pattern: str, fits: bool) -> None:
    """`*` and `?`, and nothing else."""
    assert is_like(text, pattern) is fits


@pytest.mark.parametrize(
    ("arn", "pattern", "fits"),
    [
        pytest.param("arn:aws:iam::1:role/a/b", "arn:aws:iam::*:role/*", True, id="part by part"),
        pytest.param("arn:aws:iam::1:role/x:role/y", "arn:aws:iam::*:role/y", False,
                     id="no star reaches into the next part"),
        pytest.param("arn:aws:iam::1:role/a", "*", False, id="a star is no ARN"),
        pytest.param("nothing", "nothing", False, id="no ARN"),
    ],
)  # fmt: skip
def test_arn_patterns(arn: str, pattern: str, fits: bool) -> None:
    """The six parts of an ARN are matched one by one."""
    assert is_arn_like(arn, pattern) is fits
