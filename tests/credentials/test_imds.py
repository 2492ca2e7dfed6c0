"""The instance metadata service, version 2 only."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from calamari_py.credentials import AccountType, resolve_launcher
from calamari_py.credentials._http import Target
from calamari_py.credentials.imds import BUDGET, ImdsSource
from calamari_py.errors import LauncherNotFound, SourceBroken
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import (
    SECRET_KEY,
    SESSION_TOKEN,
    FakeTime,
    absent,
    account,
    context,
    found,
    texts_of,
)
from tests.fake_metadata import (
    HANG_UP,
    SILENCE,
    Answer,
    FakeImds,
    FakeServer,
    Raw,
    Reply,
    credential_document,
)

ENDPOINT = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
TOKEN_PATH = "/latest/api/token"
ROLES_PATH = "/latest/meta-data/iam/security-credentials/"
KEYS_PATH = f"{ROLES_PATH}worker-role"
REGION_PATH = "/latest/meta-data/placement/region"


def source(*, in_container: bool = False, timeout: float = 5.0) -> ImdsSource:
    """The source with pauses that take no time."""
    return ImdsSource(
        client=FakeTime().client(),
        token_timeout=timeout,
        timeout=timeout,
        in_container=lambda environ: in_container,
    )


def environ(server: FakeImds, **others: str) -> dict[str, str]:
    """The override that points at the fake."""
    return {ENDPOINT: f"{server.url}/", **others}


def test_found() -> None:
    """Token, role, keys, region; each GET carries the token."""
    registry = SecretRegistry()
    with FakeImds() as imds:
        outcome = found(source().resolve(context(environ(imds), registry=registry)))
        assert imds.paths() == [
            f"PUT {TOKEN_PATH}",
            f"GET {ROLES_PATH}",
            f"GET {KEYS_PATH}",
            f"GET {REGION_PATH}",
        ]
        assert imds.tokenless_gets() == []
        assert outcome.why == f"127.0.0.1:{imds.port}, role worker-role"
        assert registry.holds_secret(imds.token)
    launcher = outcome.launcher
    assert (launcher.source, launcher.description) == ("imds", "EC2 instance role")
    assert launcher.region == "eu-west-1"
    assert launcher.credentials.secret_access_key.reveal() == SECRET_KEY
    assert launcher.credentials.session_token
    assert launcher.credentials.session_token.reveal() == SESSION_TOKEN
    for secret in (SECRET_KEY, SESSION_TOKEN):
        assert registry.holds_secret(secret)


@pytest.mark.parametrize("value", ["true", "TRUE", " True "])
def test_disabled(value: str) -> None:
    """AWS_EC2_METADATA_DISABLED makes it absent, without a connection."""
    with FakeImds() as imds:
        outcome = absent(source().resolve(context(environ(imds, AWS_EC2_METADATA_DISABLED=value))))
        assert imds.connections == 0
    assert outcome.hint == "unset AWS_EC2_METADATA_DISABLED"


@pytest.mark.parametrize("value", ["false", "", "0", "yes"])
def test_not_disabled(value: str) -> None:
    """Only ``true`` disables it, as in the AWS SDKs."""
    with FakeImds() as imds:
        found(source().resolve(context(environ(imds, AWS_EC2_METADATA_DISABLED=value))))


@pytest.mark.parametrize(
    ("answers", "vanished"),
    [
        pytest.param([HANG_UP] * 2, False, id="hangs up twice"),
        pytest.param([SILENCE, HANG_UP], False, id="silent, then hanging up"),
        pytest.param([SILENCE, SILENCE], True, id="silent"),
    ],
)
@pytest.mark.parametrize("in_container", [False, True])
def test_nobody_answers(answers: list[Answer], vanished: bool, in_container: bool) -> None:
    """Two silences are an absence; where answers vanish in a container, the hop limit is named."""
    with FakeImds() as imds:
        imds.inject(TOKEN_PATH, *answers)
        outcome = absent(
            source(in_container=in_container, timeout=0.2).resolve(context(environ(imds)))
        )
        assert imds.paths() == [f"PUT {TOKEN_PATH}"] * 2
    assert outcome.asked
    hop_limit = vanished and in_container
    assert ("hop limit" in outcome.why) is hop_limit
    command = "aws ec2 modify-instance-metadata-options --instance-id INSTANCE_ID "
    assert (command in outcome.hint) is hop_limit
    assert ("--http-put-response-hop-limit 2" in outcome.hint) is hop_limit
    assert bool(outcome.evidence) is hop_limit


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        pytest.param({}, "hop-limit 2", id="docker"),
        pytest.param({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Pod Identity or IRSA", id="EKS"),
    ],
)
def test_a_connection_that_hangs_in_a_container(variables: dict[str, str], advice: str) -> None:
    """On EKS a bigger hop limit is no advice: every pod would get the node's role."""

    def connect(target: Target, timeout: float) -> socket.socket:
        raise TimeoutError

    hanging = ImdsSource(
        client=replace(FakeTime().client(), connect=connect), in_container=lambda environ: True
    )
    outcome = absent(hanging.resolve(context(variables)))
    assert "without a connection" in outcome.why
    assert advice in outcome.hint
    assert ("hop-limit" in outcome.hint) is (not variables)
    types = {"ambient": AccountType(sources=(hanging, hanging))}
    with pytest.raises(LauncherNotFound) as caught:
        resolve_launcher(account(), context(variables), types=types)
    assert advice in caught.value.evidence[0]


