"""A state that Terraform could not save is kept, and never run over."""

from __future__ import annotations

import signal
import stat
from pathlib import Path

import pytest

from calamari_py.errors import Cancelled, ToolFailed
from calamari_py.steps.terraform.state.errored import check_leftover, rescue
from tests.steps.terraform.fakes import ToolReport
from tests.steps.terraform.state.room import LOCK_ID, Room

SECRET = "hunter2-secret"
NESTED = "nested-and-secret"
STATE = {
    "version": 4,
    "serial": 3,
    "lineage": "4c4d",
    "outputs": {
        "pw": {"value": {"deep": [f"{SECRET}-out"]}, "type": "string", "sensitive": True},
        "url": {"value": "https://plain", "type": "string"},
    },
    "resources": [
        {
            "mode": "managed",
            "type": "terraform_data",
            "name": "a",
            "instances": [
                {
                    "attributes": {
                        "id": "plain-id",
                        "input": SECRET,
                        "list": [{"key": "plain-first"}, {"key": NESTED}],
                    },
                    "sensitive_attributes": [
                        [{"type": "get_attr", "value": "input"}],
                        [
                            {"type": "get_attr", "value": "list"},
                            {"type": "index", "value": {"value": 1, "type": "number"}},
                            {"type": "get_attr", "value": "key"},
                        ],
                    ],
                }
            ],
        }
    ],
}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """One where artifacts are kept."""
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    return Room(tmp_path, report=ToolReport(folder=artifacts))


