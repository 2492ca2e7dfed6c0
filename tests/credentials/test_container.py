"""The container credential endpoint: EKS Pod Identity and the ECS task role."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.credentials._http import Target
from calamari_py.credentials.container import BUDGET, ContainerSource
from calamari_py.errors import SourceBroken
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import (
    SECRET_KEY,
    SESSION_TOKEN,
    FakeTime,
    absent,
    context,
    found,
    texts_of,
)
from tests.fake_metadata import (
    HANG_UP,
    SILENCE,
    Answer,
    FakeContainer,
    FakeServer,
    Raw,
    Reply,
    credential_document,
)

FULL = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
RELATIVE = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
TOKEN_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
POD_TOKEN = "pod-token-0123456789-abcdefghij"


def source(timeout: float = 5.0) -> ContainerSource:
    """The source with pauses that take no time."""
    return ContainerSource(client=FakeTime().client(), timeout=timeout)


def environ(server: FakeContainer, **others: str) -> dict[str, str]:
    """What EKS sets, for a loopback agent."""
    return {FULL: f"{server.url}{server.path}", **others}


def dialled(variables: dict[str, str]) -> Target:
    """The target that the source would connect to, asked of a connector that refuses."""
    seen: list[Target] = []

    def connect(target: Target, timeout: float) -> socket.socket:
        seen.append(target)
        raise ConnectionRefusedError

    client = replace(FakeTime().client(), connect=connect)
    with pytest.raises(SourceBroken, match="gave no answer"):
        ContainerSource(client=client).resolve(context(variables))
    assert len(seen) == 3
    return seen[0]


@pytest.mark.parametrize(
    "variables",
    [
        pytest.param({}, id="unset"),
        pytest.param({FULL: " ", RELATIVE: ""}, id="blank"),
        pytest.param({TOKEN: "token", TOKEN_FILE: "/nowhere"}, id="a token alone"),
    ],
)
def test_absent(variables: dict[str, str]) -> None:
    """Without an address the source is absent, whatever tokens are set."""
    outcome = absent(ContainerSource().resolve(context(variables)))
    assert FULL in outcome.why
    assert "Pod Identity" in outcome.hint


def test_found() -> None:
    """The document's keys are the launcher, registered, with the endpoint as evidence."""
    registry = SecretRegistry()
    with FakeContainer() as server:
        outcome = found(source().resolve(context(environ(server), registry=registry)))
        assert server.paths() == ["GET /v1/credentials"]
        assert outcome.why == f"127.0.0.1:{server.port}"
    launcher = outcome.launcher
    assert launcher.credentials.access_key_id == "ASIALAUNCHERLAUNCHER"
    assert launcher.credentials.secret_access_key.reveal() == SECRET_KEY
    assert launcher.credentials.session_token
    assert launcher.credentials.session_token.reveal() == SESSION_TOKEN
    assert launcher.credentials.expires_at
    assert launcher.credentials.expires_at.year == 2099
    assert (launcher.source, launcher.description) == ("container", "container credentials")
    assert registry.holds_secret(SECRET_KEY)
    assert registry.holds_secret(SESSION_TOKEN)


@pytest.mark.parametrize(
    ("in_file", "in_variable"),
    [
        pytest.param(None, POD_TOKEN, id="variable"),
        pytest.param(f"{POD_TOKEN}\n", None, id="file, stripped"),
        pytest.param(POD_TOKEN, "another-token-0123456789", id="the file wins"),
        pytest.param(None, f" {POD_TOKEN}\n", id="variable, stripped"),
        pytest.param(f"Bearer {POD_TOKEN}\n", None, id="file with a scheme"),
        pytest.param(None, f"Bearer {POD_TOKEN}", id="variable with a scheme"),
    ],
)
def test_authorization(tmp_path: Path, in_file: str | None, in_variable: str | None) -> None:
    """The token is sent as it is, registered first; the file wins over the variable."""
    registry = SecretRegistry()
    variables = {} if in_variable is None else {TOKEN: in_variable}
    if in_file is not None:
        path = tmp_path / "token"
        path.write_text(in_file)
        variables[TOKEN_FILE] = str(path)
    expected = (in_file or in_variable or "").strip()
    with FakeContainer(authorization=expected) as server:
        found(source().resolve(context(environ(server, **variables), registry=registry)))
    assert registry.holds_secret(POD_TOKEN)


