"""Real AWS clients, and what each of them makes of a delivery."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from calamari_py.delivery import DELIVERIES
from calamari_py.environment import EnvironmentSpec, build_child_environment
from tests.delivery.support import SECRET, TOKEN, Deliverer, credentials
from tests.tools import require_tool

pytestmark = pytest.mark.process

OUR_PYTHON = sys.executable
KEYS = ["ASIADELIVERED0000001", f"{SECRET}1", f"{TOKEN}1"]

STAND_IN = """
import os, sys
sys.path.insert(0, {root!r})
from calamari_py.delivery.fetch import fetch_process_document
assert sys.argv[1:] == ["-P", "-m", "calamari_py", "credentials", "--from-step"], sys.argv
print(fetch_process_document(os.environ))
"""

PRINT_KEYS = """
import json, botocore.session
session = botocore.session.get_session()
found = session.get_credentials()
keys = found.get_frozen_credentials()
print(json.dumps([*keys[:3], found.method, session.get_config_variable("region")]))
"""


def child_environment(names: Mapping[str, str], home: Path, region: str | None) -> dict[str, str]:
    """What a step would get."""
    spec = EnvironmentSpec(
        inherited={"PATH": os.environ["PATH"], "HOME": str(home)},
        credential_names=names,
        region=region,
    )
    return dict(build_child_environment(spec).values)


def output_of(environment: Mapping[str, str], *argv: str) -> str:
    ended = subprocess.run(
        list(argv), env=environment, capture_output=True, text=True, timeout=120, cwd="/"
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture
def python_with_a_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our interpreter at a path that has to be quoted; it only knows the one command."""
    folder = tmp_path / "my python's"
    folder.mkdir()
    code = folder / "command.py"
    code.write_text(STAND_IN.format(root=str(Path(__file__).parents[2])), "utf-8")
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nexec {OUR_PYTHON} "{code}" "$@"\n', "utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))


@pytest.mark.parametrize(
    ("delivery", "method"),
    [("env", "env"), ("endpoint", "container-role"), ("profile", "custom-process")],
)
@pytest.mark.usefixtures("python_with_a_space")
def test_botocore_finds_the_steps_credentials(
    delivery: str, method: str, deliverer: Deliverer, tmp_path: Path
) -> None:
    """boto3 in the child, by its own default chain; the region too."""
    with DELIVERIES[delivery].open(deliverer.context()) as names:
        environment = child_environment(names, tmp_path, "eu-west-1")
        found = json.loads(output_of(environment, OUR_PYTHON, "-c", PRINT_KEYS))
    assert found == [*KEYS, method, "eu-west-1"]


@pytest.mark.parametrize("delivery", ["env", "endpoint", "profile"])
@pytest.mark.usefixtures("python_with_a_space")
def test_the_aws_cli_finds_the_steps_credentials(
    delivery: str, deliverer: Deliverer, tmp_path: Path
) -> None:
    """``aws`` in the child, of either major version: it signs a URL with them."""
    aws = require_tool("aws")
    with DELIVERIES[delivery].open(deliverer.context()) as names:
        environment = child_environment(names, tmp_path, "eu-west-1")
        url = output_of(environment, aws, "s3", "presign", "s3://bucket/key")
    query = parse_qs(urlsplit(url.strip()).query)
    (key_id,) = query.get("AWSAccessKeyId") or [query["X-Amz-Credential"][0].split("/")[0]]
    (token,) = query.get("x-amz-security-token") or query["X-Amz-Security-Token"]
    assert [key_id, token] == [KEYS[0], KEYS[2]]


def test_a_client_lives_longer_than_its_credentials(deliverer: Deliverer) -> None:
    """boto3 asks again when its credentials near their end, and works with the new ones."""
    from botocore.credentials import ContainerProvider

    numbers = iter(range(1, 100))
    deliverer.answer = lambda: credentials(next(numbers), life=300)
    with DELIVERIES["endpoint"].open(deliverer.context()) as names:
        found = ContainerProvider(environ=dict(names)).load()
        seen = [tuple(found.get_frozen_credentials())[:3] for _ in range(2)]
    numbers_seen = [int(str(key_id).removeprefix("ASIADELIVERED")) for key_id, _, _ in seen]
    assert numbers_seen[0] < numbers_seen[1]
    assert [keys[1:] for keys in seen] == [(f"{SECRET}{n}", f"{TOKEN}{n}") for n in numbers_seen]
