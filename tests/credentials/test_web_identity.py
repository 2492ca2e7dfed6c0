"""Token file and role from the environment: IAM roles for service accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.credentials.web_identity import WebIdentitySource
from calamari_py.errors import CloudError, SourceBroken, Temporary
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import ROLE, FakeAws, absent, context, found, jwt, texts_of

FILE = "AWS_WEB_IDENTITY_TOKEN_FILE"
TOKEN = "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl"


def environ(folder: Path, token: str = TOKEN, **others: str) -> dict[str, str]:
    """What EKS sets, with the token in `folder`."""
    path = folder / "token"
    path.write_text(token)
    return {FILE: str(path), "AWS_ROLE_ARN": ROLE, **others}


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="unset"),
        pytest.param({FILE: "", "AWS_ROLE_ARN": "  "}, id="blank"),
        pytest.param({"AWS_ROLE_SESSION_NAME": "name"}, id="a session name alone"),
    ],
)
def test_absent(variables: dict[str, str]) -> None:
    """Without its variables the source is absent and says what sets them."""
    outcome = absent(WebIdentitySource().resolve(context(variables)))
    assert outcome.why == f"{FILE} is not set"
    assert "service account" in outcome.hint


def test_found(tmp_path: Path) -> None:
    """The token becomes the role's session; the token is registered and goes to STS alone."""
    aws, registry = FakeAws(), SecretRegistry()
    outcome = found(
        WebIdentitySource().resolve(context(environ(tmp_path), aws=aws, registry=registry))
    )
    assert aws.exchanged == [(TOKEN, ROLE, "payments-dev-deploy", 3600)]
    assert registry.holds_secret(TOKEN)
    assert outcome.launcher.source == "web-identity"
    assert outcome.launcher.arn == (
        "arn:aws:sts::123456789012:assumed-role/OctoLauncherRole/payments-dev-deploy"
    )
    assert outcome.why == "role OctoLauncherRole"


@pytest.mark.parametrize(
    ("folder", "description"), [("eks.amazonaws.com", "EKS IRSA"), ("other", "web identity")]
)
def test_what_people_call_it(tmp_path: Path, folder: str, description: str) -> None:
    """EKS's own path for the token tells IRSA."""
    place = tmp_path / folder
    place.mkdir()
    launcher = found(WebIdentitySource().resolve(context(environ(place)))).launcher
    assert launcher.description == description


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"\n {TOKEN}\r\n", TOKEN])
def test_the_token_is_stripped_and_read_anew(tmp_path: Path, token: str) -> None:
    """A final newline is no part of the token, and a rotated token is used the next time."""
    aws = FakeAws()
    for fresh in (token, "rotated-token-0123"):
        WebIdentitySource().resolve(context(environ(tmp_path, fresh), aws=aws))
    assert [call[0] for call in aws.exchanged] == [TOKEN, "rotated-token-0123"]


@pytest.mark.parametrize(
    ("name", "used", "warned"),
    [
        pytest.param("octopus-pod", "octopus-pod", False, id="good"),
        pytest.param(" octopus-pod\n", "octopus-pod", False, id="stripped"),
        pytest.param("", "payments-dev-deploy", False, id="blank"),
        pytest.param("two words", "payments-dev-deploy", True, id="bad characters"),
        pytest.param("x", "payments-dev-deploy", True, id="too short"),
        pytest.param("x" * 65, "payments-dev-deploy", True, id="too long"),
    ],
)
def test_session_name(tmp_path: Path, name: str, used: str, warned: bool) -> None:
    """AWS_ROLE_SESSION_NAME is honoured where STS takes it, else ours, with a warning."""
    aws = FakeAws()
    outcome = found(
        WebIdentitySource().resolve(context(environ(tmp_path, AWS_ROLE_SESSION_NAME=name), aws=aws))
    )
    assert aws.exchanged[0][2] == used
    assert any("AWS_ROLE_SESSION_NAME" in warning for warning in outcome.warnings) is warned


@pytest.mark.parametrize(("given", "missing"), [(FILE, "AWS_ROLE_ARN"), ("AWS_ROLE_ARN", FILE)])
def test_one_variable_of_two(tmp_path: Path, given: str, missing: str) -> None:
    """One variable without the other is broken, and the hint names the other."""
    variables = {given: environ(tmp_path)[given], missing: " "}
    with pytest.raises(SourceBroken, match=f"'{missing}' is not") as caught:
        WebIdentitySource().resolve(context(variables))
    assert missing in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("token", "why"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \n\t", "is empty", id="blank"),
        pytest.param("abc", "3 characters", id="too short"),
        pytest.param("x" * 20_001, "20001 characters", id="too long"),
        pytest.param("x" * 90_000, "too large", id="far too long"),
        pytest.param("Bearer eyJhbGci", "white space", id="two words"),
        pytest.param("töken", "non-ASCII", id="non-ASCII"),
        pytest.param("tok\x00en", "control", id="NUL"),
    ],
)
def test_a_file_without_a_token(tmp_path: Path, token: str, why: str) -> None:
    """STS is not asked with what cannot be a token, and the message does not show it."""
    aws = FakeAws()
    with pytest.raises(SourceBroken, match=why) as caught:
        WebIdentitySource().resolve(context(environ(tmp_path, token), aws=aws))
    assert aws.exchanged == []
    assert len(token.strip()) < 4 or token.strip() not in texts_of(caught.value)


