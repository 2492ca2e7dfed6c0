"""Whatever is wrong with a manifest is said with its place or its cure, and no child is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from calamari_py.aws import AwsSettings, BotoAws
from calamari_py.masking import SecretRegistry
from tests.aws.aws_world import FakeTime
from tests.fakes import FakeAws, refusal
from tests.runner.world import DEV, HEAD, World

SCRIPT = "script: touch ran\n"


def check(world: World, code: int, expected: str) -> None:
    """Run `step.yaml` in `world`: it fails so, and no child was started."""
    assert world.run().exit_code == code
    failure = world.reporter.failure
    said = [failure.message, failure.hint or "", *map(repr, failure.problems)]
    assert expected in "\n".join(said)
    assert world.child.started == []


@pytest.mark.parametrize(
    ("manifest", "code", "expected"),
    [
        pytest.param(
            HEAD + "asume_role: x\n" + SCRIPT, 65, "did you mean 'assume_role'", id="unknown key"
        ),
        pytest.param(HEAD + "timeout: [1]\n" + SCRIPT, 65, "timeout", id="wrong type"),
        pytest.param(
            "name: t\nassume_role: arn:aws:iam::1:role/x\n" + SCRIPT, 65, "12 digits", id="bad arn"
        ),
        pytest.param(HEAD + "timeout: soon\n" + SCRIPT, 65, "90s, 15m or 1h30m", id="bad duration"),
        pytest.param(
            HEAD + "expect: {account: 012345678901}\n" + SCRIPT, 65, "quote", id="unquoted account"
        ),
        pytest.param(HEAD + "env: {A: '{{ Nope }}'}\n" + SCRIPT, 65, "Nope", id="undefined name"),
        pytest.param(HEAD + "kubectl: {}\n" + SCRIPT, 65, "kubectl", id="kind that is not there"),
        pytest.param(HEAD, 65, "script", id="no kind"),
        pytest.param(HEAD + "script: ''\n", 65, "empty", id="empty script"),
        pytest.param(HEAD + "script: {file: .}\n", 65, "folder", id="directory instead of file"),
        pytest.param(HEAD + "script: {file: none.sh}\n", 66, "none.sh", id="missing file"),
        pytest.param(HEAD + "env: {'A B': x}\n" + SCRIPT, 65, "A B", id="no environment name"),
        pytest.param(HEAD + 'variables: {A: "a\\0b"}\n' + SCRIPT, 65, "NUL", id="nul byte"),
        pytest.param(HEAD + "env: {AWS_PROFILE: x}\n" + SCRIPT, 65, "AWS_PROFILE", id="owned name"),
        pytest.param(HEAD + "name: u\n" + SCRIPT, 65, "name", id="duplicate key"),
        pytest.param(
            HEAD + "credentials: {delivery: post}\n" + SCRIPT, 65, "delivery", id="delivery"
        ),
        pytest.param(
            HEAD + "script: {run: touch ran, shell: [no-such-tool, '{file}']}\n",
            127,
            "no-such-tool",
            id="tool missing",
        ),
        pytest.param(f"name: t\nassume_role: {DEV}\n" + SCRIPT, 65, "region", id="no region"),
        pytest.param(HEAD + SCRIPT + SCRIPT, 65, "is there twice", id="two kinds"),
        pytest.param(
            HEAD + "expect: {account: '222222222222'}\n" + SCRIPT,
            77,
            "expected 222222222222",
            id="wrong account",
        ),
        pytest.param(
            "name: t\nregion: eu-west-1\nassume_role: arn:aws:iam::111111111111:role/Nobody\n"
            + SCRIPT,
            77,
            "cannot assume role",
            id="role refused",
        ),
        pytest.param(
            HEAD + "variables: {A: {from_env: UNSET_NAME, sensitive: true}}\n" + SCRIPT,
            65,
            "UNSET_NAME",
            id="unset variable",
        ),
        pytest.param("[1, 2]\n", 65, "mapping", id="no mapping"),
        pytest.param("name: [\n", 65, "step.yaml:", id="no yaml"),
    ],
)
def test_bad_manifests(manifest: str, code: int, expected: str, world: World) -> None:
    """Each defect has its code and names the place or the cure."""
    nobody = DEV.replace("DevDeployRole", "Nobody")
    world.aws.refuse[nobody] = refusal()
    world.write(manifest)
    check(world, code, expected)


def _binary(path: Path) -> None:
    path.write_bytes(b"\x7fELF\0\0\0")


def _latin(path: Path) -> None:
    path.write_bytes("name: caf\xe9\n".encode("latin-1"))


def _directory(path: Path) -> None:
    path.mkdir()


def _large(path: Path) -> None:
    path.write_bytes(b"# " + b"x" * (1024 * 1024 + 10) + b"\n")


def _laughs(path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9)]
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("make", "code"),
    [
        pytest.param(_binary, 65, id="binary"),
        pytest.param(_latin, 65, id="not utf-8"),
        pytest.param(_directory, 66, id="directory"),
        pytest.param(_large, 65, id="over 1 MB"),
        pytest.param(_laughs, 65, id="billion laughs"),
        pytest.param(lambda path: None, 66, id="missing"),
    ],
)
def test_files_that_are_no_manifest(
    make: Callable[[Path], object], code: int, world: World
) -> None:
    """What is no manifest is refused by its kind, at once."""
    make(world.folder / "step.yaml")
    check(world, code, "step.yaml")


@pytest.mark.socket
def test_sts_unreachable_is_temporary(world: World) -> None:
    """An endpoint that nobody listens on is worth a retry later: 75, not 77, when 30 seconds have
    been spent on it."""
    time = FakeTime()

    class RealDoor(FakeAws):
        def door(
            self,
            settings: AwsSettings,
            registry: SecretRegistry,
            environ: Mapping[str, str],
            **more: Any,
        ) -> Any:
            return BotoAws(settings, registry, environ, pace=time.pace(), **more)

    world.aws = RealDoor()
    world.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
    world.write(HEAD + SCRIPT)
    check(world, 75, "127.0.0.1:9")
    assert 20 < time.now <= 30
