"""``delivery: env`` and the table of deliveries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from calamari_py.delivery import DELIVERIES
from calamari_py.environment import owned_names
from tests.delivery.support import SECRET, TOKEN, Deliverer, credentials


def test_env_gives_the_keys_once(deliverer: Deliverer) -> None:
    """The three variables that every SDK reads, and no server."""
    with DELIVERIES["env"].open(deliverer.context()) as names:
        assert names == {
            "AWS_ACCESS_KEY_ID": "ASIADELIVERED0000001",
            "AWS_SECRET_ACCESS_KEY": f"{SECRET}1",
            "AWS_SESSION_TOKEN": f"{TOKEN}1",
        }
    assert deliverer.asked == 1
    assert deliverer.registered == {}


def test_env_of_long_lived_keys_has_no_token(deliverer: Deliverer) -> None:
    """Not even an empty one."""
    deliverer.answer = lambda: credentials(token=None)
    with DELIVERIES["env"].open(deliverer.context()) as names:
        assert set(names) == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize(
    ("name", "renews"), [("env", False), ("endpoint", True), ("profile", True)]
)
def test_which_deliveries_renew(name: str, renews: bool) -> None:
    """Only what a child can ask again."""
    assert DELIVERIES[name].renews is renews


@pytest.mark.parametrize("name", DELIVERIES)
@pytest.mark.parametrize("token", [None, TOKEN], ids=["key", "session"])
def test_a_delivery_sets_owned_names_only(
    name: str, token: str | None, deliverer: Deliverer
) -> None:
    """No manifest and no caller can set one of them; none is empty."""
    deliverer.answer = lambda: credentials(token=token)
    with DELIVERIES[name].open(deliverer.context()) as names:
        assert names
        assert owned_names(names) == list(names)
        assert all(names.values())


@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "unwanted"),
    [
        pytest.param("env", {"socket", "select", "ssl", "http.client", "json"}, id="env"),
        pytest.param("endpoint", {"ssl", "http.client", "http.server", "_hashlib"}, id="endpoint"),
    ],
)
def test_opening_loads_what_it_needs(name: str, unwanted: set[str]) -> None:
    """Start-up time is designed: no server for env, nothing that a first request loads."""
    code = f"""
import sys
from pathlib import Path
from calamari_py.delivery import DELIVERIES, DeliveryContext
from calamari_py.identity import AwsCredentials
from calamari_py.masking import Secret
keys = AwsCredentials(access_key_id="A", secret_access_key=Secret("S"))
before = set(sys.modules)
context = DeliveryContext(
    current=lambda: keys, private=Path("/"), register=lambda value, name: None, tell=print
)
with DELIVERIES[{name!r}].open(context):
    print(*(set(sys.modules) - before))
"""
    ended = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert not set(ended.stdout.split()) & unwanted
