"""``init``: attempts, the lock file, the backend."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from calamari_py.errors import Cancelled, TimedOut, ToolFailed
from calamari_py.process.base import StopReason
from calamari_py.steps._stopped import Stopped
from tests.steps.terraform.fakes import Answer
from tests.steps.terraform.running.room import Room

BUSY = Answer(
    code=1,
    stdout=b"Initializing the backend...\n",
    stderr=b"\nError: Failed to query available provider packages\n\nCould not retrieve: the "
    b"request failed after 2 attempts, please try again later: 503 Service\nUnavailable\n",
)
REFUSED = Answer(code=1, stderr=b"\nError: Invalid provider\n\nrequires authentication\n")
GOOD = Answer(stdout=b"Initializing the backend...\n\nTerraform has been initialized!\n")


def test_busy_registries_are_asked_again(tmp_path: Path) -> None:
    """Two failures of a busy registry are told and waited for, then it goes on."""
    room = Room(tmp_path)
    room.has_backend()
    room.fake.on("init", BUSY, BUSY, GOOD)
    room.tool.init()
    assert room.clock.slept == [4.0, 8.0]
    assert room.report.said("warning") == [
        "init failed for now (503 Service Unavailable): attempt 2 of 4 follows in 4 s",
        "init failed for now (503 Service Unavailable): attempt 3 of 4 follows in 8 s",
    ]


@pytest.mark.parametrize(
    ("jitter", "slept"),
    [
        pytest.param(0.0, [3.0, 6.0, 12.0], id="a-quarter-less"),
        pytest.param(1.0, [5.0, 10.0, 20.0], id="a-quarter-more"),
    ],
)
def test_no_two_runs_come_back_at_once(jitter: float, slept: list[float], tmp_path: Path) -> None:
    """Each pause is up to a quarter shorter or longer, and is told as it is."""
    room = Room(tmp_path, jitter=jitter)
    room.fake.on("init", BUSY)
    with pytest.raises(ToolFailed):
        room.tool.init()
    assert room.clock.slept == slept
    assert f"follows in {slept[0]:.0f} s" in room.report.said("warning")[0]


def test_the_last_failure_says_how_often_it_was_tried(tmp_path: Path) -> None:
    """After four attempts the error is the last one's, and counts them."""
    room = Room(tmp_path)
    room.fake.on("init", BUSY)
    with pytest.raises(ToolFailed, match="Failed to query") as caught:
        room.tool.init()
    assert "tried\t4 times" in caught.value.evidence
    assert room.clock.slept == [4.0, 8.0, 16.0]
    assert len(room.fake.called("init")) == 4


def test_an_error_that_stays_is_not_tried_again(tmp_path: Path) -> None:
    """A refusal ends it at once, without a count."""
    room = Room(tmp_path)
    room.fake.on("init", REFUSED)
    with pytest.raises(ToolFailed) as caught:
        room.tool.init()
    assert "tried" not in str(caught.value.evidence)
    assert len(room.fake.called("init")) == 1


def test_a_pause_ends_with_the_step(tmp_path: Path) -> None:
    """No pause goes on for longer than the step may take; it says what was waited for, and why."""
    room = Room(tmp_path, timeout=10)
    room.fake.on("init", BUSY)
    with pytest.raises(TimedOut, match="attempt 3 of init after 10s") as late:
        room.tool.init()
    assert (late.value.hint or "").startswith("attempt 2 said: terraform init failed: ")
    assert room.clock.slept == [4.0, 6.0]


def test_a_signal_ends_a_pause(tmp_path: Path) -> None:
    """Whoever cancels does not wait for the next attempt."""
    room = Room(tmp_path)
    room.fake.on("init", BUSY)

    def cancel() -> None:
        raise Cancelled(signal.SIGTERM)

    room.clock.at(2, cancel)
    with pytest.raises(Cancelled):
        room.tool.init()
    assert len(room.fake.called("init")) == 1


