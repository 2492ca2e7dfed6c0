"""whoami, credentials and console as a user has them, against a strict AWS on loopback."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fake_sts import FakeSts
from tests.fake_sts_tables import Keys
from tests.integration.conftest import Calamari
from tests.tools import require_tool

pytestmark = [pytest.mark.process, pytest.mark.preloaded]

DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
HUB = "arn:aws:iam::222222222222:role/HubRole"
SESSION = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/deploy"
STEP = f"name: deploy\nregion: eu-west-1\nassume_role: {DEV}\nscript: touch ran\n"
READ_KEYS = """\
import botocore.session, json
keys = botocore.session.Session(profile="deploy").get_credentials().get_frozen_credentials()
print(json.dumps(keys))
"""
BROWSER = """\
import http.client, sys, urllib.parse
parts = urllib.parse.urlsplit(sys.argv[1])
connection = http.client.HTTPConnection(parts.netloc, timeout=10)
connection.request("GET", parts.path)
where = connection.getresponse().getheader("Location")
open("asked", "w").write(sys.argv[1])
open("arrived", "w").write(str(where))
"""


@pytest.fixture
def sts() -> Iterator[FakeSts]:
    """An AWS with a launcher and two roles, one behind the other."""
    with FakeSts() as running:
        launcher = running.add_user("arn:aws:iam::123456789012:user/launcher")
        running.add_role(DEV, trust=[launcher.arn, HUB])
        running.add_role(HUB, trust=[launcher.arn])
        yield running


@pytest.fixture
def launched(calamari: Calamari, sts: FakeSts) -> Calamari:
    """`calamari` on a machine whose environment holds the launcher's keys."""
    (launcher,) = sts.keys.values()
    keys = {
        "AWS_ACCESS_KEY_ID": launcher.access_key_id,
        "AWS_SECRET_ACCESS_KEY": launcher.secret_access_key,
        "AWS_ENDPOINT_URL": sts.url,
    }
    return replace(calamari, environment={**calamari.environment, **keys})


def secrets_of(keys: Keys) -> list[str]:
    return [text for text in (keys.secret_access_key, keys.session_token) if text]


def assert_no_secret(sts: FakeSts, *texts: str) -> None:
    """Neither the launcher's secrets nor those of any session that was given out."""
    for keys in sts.keys.values():
        for secret in secrets_of(keys):
            assert not any(secret in text for text in texts)


def test_whoami(launched: Calamari, sts: FakeSts) -> None:
    """The whole way with its ARNs; nothing runs, no secret is shown, no file is left."""
    launched.write(STEP.replace(DEV, f"[{HUB}, {DEV}]"))
    ran = launched("whoami", "step.yaml", "--trace-credentials")
    assert (ran.code, ran.err) == (0, "")
    for part in ("arn:aws:iam::123456789012:user/launcher", "/HubRole/deploy", SESSION,
                 "STS request", "eu-west-1 (manifest)", "environment"):  # fmt: skip
        assert part in ran.out
    assert os.listdir(launched.folder) == ["step.yaml"]
    assert os.listdir(launched.environment["TMPDIR"]) == []
    assert len(sts.keys) == 3
    assert_no_secret(sts, ran.out, ran.err)


def test_whoami_for_programs(launched: Calamari) -> None:
    """One document on stdout, also with `-v` and a trace."""
    launched.write(STEP)
    ran = launched("whoami", "step.yaml", "--format", "json", "--trace-credentials", "-v")
    document = json.loads(ran.out)
    assert (document["schema_version"], document["arn"]) == (1, SESSION)
    assert document["trace"][0]["used"] is True


def test_a_refused_role_and_its_trust_policy(launched: Calamari, sts: FakeSts) -> None:
    """With a profile that may read the role, the failure says what its trust policy wants."""
    sts.roles.pop(DEV)
    sts.add_role(DEV, trust=["arn:aws:iam::123456789012:role/SomebodyElse"])
    admin = sts.add_user("arn:aws:iam::111111111111:user/admin")
    folder = Path(launched.environment["HOME"]) / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(
        f"[admin]\naws_access_key_id = {admin.access_key_id}\n"
        f"aws_secret_access_key = {admin.secret_access_key}\n"
    )
    launched.write(STEP)
    ran = launched("whoami", "step.yaml", "--trust-profile", "admin")
    assert (ran.code, ran.out) == (77, "")
    assert f"trust policy of '{DEV}', read with profile 'admin':" in ran.err
    assert "role/SomebodyElse" in ran.err
    assert_no_secret(sts, ran.err)


