"""Token services of GitHub Actions and Azure Pipelines, by way of ``requests``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import requests
import responses
from responses import matchers

from calamari_py.credentials._http import LIMIT
from calamari_py.credentials.issuers import Issuer, Minted
from calamari_py.credentials.issuers._service import BUDGET, TokenService
from calamari_py.credentials.issuers.azure_devops import AzureDevops
from calamari_py.credentials.issuers.github_actions import GithubActions
from calamari_py.errors import SourceBroken
from calamari_py.masking import SecretRegistry
from tests.credentials.fakes import FakeTime, texts_of
from tests.credentials.issuers.support import BEARER, TOKEN, patient, request
from tests.fake_metadata import Answer, FakeServer, Heard, Raw, Reply


@dataclass(frozen=True, kw_only=True)
class Case:
    """One service: how it is made, where it is and what it answers."""

    issuer: Callable[[TokenService], Issuer]
    url: str
    url_name: str
    bearer_name: str
    method: str
    field: str
    query: dict[str, str]

    def mint(
        self,
        url: str | None = None,
        *,
        time: FakeTime | None = None,
        registry: SecretRegistry | None = None,
        timeout: float = 5.0,
        environ: Mapping[str, str] | None = None,
    ) -> Minted:
        """Ask for a token; `environ` is what there is beside the two variables."""
        service = patient("the service", self.url_name, time=time)
        issuer = self.issuer(
            TokenService(
                title=service.title, variable=service.variable, pace=service.pace, timeout=timeout
            )
        )
        base = {self.url_name: url or self.url, self.bearer_name: BEARER}
        return issuer.mint(request({**base, **(environ or {})}, registry=registry))

    def answer(self, **fields: Any) -> str:
        """A good answer, but for `fields`."""
        return json.dumps({"count": 1, self.field: TOKEN, **fields})


GITHUB = Case(
    issuer=lambda service: GithubActions(service=service),
    url="https://pipelines.example/token?api-version=2.0",
    url_name="ACTIONS_ID_TOKEN_REQUEST_URL",
    bearer_name="ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    method="GET",
    field="value",
    query={"api-version": "2.0", "audience": "sts.amazonaws.com"},
)
AZURE = Case(
    issuer=lambda service: AzureDevops(service=service),
    url="https://dev.azure.example/acme/_apis/oidctoken",
    url_name="SYSTEM_OIDCREQUESTURI",
    bearer_name="SYSTEM_ACCESSTOKEN",
    method="POST",
    field="oidcToken",
    query={"api-version": "7.1"},
)
both = pytest.mark.parametrize(
    "case", [pytest.param(GITHUB, id="github"), pytest.param(AZURE, id="azure")]
)


@pytest.fixture
def network() -> Iterator[responses.RequestsMock]:
    """No request leaves: only what a test registers is answered."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def register(network: responses.RequestsMock, case: Case, **options: Any) -> None:
    """The service behind `case`, which wants its bearer and its query."""
    network.add(
        case.method,
        case.url.partition("?")[0],
        match=[
            matchers.header_matcher({"Authorization": f"Bearer {BEARER}"}),
            matchers.query_param_matcher(case.query),
        ],
        **{"body": case.answer(), **options},
    )


@both
def test_found(case: Case, network: responses.RequestsMock) -> None:
    """The service is asked with the job's bearer, and bearer and token are secrets from then on."""
    registry = SecretRegistry()
    register(network, case)
    minted = case.mint(registry=registry)
    assert minted.token.reveal() == TOKEN
    assert minted.environment_names == {case.url_name, case.bearer_name}
    assert registry.holds_secret(BEARER)
    assert registry.holds_secret(TOKEN)
    case.mint()
    assert len(network.calls) == 2


def test_another_audience(network: responses.RequestsMock) -> None:
    """GitHub makes the token out to whom the manifest says."""
    network.get(GITHUB.url.partition("?")[0], body=GITHUB.answer())
    environ = {GITHUB.url_name: GITHUB.url, GITHUB.bearer_name: BEARER}
    GithubActions().mint(request(environ, audience="me & you"))
    assert (network.calls[0].request.url or "").endswith("?api-version=2.0&audience=me+%26+you")