def test_nobody_listens() -> None:
    """A closed port is an absence, too."""
    with FakeImds() as imds:
        variables = environ(imds)
    assert "refused" in absent(source().resolve(context(variables))).why


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        pytest.param([Reply(503)], 2, id="503"),
        pytest.param([HANG_UP], 2, id="hanging up once"),
        pytest.param([Reply(500), HANG_UP], 3, id="500, then hanging up"),
    ],
)
def test_a_token_is_asked_for_again(answers: list[Answer], asked: int) -> None:
    """A passing fault of the token request is survived."""
    with FakeImds() as imds:
        imds.inject(TOKEN_PATH, *answers)
        found(source().resolve(context(environ(imds))))
        assert imds.paths().count(f"PUT {TOKEN_PATH}") == asked


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        pytest.param([Reply(403)], "answered 403 to the token", id="403"),
        pytest.param([Reply(404)], "answered 404 to the token", id="404"),
        pytest.param([Reply(400)], "answered 400 to the token", id="400"),
        pytest.param([Reply(302)], "answered 302 to the token", id="redirect"),
        pytest.param([Reply(503)] * 3, "answered 503 to the token", id="503 for ever"),
        pytest.param([Reply(200, "")], "something that is no token", id="blank"),
        pytest.param([Reply(200, "<html>log in</html>")], "no token", id="HTML"),
        pytest.param([Reply(200, "a\r\nb")], "no token", id="line break"),
        pytest.param([Reply(200, '{"token":"x"}')], "no token", id="JSON"),
        pytest.param([Reply(200, b"\xff\xfe")], "no token", id="binary"),
        pytest.param([Reply(200, "x" * 2000)], "no token", id="long"),
        pytest.param([Raw(b"SSH-2.0-x\r\n")] * 3, "no HTTP", id="another protocol"),
        pytest.param([Reply(503), HANG_UP, HANG_UP], "gave no token", id="failing, then silent"),
    ],
)
def test_something_else_answers(answers: list[Answer], why: str) -> None:
    """What answers and gives no token is broken, and version 1 is never tried."""
    with FakeImds() as imds:
        imds.inject(TOKEN_PATH, *answers)
        with pytest.raises(SourceBroken, match=why):
            source().resolve(context(environ(imds)))
        assert set(imds.paths()) == {f"PUT {TOKEN_PATH}"}
        assert len(imds.heard) == len(answers)


def test_no_instance_profile() -> None:
    """An instance without a role is an absence: 404 is how the service says so."""
    with FakeImds(role=None) as imds:
        outcome = absent(source().resolve(context(environ(imds))))
        assert imds.paths() == [f"PUT {TOKEN_PATH}", f"GET {ROLES_PATH}"]
    assert outcome.why == "the instance has no instance profile"


@pytest.mark.parametrize(
    ("path", "answers", "why", "asked"),
    [
        pytest.param(ROLES_PATH, [Reply(403)], "403 to the role list", 1, id="roles 403"),
        pytest.param(ROLES_PATH, [Reply(401)], "401 to the role list", 1, id="roles 401"),
        pytest.param(ROLES_PATH, [Reply(500)] * 3, "500 to the role list", 3, id="roles 500"),
        pytest.param(ROLES_PATH, [HANG_UP] * 3, "stopped answering at the role list", 3, id="gone"),
        pytest.param(ROLES_PATH, [Reply(200, " ")], "no role name", 1, id="roles blank"),
        pytest.param(ROLES_PATH, [Reply(200, "../../x")], "no role name", 1, id="roles path"),
        pytest.param(ROLES_PATH, [Reply(200, "<html>")], "no role name", 1, id="roles HTML"),
        pytest.param(KEYS_PATH, [Reply(403)], "403 to the credentials", 1, id="keys 403"),
        pytest.param(KEYS_PATH, [Reply(404)], "404 to the credentials", 1, id="keys 404"),
        pytest.param(KEYS_PATH, [Reply(503)] * 3, "503 to the credentials", 3, id="keys 503"),
        pytest.param(KEYS_PATH, [HANG_UP] * 3, "stopped answering at the cred", 3, id="keys gone"),
        pytest.param(KEYS_PATH, [Reply(200, "{}")], "without 'AccessKeyId'", 1, id="keys empty"),
        pytest.param(KEYS_PATH, [Reply(200, "<p>")], "no credential document", 1, id="keys HTML"),
        pytest.param(
            KEYS_PATH,
            [Reply(200, credential_document(Code="AssumeRoleUnauthorizedAccess"))],
            "AssumeRoleUnauthorizedAccess",
            1,
            id="keys refused",
        ),
    ],
)
def test_broken(path: str, answers: list[Answer], why: str, asked: int) -> None:
    """A service that gave a token and fails then is broken; only faults are asked again."""
    with FakeImds() as imds:
        imds.inject(path, *answers)
        with pytest.raises(SourceBroken, match=why) as caught:
            source().resolve(context(environ(imds)))
        assert imds.paths().count(f"GET {path}") == asked
        assert imds.tokenless_gets() == []
        assert imds.token not in texts_of(caught.value)
    assert caught.value.hint