def test_init_that_calamari_ended_is_no_failure_of_terraform(tmp_path: Path) -> None:
    """A stopped command is raised with its end, and not tried again."""
    room = Room(tmp_path)
    room.fake.on("init", Answer(code=124, stopped=StopReason.TIMEOUT, stderr=BUSY.stderr))
    with pytest.raises(Stopped) as caught:
        room.tool.init()
    assert caught.value.exit.stopped is StopReason.TIMEOUT
    assert len(room.fake.calls) == 1


def test_what_init_says_is_for_the_verbose(tmp_path: Path) -> None:
    """A run that goes well shows nothing of init but notes."""
    room = Room(tmp_path)
    room.has_backend()
    room.fake.on("init", GOOD)
    room.tool.init()
    expected = ["Initializing the backend...", "Terraform has been initialized!"]
    assert room.report.told == [("note", each) for each in expected]


def test_a_warning_of_init_is_shown(tmp_path: Path) -> None:
    """What Terraform warns of is no matter for the verbose alone."""
    room = Room(tmp_path)
    room.has_backend()
    warned = (
        b"\nWarning: Deprecated Parameter\n\nThe parameter is deprecated.\n\n"
        b"Terraform has been successfully initialized!\n"
    )
    room.fake.on("init", Answer(stdout=warned))
    room.tool.init()
    shown = [text for kind, text in room.report.told if kind != "note"]
    assert shown == ["Warning: Deprecated Parameter\n  The parameter is deprecated."]


def test_an_error_that_did_not_matter_is_a_warning(tmp_path: Path) -> None:
    """Terraform goes on without a cache that is not there, and calls that an error."""
    room = Room(tmp_path)
    room.has_backend()
    room.fake.on(
        "init",
        Answer(
            stderr="There are some problems with the CLI configuration:\n╷\n"
            "│ Error: The specified plugin cache dir /c cannot be opened: stat /c: no such file\n"
            "│ \n╵\n\nAs a result of the above problems, Terraform may not behave.\n".encode()
        ),
    )
    room.tool.init()
    (told,) = room.report.events
    assert told[1]["severity"] == "warning"
    assert "plugin cache dir /c" in told[1]["summary"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(None, None, None, id="none"),
        pytest.param(None, "a", "wrote", id="new"),
        pytest.param("a", "b", "changed", id="changed"),
        pytest.param("a", "a", None, id="as-it-was"),
    ],
)
def test_a_changed_lock_file_is_told(
    before: str | None, after: str | None, said: str | None, tmp_path: Path
) -> None:
    """Who does not commit the lock file may get other providers the next time."""
    room = Room(tmp_path)
    room.has_backend()
    path = room.directory / ".terraform.lock.hcl"
    if before is not None:
        path.write_text(before)
    room.fake.on("init", Answer(act=lambda: path.write_text(after) if after else None))
    room.tool.init()
    lines = room.report.said("line")
    expected = f"init {said} .terraform.lock.hcl: commit it, so that every run takes the same"
    assert [line.removesuffix(" providers") for line in lines] == ([expected] if said else [])


def test_a_state_that_would_have_to_move_is_explained(tmp_path: Path) -> None:
    """Terraform's own advice, to take '-input=false' away, helps nobody here."""
    room = Room(tmp_path)
    text = b"\nError: Can't ask approval for state migration when interactive input is disabled.\n"
    room.fake.on("init", Answer(code=1, stderr=text + b'\nPlease remove the "-input=false" option'))
    with pytest.raises(ToolFailed) as caught:
        room.tool.init()
    assert "init -migrate-state" in (caught.value.hint or "")


def test_a_password_in_an_address_is_hidden_before_it_is_said(tmp_path: Path) -> None:
    """Modules are fetched from addresses that hold one, and init names them."""
    room = Room(tmp_path)
    room.has_backend()
    source = "Downloading git::https://bot:s3cr3t-token@host/m.git for m..."
    room.fake.on("init", Answer(stdout=source.encode(), stderr=b"https://a:an0ther-one@host"))
    room.tool.init()
    assert {"s3cr3t-token", "an0ther-one"} <= room.report.hidden.keys()
    told = [kind for kind, _ in room.report.told]
    assert told.index("note") > max(place for place, kind in enumerate(told) if kind == "hide")