def mode_of(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_becomes_an_artifact_as_it_is(room: Room) -> None:
    """Byte for byte and unmasked; only then it is removed from the root module."""
    work = room.work()
    content = room.leaves(STATE)
    rescue(work)
    assert room.report.kept == {"errored.tfstate": content}
    assert room.report.unmasked == {"errored.tfstate"}
    assert not room.errored.exists()
    assert room.report.facts["errored_state"].endswith("artifacts/errored.tfstate")


def test_its_secrets_are_known_before_anything_is_said(room: Room) -> None:
    """Sensitive outputs and attributes, and nothing else."""
    work = room.work()
    room.leaves(STATE)
    rescue(work)
    assert set(room.report.hidden) == {SECRET, f"{SECRET}-out", NESTED}
    kinds = [kind for kind, _ in room.report.told]
    assert kinds == ["hide"] * 3 + ["setback"]


def test_the_step_has_failed_and_the_line_saves_it(room: Room) -> None:
    """What happened, where it is, and what saves it; the lock may be there, too."""
    work = room.work()
    room.leaves(STATE)
    rescue(work)
    kept = room.folder / "artifacts" / "errored.tfstate"
    (told,) = room.report.said("setback")
    assert told.startswith("the state could not be saved")
    assert f"'{kept}' alone" in told
    save, push, locked, unlock = room.report.hints[-1].splitlines()
    assert save == "when the backend is there again, save it:"
    assert f"terraform state push {kept} && rm {kept}" in push
    assert locked.startswith("if the next run names a lock")
    assert "force-unlock -force LOCK_ID" in unlock


def test_a_lock_is_freed_before_it_is_saved(room: Room) -> None:
    """Pushing needs the lock: the line that frees it comes first."""
    work = room.work()
    room.leaves(STATE)
    room.is_locked()
    rescue(work)
    _, unlock, _, push = room.report.hints[-1].splitlines()
    assert f"force-unlock -force {LOCK_ID}" in unlock
    assert "state push" in push
    assert room.report.facts["lock"]["id"] == LOCK_ID


def test_without_a_folder_for_artifacts_it_stays(room: Room) -> None:
    """Where it is, for nobody else to read, and the next run is refused."""
    work = room.work()
    room.report.takes_artifacts = False
    content = room.leaves(STATE)
    rescue(work)
    assert room.errored.read_bytes() == content
    assert mode_of(room.errored) == 0o600
    assert str(room.errored) in room.report.said("setback")[0]
    with pytest.raises(ToolFailed, match="could not save"):
        check_leftover(work.spec, work.context)


def test_a_copy_that_differs_is_no_copy(room: Room) -> None:
    """Then it stays where it is."""

    class Torn(ToolReport):
        def artifact(self, path: Path, name: str, *, as_it_is: bool = False) -> Path | None:
            kept = super().artifact(path, name, as_it_is=as_it_is)
            assert kept is not None
            kept.write_bytes(kept.read_bytes()[:-1])
            return kept

    room.report = Torn(folder=room.report.folder)
    work = room.work()
    content = room.leaves(STATE)
    rescue(work)
    assert room.errored.read_bytes() == content
    assert str(room.errored) in room.report.said("setback")[0]


def test_it_is_kept_though_nobody_reads(room: Room) -> None:
    """The first word raises; the state is safe all the same."""

    class Unread(ToolReport):
        def hide(self, value: str, name: str) -> None:
            raise Cancelled(signal.SIGPIPE)

    room.report = Unread(folder=room.report.folder)
    work = room.work()
    content = room.leaves(STATE)
    with pytest.raises(Cancelled):
        rescue(work)
    assert room.report.kept["errored.tfstate"] == content
    assert not room.errored.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{half", id="half"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"outputs": [], "resources": {"a": 1}}', id="other shapes"),
        pytest.param(
            b'{"resources": [{"instances": [{"sensitive_attributes": [["x"], 3]}, 7]}, null]}',
            id="odd paths",
        ),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_what_cannot_be_read_is_kept_too(room: Room, content: bytes) -> None:
    """Whatever Terraform wrote, people may need it."""
    work = room.work()
    room.leaves(content)
    rescue(work)
    assert room.report.kept == {"errored.tfstate": content}


def test_nothing_is_said_where_nothing_is_left(room: Room) -> None:
    """Most bad ends leave no such file, and ask nobody for a lock."""
    rescue(room.work())
    assert room.report.told == []
    assert room.answers.words() == []


def test_a_link_is_not_followed(room: Room, tmp_path: Path) -> None:
    """Neither read nor removed; what it leads to is left alone."""
    work = room.work()
    other = tmp_path / "other"
    other.write_text("x")
    other.chmod(0o644)
    room.errored.symlink_to(other)
    rescue(work)
    assert room.report.kept == {}
    assert "cannot be kept: it is a link" in room.report.said("setback")[0]
    assert mode_of(other) == 0o644
    assert room.errored.is_symlink()


def test_what_is_no_file_is_left_alone(room: Room) -> None:
    """Nothing of it is changed, and it is said."""
    work = room.work()
    room.errored.mkdir(mode=0o755)
    rescue(work)
    assert mode_of(room.errored) == 0o755
    assert "it is no regular file" in room.report.said("setback")[0]


@pytest.mark.parametrize("form", ["file", "folder", "link", "broken link"])
def test_an_older_one_stops_the_step(room: Room, form: str) -> None:
    """Whatever it is, nothing is applied over it; the line pushes it."""
    work = room.work()
    _make(room.errored, form)
    with pytest.raises(ToolFailed) as refused:
        check_leftover(work.spec, work.context)
    assert str(room.errored) in str(refused.value)
    assert f"state push {room.errored} && rm {room.errored}" in (refused.value.hint or "")


def test_a_later_attempt_does_not_run_over_it(room: Room) -> None:
    """The artifact holds the state that counts: the older one is not applied to again."""
    work = room.work()
    check_leftover(work.spec, work.context)
    room.leaves(STATE)
    rescue(work)
    room.report.facts.clear()
    with pytest.raises(ToolFailed, match="attempt before could not save") as refused:
        check_leftover(work.spec, work.context)
    assert f"state push {room.folder / 'artifacts' / 'errored.tfstate'}" in (
        refused.value.hint or ""
    )
    assert "errored_state" in room.report.facts


def _make(path: Path, form: str) -> None:
    match form:
        case "file":
            path.touch()
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("/etc/hostname")
        case _:
            path.symlink_to("nowhere")
