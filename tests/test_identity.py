"""Identity values: ARNs, session names, STS's limits, the guard."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.identity import (
    PARTITIONS,
    Expectation,
    Principal,
    RoleArn,
    RoleRequest,
    build_session_name,
    clamp_chained,
    clean_session_name,
    duration_text,
    is_region,
    request_violations,
)

ROLE = RoleArn.parse("arn:aws:iam::111111111111:role/Deploy")
NAME = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,64}", fullmatch=True)
PATH = st.lists(st.from_regex(r"[!-.0-~]{1,10}", fullmatch=True), max_size=3)


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        pytest.param("arn:aws:iam::111111111111:role/Deploy", "/", "Deploy", id="plain"),
        pytest.param("arn:aws-cn:iam::000000000001:role/a/b/C_1", "/a/b/", "C_1", id="path"),
        pytest.param("arn:aws:iam::111111111111:role/+=,.@-", "/", "+=,.@-", id="signs"),
    ],
)
def test_a_role_arn_has_its_parts(text: str, path: str, name: str) -> None:
    """Parsed and put together again it is the same."""
    role = RoleArn.parse(text)
    assert (role.path, role.name) == (path, name)
    assert str(role) == text


@given(st.sampled_from(PARTITIONS), st.from_regex(r"\A[0-9]{12}\Z"), PATH, NAME)
def test_every_role_arn_survives_parsing(
    partition: str, account: str, path: list[str], name: str
) -> None:
    """For all partitions, accounts, paths and names."""
    text = f"arn:{partition}:iam::{account}:role/{''.join(part + '/' for part in path)}{name}"
    role = RoleArn.parse(text)
    assert (role.partition, role.account, role.name) == (partition, account, name)
    assert str(role) == text


@given(st.text(max_size=80))
def test_no_other_text_is_a_role_arn(text: str) -> None:
    """Anything else is refused by a sentence, not by a crash."""
    with pytest.raises(ValueError, match="'"):
        RoleArn.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("Deploy", "write arn:aws:iam::ACCOUNT:role/NAME", id="a name"),
        pytest.param("", "is not a role ARN", id="nothing"),
        pytest.param("arn:aws:iam::1234:role/Deploy", "12 digits, not '1234'", id="short account"),
        pytest.param("arn:azure:iam::111111111111:role/D", "unknown partition 'azure'", id="cloud"),
        pytest.param("arn:aws:iam::111111111111:user/u", "is not a role ARN", id="a user"),
        pytest.param("arn:aws:iam::111111111111:role/", "is not a role ARN", id="no name"),
        pytest.param("arn:aws:iam::111111111111:role//D", "is not a role ARN", id="empty path"),
        pytest.param("arn:aws:iam::111111111111:role/D\n", "is not a role ARN", id="newline"),
        pytest.param("arn:aws:iam::" + "\u0661" * 12 + ":role/D", "12 digits", id="other digits"),
        pytest.param("arn:aws:iam::111111111111:role/" + "x" * 65, "is not a role", id="too long"),
        pytest.param(
            "arn:aws:sts::111111111111:assumed-role/Deploy/me",
            "of a session, not of a role; write 'arn:aws:iam::111111111111:role/Deploy'",
            id="a session",
        ),
    ],
)
def test_what_is_no_role_arn_says_why(text: str, why: str) -> None:
    """The sentence names the part that is wrong, or what to write."""
    with pytest.raises(ValueError, match=re.escape(why)):
        RoleArn.parse(text)


@pytest.mark.parametrize(
    ("arn", "account", "role", "session"),
    [
        pytest.param(
            "arn:aws:sts::111111111111:assumed-role/Deploy/me@x",
            "111111111111",
            "Deploy",
            "me@x",
            id="session",
        ),
        pytest.param(
            "arn:aws-cn:iam::000000000001:user/path/u", "000000000001", None, None, id="user"
        ),
        pytest.param("arn:aws:iam::111111111111:root", "111111111111", None, None, id="root"),
    ],
)
def test_a_principal_has_its_parts(
    arn: str, account: str, role: str | None, session: str | None
) -> None:
    """Role and session only where there is a session."""
    found = Principal.parse(arn)
    assert (found.arn, found.account, found.role, found.session) == (arn, account, role, session)


@given(st.text(max_size=60))
def test_no_other_text_is_a_principal(text: str) -> None:
    """What a lying server sends is refused by a sentence."""
    with pytest.raises(ValueError, match="is not the ARN of a principal"):
        Principal.parse(text)


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        pytest.param(("payments", "dev", "deploy"), "payments-dev-deploy", id="joined"),
        pytest.param(("payments", None, "", "x"), "payments-x", id="without gaps"),
        pytest.param(("a b/c", "ü"), "a-b-c--", id="replaced"),
        pytest.param((), "calamari", id="nothing"),
        pytest.param(("x",), "x-", id="too short"),
        pytest.param(("a" * 64,), "a" * 64, id="just fits"),
    ],
)
def test_session_names(parts: tuple[str | None, ...], name: str) -> None:
    """The parts that are there, joined by dashes; anything STS refuses becomes one."""
    assert build_session_name(*parts) == name


def test_long_session_names_stay_apart() -> None:
    """An over-long name keeps its head and ends in a hash of the whole."""
    one, other = (build_session_name("deploy", "x" * 80, end) for end in ("a", "b"))
    assert one[:55] == other[:55] == ("deploy-" + "x" * 48)
    assert one[55] == "-"
    assert one != other
    assert len(one) == len(other) == 64


@given(st.lists(st.text(st.characters(), max_size=50) | st.none(), max_size=5))
def test_every_session_name_is_one_that_sts_takes(parts: list[str | None]) -> None:
    """Whatever the parts (lone surrogates too), the name fits, and cleaning it changes nothing."""
    name = build_session_name(*parts)
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", name)
    assert clean_session_name(name) == name
    assert build_session_name(*parts) == name


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("eu-west-1", True, id="plain"),
        pytest.param("us-gov-west-1", True, id="gov"),
        pytest.param("us-isob-east-1", True, id="iso"),
        pytest.param("eusc-de-east-1", True, id="eusc"),
        pytest.param("eu-west", False, id="no number"),
        pytest.param("eu-west-1a", False, id="a zone"),
        pytest.param("EU-WEST-1", False, id="capitals"),
        pytest.param("eu-west-1.evil.com/", False, id="a domain"),
        pytest.param("eu-west-1\n", False, id="newline"),
    ],
)
def test_regions(text: str, answer: bool) -> None:
    """The form, not the list: new regions come every year."""
    assert is_region(text) is answer


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="default"),
        pytest.param({"session_name": "ab"}, id="shortest name"),
        pytest.param({"session_name": "x" * 64}, id="longest name"),
        pytest.param({"duration": 900}, id="shortest"),
        pytest.param({"duration": 43200}, id="longest"),
        pytest.param({"external_id": "x" * 1224}, id="longest external id"),
        pytest.param({"external_id": "a:/b=c"}, id="external id signs"),
        pytest.param({"policy": "{" + " " * 2046 + "}"}, id="longest policy"),
        pytest.param({"tags": {f"k{i}": "" for i in range(50)}}, id="most tags"),
        pytest.param({"tags": {"x" * 128: "y" * 256}}, id="longest tag"),
        pytest.param({"tags": {"Größe Ⅷ²": "ü _.:/=+-@"}}, id="letters and numbers of any script"),
        pytest.param({"tags": {"a": "b"}, "transitive_tags": ("a",)}, id="transitive"),
        pytest.param({"policy_arns": ("arn:aws:iam::aws:policy/X",) * 10}, id="most policies"),
        pytest.param({"source_identity": "ab"}, id="source identity"),
    ],
)
def test_requests_within_the_limits(fields: dict[str, Any]) -> None:
    """What STS takes, we take, to the last character."""
    assert request_violations(_request(**fields)) == ()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"session_name": "a"}, "session_name", id="name too short"),
        pytest.param({"session_name": "x" * 65}, "session_name", id="name too long"),
        pytest.param({"session_name": "a b"}, "session_name", id="name with a space"),
        pytest.param({"session_name": "ü" * 3}, "session_name", id="name not ASCII"),
        pytest.param({"session_name": "ab\n"}, "session_name", id="name with a newline"),
        pytest.param({"duration": 899}, "duration", id="too short"),
        pytest.param({"duration": 43201}, "duration", id="too long"),
        pytest.param({"external_id": "x"}, "external_id", id="external id too short"),
        pytest.param({"external_id": "x" * 1225}, "external_id", id="external id too long"),
        pytest.param({"external_id": "a b"}, "external_id", id="external id with a space"),
        pytest.param({"policy": ""}, "policy", id="no policy"),
        pytest.param({"policy": "x" * 2049}, "policy", id="policy too long"),
        pytest.param({"policy": "ĸ"}, "policy", id="policy beyond Latin-1"),
        pytest.param({"policy_arns": ("X",)}, "policy_arns", id="no policy ARN"),
        pytest.param(
            {"policy_arns": ("arn:aws:iam::aws:policy/X",) * 11}, "policy_arns", id="11 policies"
        ),
        pytest.param(
            {"policy": "x" * 2040, "policy_arns": ("arn:aws:iam::aws:policy/X",)},
            "policy_arns",
            id="policies too long together",
        ),
        pytest.param({"tags": {f"k{i}": "" for i in range(51)}}, "tags", id="51 tags"),
        pytest.param({"tags": {"": "v"}}, "tags.", id="empty key"),
        pytest.param({"tags": {"x" * 129: ""}}, "tags." + "x" * 129, id="long key"),
        pytest.param({"tags": {"a!": ""}}, "tags.a!", id="bad key"),
        pytest.param({"tags": {"a\tb": ""}}, "tags.a\tb", id="tab"),
        pytest.param({"tags": {"a": "x" * 257}}, "tags.a", id="long value"),
        pytest.param({"tags": {"a": "☃"}}, "tags.a", id="bad value"),
        pytest.param({"tags": {"AWS:x": ""}}, "tags.AWS:x", id="reserved"),
        pytest.param({"tags": {"a": "", "A": ""}}, "tags.A", id="case"),
        pytest.param({"transitive_tags": ("a",)}, "transitive_tags", id="not a tag"),
        pytest.param({"source_identity": "aws:x"}, "source_identity", id="reserved identity"),
        pytest.param({"source_identity": "x"}, "source_identity", id="identity too short"),
    ],
)
def test_requests_beyond_the_limits(fields: dict[str, Any], field: str) -> None:
    """Exactly the field that STS would refuse is named, before any call."""
    assert [name for name, _ in request_violations(_request(**fields))] == [field]


@pytest.mark.parametrize(
    ("duration", "chained", "result", "said"),
    [
        pytest.param(7200, True, 3600, "instead of 2h", id="clamped"),
        pytest.param(3600, True, 3600, None, id="at the limit"),
        pytest.param(900, True, 900, None, id="shorter"),
        pytest.param(43200, False, 43200, None, id="not chained"),
    ],
)
def test_chained_hops_are_clamped(
    duration: int, chained: bool, result: int, said: str | None
) -> None:
    """An hour is AWS's limit for role chaining; the warning names role and durations."""
    request, warning = clamp_chained(_request(duration=duration), chained=chained)
    assert request.duration == result
    assert (warning is None) is (said is None)
    if warning is not None and said is not None:
        assert said in warning
        assert str(ROLE) in warning


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(900, "15m", id="minutes"),
        pytest.param(3600, "1h", id="an hour"),
        pytest.param(5400, "1h30m", id="both"),
        pytest.param(3601, "3601s", id="odd"),
        pytest.param(0, "0s", id="none"),
    ],
)
def test_durations_read_as_they_are_written(seconds: int, text: str) -> None:
    """The same form as in a manifest."""
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("expectation", "mismatches"),
    [
        pytest.param(Expectation(), (), id="nothing expected"),
        pytest.param(
            Expectation(account="111111111111", role="Deploy", region="eu-west-1", partition="aws"),
            (),
            id="all as expected",
        ),
        pytest.param(
            Expectation(account="222222222222", role="deploy"),
            (
                "account is 111111111111, expected 222222222222",
                "role is Deploy, expected deploy",
            ),
            id="two differ",
        ),
        pytest.param(
            Expectation(partition="aws-cn", region="eu-west-2"),
            ("region is eu-west-1, expected eu-west-2", "partition is aws, expected aws-cn"),
            id="place",
        ),
    ],
)
def test_the_guard(expectation: Expectation, mismatches: tuple[str, ...]) -> None:
    """What differs is named with both values; what is not expected is not checked."""
    principal = Principal.parse("arn:aws:sts::111111111111:assumed-role/Deploy/me")
    assert expectation.mismatches(principal, "eu-west-1") == mismatches


def test_the_guard_does_not_take_the_unknown_for_the_expected() -> None:
    """A user has no role, and a run may have no region: both are mismatches."""
    principal = Principal.parse("arn:aws:iam::111111111111:user/u")
    expectation = Expectation(role="Deploy", region="eu-west-1")
    assert expectation.mismatches(principal, None) == (
        "role is unknown, expected Deploy",
        "region is unknown, expected eu-west-1",
    )


def _request(**fields: Any) -> RoleRequest:
    return RoleRequest(role=ROLE, session_name=fields.pop("session_name", "step"), **fields)