def test_the_token_file_is_read_anew(tmp_path: Path) -> None:
    """A token that was rotated is used the next time."""
    path = tmp_path / "token"
    with FakeContainer() as server:
        for token in ("first-token-0123456789", "second-token-0123456789"):
            path.write_text(token)
            server.authorization = token
            found(source().resolve(context(environ(server, **{TOKEN_FILE: str(path)}))))
        assert len(server.heard) == 2


@pytest.mark.parametrize(
    ("token", "why"),
    [
        pytest.param("tok\r\nX-Evil: 1", "line break", id="CR LF"),
        pytest.param("tok\nen", "line break", id="LF"),
        pytest.param("tokén", "line break or another character", id="non-ASCII"),
    ],
)
def test_a_token_cannot_end_its_header(token: str, why: str) -> None:
    """A token with a line break is refused before anything is connected to."""
    with FakeContainer() as server:
        with pytest.raises(SourceBroken, match=why) as caught:
            source().resolve(context(environ(server, **{TOKEN: token})))
        assert server.connections == 0
    assert token not in texts_of(caught.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(None, "cannot be read: no such file", id="missing"),
        pytest.param("", "is empty", id="empty"),
        pytest.param(" \n", "is empty", id="blank"),
        pytest.param("first-line\nsecond-line", "line break", id="two lines"),
        pytest.param("x" * 20001, "is too long", id="too long"),
        pytest.param("x" * 100_000, "too large", id="far too long"),
    ],
)
def test_a_token_file_that_is_none(tmp_path: Path, content: str | None, why: str) -> None:
    """A token file that was named must hold a token; nothing is asked without it."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with FakeContainer() as server:
        with pytest.raises(SourceBroken, match=why):
            source().resolve(context(environ(server, **{TOKEN_FILE: str(path)})))
        assert server.connections == 0


@pytest.mark.parametrize(
    ("kind", "why"), [("folder", "is a directory"), ("pipe", "no regular file")]
)
def test_a_token_file_must_be_a_file(tmp_path: Path, kind: str, why: str) -> None:
    """A folder or a pipe where a token file should be is told, and nothing hangs."""
    path = tmp_path / "token"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with FakeContainer() as server, pytest.raises(SourceBroken, match=why):
        source().resolve(context(environ(server, **{TOKEN_FILE: str(path)})))


@pytest.mark.parametrize(
    ("variables", "authority", "path"),
    [
        ({FULL: "http://169.254.170.23/v1/credentials"}, "169.254.170.23", "/v1/credentials"),
        ({FULL: "http://[fd00:ec2::23]/v1/credentials"}, "[fd00:ec2::23]", "/v1/credentials"),
        ({FULL: "http://169.254.170.2/x"}, "169.254.170.2", "/x"),
        ({FULL: "http://[::1]:8080/x"}, "[::1]:8080", "/x"),
        ({FULL: "http://127.8.8.8:81/x"}, "127.8.8.8:81", "/x"),
        ({FULL: "https://agent.example/x"}, "agent.example", "/x"),
        ({RELATIVE: "/v2/credentials/id?a"}, "169.254.170.2", "/v2/credentials/id?a"),
        ({RELATIVE: "/rel", FULL: "http://127.0.0.1/full"}, "169.254.170.2", "/rel"),
        ({RELATIVE: " ", FULL: "http://127.0.0.1/full"}, "127.0.0.1", "/full"),
        ({RELATIVE: "//evil.test/x"}, "169.254.170.2", "//evil.test/x"),
    ],
)
def test_where_it_connects_to(variables: dict[str, str], authority: str, path: str) -> None:
    """The relative variable wins, and its host is a constant; allowed hosts are connected to."""
    target = dialled(variables)
    assert (target.authority, target.path) == (authority, path)


@pytest.mark.parametrize(
    "variables",
    [
        {FULL: "http://localhost/x"},
        {FULL: "http://localhost./x"},
        {FULL: "http://localhost.evil.test/x"},
        {FULL: "http://evil.test\\@127.0.0.1/"},
        {FULL: "http://127.0.0.1@evil.test/"},
        {FULL: "http://evil.test#@127.0.0.1/"},
        {FULL: "http://127.1/"},
        {FULL: "http://2130706433/"},
        {FULL: "http://0x7f.1/"},
        {FULL: "http://[::ffff:127.0.0.1]/"},
        {FULL: "http://[::ffff:a9fe:aa17]/"},
        {FULL: "http://[::]/"},
        {FULL: "http://0.0.0.0/"},
        {FULL: "http://169.254.169.254/"},
        {FULL: "http://169.254.170.3/"},
        {FULL: "http://10.0.0.1/"},
        {FULL: "http://128.0.0.1/"},
        {FULL: "//127.0.0.1/x"},
        {FULL: "ftp://127.0.0.1/"},
        {FULL: "file:///etc/passwd"},
        {FULL: "http://127.0.0.1/x\r\nX-Evil: 1"},
        {RELATIVE: "@evil.test/"},
        {RELATIVE: ".evil.test/"},
        {RELATIVE: ":81/x"},
        {RELATIVE: "/x y"},
        {RELATIVE: "/x\\y"},
        {RELATIVE: "http://127.0.0.1/x"},
    ],
    ids=lambda variables: next(iter(variables.values())),
)
def test_where_it_never_connects_to(variables: dict[str, str]) -> None:
    """An address that could carry the token elsewhere is broken, and nothing is connected to."""

    def connect(target: Target, timeout: float) -> socket.socket:
        raise AssertionError(f"connected to {target.authority}")

    client = replace(FakeTime().client(), connect=connect)
    with pytest.raises(SourceBroken, match=r"is refused|does not begin") as caught:
        ContainerSource(client=client).resolve(context({TOKEN: POD_TOKEN, **variables}))
    assert caught.value.hint
    assert "169.254.170.2" in caught.value.hint
    assert POD_TOKEN not in texts_of(caught.value)


@pytest.mark.parametrize(
    ("answers", "why", "asked"),
    [
        pytest.param([Reply(401, "no")], "answered 401", 1, id="401"),
        pytest.param([Reply(403)], "answered 403", 1, id="403"),
        pytest.param([Reply(404)], "answered 404", 1, id="404"),
        pytest.param([Reply(429)], "answered 429", 1, id="429"),
        pytest.param([Reply(302, "", {"Location": "http://10.0.0.1/"})], "302", 1, id="redirect"),
        pytest.param([Reply(500)] * 3, "answered 500", 3, id="500"),
        pytest.param([HANG_UP] * 3, "gave no answer: closed", 3, id="hangs up"),
        pytest.param([Raw(b"\x15\x03\x01")] * 3, "no HTTP", 3, id="noise"),
        pytest.param([Reply(200, "<html>log in</html>")], "no credential document", 1, id="HTML"),
        pytest.param([Reply(200, "")], "no credential document", 1, id="nothing"),
        pytest.param([Reply(200, "[1]")], "no credential document", 1, id="a list"),
        pytest.param([Reply(200, "[" * 60_000)], "no credential document", 1, id="a deep one"),
        pytest.param([Reply(200, b"\xff\xfe{")], "no credential document", 1, id="no text"),
        pytest.param(
            [Reply(200, credential_document(Code="AssumeRoleUnauthorizedAccess"))],
            "no credentials to give .AssumeRoleUnauthorizedAccess.",
            1,
            id="a failure in a 200",
        ),
        pytest.param(
            [Reply(200, credential_document(Code="bad\nline"))], "unreadable code", 1, id="bad code"
        ),
        pytest.param(
            [Reply(200, credential_document(AccessKeyId=""))], "without .AccessKeyId", 1, id="no id"
        ),
        pytest.param(
            [Reply(200, credential_document(SecretAccessKey="  ", Token=None))],
            "without 'SecretAccessKey' and 'Token'",
            1,
            id="blank secret, no token",
        ),
        pytest.param(
            [Reply(200, credential_document(SecretAccessKey="a\r\nb"))],
            "carriage return",
            1,
            id="bad key",
        ),
        pytest.param(
            [Reply(200, credential_document(Expiration="soon"))], "is no time", 1, id="bad expiry"
        ),
    ],
)  # fmt: skip
def test_broken(answers: list[Answer], why: str, asked: int) -> None:
    """Every answer that is no credentials is broken, and faults alone are asked three times."""
    with FakeContainer() as server:
        server.inject(server.path, *answers)
        with pytest.raises(SourceBroken, match=why) as caught:
            source().resolve(context(environ(server)))
        assert len(server.heard) == asked
    assert caught.value.hint
    for secret in (SECRET_KEY, SESSION_TOKEN):
        assert secret not in texts_of(caught.value)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([Reply(503)], id="503 once"),
        pytest.param([Reply(500), HANG_UP], id="500, then hanging up"),
    ],
)
def test_a_passing_fault_is_survived(answers: list[Answer]) -> None:
    """An agent that starts again meanwhile is asked again."""
    with FakeContainer() as server:
        server.inject(server.path, *answers)
        found(source().resolve(context(environ(server))))
        assert len(server.heard) == len(answers) + 1


def test_a_silent_endpoint_is_broken() -> None:
    """An endpoint that is set and says nothing is broken, not absent."""
    with FakeContainer() as server:
        server.inject(server.path, *[SILENCE] * 3)
        with pytest.raises(SourceBroken, match="gave no answer: timed out"):
            source(timeout=0.1).resolve(context(environ(server)))
        assert len(server.heard) == 3


def test_the_budget() -> None:
    """Three attempts with their pauses fit into what the source may take at most."""
    assert 3 * ContainerSource().timeout + 0.3 <= BUDGET < 30


def test_expired_credentials_are_tried() -> None:
    """A past expiry is a warning: STS decides, and AWS extends old keys in an outage."""
    with FakeContainer() as server:
        server.document = credential_document(Expiration="2020-01-01T00:00:00Z")
        outcome = found(source().resolve(context(environ(server))))
    assert "ran out at 2020-01-01T00:00:00Z" in outcome.warnings[0]


@pytest.mark.parametrize(
    ("variables", "description"),
    [
        ({FULL: "http://169.254.170.23/v1/credentials"}, "EKS Pod Identity"),
        ({FULL: "http://[fd00:ec2::23]/v1/credentials"}, "EKS Pod Identity"),
        ({RELATIVE: "/v1/credentials"}, "ECS task role"),
        ({FULL: "http://169.254.170.2/v1/credentials"}, "ECS task role"),
        ({FULL: "http://127.0.0.1/v1/credentials"}, "container credentials"),
    ],
)
def test_what_people_call_it(variables: dict[str, str], description: str) -> None:
    """The description names the service whose address it is."""
    with FakeContainer() as server:

        def connect(target: Target, timeout: float) -> socket.socket:
            return socket.create_connection(("127.0.0.1", server.port), timeout=timeout)

        client = replace(FakeTime().client(), connect=connect)
        outcome = found(ContainerSource(client=client).resolve(context(variables)))
        host = server.heard[0].headers["host"]
    assert outcome.launcher.description == description
    assert outcome.why == host


def test_a_pod_identity_token_names_it(tmp_path: Path) -> None:
    """On a loopback agent the token's place tells Pod Identity."""
    folder = tmp_path / "pods.eks.amazonaws.com"
    folder.mkdir()
    (folder / "token").write_text(POD_TOKEN)
    with FakeContainer(authorization=POD_TOKEN) as server:
        variables = environ(server, **{TOKEN_FILE: str(folder / "token")})
        outcome = found(source().resolve(context(variables)))
    assert outcome.launcher.description == "EKS Pod Identity"