def test_a_service_connection(network: responses.RequestsMock) -> None:
    """Azure makes the token out for the service connection that the manifest names."""
    network.post(AZURE.url, body=AZURE.answer())
    environ = {AZURE.url_name: AZURE.url, AZURE.bearer_name: BEARER}
    AzureDevops().mint(request(environ, service_connection="1-2-3"))
    assert (network.calls[0].request.url or "").endswith(
        "oidctoken?api-version=7.1&serviceConnectionId=1-2-3"
    )


@both
@pytest.mark.parametrize("missing", ["url_name", "bearer_name"])
def test_absent(case: Case, missing: str, network: responses.RequestsMock) -> None:
    """Outside of a job that may ask, the hint says what allows it."""
    name = getattr(case, missing)
    with pytest.raises(SourceBroken, match=f"'{name}' is not set") as caught:
        case.mint(environ={name: " "})
    assert caught.value.hint
    assert not network.calls


@both
@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        pytest.param([{"status": 503}], 2, id="503"),
        pytest.param([{"status": 500}, {"status": 502}], 3, id="two"),
        pytest.param([{"body": requests.ConnectTimeout()}], 2, id="timeout"),
        pytest.param([{"body": requests.ConnectionError()}], 2, id="broken off"),
    ],
)
def test_passing_faults_are_survived(
    case: Case, answers: list[dict[str, Any]], asked: int, network: responses.RequestsMock
) -> None:
    """A service that fails or vanishes is asked again."""
    for answer in answers:
        register(network, case, **answer)
    register(network, case)
    assert case.mint().token.reveal() == TOKEN
    assert len(network.calls) == asked


@both
@pytest.mark.parametrize(
    ("answer", "why", "asked"),
    [
        pytest.param({"status": 400}, "answered 400", 1, id="400"),
        pytest.param({"status": 401}, "answered 401", 1, id="401"),
        pytest.param({"status": 403}, "answered 403", 1, id="403"),
        pytest.param({"status": 404}, "answered 404", 1, id="404"),
        pytest.param({"status": 429}, "answered 429", 1, id="429"),
        pytest.param({"status": 302, "headers": {"Location": "https://evil.example/"}},
                     "answered 302", 1, id="redirect"),
        pytest.param({"status": 503}, "answered 503", 3, id="503 for ever"),
        pytest.param({"body": requests.ConnectTimeout()}, "gave no answer: timed out", 3,
                     id="silent"),
        pytest.param({"body": requests.exceptions.ProxyError()}, "the proxy", 3, id="proxy"),
        pytest.param({"body": requests.exceptions.SSLError(
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local "
            "issuer certificate (_ssl.c:1)")}, r"TLS failed \(unable to get local issuer", 3,
            id="TLS"),
        pytest.param({"body": OSError("Could not find a suitable TLS CA certificate bundle")},
                     "certificate authorities", 3, id="no CA bundle"),
        pytest.param({"body": "<html>log in</html>"}, "is empty", 1, id="HTML"),
        pytest.param({"body": "[]"}, "is empty", 1, id="a list"),
        pytest.param({"body": "{}"}, "is empty", 1, id="no field"),
        pytest.param({"body": b"\xff\xfe\x00"}, "is empty", 1, id="binary"),
        pytest.param({"body": "[" * 60_000}, "is empty", 1, id="nested"),
        pytest.param({"body": "x" * (LIMIT + 1)}, "more than 64 KiB", 3, id="huge"),
    ],
)  # fmt: skip
def test_broken_and_lying(
    case: Case, answer: dict[str, Any], why: str, asked: int, network: responses.RequestsMock
) -> None:
    """Whatever comes that is no token is broken, only faults are asked again, and the job's bearer
    is never shown."""
    register(network, case, **answer)
    with pytest.raises(SourceBroken, match=why) as caught:
        case.mint()
    assert len(network.calls) == asked
    assert caught.value.hint
    assert BEARER not in texts_of(caught.value)


@both
@pytest.mark.parametrize("value", [7, "a b c d", "x", "x" * 20_001, None, {"a": 1}])
def test_a_value_that_is_no_token(
    case: Case, value: object, network: responses.RequestsMock
) -> None:
    """The field is there, and what it holds is no token."""
    register(network, case, body=case.answer(**{case.field: value}))
    with pytest.raises(SourceBroken):
        case.mint()