@pytest.mark.parametrize("length", [4, 20_000])
def test_the_limits_of_a_token(tmp_path: Path, length: int) -> None:
    """STS's own limits are allowed."""
    aws = FakeAws()
    found(WebIdentitySource().resolve(context(environ(tmp_path, "x" * length), aws=aws)))
    assert len(aws.exchanged[0][0]) == length


@pytest.mark.parametrize(
    ("path", "why"),
    [
        pytest.param("missing", "no such file", id="missing"),
        pytest.param(".", "is a directory", id="a folder"),
        pytest.param("nul\x00", "it is no path", id="no path"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, path: str, why: str) -> None:
    """A token file that is named and cannot be read is broken."""
    with pytest.raises(SourceBroken, match=why) as caught:
        WebIdentitySource().resolve(context({FILE: f"{tmp_path}/{path}", "AWS_ROLE_ARN": ROLE}))
    assert caught.value.hint


def test_a_role_that_is_none(tmp_path: Path) -> None:
    """The role's ARN is checked before STS is asked."""
    aws = FakeAws()
    with pytest.raises(SourceBroken, match="is not a role ARN"):
        WebIdentitySource().resolve(
            context(environ(tmp_path, AWS_ROLE_ARN="OctoLauncherRole"), aws=aws)
        )
    assert aws.exchanged == []


def refusal(code: str) -> CloudError:
    """What the AWS door raises when STS says no."""
    return CloudError(
        f"STS said {code}",
        service="sts",
        operation="AssumeRoleWithWebIdentity",
        code=code,
        evidence=("request id 6f1c",),
    )


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidIdentityToken", "IDPRejectedClaim"])
@pytest.mark.parametrize(
    ("token", "expected"),
    [
        pytest.param("an-opaque-token", "the token is no JWT", id="no JWT"),
        pytest.param("a.b.c", "the token is no JWT", id="three parts of nothing"),
        pytest.param(jwt(aud="x"), "the token has no sub,", id="no subject"),
        pytest.param(jwt(aud="", sub=None), "no aud and no sub,", id="blank claims"),
    ],
)
def test_a_refused_token_without_claims(
    tmp_path: Path, code: str, token: str, expected: str
) -> None:
    """What the token lacks is said; no condition is made up of what is not there."""
    with pytest.raises(SourceBroken, match=code) as caught:
        WebIdentitySource().resolve(
            context(environ(tmp_path, token), aws=FakeAws(refusal=refusal(code)))
        )
    hint = caught.value.hint or ""
    assert expected in hint
    assert not any(word in hint for word in ("ISSUER", "AUDIENCE", "SUBJECT", "None", token))


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDenied", '"StringEquals": {"issuer.example:aud": "sts.amazonaws.com", '),
        ("InvalidIdentityToken", "IAM OIDC provider for 'https://issuer.example'"),
        ("ExpiredTokenException", "has run out"),
        ("IDPRejectedClaim", '"issuer.example:sub": "system:serviceaccount:ci:octopus"'),
    ],
)
def test_a_refusal_shows_the_claims(tmp_path: Path, code: str, hint: str) -> None:
    """A refusal carries STS's evidence and the claims it judged, never the token."""
    token = jwt(
        aud=["sts.amazonaws.com"], sub="system:serviceaccount:ci:octopus", exp=1_600_000_000
    )
    with pytest.raises(SourceBroken, match=code) as caught:
        WebIdentitySource().resolve(
            context(environ(tmp_path, token), aws=FakeAws(refusal=refusal(code)))
        )
    assert hint in (caught.value.hint or "")
    evidence = "\n".join(caught.value.evidence)
    assert "request id 6f1c" in evidence
    assert "token iss: https://issuer.example" in evidence
    assert "token aud: sts.amazonaws.com" in evidence
    assert "token sub: system:serviceaccount:ci:octopus" in evidence
    assert "token exp: 2020-09-13T12:26:40Z (expired " in evidence
    shown = texts_of(caught.value)
    assert not any(part in shown for part in (token, *token.split(".")))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("opaque-token-0123456789", id="opaque"),
        pytest.param("a.b.c", id="no base64"),
        pytest.param("a.W10.c", id="a list"),
        pytest.param("aaaa." + "Ww" * 9000 + ".c", id="no JSON"),
        pytest.param(jwt(exp=10**40, aud=None, sub={"a": 1}), id="odd claims"),
        pytest.param(jwt(exp=True, sub="x\n\x1b[31m" + "y" * 900), id="hostile claims"),
    ],
)
def test_odd_tokens_are_refused_in_order(tmp_path: Path, token: str) -> None:
    """Whatever the token is, the refusal is told, in printable lines of bounded length."""
    with pytest.raises(SourceBroken, match="AccessDenied") as caught:
        WebIdentitySource().resolve(
            context(environ(tmp_path, token), aws=FakeAws(refusal=refusal("AccessDenied")))
        )
    assert all(line.isprintable() and len(line) < 250 for line in caught.value.evidence)
    assert token not in texts_of(caught.value)


def test_a_lost_connection_is_temporary(tmp_path: Path) -> None:
    """Throttling and lost connections stay what they are: worth another run."""
    lost = Temporary("STS is unreachable", service="sts", operation="x", code="ConnectTimeout")
    with pytest.raises(Temporary, match="unreachable"):
        WebIdentitySource().resolve(context(environ(tmp_path), aws=FakeAws(refusal=lost)))