def test_a_credential_process_in_the_config_file(launched: Calamari, sts: FakeSts) -> None:
    """botocore gets the step's session through `credential_process = calamari credentials …`."""
    environment = _profile(launched)
    done = subprocess.run(
        [sys.executable, "-c", READ_KEYS],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    access_key_id, secret, token = json.loads(done.stdout)[:3]
    keys = sts.keys[access_key_id]
    assert (keys.arn, secret, token) == (SESSION, keys.secret_access_key, keys.session_token)


def test_a_credential_process_of_the_aws_cli(launched: Calamari) -> None:
    """The AWS CLI, too; `--profile` is enough."""
    aws = require_tool("aws")
    done = subprocess.run(
        [aws, "--profile", "deploy", "--region", "eu-west-1", "sts", "get-caller-identity"],
        env=_profile(launched), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["Arn"] == SESSION


def test_a_credential_process_that_fails(launched: Calamari, sts: FakeSts) -> None:
    """The error that the SDK shows says what was refused, in one line."""
    environment = _profile(launched)
    sts.roles.clear()
    done = subprocess.run(
        [sys.executable, "-c", READ_KEYS],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert f"calamari: cannot assume role '{DEV}'" in done.stderr
    assert "launcher sources" not in done.stderr
    assert_no_secret(sts, done.stdout, done.stderr)


def _profile(launched: Calamari) -> dict[str, str]:
    """The environment of a program, and a config file whose profile `deploy` calls calamari."""
    path = launched.write(STEP)
    process = shlex.join(launched.argv("credentials", str(path)))
    config = launched.write(f"[profile deploy]\ncredential_process = {process}\n", "config")
    return launched.env({"AWS_CONFIG_FILE": str(config)})


@pytest.mark.parametrize("of_launcher", [False, True], ids=["step", "launcher"])
def test_credentials(of_launcher: bool, launched: Calamari, sts: FakeSts) -> None:
    """Secrets go to stdout, and not a byte to stderr."""
    launched.write(STEP)
    ran = launched("credentials", "step.yaml", *(["--launcher"] if of_launcher else []))
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    keys = sts.keys[document["AccessKeyId"]]
    assert document["SecretAccessKey"] == keys.secret_access_key
    assert document.get("SessionToken") == keys.session_token
    assert len(sts.requests) == (0 if of_launcher else 1)


def test_credentials_of_a_launcher_without_a_manifest(launched: Calamari, sts: FakeSts) -> None:
    """The one ambient source that is named."""
    ran = launched("credentials", "--source", "environment")
    assert json.loads(ran.out)["AccessKeyId"] in sts.keys
    absent = launched("credentials", "--source", "web-identity")
    assert (absent.code, absent.out) == (77, "")


def test_what_a_step_inside_is_given(launched: Calamari, sts: FakeSts) -> None:
    """With `delivery: profile` the config file's process prints the step's own session."""
    line = shlex.join([sys.executable, "-P", "-m", "calamari_py", "credentials", "--from-step"])
    launched.write(
        STEP.replace("touch ran", f"{line} > inside.json") + "credentials: {delivery: profile}\n"
    )
    ran = launched("run", "step.yaml")
    assert ran.code == 0, ran.err
    document = json.loads((launched.folder / "inside.json").read_text())
    assert sts.keys[document["AccessKeyId"]].arn == SESSION
    assert document["Version"] == 1


def test_the_console(launched: Calamari, sts: FakeSts) -> None:
    """The URL signs in as the step's session, and stands on stdout alone."""
    launched.write(STEP)
    ran = launched("console", "step.yaml", "--destination", "s3", "--duration", "1h")
    assert (ran.code, ran.err) == (0, "")
    query = parse_qs(urlsplit(ran.out.strip()).query)
    assert sts.sign_in_tokens[query["SigninToken"][0]].arn == SESSION
    assert query["Destination"] == [
        "https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1"
    ]
    assert_no_secret(sts, ran.out, ran.err)


def test_opening_the_console(launched: Calamari, sts: FakeSts) -> None:
    """The browser arrives at the URL; no command line and no output holds it."""
    launched.write(STEP)
    script = launched.write(BROWSER, "browser.py")
    browser = f"{sys.executable} {script} %s"
    ran = launched("console", "step.yaml", "--open", env={"BROWSER": browser})
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert "opened in the browser" in ran.err
    arrived = (launched.folder / "arrived").read_text()
    (token,) = parse_qs(urlsplit(arrived).query)["SigninToken"]
    assert token in sts.sign_in_tokens
    assert token not in (launched.folder / "asked").read_text()
    assert token not in ran.err


def test_a_user_cannot_sign_in(launched: Calamari) -> None:
    """Keys without a session token are refused with what to do."""
    launched.write('name: t\nregion: eu-west-1\nscript: "true"\n')
    ran = launched("console", "step.yaml")
    assert (ran.code, ran.out) == (77, "")
    assert "assume_role" in ran.err
