"""Which forms of a secret are masked, checked against the real encoders."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unicodedata
import urllib.parse
from collections.abc import Callable
from xml.etree import ElementTree as ET
from xml.sax import saxutils

import pytest
import yaml

from calamari_py.masking import SecretRegistry
from calamari_py.masking.forms import core_of, encoded, literals
from tests.masking.streams import bytewise, registry_of, through

SECRETS = {
    "letters": "correcthorsebattery",
    "key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "punctuation": "p&a<s>s'w\"o\\r/d+1 $x`!~*()=;:@,?#[]{}|^%.-_",
    "quotes": "it's \"quoted\" 'twice'",
    "unicode": "pässwörd-日本語😀end",
    "control": "tab\there\x1b[0m\x07bell\x7f",
    "lines": "first line & more\nsecond 'line'\n\n  third \"line\"",
    "crlf": "first part of it\r\nsecond part of it",
}


def php_json(text: str) -> str:
    """What PHP's json_encode writes."""
    return json.dumps(text).replace("/", "\\/")[1:-1]


def go_json(text: str) -> str:
    """What Go's encoding/json writes."""
    inner = json.dumps(text, ensure_ascii=False)[1:-1]
    return re.sub("[<>&\u2028\u2029]", lambda found: f"\\u{ord(found[0]):04x}", inner)


def js_component(text: str) -> str:
    """What encodeURIComponent writes."""
    return urllib.parse.quote(text, safe="!'()*")


ENCODERS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "quote": urllib.parse.quote,
    "quote-all": lambda text: urllib.parse.quote(text, safe=""),
    "quote-plus": urllib.parse.quote_plus,
    "quote-lower": lambda text: re.sub(
        "%..", lambda found: found[0].lower(), urllib.parse.quote(text)
    ),
    "js-component": js_component,
    "js-uri": lambda text: urllib.parse.quote(text, safe=";/?:@&=+$,#!'()*"),
    "go-path": lambda text: urllib.parse.quote(text, safe="$&+=:@"),
    "form": lambda text: urllib.parse.quote_plus(text, safe="*").replace("~", "%7E"),
    "json": lambda text: json.dumps(text)[1:-1],
    "json-unicode": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "json-slash": php_json,
    "json-html": go_json,
    "json-in-json": lambda text: json.dumps(json.dumps(text))[3:-3],
    "json-in-json-unicode": lambda text: json.dumps(
        json.dumps(text, ensure_ascii=False), ensure_ascii=False
    )[3:-3],
    "json-html-in-json": lambda text: go_json(go_json(text)),
    "html": html.escape,
    "html-no-quotes": lambda text: html.escape(text, quote=False),
    "xml-attribute": lambda text: saxutils.escape(text, {'"': "&quot;"}),
    "xml-numeric": lambda text: html.escape(text).replace("&quot;", "&#34;").replace("x27", "39"),
    "xml-apos": lambda text: html.escape(text).replace("&#x27;", "&apos;"),
    "xml-ascii": lambda text: (
        saxutils.escape(text, {'"': "&quot;"}).encode("ascii", "xmlcharrefreplace").decode()
    ),
    "shlex": lambda text: shlex.quote(text)[1:-1] if shlex.quote(text) != text else text,
    "single-quoted": lambda text: text.replace("'", "'\\''"),
    "double-quoted": lambda text: re.sub(r'([\\"$`])', r"\\\1", text),
    "doubled-single": lambda text: text.replace("'", "''"),
    "doubled-double": lambda text: text.replace('"', '""'),
    "repr": lambda text: repr(text)[1:-1],
    "repr-bytes": lambda text: repr(text.encode())[2:-1],
    "hex": lambda text: text.encode().hex(),
    "hex-upper": lambda text: text.encode().hex().upper(),
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("encode", ENCODERS.values(), ids=ENCODERS)
def test_encoded(secret: str, encode: Callable[[str], str]) -> None:
    """P10: a secret is masked in every way in which common programs write it."""
    registry = registry_of(secret)
    text = f"<< {encode(secret)} >>"
    assert registry.mask_text(text) == "<< *** >>"
    assert registry.holds_secret(text)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("before", [b"", b"u", b"u:", b"us:", b"use:"], ids=len)
