"""P10: each way in which programs write a secret into XML or HTML."""

from __future__ import annotations

import pytest

from calamari_py.masking import SecretRegistry

SECRET = "p<a>s&s\"w'o`r=d/1\té2"
ALWAYS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


@pytest.mark.parametrize(
    "signs",
    [
        pytest.param({}, id="text"),
        pytest.param({">": ">"}, id="text, greater than left"),
        pytest.param({'"': "&quot;"}, id="attribute"),
        pytest.param({'"': "&quot;", "'": "&#39;"}, id="decimal apostrophe"),
        pytest.param({'"': "&quot;", "'": "&#039;"}, id="PHP"),
        pytest.param({'"': "&quot;", "'": "&#x27;"}, id="hexadecimal apostrophe"),
        pytest.param({'"': "&quot;", "'": "&apos;"}, id="named apostrophe"),
        pytest.param({'"': "&quot;", "\t": "&#x9;"}, id="hexadecimal tab"),
        pytest.param({'"': "&quot;", "\t": "&#9;"}, id="decimal tab"),
        pytest.param({'"': "&quot;", "\t": "&#09;"}, id="ElementTree"),
        pytest.param({'"': "&#34;", "'": "&#39;"}, id="Go html/template"),
        pytest.param({'"': "&#34;", "'": "&#39;", "\t": "&#x9;"}, id="Go encoding/xml"),
        pytest.param({'"': "&quot;", "'": "&#x27;", "`": "&#x60;", "=": "&#x3D;"}, id="Handlebars"),
        pytest.param(
            {'"': "&quot;", "'": "&#39;", "`": "&#x60;", "=": "&#x3D;", "/": "&#x2F;"},
            id="Mustache",
        ),
        pytest.param({'"': "&quot;", "é": "&#233;"}, id="ASCII"),
    ],
)
def test_xml(signs: dict[str, str]) -> None:
    """One character is written by one notation throughout, and nothing of the secret is left."""
    registry = SecretRegistry()
    registry.add(SECRET, name="secret")
    written = "".join({**ALWAYS, **signs}.get(char, char) for char in SECRET)
    assert registry.mask_text(f'<a b="{written}">') == '<a b="***">'
