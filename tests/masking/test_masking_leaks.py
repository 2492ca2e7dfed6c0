"""Inputs on which other programs' maskers were seen to leak."""

from __future__ import annotations

import base64

import pytest

from calamari_py.masking import Masker
from tests.masking.streams import bytewise, registry_of, through


@pytest.mark.parametrize(
    ("secrets", "chunks", "expected"),
    [
        pytest.param(
            ["tokentokenX"], [b"tokentoken", b"tokenX"], b"token***", id="L1-no-failure-links"
        ),
        pytest.param(["aaab"], [b"aaa", b"ab"], b"a***", id="L1-repeating"),
        pytest.param(["abcd", "cdef"], [b"abcdef"], b"***", id="L2-overlap"),
        pytest.param(["abcd", "cdef"], [b"x abc", b"def y"], b"x *** y", id="L2-order-kept"),
        pytest.param(["abcdefgh", "cdef"], [b"ab abcdefgh"], b"ab ***", id="L3-nested"),
        pytest.param(
            ["abcdefgh", "cdef", "jklm"], [b"abcdefghijklm"], b"***i***", id="L3-first-start"
        ),
        pytest.param(["hunter22"], [b"pw is hunter22 and h"], b"pw is *** and h", id="L4-deferred"),
        pytest.param(["foo1", "foo1bar"], [b"foo1bar foo1"], b"*** ***", id="L7-short-one-first"),
        pytest.param(["red***", "***x"], [b"red*** ***x"], b"*** ***", id="L8-token-as-secret"),
        pytest.param(["mask", "cred"], [b"cred mask"], b"*** ***", id="L8-word-of-a-token"),
        pytest.param(["split-by-a-write"], [b"split-by", b"-a-write"], b"***", id="L9-writes"),
        pytest.param(["hunter22hunter"], [b"a hunter22hunte"], b"a ***", id="L10-end-inside"),
        pytest.param(["tok1tok1tok2"], [b"tok1tok1", b"tok1tok2"], b"tok1***", id="L1-own-prefix"),
        pytest.param(["foobar", "foo1"], [b"foo1 foobar"], b"*** ***", id="L7-either-order"),
        pytest.param(["hunter22"], [b"pw hunter22\n+ h"], b"pw ***\n+ h", id="L4-next-line"),
        pytest.param(
            ["$ecret'1"],
            [b"+ curl -u 'u:$ecret'\\''1'\n", b"+ echo \\$ecret\\'1\n"],
            b"+ curl -u 'u:***'\n+ echo ***\n",
            id="L14-shell-trace",
        ),
        pytest.param(
            ["first-line-1\nsecond-line"],
            [b"> first-line-1\n> second-line\n", b"first-line-1\r\nsecond-line"],
            b"> ***\n> ***\n***",
            id="L15-lines",
        ),
        pytest.param(
            ["hunter22"],
            [b"\x1b[31;1mhunt\x1b[0m\x1b[36;1mer22\x1b[0m"],
            b"\x1b[31;1m***\x1b[0m",
            id="split-by-colours",
        ),
        pytest.param(["{\n}"], [b"e30= {\n} { }"], b"e30= {\n} { }", id="326-base64-of-a-brace"),
        pytest.param(["a"], [b"banana"], b"banana", id="one-byte-secret"),
        pytest.param([""], [b"abc\n\nabc"], b"abc\n\nabc", id="empty-secret"),
    ],
)
def test_leak(secrets: list[str], chunks: list[bytes], expected: bytes) -> None:
    """No byte of a secret comes out where another masker let it out, and nothing else is lost."""
    registry = registry_of(*secrets)
    assert through(registry, chunks) == expected
    assert through(registry, bytewise(b"".join(chunks))) == expected


@pytest.mark.parametrize("secret", ["hunter22", "hunter222", "hunter2222"], ids=len)
@pytest.mark.parametrize("wrap", [b"%s", b"%s\n", b"user:%s", b"user:%s\n", b"u:%s@host"])
def test_base64_of_any_length(secret: str, wrap: bytes) -> None:
    """L6: ``echo $SECRET | base64`` is masked whatever the length and the neighbours are."""
    text = base64.b64encode(wrap % secret.encode())
    masked = registry_of(secret).mask_bytes(text)
    assert masked.count(b"***") == 1
    around = len(wrap) - 2
    rest = masked.replace(b"***", b"").rstrip(b"=")
    # One character at each end depends on the secret and on its neighbour.
    assert len(rest) <= around * 8 // 6 + 2


def test_an_exception_shows_nothing() -> None:
    """L5: what fails to be masked is not passed on as it is."""
    registry = registry_of("hunter22")
    masker = Masker(registry)
    masker.feed(b"fine\n")
    registry._index.scan = None  # type: ignore[assignment,method-assign]
    assert masker.feed(b"hunter22\n") + masker.feed(b"more") + masker.close() == b""
    assert masker.withheld == 13


def test_a_secret_that_comes_while_its_first_bytes_wait() -> None:
    """L11: a secret is compared with what is held when it is declared."""
    registry = registry_of("hunter22-and-more")
    masker = Masker(registry)
    assert masker.feed(b"hunter22-and") == b""
    registry.add("hunter22-and", name="late")
    assert masker.feed(b"!") == b"***!"


def test_declared_on_one_stream_and_used_on_the_other() -> None:
    """L13: one registry serves both streams, so a secret that is in it is masked on both."""
    registry = registry_of("another-secret")
    out, err = Masker(registry), Masker(registry)
    out.feed(b"text\n")
    err.feed(b"text\n")
    registry.add("hunter22", name="late")
    assert (err.feed(b"hunter22\n"), out.feed(b"hunter22\n")) == (b"***\n", b"***\n")


def test_a_declaration_is_masked_like_all_else() -> None:
    """L12: once a value is known, the trace of its own declaration shows a mask."""
    registry = registry_of("hunter22")
    assert registry.mask_bytes(b"+ echo '::add-mask::hunter22'\n") == b"+ echo '::add-mask::***'\n"


def test_a_prompt_is_not_delayed() -> None:
    """Issues 6676 and 4799 of others: lines are not waited for, prompts appear in a pause."""
    registry = registry_of("sesame-open-123")
    masker = Masker(registry)
    assert masker.feed(b"Password: ") == b"Password: "
    assert masker.feed(b"Loading...") == b"Loading..."
    assert masker.feed(b" progres") == b" progre"
    assert masker.idle() == b"s"


def test_the_shell_trace_of_a_secret() -> None:
    """L12, L14: ``set -x`` shows a known secret masked, quoted or not."""
    registry = registry_of("it's a s3cret")
    trace = b"+ mask 'it'\\''s a s3cret'\n+ echo it\\'s\\ a\\ s3cret\n"
    assert registry.mask_bytes(trace) == b"+ mask '***'\n+ echo ***\n"
