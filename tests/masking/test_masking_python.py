"""How Python writes a secret in ASCII, and one notation in another, by its own encoders."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable

import pytest

from calamari_py.masking.forms import encoded, to_bytes
from tests.masking.streams import bytewise, registry_of, through

SECRETS = {
    "euro": "pässwörd-€-12345",
    "latin-1": "pässwörd-12345",
    "beyond-16-bits": "tök\\en 😀 日本語 end",
    "controls": "tön\x85\x7f\x07\x1b\tend",
    "decomposed": "pa\u0308sswo\u0308rd-12345",
    "no-utf-8": "pä\udcffssw\udc80rd-1",
    "wide-apostrophe": "pä's€\\word",
    "wide-quote": 'pä"s€\\word',
    "wide-both": "pä's\"s€\\wo\x7frd",
    "wide-lines": 'erste zeile ä\'s\nzweite "zeile" €',
    "both-quotes": 'it\'s "quoted" \\ twice',
    "apostrophe": "it's a \\ secret\ttab",
    "quote": 'a "quoted" \\ secret\ttab',
    "escape": "tok\x1b[0m\\end of it",
    "delete": "abc'def\"gh\x7fi",
}


def in_json(text: str) -> str:
    """A JSON document that holds `text`, in ASCII."""
    return json.dumps({"a": text})


def in_wide_json(text: str) -> str:
    """The same with letters as they are."""
    return json.dumps({"a": text}, ensure_ascii=False)


def utf8(text: str) -> bytes:
    """The bytes of `text`, also of one that is no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def unicode_escape(text: str) -> bytes:
    """What ``unicode_escape`` makes of `text`."""
    return text.encode("unicode_escape")


def replaced(text: str, codec: str = "ascii") -> bytes:
    """What ``backslashreplace`` makes of `text`."""
    return text.encode(codec, "backslashreplace")


PYTHON: dict[str, Callable[[str], str]] = {
    "repr": repr,
    "ascii": ascii,
    "unicode-escape": lambda text: unicode_escape(text).decode(),
    "backslashreplace": lambda text: replaced(text).decode(),
    "backslashreplace-of-utf-8": lambda text: replaced(text, "utf-8").decode(),
    "decoded-as-ascii": lambda text: utf8(text).decode("ascii", "backslashreplace"),
    "decoded-as-utf-8": lambda text: utf8(text).decode("utf-8", "backslashreplace"),
    "repr-of-utf-8": lambda text: repr(utf8(text)),
    "repr-of-latin-1": lambda text: repr(replaced(text, "latin-1")),
    "repr-of-unicode-escape": lambda text: repr(unicode_escape(text)),
    "repr-of-backslashreplace": lambda text: repr(replaced(text)),
    "repr-of-repr": lambda text: repr(repr(text)),
    "repr-of-ascii": lambda text: repr(ascii(text)),
}
NESTED: dict[str, Callable[[str], str]] = {
    "repr-of-json": lambda text: repr(in_json(text)),
    "repr-of-wide-json": lambda text: repr(in_wide_json(text)),
    "repr-of-json-bytes": lambda text: repr(utf8(in_wide_json(text))),
    "ascii-of-json": lambda text: ascii(in_wide_json(text)),
    "backslashreplace-of-json": lambda text: replaced(in_wide_json(text)).decode(),
    "json-of-repr": lambda text: in_json(repr(text)),
    "wide-json-of-repr": lambda text: in_wide_json(repr(text)),
    "json-of-ascii": lambda text: in_json(ascii(text)),
    "json-of-unicode-escape": lambda text: in_json(unicode_escape(text).decode()),
    "json-of-backslashreplace": lambda text: in_json(replaced(text).decode()),
    "shlex-of-json": lambda text: shlex.quote(in_json(text)),
    "shlex-of-wide-json": lambda text: shlex.quote(in_wide_json(text)),
    "single-quoted-json": lambda text: in_json(text).replace("'", "'\\''"),
    "single-quoted-wide-json": lambda text: in_wide_json(text).replace("'", "'\\''"),
}
WRITERS = PYTHON | NESTED


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_written_by_python(secret: str, write: Callable[[str], str]) -> None:
    """P10: what Python makes of a secret is one mask, and only what is around it is left."""
    registry = registry_of(secret)
    written = write(secret)
    masked = registry.mask_text(f"<< {written} >>")
    left, token, right = masked.removeprefix("<< ").removesuffix(" >>").partition("***")
    assert token == "***"
    assert written.startswith(left)
    assert written.endswith(right)
    assert re.fullmatch(r"""[b{a:'"\\ }]*""", left + right), masked
    assert through(registry, bytewise(to_bytes(f"<< {written} >>"))) == to_bytes(masked)


def test_a_python_literal_with_either_quote() -> None:
    """P10: which quotes a literal has, and so which are escaped in it, does not matter."""
    registry = registry_of("pä's\"s€\\word")
    assert registry.mask_text(r"""u'p\xe4\'s"s\u20ac\\word'""") == "u'***'"
    assert registry.mask_text(r'''u"p\xe4's\"s\u20ac\\word"''') == 'u"***"'


@pytest.mark.process
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_what_a_python_in_the_c_locale_writes(secret: str) -> None:
    """P10: a real Python whose streams know ASCII only prints a secret masked."""
    script = (
        "import json, os, sys; s = os.environ['S']; print(s); print(ascii(s)); print([s]);"
        "print(json.dumps(s)); print(s, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-X", "utf8=0", "-c", script],
        env={b"S": os.fsencode(secret), b"LC_ALL": b"C", b"PYTHONCOERCECLOCALE": b"0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )
    masked = registry_of(secret).mask_bytes(done.stdout)
    assert masked.count(b"***") == 5, masked
    assert not re.findall(rb"[a-z0-9]{2,}", masked)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_floor_of_python_forms(secret: str) -> None:
    """P9: no derived form is shorter than eight bytes, none is the value itself."""
    value = to_bytes(secret)
    forms = [form for _, form in encoded(value)]
    assert min(map(len, forms)) >= 8
    assert value not in forms


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("äö", "\\xe4\\xf6", id="4-bytes"),
        pytest.param("aäö", "a\\xe4\\xf6", id="5-bytes"),
    ],
)
def test_short_wide_values_are_masked_as_they_are_only(value: str, text: str) -> None:
    """P8: four and five bytes have no derived form, though an escape of them would be long."""
    assert registry_of(value).mask_text(f"{value} {text}") == f"*** {text}"


def test_six_bytes_have_every_form() -> None:
    """P8: from six bytes on an escape is masked."""
    assert registry_of("äöü").mask_text("x \\xe4\\xf6\\xfc y") == "x *** y"


@pytest.mark.parametrize(
    ("value", "most"),
    [
        pytest.param("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 30, id="key"),
        pytest.param("p&a<s>s/d+1 $x`!~*()=;:@,?#[]{}|^%.-_", 65, id="punctuation"),
        pytest.param("pässwörd-€-12345", 40, id="wide"),
        pytest.param("pä's\"s€\\wo\x7frd", 160, id="wide-everything"),
    ],
)
def test_the_number_of_forms_is_bounded(value: str, most: int) -> None:
    """Only a secret that needs them has the forms for quotes and for what is beyond ASCII."""
    forms = [form for _, form in encoded(value.encode())]
    assert len(forms) <= most
