"""Texts that are cut show no part of a word, which may be a part of a secret."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from calamari_py.steps.kubernetes.access.failures import read_failure
from calamari_py.steps.kubernetes.applying.causes import short
from calamari_py.steps.kubernetes.clip import clip
from calamari_py.steps.kubernetes.helm.failures import _error_of
from calamari_py.steps.kubernetes.rollout.failed import _clip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("all of it", "all of it", id="fits"),
        pytest.param("as long as it is", "as long as …", id="a-word-too-much"),
        pytest.param("as long-as  blanks", "as long-as …", id="cut-at-a-blank"),
        pytest.param("two\nlines-of-it", "two …", id="lines"),
        pytest.param("token=s3cr3t-that-is-long", "…", id="one-word"),
        pytest.param("          s3cr3t-that-is-long", "…", id="blanks-before"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_whole_words_are_left(text: str, shown: str) -> None:
    """Of ten characters; where anything is left out, that is said."""
    assert clip(text, 10) == shown


def of_access(text: str) -> str:
    """What is kept of a program's stderr."""
    failure = read_failure(text.encode())
    assert failure is not None
    return failure.text


@pytest.mark.parametrize(
    ("cut", "limit"),
    [
        pytest.param(of_access, 2000, id="access"),
        pytest.param(short, 500, id="applying"),
        pytest.param(_clip, 300, id="rollout"),
        pytest.param(lambda text: _error_of(f"Error: {text}".encode()), 2000, id="helm"),
    ],
)
def test_every_place_that_cuts(cut: Callable[[str], str], limit: int) -> None:
    """Where a secret stands over the end, nothing of it is left."""
    shown = cut(f"{'words ' * (limit // 6)}s3cr3t-s3cr3t-s3cr3t and more")
    assert shown.endswith("words …")
