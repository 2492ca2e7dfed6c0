"""`--no-mask`: refused unless the manifest allows it, loud where it does, and for the child's
output alone. And `--no-ansi-aware`."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.process import ProcessExit, StopReason
from tests.fakes import Running, prints, step_secrets
from tests.runner.world import HEAD, SCRIPT, World

SECRET = "s3cr3t-canary-0123456789"
TOKEN = "variables: {Token: {from_env: API_TOKEN, sensitive: true}}\n"
ALLOWED = f"{HEAD}allow_no_mask: true\n{TOKEN}{SCRIPT}"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, environ={"API_TOKEN": SECRET})


def test_it_is_refused(world: World) -> None:
    """Before anything is called or run, as wrong usage, with the key that would allow it."""
    result = world.run(HEAD + TOKEN + SCRIPT, prints(SECRET.encode()), no_mask=True)
    assert (result.exit_code, result.outcome.value) == (2, "not_started")
    assert (world.aws.calls, world.child.started) == ([], [])
    (problem,) = result.problems
    assert "--no-mask is refused" in problem.message
    assert "'allow_no_mask: true'" in (problem.hint or "")


def test_the_child_is_shown_as_it_is(world: World) -> None:
    """All of its output, the credentials' secrets included; and everybody is told."""
    key, token = (part.encode() for part in step_secrets(1))
    data = b"\0".join((SECRET.encode(), key, token, b"t0"))
    result = world.run(ALLOWED, prints(data), no_mask=True)
    assert result.exit_code == 0
    assert world.reporter.shown() == data
    assert any(text.startswith("--no-mask: ") for text in world.reporter.warnings)
    (report,) = world.reporter.told("identity")
    assert report.masking_off


def test_what_calamari_writes_stays_masked(world: World) -> None:
    """Warnings, the result and the audit log know no exception."""
    world.run(
        ALLOWED.replace("name: deploy", f"name: deploy-{SECRET}"), prints(SECRET.encode()),
        no_mask=True, result=world.folder / "result.json", audit_log=world.folder / "audit",
    )  # fmt: skip
    assert world.reporter.shown() == SECRET.encode()
    for name in ("result.json", "audit"):
        assert SECRET not in (world.folder / name).read_text("utf-8")


def test_a_line_that_nobody_masked_is_not_quoted(world: World) -> None:
    """A time limit names no line of such a step: half a secret would be masked nowhere."""

    def child(running: Running) -> ProcessExit:
        running.write(SECRET[:-4].encode())
        return ProcessExit(code=143, stopped=StopReason.TIMEOUT)

    result = world.run(f"{ALLOWED}timeout: 10m\n", child, no_mask=True)
    assert result.exit_code == 124
    assert SECRET[:-4] not in str((result.problems, world.reporter.warnings))


@pytest.mark.parametrize(
    ("no_mask", "manifest"),
    [
        pytest.param(False, ALLOWED, id="allowed and not asked for"),
        pytest.param(False, HEAD + TOKEN + SCRIPT, id="neither"),
    ],
)
def test_nobody_gets_it_by_chance(no_mask: bool, manifest: str, world: World) -> None:
    """The manifest allows it, and only the command line asks for it."""
    result = world.run(manifest, prints(SECRET.encode()), no_mask=no_mask)
    assert result.exit_code == 0
    assert world.reporter.shown() == b"***"


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        pytest.param("projects: ['*', '']", 77, id="nothing said"),
        pytest.param("projects: ['*', '']\nallow_no_mask: false", 77, id="forbidden"),
        pytest.param("projects: ['*', '']\nallow_no_mask: true", 0, id="allowed"),
    ],
)
def test_the_operator_has_the_last_word(policy: str, code: int, world: World) -> None:
    """Under a policy a manifest may allow it only where the policy does."""
    file = world.write(policy, "ops.yaml")
    result = world.run(ALLOWED, prints(b"x"), policy=file, no_mask=True)
    assert result.exit_code == code
    if code:
        assert world.aws.calls == []
        assert "allow_no_mask" in world.reporter.text


COLOURED = b"s3cr3t-\x1b[1mcanary\x1b[0m-0123456789"


@pytest.mark.parametrize(
    ("ansi_aware", "shown"),
    [pytest.param(True, False, id="looked for"), pytest.param(False, True, id="--no-ansi-aware")],
)
def test_colour_codes_inside_a_secret(ansi_aware: bool, shown: bool, world: World) -> None:
    """They hide nothing, unless the command line says not to look."""
    world.run(HEAD + TOKEN + SCRIPT, prints(COLOURED), ansi_aware=ansi_aware)
    assert (COLOURED in world.reporter.shown()) is shown