@both
@pytest.mark.parametrize(
    "url",
    [
        "http://evil.test/", "http://localhost/", "http://10.0.0.1/", "https://a@evil.test/",
        "http://evil.test\\@127.0.0.1/", "ftp://x/", "file:///etc/passwd", "https://x/\r\nA: b",
        "https://2130706433/", "//x/", "https://x/#y",
    ],
)  # fmt: skip
def test_where_the_bearer_never_goes(case: Case, url: str, network: responses.RequestsMock) -> None:
    """It goes out by https only, to a host that can be read in one way, or stays here."""
    with pytest.raises(SourceBroken, match=f"'{case.url_name}' is refused") as caught:
        case.mint(url)
    assert not network.calls
    assert BEARER not in texts_of(caught.value)


@both
def test_an_answer_that_quotes_the_bearer(case: Case, network: responses.RequestsMock) -> None:
    """What a hostile service says is shown short, and masked."""
    register(network, case, status=403, body=f"you said {BEARER} {'x' * 5000}")
    with pytest.raises(SourceBroken) as caught:
        case.mint()
    assert BEARER not in texts_of(caught.value)
    assert len("".join(caught.value.evidence)) < 300


class Service(FakeServer):
    """A real server: what a mock of `requests` cannot show."""

    def tell(self, heard: Heard) -> Answer:
        if heard.headers.get("authorization") != f"Bearer {BEARER}":
            return Reply(401)
        return Reply(200, json.dumps({"value": TOKEN, "oidcToken": TOKEN}))


@both
def test_over_a_socket(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine is asked by plain http, and by no proxy, whatever the environments say."""
    with Service() as service, FakeServer() as proxy:
        for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        minted = case.mint(
            f"{service.url}/token", environ={"http_proxy": proxy.url, "HTTP_PROXY": proxy.url}
        )
        assert minted.token.reveal() == TOKEN
        assert service.heard[0].method == case.method
        assert proxy.connections == 0


def test_a_redirect_is_not_followed() -> None:
    """Not even to the next room: the bearer would go with it."""
    with Service() as service, Service() as other:
        service.inject(
            "/?audience=sts.amazonaws.com", Reply(302, "", {"Location": f"{other.url}/"})
        )
        with pytest.raises(SourceBroken, match="answered 302"):
            GITHUB.mint(f"{service.url}/")
        assert other.connections == 0


def test_a_dripping_service_is_given_up() -> None:
    """A byte now and then does not hold us: an attempt ends when its time does."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
    with Service() as service:
        dripping = [Raw(head + b" " * 9999, drip=0.05)] * 3
        service.inject("/?audience=sts.amazonaws.com", *dripping)
        with pytest.raises(SourceBroken, match=r"no answer: timed out after 0\.2 s"):
            GITHUB.mint(f"{service.url}/", timeout=0.2)
        assert len(service.heard) == 3


def test_the_whole_has_a_budget(network: responses.RequestsMock) -> None:
    """However slow the attempts are, all of them together are not slower than the budget."""
    clock = FakeTime()

    def slow(_request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        clock.now += BUDGET - 0.05
        return 503, {}, ""

    network.add_callback("GET", GITHUB.url.partition("?")[0], callback=slow)
    with pytest.raises(SourceBroken, match="503"):
        GITHUB.mint(time=clock)
    assert len(network.calls) == 1


@pytest.mark.parametrize(
    ("environ", "bundle"),
    [
        pytest.param({}, True, id="requests' own"),
        pytest.param({"REQUESTS_CA_BUNDLE": "/a", "SSL_CERT_FILE": "/b"}, "/a", id="requests"),
        pytest.param({"SSL_CERT_FILE": "/b", "AWS_CA_BUNDLE": "/c"}, "/b", id="openssl"),
        pytest.param({"AWS_CA_BUNDLE": "/c", "SSL_CERT_FILE": " "}, "/c", id="aws"),
    ],
)
def test_certificate_authorities(
    environ: dict[str, str], bundle: str | bool, network: responses.RequestsMock
) -> None:
    """The caller's bundle verifies the service; verification is never switched off."""
    register(network, GITHUB)
    GITHUB.mint(environ=environ)
    assert vars(network.calls[0].request)["req_kwargs"]["verify"] == bundle


@both
def test_look(case: Case, network: responses.RequestsMock) -> None:
    """Nothing is asked to see that something could be asked."""
    issuer = case.issuer(patient("x", case.url_name))
    both_set = {case.url_name: case.url, case.bearer_name: BEARER}
    assert issuer.look(request(both_set)).state == "present"
    assert issuer.look(request({case.url_name: case.url})).state == "absent"
    assert not network.calls
