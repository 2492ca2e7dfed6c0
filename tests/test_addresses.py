"""Which proxy leads to an address."""

from __future__ import annotations

import pytest

from calamari_py.addresses import proxies_for


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        pytest.param("https://sts.x", {"HTTPS_PROXY": "http://p:1"}, "http://p:1", id="upper"),
        pytest.param("https://sts.x", {"https_proxy": "http://p:1"}, "http://p:1", id="lower"),
        pytest.param("https://sts.x", {"HTTP_PROXY": "http://p:1"}, None, id="another scheme"),
        pytest.param("https://sts.x", {"HTTPS_PROXY": ""}, None, id="blank"),
        pytest.param(
            "https://sts.x", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a,sts.x"}, None, id="except"
        ),
        pytest.param(
            "https://sts.eu.x", {"HTTPS_PROXY": "http://p:1", "no_proxy": ".x"}, None, id="suffix"
        ),
        pytest.param("https://sts.x", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, None, id="*"),
        pytest.param(
            "https://sts.x",
            {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"},
            "http://p:1",
            id="lower first",
        ),
        pytest.param("http://127.0.0.1:1", {"HTTP_PROXY": "http://p:1"}, None, id="loopback"),
        pytest.param("https://localhost", {"HTTPS_PROXY": "http://p:1"}, None, id="localhost"),
        pytest.param("http://169.254.1.2", {"HTTP_PROXY": "http://p:1"}, None, id="link-local"),
        pytest.param("http://[::1]:1", {"HTTP_PROXY": "http://p:1"}, None, id="IPv6 loopback"),
    ],
)
def test_the_proxy_of_an_address(url: str, environ: dict[str, str], proxy: str | None) -> None:
    """The usual variables, and never for this machine or its metadata."""
    assert proxies_for(environ, url) == (
        {} if proxy is None else {url.split(":", maxsplit=1)[0]: proxy}
    )
