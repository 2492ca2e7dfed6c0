"""The addresses that no variable can change, in a network where they are ours.

Each case is a function that runs in that network and returns what the test compares.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from calamari_py.credentials import SOURCES, resolve_launcher
from calamari_py.errors import IdentityError
from tests.credentials.fakes import account, context
from tests.fake_metadata import FakeContainer, FakeImds, FakeServer, Reply
from tests.netns import call_in_network

ECS, EKS, EKS6 = "169.254.170.2", "169.254.170.23", "fd00:ec2::23"
IMDS, IMDS6 = "169.254.169.254", "fd00:ec2::254"
ALL = [ECS, EKS, EKS6, IMDS, IMDS6]
FULL, RELATIVE = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
MODE = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"
POD_TOKEN = "authorization-of-the-pod"


def resolve(environ: Mapping[str, str], faults: int = 0) -> dict[str, Any]:
    """Resolve as account type ``ambient`` where every service answers, and every proxy listens.

    The container endpoints first answer `faults` times 500.
    """
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        servers: dict[str, FakeServer] = {
            ECS: FakeContainer(address=(ECS, 80), path="/v2/credentials/1-2"),
            EKS: FakeContainer(address=(EKS, 80), authorization=POD_TOKEN),
            EKS6: FakeContainer(address=(EKS6, 80), authorization=POD_TOKEN),
            IMDS: FakeImds(address=(IMDS, 80)),
            IMDS6: FakeImds(address=(IMDS6, 80)),
            "proxy": FakeServer(),
        }
        for server in servers.values():
            stack.enter_context(server)
        for address in (ECS, EKS, EKS6):
            for path in ("/v1/credentials", "/v2/credentials/1-2"):
                servers[address].inject(path, *[Reply(500)] * faults)
        token = Path(folder, "token")
        token.write_text(f"{POD_TOKEN}\n")
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "ALL_PROXY"), servers["proxy"].url)
        given = {key: value.format(token=token) for key, value in environ.items()}
        try:
            launcher = resolve_launcher(account(), context({**proxies, **given})).launcher
        except IdentityError as error:
            said = {"error": error.message}
        else:
            assert launcher
            said = {"source": launcher.source, "description": launcher.description}
        return {**said, "asked": sorted(n for n, s in servers.items() if s.connections)}


POD = {FULL: f"http://{EKS}/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "{token}"}
POD6 = {**POD, FULL: f"http://[{EKS6}]/v1/credentials"}
TASK = {RELATIVE: "/v2/credentials/1-2"}
BOTH = {**POD, **TASK, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": ""}
FOUND: dict[str, tuple[dict[str, str], str, str, str]] = {
    # id: environment, source, description, who was asked
    "ECS": (TASK, "container", "ECS task role", ECS),
    "the relative one wins": (BOTH, "container", "ECS task role", ECS),
    "Pod Identity": (POD, "container", "EKS Pod Identity", EKS),
    "Pod Identity, IPv6": (POD6, "container", "EKS Pod Identity", EKS6),
    "EC2": ({}, "imds", "EC2 instance role", IMDS),
    "EC2, IPv6": ({MODE: "IPv6"}, "imds", "EC2 instance role", IMDS6),
}
BROKEN = {"ECS": (TASK, ECS), "Pod Identity": (POD, EKS)}


def resolve_each(cases: Mapping[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """`resolve` with the arguments of each case, its services begun anew each time."""
    return {name: resolve(*arguments) for name, arguments in cases.items()}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """Of each case of FOUND, and as ``broken NAME`` of each of BROKEN, in one network: to start
    Python in it costs more than all of them."""
    cases: dict[str, list[Any]] = {name: [case[0]] for name, case in FOUND.items()}
    cases |= {f"broken {name}": [case[0], 9] for name, case in BROKEN.items()}
    found: dict[str, dict[str, Any]] = call_in_network(resolve_each, cases, addresses=ALL)
    return found


@pytest.mark.process
@pytest.mark.parametrize("name", FOUND)
def test_found(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    """Each service is found at its own address; no other and no proxy is asked."""
    _, source, description, asked = FOUND[name]
    assert outcomes[name] == {"source": source, "description": description, "asked": [asked]}


@pytest.mark.process
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_agent_is_fatal(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    """A container whose agent fails never becomes its node, however willing that is."""
    outcome = outcomes[f"broken {name}"]
    assert "answered 500" in outcome["error"]
    assert outcome["asked"] == [BROKEN[name][1]]


def look_outside() -> str:
    """Ask for the instance's role where no address is."""
    outcome = SOURCES["imds"].resolve(context())
    return str(getattr(outcome, "why", outcome))


@pytest.mark.process
def test_nobody_is_there() -> None:
    """Without the address the metadata service is absent at once."""
    assert "unreachable" in call_in_network(look_outside, addresses=[])