def test_an_echoed_token_is_not_shown() -> None:
    """A hostile endpoint that sends our token back does not get it into a message."""
    with FakeContainer() as server:
        for body in (f"you said {POD_TOKEN}", credential_document()):
            server.inject(server.path, Reply(400, body))
            with pytest.raises(SourceBroken) as caught:
                source().resolve(context(environ(server, **{TOKEN: POD_TOKEN})))
            shown = texts_of(caught.value)
            assert POD_TOKEN not in shown
            assert SECRET_KEY not in shown


def test_a_refusal_is_quoted_in_one_short_line() -> None:
    """What an endpoint says of its refusal is evidence: one line, cut, without control codes."""
    with FakeContainer() as server:
        server.inject(server.path, Reply(400, "no\n\x1b[31massociation " + "x" * 500))
        with pytest.raises(SourceBroken) as caught:
            source().resolve(context(environ(server)))
    (line,) = caught.value.evidence
    assert line.startswith("the answer begins: no [31massociation xxx")
    assert len(line) < 230


def test_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither calamari's variables nor the process's send the token through a proxy."""
    with FakeServer() as proxy, FakeContainer() as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        found(source().resolve(context(environ(server, http_proxy=proxy.url))))
        assert proxy.connections == 0


@pytest.mark.parametrize(
    ("token_file", "tagged"),
    [("/var/run/secrets/pods.eks.amazonaws.com/token", True), ("/var/run/other/token", False)],
    ids=["Pod Identity", "another"],
)
def test_who_tags_its_sessions(token_file: str, tagged: bool, tmp_path: Path) -> None:
    """Pod Identity does, so that roles assumed from it must allow sts:TagSession."""
    path = tmp_path / token_file.lstrip("/")
    path.parent.mkdir(parents=True)
    path.write_text("the-pods-token")
    with FakeContainer(authorization="the-pods-token") as server:
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path),
        }
        launcher = found(ContainerSource().resolve(context(environ))).launcher
    assert launcher.has_session_tags is tagged