def test_the_services_own_words_are_shown() -> None:
    """Why EC2 has no credentials for a role is said by EC2 alone."""
    said = "EC2 cannot assume the role worker-role. See the documentation."
    refusal = credential_document(
        Code="AssumeRoleUnauthorizedAccess", Message=said, AccessKeyId=None, SecretAccessKey=None
    )
    with FakeImds() as imds:
        imds.inject(KEYS_PATH, Reply(200, refusal))
        with pytest.raises(SourceBroken) as caught:
            source().resolve(context(environ(imds)))
    assert caught.value.evidence == (f"it says: {said}",)


@pytest.mark.parametrize("path", [ROLES_PATH, KEYS_PATH])
@pytest.mark.parametrize(
    "answers", [pytest.param([Reply(503)], id="503"), pytest.param([HANG_UP, Reply(500)], id="two")]
)
def test_passing_faults_are_survived(path: str, answers: list[Answer]) -> None:
    """Role list and credentials are each asked up to three times."""
    with FakeImds() as imds:
        imds.inject(path, *answers)
        found(source().resolve(context(environ(imds))))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Reply(404), id="404"),
        pytest.param(HANG_UP, id="hangs up"),
        pytest.param(Reply(503), id="503"),
        pytest.param(Reply(200, "<html>"), id="no region"),
    ],
)
def test_the_region_is_a_courtesy(answer: Answer) -> None:
    """Without a region the credentials are good all the same, and it is asked for once."""
    with FakeImds() as imds:
        imds.inject(REGION_PATH, answer)
        outcome = found(source().resolve(context(environ(imds))))
        assert imds.paths().count(f"GET {REGION_PATH}") == 1
    assert outcome.launcher.region is None


def test_an_endpoint_with_a_path() -> None:
    """The endpoint's own path comes before every path of the service."""
    with FakeImds(prefix="/imds") as imds:
        found(source().resolve(context({ENDPOINT: f"{imds.url}/imds/"})))
        assert all(heard.path.startswith("/imds/latest/") for heard in imds.heard)


@pytest.mark.parametrize(
    ("variables", "authority"),
    [
        ({}, "169.254.169.254"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv4"}, "169.254.169.254"),
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv6"}, "[fd00:ec2::254]"),
        ({ENDPOINT: " "}, "169.254.169.254"),
        ({ENDPOINT: "http://metadata.example:81"}, "metadata.example:81"),
        (
            {ENDPOINT: "http://10.0.0.1", "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv6"},
            "10.0.0.1",
        ),
    ],
)
def test_where_it_asks(variables: dict[str, str], authority: str) -> None:
    """The endpoint variable wins over the mode, and the mode over the default address."""
    seen: list[str] = []

    def connect(target: Target, timeout: float) -> socket.socket:
        seen.append(target.authority)
        raise TimeoutError

    client = replace(FakeTime().client(), connect=connect)
    outcome = absent(ImdsSource(client=client).resolve(context(variables)))
    assert seen == [authority] * 2
    assert authority in outcome.why


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv5"}, "neither IPv4 nor IPv6"),
        ({ENDPOINT: "169.254.169.254"}, "no plain http or https URL"),
        ({ENDPOINT: "http://127.1/"}, "four plain numbers"),
        ({ENDPOINT: "http://a@127.0.0.1/"}, "host and a port"),
        ({ENDPOINT: "http://127.0.0.1/?x"}, "has a query"),
    ],
)
def test_an_endpoint_that_makes_no_sense(variables: dict[str, str], why: str) -> None:
    """A setting that cannot be followed is broken, not passed over."""
    with pytest.raises(SourceBroken, match=why) as caught:
        source().resolve(context(variables))
    assert caught.value.hint


def test_time_is_bounded() -> None:
    """A service that is slow at every turn is given up when the budget ends."""
    clock = FakeTime()
    begin = clock.now

    def connect(target: Target, timeout: float) -> socket.socket:
        clock.now += timeout
        if target.path == TOKEN_PATH:
            return socket.create_connection(("127.0.0.1", imds.port), timeout=5)
        raise TimeoutError

    slow = ImdsSource(client=replace(clock.client(), connect=connect), timeout=9.0)
    with FakeImds() as imds, pytest.raises(SourceBroken, match="stopped answering"):
        slow.resolve(context({}))
    assert clock.now - begin <= BUDGET


def test_the_defaults() -> None:
    """The token request takes 1 s and the whole source at most 15."""
    assert (ImdsSource().token_timeout, BUDGET) == (1.0, 15.0)


def test_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata never goes through a proxy."""
    with FakeServer() as proxy, FakeImds() as imds:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        found(source().resolve(context(environ(imds, http_proxy=proxy.url))))
        assert proxy.connections == 0
