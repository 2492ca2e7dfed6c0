"""The registry: what becomes a secret, what is said about it, and masking of whole values."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from calamari_py.errors import EX_MANIFEST, ManifestError
from calamari_py.masking import Masker, Secret, SecretRegistry, ShortSecrets
from tests.masking.streams import registry_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "count", "warning"),
    [
        pytest.param("", 0, None, id="empty"),
        pytest.param(" \n\t ", 0, None, id="blank"),
        pytest.param("a", 0, "secret 'x' is too short to be masked (1 bytes)", id="1"),
        pytest.param(" abc\n", 0, "secret 'x' is too short to be masked (3 bytes)", id="3"),
        pytest.param("{\n}", 0, "secret 'x' is too short to be masked (3 bytes)", id="braces"),
        pytest.param("abcd", 1, None, id="4"),
        pytest.param("True", 0, "secret 'x' is a common word and not masked", id="true"),
        pytest.param("false", 0, "secret 'x' is a common word and not masked", id="false"),
        pytest.param("null", 0, "secret 'x' is a common word and not masked", id="null"),
        pytest.param("none", 0, "secret 'x' is a common word and not masked", id="none"),
        pytest.param(b"\xff\xfe\xfd\xfc", 1, None, id="bytes"),
        pytest.param(Secret("hunter22"), 1, None, id="secret"),
        pytest.param(
            "one two\npassword:\nthree 4",
            1,
            "secret 'x' has a line that is a single word, which is masked everywhere",
            id="word-line",
        ),
    ],
)
def test_what_is_masked(value: str | bytes | Secret, count: int, warning: str | None) -> None:
    """P8: blank is ignored, short values and common words are warned about by name only."""
    registry = SecretRegistry()
    registry.add(value, name="x")
    assert len(registry) == count
    assert registry.names == ("x",) * count
    assert registry.warnings == ((warning,) if warning else ())
    text = value.reveal() if isinstance(value, Secret) else value
    data = text if isinstance(text, bytes) else text.encode()
    assert (registry.mask_bytes(b"<" + data.strip() + b">") == b"<***>") is bool(count)


@pytest.mark.parametrize("value", ["abc", "yes", "NULL"])
def test_short_secrets_as_errors(value: str) -> None:
    """P8: with ``error``, a value that would not be masked is a manifest problem, by name."""
    registry = SecretRegistry("error")
    with pytest.raises(ManifestError) as raised:
        registry.add(value, name="Db Password")
    (problem,) = raised.value.problems
    assert raised.value.exit_code == EX_MANIFEST
    assert (problem.path, problem.message[:3]) == ("Db Password", "is ")
    assert value not in problem.message
    assert problem.hint
    assert len(registry) == 0


def test_short_secrets_masked() -> None:
    """P8: with ``mask``, even one byte and a common word are masked, and blank is not."""
    registry = SecretRegistry("mask")
    for value in ("q", "true", "  "):
        registry.add(value, name=f"name of {value}")
    assert len(registry) == 2
    assert registry.mask_text("a q is true qq ok") == "a *** is *** *** ok"
    assert registry.warnings == ()


@pytest.mark.parametrize("mode", ["warn", "error", "mask"])
def test_blank_masks_nothing(mode: ShortSecrets) -> None:
    """P8: an empty value never puts masks between characters."""
    registry = SecretRegistry(mode)
    registry.add("", name="empty")
    registry.add("\r\n", name="line end")
    assert registry.mask_text("one\r\ntwo") == "one\r\ntwo"
    assert (len(registry), registry.warnings) == (0, ())


def test_adding_twice_changes_nothing() -> None:
    """The same value is one secret, whatever its names; warnings come once."""
    registry = SecretRegistry()
    for name in ("a", "a", "b"):
        registry.add("hunter22", name=name)
        registry.add(" hunter22\n", name=name)
        registry.add("abc", name=name)
    assert len(registry) == 1
    assert registry.names == ("a", "b")
    assert len(registry.warnings) == 2
    assert registry.forms["a"] == registry.forms["b"]
    assert "base64" in registry.forms["a"]


def test_a_rotated_secret_is_masked_old_and_new() -> None:
    """A second value under a known name is masked beside the first, in every form."""
    registry = SecretRegistry()
    registry.add("old-password-1", name="Db")
    masker = Masker(registry)
    assert masker.feed(b"old-password-1 new-password-2\n") == b"*** new-password-2\n"
    registry.add("new-password-2", name="Db")
    shown = masker.feed(b"old-password-1 new-password-2 bmV3LXBhc3N3b3JkLTI=\n")
    assert shown == b"*** *** ***I=\n"
    assert (len(registry), registry.names) == (2, ("Db",))


def test_a_value_of_two_names_stays_masked() -> None:
    """A rotation to a value that another secret has already changes nothing for either."""
    registry = SecretRegistry()
    registry.add("first-value-1", name="a")
    registry.add("other-value-2", name="b")
    registry.add("first-value-1", name="b")
    assert registry.mask_text("first-value-1 other-value-2") == "*** ***"
    assert len(registry) == 2


def test_hits_are_counted_by_name() -> None:
    """`hits` says how often each secret was found, and nothing of its value."""
    registry = SecretRegistry()
    registry.add("hunter22", name="Db")
    registry.add("never-seen", name="Other")
    masker = Masker(registry)
    masker.feed(b"a hunter22 b hunter22 c 68756e7465723232\n")
    assert registry.hits["Db"] == 3
    assert not registry.hits.get("Other")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param("abc", "is too short to be masked (3 bytes)", id="short"),
        pytest.param("yes", "is too short to be masked (3 bytes)", id="short-word"),
        pytest.param("True", "is a common word and not masked", id="word"),
        pytest.param("hunter22", None, id="masked"),
        pytest.param(" ", None, id="blank"),
    ],
)
def test_what_is_skipped_and_why(value: str, why: str | None) -> None:
    """P8: who is not masked is listed by name, with the reason, for the result and explain."""
    registry = SecretRegistry()
    registry.add(value, name="x")
    assert registry.skipped == ({"x": why} if why else {})
    masked = SecretRegistry("mask")
    masked.add(value, name="x")
    assert masked.skipped == {}


@pytest.mark.parametrize(("aware", "shown"), [(True, "***"), (False, "hunt\x1b[1mer22")])
def test_terminal_sequences_inside_a_secret(aware: bool, shown: str) -> None:
    """P12: they hide no secret, unless that is switched off."""
    registry = SecretRegistry(ansi_aware=aware)
    registry.add("hunter22", name="x")
    assert registry.mask_text("hunt\x1b[1mer22") == shown


def test_warnings_are_taken_once() -> None:
    """`take_warnings` gives what is new; `warnings` keeps all."""
    registry = SecretRegistry()
    registry.add("abc", name="first")
    assert [*registry.take_warnings()] == [*registry.warnings]
    assert registry.take_warnings() == ()
    registry.add("yes", name="second")
    (warning,) = registry.take_warnings()
    assert "'second'" in warning
    assert "yes" not in warning
    assert len(registry.warnings) == 2


def test_json_leaves() -> None:
    """Of a JSON secret every string is masked by itself, under the name of its place."""
    document = {
        "username": "app_user",
        "password": 'p"ss/w0rd&more',
        "port": 5432,
        "ssl": "true",
        "hosts": ["db-1.internal", {"reader": "db-2.internal"}],
    }
    registry = SecretRegistry()
    registry.add_json(json.dumps(document, indent=2), name="Db")
    text = registry.mask_text('app_user@db-1.internal,db-2.internal p"ss/w0rd&more 5432 true')
    assert text == "***@***,*** *** 5432 true"
    compact = registry.mask_text(json.dumps(document))
    assert not any(word in compact for word in ("app_user", "w0rd", "internal"))
    assert "Db.hosts.1.reader" in registry.names
    assert registry.warnings == ("secret 'Db.ssl' is a common word and not masked",)


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        pytest.param('"in quotes!"', "in quotes!", "***", id="string"),
        pytest.param("not { json", "not { json", "***", id="no-json"),
        pytest.param("[" * 50_000, "x" * 9, "x" * 9, id="too-deep"),
        pytest.param("12345678", "12345678", "***", id="number"),
        pytest.param(b'\xff{"a":', b"".decode(), "", id="no-utf-8"),
    ],
)
def test_json_that_is_none(value: str | bytes, text: str, expected: str) -> None:
    """A value that is no JSON document is a secret like any other."""
    registry = SecretRegistry()
    registry.add_json(value, name="x")
    assert registry.mask_text(text) == expected
    assert registry.holds_secret(value)
    assert len(registry) >= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("nothing", False, id="none"),
        pytest.param("a hunter22", True, id="literal"),
        pytest.param("hunter2", False, id="unfinished"),
        pytest.param(b"68756e7465723232", True, id="hex"),
        pytest.param("", False, id="empty"),
    ],
)
def test_holds_secret(text: str | bytes, expected: bool) -> None:
    """`holds_secret` tells whether a whole secret stands in a value, in any form."""
    assert registry_of("hunter22").holds_secret(text) is expected


def test_an_empty_registry_changes_nothing() -> None:
    """P7: without secrets everything passes, and nothing is held."""
    registry = SecretRegistry()
    masker = Masker(registry)
    assert masker.feed(b"\x00\xff anything\r") == b"\x00\xff anything\r"
    assert (masker.held, masker.idle(), masker.close()) == (0, b"", b"")
    assert registry.mask_text("tëxt") == "tëxt"
    assert not registry.holds_secret("text")
    assert (len(registry), registry.names, registry.forms) == (0, (), {})


def test_the_end_of_a_text_is_an_end() -> None:
    """A stream that ends inside a secret shows at most three bytes of it; a text of ours that
    ends like the beginning of a secret is a word of its own."""
    registry = registry_of("0123456789abcdef")
    assert registry.mask_bytes(b"x 012") == b"x 012"
    assert registry.mask_bytes(b"x 0123") == b"x ***"
    assert registry.mask_text("x 0123") == "x 0123"
    assert registry.mask_text("x 0123456789abcdef") == "x ***"


def test_ten_thousand_secrets_are_added_without_work() -> None:
    """Adding only remembers: forms are made when something is masked, once each."""
    registry = SecretRegistry()
    for number in range(10_000):
        registry.add(f"secret-{number:05d}-value", name=f"n{number}")
    assert len(registry) == 10_000
    assert len(registry._pending) == 10_000
    assert registry._index.version == 0


def test_secrets_from_several_threads() -> None:
    """Secrets may be added in one thread while another one masks."""
    registry = SecretRegistry()
    ready = threading.Barrier(3)
    wrong: list[str] = []

    def work(which: int) -> None:
        ready.wait()
        for number in range(40):
            value = f"secret-{which}-{number}-x"
            registry.add(value, name=value[:8])
            if registry.mask_text(f"a {value}") != "a ***":
                wrong.append(value)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(registry) == 120


def test_nothing_shows_the_values() -> None:
    """P19: no repr of a registry, a masker or a secret holds the value."""
    registry = registry_of("hunter22-and-more")
    masker = Masker(registry)
    masker.feed(b"hunter")
    shown = f"{registry!r} {registry} {masker!r} {Secret('hunter22')!r} {Secret('hunter22'):>9}"
    assert "hunter" not in shown


@pytest.mark.process
def test_import_is_light() -> None:
    """Importing the room loads nothing that is slow to load."""
    heavy = {"json", "base64", "hashlib", "hmac", "dataclasses", "inspect", "subprocess", "html"}
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules)\n"
        "import calamari_py.masking\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(ROOT)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "calamari_py.masking.registry" in done.stdout.split()
    assert heavy.isdisjoint(done.stdout.split())
