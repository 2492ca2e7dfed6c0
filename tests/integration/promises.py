"""What the tests of the security promises share: an AWS with a launcher, its secrets, and where
they are looked for."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fake_sts import FakeSts
from tests.fake_sts_tables import Keys

if TYPE_CHECKING:
    from tests.integration.conftest import Calamari

LAUNCHER = "arn:aws:iam::123456789012:role/Launcher"
DEV = "arn:aws:iam::111111111111:role/DevDeployRole"
SENSITIVE = "Pa55w0rd/with+odd=chars&\"quotes'"
DELIVERIES = ("env", "endpoint", "profile")


@dataclass(frozen=True, slots=True)
class Cloud:
    """A strict AWS and the launcher, a role's session, so that it has a session token to lose."""

    sts: FakeSts
    launcher: Keys

    def environment(self) -> dict[str, str]:
        """The launcher's keys as a worker has them, and the sensitive variable of `head`."""
        return {
            "AWS_ACCESS_KEY_ID": self.launcher.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.launcher.secret_access_key,
            "AWS_SESSION_TOKEN": str(self.launcher.session_token),
            "AWS_ENDPOINT_URL": self.sts.url,
            "STEP_PASSWORD": SENSITIVE,
        }

    def secrets(self) -> list[str]:
        """Every secret there is by now: the launcher's, each session's, the sensitive variable."""
        of_keys = [(keys.secret_access_key, keys.session_token) for keys in self.sts.keys.values()]
        return [text for pair in of_keys for text in pair if text] + [SENSITIVE]

    def sessions(self) -> list[Keys]:
        """The step's credentials, in the order in which they were given out."""
        return [keys for keys in self.sts.keys.values() if keys.role_arn == DEV]


@contextmanager
def a_cloud() -> Iterator[Cloud]:
    """One that runs."""
    with FakeSts() as sts:
        launcher = sts.add_session(LAUNCHER, "worker")
        sts.add_role(DEV, trust=[LAUNCHER])
        yield Cloud(sts, launcher)


def head(delivery: str = "env", more: str = "") -> str:
    """A manifest up to its kind. `more` is further lines."""
    return (
        f"name: deploy\nregion: eu-west-1\nassume_role: {DEV}\n"
        f"credentials: {{delivery: {delivery}}}\n"
        "variables: {Password: {from_env: STEP_PASSWORD, sensitive: true}}\n"
        "env: {PASSWORD: '{{ Password }}'}\n" + more
    )


def python_step(code: str) -> str:
    """The kind of a step that is a Python script."""
    return f"script: {json.dumps({'run': code, 'shell': 'python'})}\n"


@contextmanager
def started(
    calamari: Calamari, *arguments: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """``calamari ARGUMENTS`` with pipes, killed at the end."""
    process = subprocess.Popen(
        calamari.argv(*arguments),
        cwd=calamari.folder,
        env=calamari.env(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[bytes]) -> str:
    """What the step says first; with nothing the run has failed."""
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line:
        assert process.stderr is not None
        raise AssertionError(process.stderr.read().decode())
    return line.rstrip("\n")


def needles(secret: str) -> set[str]:
    """What must be nowhere: the secret, and a piece of a long one, in every usual encoding."""
    pieces = [secret, secret[:24], secret[-24:]] if len(secret) >= 40 else [secret]
    return {form for piece in pieces for form in _forms(piece)}


def _forms(text: str) -> Iterator[str]:
    raw = text.encode()
    yield from (text, json.dumps(text)[1:-1], json.dumps(json.dumps(text))[3:-3], repr(text)[1:-1])
    yield from (urllib.parse.quote(text, safe=""), urllib.parse.quote(text))
    yield from (raw.hex(), raw.hex().upper())
    for before in (b"", b"u", b"up"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The first and last characters depend on what stands around.
            yield encode(before + raw).decode().rstrip("=")[4:-4]


def assert_nowhere(secrets: Iterable[str], places: Mapping[str, str]) -> None:
    """No form of any of `secrets` stands in any of `places` (name → text)."""
    assert any(places.values()), "nothing was searched"
    for secret in secrets:
        for needle in needles(secret):
            for name, text in places.items():
                assert needle not in text, f"'{needle[:6]}…' of a secret is in {name}"


def files_below(*folders: str | Path) -> dict[str, str]:
    """The regular files below `folders`, by path; bytes that are no text as Latin-1."""
    found = {}
    for folder in folders:
        for base, _, names in os.walk(folder):
            for name in names:
                path = Path(base, name)
                with suppress(OSError):
                    if path.is_file() and not path.is_symlink():
                        found[str(path)] = path.read_bytes().decode("latin-1")
    return found


def command_lines() -> list[str]:
    """The arguments of every process there is."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError):
                found.append(Path(f"/proc/{entry}/cmdline").read_bytes().decode("latin-1"))
    return found


def without(names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` without `names`."""
    return {name: value for name, value in environment.items() if name not in names}
