"""A Secret cannot be printed, written down or kept by accident."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable

import pytest

from calamari_py.masking import MASK, Secret

VALUE = "hunter22-and-more"


@pytest.mark.parametrize(
    "show",
    [
        pytest.param(str, id="str"),
        pytest.param(repr, id="repr"),
        pytest.param(ascii, id="ascii"),
        pytest.param(lambda secret: f"{secret}", id="f-string"),
        pytest.param(lambda secret: f"{secret:>30}", id="format with a width"),
        pytest.param(lambda secret: f"{secret!s} {secret!r}", id="conversions"),
        pytest.param(lambda secret: "%s %r" % (secret, secret), id="percent"),  # noqa: UP031
        pytest.param(lambda secret: str([{"a": (secret,)}]), id="inside of containers"),
        pytest.param(lambda secret: str(ValueError(secret)), id="in an exception"),
        pytest.param(lambda secret: json.dumps({"a": secret}, default=str), id="json"),
    ],
)
def test_shown_as_the_mask(show: Callable[[Secret], str]) -> None:
    """However it is turned into text."""
    assert VALUE not in show(Secret(VALUE))
    assert MASK in show(Secret(VALUE))


@pytest.mark.parametrize(
    "keep",
    [
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(copy.deepcopy, id="deep copy"),
        pytest.param(lambda secret: json.dumps({"a": secret}), id="json"),
    ],
)
def test_not_kept(keep: Callable[[Secret], object]) -> None:
    """What would write it into a file refuses it, and does not quote it."""
    with pytest.raises(TypeError) as refused:
        keep(Secret(VALUE))
    assert VALUE not in str(refused.value)