@pytest.mark.parametrize("after", [b"", b"\n", b"@h", b"@hh"], ids=len)
def test_base64_is_exact(secret: str, before: bytes, after: bytes) -> None:
    """P11: what is before, after, a newline and padding do not matter; neighbours survive."""
    data = secret.encode()
    registry = registry_of(secret)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        plain = encode(before + data + after)
        masked = registry.mask_bytes(plain)
        left, token, right = masked.partition(b"***")
        assert token == b"***"
        assert plain.startswith(left)
        assert plain.endswith(right)
        # Up to a character at each end depends on the secret and on its neighbour.
        assert len(left) <= len(before) * 8 // 6 + 1
        assert len(right.rstrip(b"=")) <= -(-(len(after) + 1) * 8 // 6)
        if before and after:
            assert (
                base64.b64decode(left[: len(left) // 4 * 4], b"-_") == before[: len(left) // 4 * 3]
            )


def test_utf16_base64() -> None:
    """P10: what PowerShell takes as -EncodedCommand is masked too."""
    secret = "correct-horse-battery"
    command = base64.b64encode(f"Connect -Password {secret}; exit".encode("utf-16-le")).decode()
    masked = registry_of(secret).mask_text(command)
    assert masked.count("***") == 1
    assert len(masked) <= len(command) - len(secret) * 2


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_unicode_spellings(form: str) -> None:
    """P10: composed and decomposed letters are the same secret."""
    assert form in {"NFC", "NFD"}
    secret = unicodedata.normalize("NFC" if form == "NFD" else "NFD", "pässwörd-é-ñ")
    written = unicodedata.normalize("NFC" if form == "NFC" else "NFD", secret)
    registry = registry_of(secret)
    assert registry.mask_text(f"x {written} y") == "x *** y"
    assert registry.mask_text(json.dumps(written)) == '"***"'


def test_bytes_that_are_no_utf8() -> None:
    """A secret of any bytes is masked as bytes, as text and in base64."""
    secret = b"\xff\xfe\x00binary\x80secret"
    registry = registry_of(secret)
    assert registry.mask_bytes(b"[" + secret + b"]") == b"[***]"
    text = secret.decode("utf-8", "surrogateescape")
    assert registry.mask_text(f"[{text}]") == "[***]"
    assert registry.mask_text(base64.b64encode(b"abc" + secret + b"abc").decode()).count("***") == 1
    assert registry.mask_text(repr(secret)) == "b'***'"


def test_a_lone_surrogate_in_a_text_is_no_way_out() -> None:
    """A text that is not encodable is masked like any other."""
    registry = registry_of("hunter22")
    assert "hunter22" not in registry.mask_text("\ud800 hunter22")
    assert registry.mask_text("\ud800 nothing") == "\ud800 nothing"


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_what_bash_writes(secret: str, locale: str) -> None:
    """P10: ``printf %q``, ``${x@Q}``, ``declare -p`` and ``set -x`` of a real bash are masked."""
    script = 'printf \'%q\\n\' "$S"; echo "${S@Q}"; declare -p S; set -x; : "$S"'
    done = subprocess.run(
        ["bash", "-c", script],
        env={"S": secret, "LC_ALL": locale, "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    masked = registry_of(secret).mask_bytes(done.stdout)
    assert masked.count(b"***") == 4, masked
    assert not set(re.findall(rb"[a-z]{5,}", masked)) - {b"declare"}


NODE = """
const s = process.env.S, b = Buffer.from(s)
const json = JSON.stringify(s)
console.log(encodeURIComponent(s) + " " + encodeURI(s) + " " + new URLSearchParams({s}))
console.log(json, JSON.stringify(json), JSON.stringify({s: json}))
console.log("%s %s %s", b.toString("base64"), b.toString("base64url"), b.toString("hex"))
console.log(Buffer.from(s, "utf16le").toString("base64"))
"""
JQ = "env.S | @uri, @sh, @html, @json, @base64, ([.] | @csv, @tsv), (tojson | tojson)"
TOOLS = {
    "jq": ["jq", "-nr", JQ],
    "node": ["node", "-e", NODE],
    "perl": [
        "perl",
        "-MMIME::Base64",
        "-e",
        'print unpack("H*", $ENV{S}), encode_base64($ENV{S}, "")',
    ],
    "xxd": ["bash", "-c", 'printf %s "$S" | xxd -p -c 0; printf %s "$S" | xxd -p -u -c 0'],
    "openssl": ["bash", "-c", 'printf %s "$S" | openssl base64 -A'],
}


@pytest.mark.process
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("command", TOOLS.values(), ids=TOOLS)
def test_what_other_programs_write(secret: str, command: list[str]) -> None:
    """P10: a secret that real programs encoded is masked: no four letters of it in a row remain."""
    for program in (command[0], "xxd" if "xxd" in command[-1] else command[0]):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")
    done = subprocess.run(
        command,
        env={"S": secret, "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        check=True,
    )
    masked = registry_of(secret).mask_bytes(done.stdout)
    assert b"***" in bytes(masked)
    assert not re.findall(rb"[0-9A-Za-z]{4,}", masked), masked


def go_quoted(text: str) -> str:
    """What Go's %q writes for a string of printable characters and controls."""
    named = {7: "a", 8: "b", 12: "f", 10: "n", 13: "r", 9: "t", 11: "v", 92: "\\", 34: '"'}
    written = ("\\" + named[ord(char)] if ord(char) in named else char for char in text)
    return "".join([f"\\x{ord(c):02x}" if c < " " or c == "\x7f" else c for c in written])


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_what_python_libraries_write(secret: str) -> None:
    """P10: YAML scalars, CSV cells, XML documents and %q of Go hold no secret."""
    cells = io.StringIO()
    csv.writer(cells).writerow([secret, "next"])
    element = ET.Element("e", {"a": secret})
    element.text = secret
    written = [
        cells.getvalue(),
        ET.tostring(element, encoding="unicode"),
        ET.tostring(element).decode(),
        go_quoted(secret),
    ]
    written += [
        yaml.safe_dump([secret], default_style=style, width=10_000, allow_unicode=wide)
        for style in ("'", '"', None)
        for wide in (True, False)
    ]
    registry = registry_of(secret)
    for text in written:
        masked = registry.mask_text(text)
        assert "***" in masked
        assert not set(re.findall("[0-9A-Za-z]{4,}", masked)) - {"next"}, (text, masked)


def test_programs_that_ci_must_have() -> None:
    """bash is what most steps are written in: its encodings are never skipped on Linux."""
    assert sys.platform != "linux" or shutil.which("bash")


@pytest.mark.parametrize(
    ("value", "core"),
    [
        pytest.param(b"  hunter22\n", b"hunter22", id="trimmed"),
        pytest.param(b'{\n  "key": "value"\n}\n', b'"key": "value"', id="braces"),
        pytest.param(b"ab\nlong enough line\nc", b"long enough line", id="short-edges"),
        pytest.param(
            b"abcd\nlong enough line\nabcd", b"abcd\nlong enough line\nabcd", id="edges-4"
        ),
        pytest.param(b"{\nabcd\n}", b"{\nabcd\n}", id="too-little-would-remain"),
        pytest.param(b"a\nb\nc\nd", b"a\nb\nc\nd", id="nothing-would-remain"),
        pytest.param(b"ab", b"ab", id="one-short-line"),
    ],
)
def test_core(value: bytes, core: bytes) -> None:
    """P14c: short first and last lines do not belong to a secret unless hardly more is left."""
    assert core_of(value) == core


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        pytest.param("ab1 cd23\nef4 gh56", "ab1 cd23\r\nef4 gh56", "***", id="crlf"),
        pytest.param("ab1 cd23\nef4 gh56", "ab1 cd23\r\r\nef4 gh56", "***", id="crcrlf"),
        pytest.param("ab1 cd23\nef4 gh56", "ab1 cd23 ef4 gh56", "***", id="unquoted-echo"),
        pytest.param("ab1 cd23\nef4 gh56", "|\n  ab1 cd23\n  ef4 gh56", "|\n  ***", id="yaml"),
        pytest.param("ab1 cd23\nef4 gh56", "> ab1 cd23\n> ef4 gh56", "> ***\n> ***", id="quoted"),
        pytest.param("ab1 cd23\nshort", "short ab1 cd23", "short ***", id="short-line-alone"),
        pytest.param(
            "-----BEGIN X-----\nMIIEabcd\nMIIEefgh\n-----END X-----",
            "-----BEGIN X-----\nother\n MIIEefgh",
            "-----BEGIN X-----\nother\n ***",
            id="armour-alone",
        ),
        pytest.param(
            "-----BEGIN X-----\nMIIEabcd\n-----END X-----\n",
            "a -----BEGIN X-----\nMIIEabcd\n-----END X-----\nb",
            "a ***\nb",
            id="pem-whole",
        ),
        pytest.param("{\n}", "a {\n} b { } {\n}", "a {\n} b { } {\n}", id="braces-only"),
        pytest.param(
            '{\n  "password": "x1y2z3"\n}', 'a {"password": "x1y2z3"} b', "a {***} b", id="json"
        ),
    ],
)
def test_lines(value: str, text: str, expected: str) -> None:
    """P14: line ends match any whitespace; long lines are masked alone, armour and braces not."""
    registry = registry_of(value)
    assert registry.mask_text(text) == expected
    assert through(registry, bytewise(text.encode())) == expected.encode()


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        pytest.param(b"abcd", [], id="4"),
        pytest.param(b"ab/d'", [], id="5"),
        pytest.param(
            b"ab/d'6",
            [
                "base64",
                "base64 of UTF-16",
                "doubled quotes",
                "hex",
                "json",
                "percent",
                "repr",
                "shell",
                "xml",
            ],
            id="6",
        ),
        pytest.param(b"abcdef", ["base64", "base64 of UTF-16", "hex"], id="6-plain"),
    ],
)
def test_short_values_have_no_derived_forms(value: bytes, kinds: list[str]) -> None:
    """P8: 4 and 5 bytes are masked as they are only; from 6 on every form is."""
    registry = registry_of(value)
    found = set(registry.forms["s0"]) - {"literal"}
    assert sorted(found - {"base64url", "base64 of UTF-16url", "json in json"}) == sorted(kinds)
    assert registry.mask_bytes(value) == b"***"


@pytest.mark.parametrize("value", [b"abcdef", b"a b'c/", b"{}\n[]\n", "äöü".encode(), b"\0" * 6])
def test_floor(value: bytes) -> None:
    """P9: no derived form is shorter than eight bytes or the secret itself."""
    forms = [form for _, form in encoded(value)]
    assert forms
    assert min(map(len, forms)) >= min(8, len(value.strip()))


def test_every_form_is_bounded_and_named() -> None:
    """A secret full of punctuation has some dozens of forms, all different from its literals."""
    value = SECRETS["punctuation"].encode()
    forms = {form for _, form in encoded(value)}
    assert 20 < len(forms) < 90
    assert value not in forms
    assert [kind for kind, _ in literals(value)] == ["literal"]


def test_a_long_token_masks_no_common_text() -> None:
    """Forms never turn ordinary output into stars."""
    registry = SecretRegistry()
    for name, secret in SECRETS.items():
        registry.add(secret, name=name)
    text = (
        "Reading state... {\"a\": [1, 2]} <b>done</b> 'quoted' https://example.com/%20 100%\n" * 3
    )
    assert registry.mask_text(text) == text
