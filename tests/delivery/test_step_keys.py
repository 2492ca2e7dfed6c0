"""What a command of ours inside a step signs with, however it was delivered."""

from __future__ import annotations

import pytest

from calamari_py.delivery import DELIVERIES
from calamari_py.delivery.fetch import step_keys
from calamari_py.errors import IdentityError
from tests.delivery.support import SECRET, TOKEN, Deliverer


@pytest.mark.socket
@pytest.mark.parametrize("delivery", sorted(DELIVERIES))
def test_every_delivery_leads_to_the_same_keys(delivery: str, deliverer: Deliverer) -> None:
    """The names that a step finds are enough."""
    with DELIVERIES[delivery].open(deliverer.context()) as names:
        found = step_keys(names)
    assert (found["AccessKeyId"], found["SecretAccessKey"], found["Token"]) == (
        "ASIADELIVERED0000001", f"{SECRET}1", f"{TOKEN}1",
    )  # fmt: skip


def test_keys_that_a_script_has_set_come_first(deliverer: Deliverer) -> None:
    """As with every SDK."""
    with DELIVERIES["endpoint"].open(deliverer.context()) as names:
        found = step_keys({**names, "AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "s"})
    assert found["AccessKeyId"] == "AKIAOWN"
    assert deliverer.asked == 0


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({}, "no credentials of a step", id="nothing"),
        pytest.param({"AWS_ACCESS_KEY_ID": "AKIAHALF"}, "no credentials of a step", id="half"),
        pytest.param(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:80/v1/credentials"},
            "'AWS_CONTAINER_AUTHORIZATION_TOKEN' is not set", id="no-token",
        ),
        pytest.param(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.test/v1/credentials",
             "AWS_CONTAINER_AUTHORIZATION_TOKEN": "0123"}, "was changed", id="another-host",
        ),
    ],
)  # fmt: skip
def test_outside_of_a_step(environ: dict[str, str], message: str) -> None:
    """It says how it works, and the token goes nowhere."""
    with pytest.raises(IdentityError, match=message) as caught:
        step_keys(environ)
    assert "calamari exec step.yaml -- COMMAND" in str(caught.value.hint)
