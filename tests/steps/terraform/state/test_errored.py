"""A state that Terraform could not save is kept, and never run over."""

from __future__ import annotations

import json
import os
import signal
import stat
import zipfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.errors import Cancelled, InternalError, ToolFailed
from calamari_py.process.base import ProcessExit, Stream
from calamari_py.steps.terraform.state.errored import check_leftover, rescue
from calamari_py.steps.terraform.state.places import private_leavings
from calamari_py.steps.terraform.state.whose import Overheard
from tests.steps.terraform.fakes import Answer, ToolReport
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


def heard(
    room: Room, *, lineage: str = "", said: bool = True, code: int | None = None
) -> Overheard:
    """What was heard of an apply of a state with that `lineage`, which says that it could not save
    it, and ended with `code` if anybody knows."""
    plan = room.folder / "plan.tfplan"
    with zipfile.ZipFile(plan, "w") as archive:
        archive.writestr("tfstate", json.dumps({"lineage": lineage}))
    found = Overheard(plan)
    reader = found.around(_Deaf())
    reader.line("stdout", _line("provision_progress", "errored.tfstate"))
    if said:
        reader.line("stdout", _line("diagnostic", 'written to the file "errored.tfstate"'))
    if code is not None:
        found.ended(ProcessExit(code=code))
    return found


def _line(type_: str, text: str) -> bytes:
    return json.dumps({"type": type_, "text": text}).encode()


class _Deaf:
    def line(self, stream: Stream, line: bytes) -> None: ...

    def idle(self) -> None: ...


def mode_of(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_it_becomes_an_artifact_as_it_is(room: Room) -> None:
    """Byte for byte and unmasked; only then it is removed from the root module."""
    work = room.work()
    content = room.leaves(STATE)
    rescue(work, heard(room))
    assert room.report.kept == {"errored.tfstate": content}
    assert room.report.unmasked == {"errored.tfstate"}
    assert not room.errored.exists()
    assert room.link.readlink() == room.folder / "artifacts" / "errored.tfstate"
    assert room.report.facts["errored_state"].endswith("artifacts/errored.tfstate")


def test_its_secrets_are_known_before_anything_is_said(room: Room) -> None:
    """Sensitive outputs and attributes, and nothing else."""
    work = room.work()
    room.leaves(STATE)
    rescue(work, heard(room))
    assert set(room.report.hidden) == {SECRET, f"{SECRET}-out", NESTED}
    kinds = [kind for kind, _ in room.report.told]
    assert kinds == ["hide"] * 3 + ["setback"]


def test_the_step_has_failed_and_the_line_saves_it(room: Room) -> None:
    """What happened, where it is, and what saves it; the lock may be there, too."""
    work = room.work()
    room.leaves(STATE)
    room.answers.on("untaint", Answer(code=1, stderr=b"Error: no answer"))
    rescue(work, heard(room))
    kept = room.folder / "artifacts" / "errored.tfstate"
    (told,) = room.report.said("setback")
    assert told.startswith("the state could not be saved")
    assert f"'{kept}' alone" in told
    save, push, locked, unlock = room.report.hints[-1].splitlines()
    assert save == "when the backend is there again, save it:"
    assert f"terraform state push {kept} && rm {kept} {room.link}" in push
    assert locked.startswith("if the next run names a lock")
    assert "force-unlock -force LOCK_ID" in unlock


def test_a_lock_is_freed_before_it_is_saved(room: Room) -> None:
    """Pushing needs the lock: the line that frees it comes first."""
    work = room.work()
    room.leaves(STATE)
    room.is_locked()
    rescue(work, heard(room))
    _, unlock, _, push = room.report.hints[-1].splitlines()
    assert f"force-unlock -force {LOCK_ID}" in unlock
    assert "state push" in push
    assert room.report.facts["lock"]["id"] == LOCK_ID


def test_without_a_folder_for_artifacts_it_stays(room: Room) -> None:
    """Where it is, for nobody else to read, and the next run is refused."""
    work = room.work()
    room.report.takes_artifacts = False
    content = room.leaves(STATE)
    rescue(work, heard(room))
    assert room.errored.read_bytes() == content
    assert mode_of(room.errored) == 0o600
    assert str(room.errored) in room.report.said("setback")[0]
    with pytest.raises(ToolFailed, match="could not be saved"):
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
    rescue(work, heard(room))
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
        rescue(work, heard(room))
    assert room.report.kept["errored.tfstate"] == content
    assert not room.errored.exists()


@pytest.mark.parametrize(
    "content",
    [
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
    rescue(work, heard(room))
    assert room.report.kept == {"errored.tfstate": content}


def test_nothing_is_said_where_nothing_is_left(room: Room) -> None:
    """Most bad ends leave no such file, and ask nobody for a lock."""
    rescue(room.work(), heard(room))
    assert room.report.told == []
    assert room.answers.words() == []


def test_a_link_is_not_followed(room: Room, tmp_path: Path) -> None:
    """Neither read nor removed; what it leads to is left alone."""
    work = room.work()
    other = tmp_path / "other"
    other.write_text("x")
    other.chmod(0o644)
    room.errored.symlink_to(other)
    rescue(work, heard(room))
    assert room.report.kept == {}
    assert "cannot be kept: it is a link" in room.report.said("setback")[0]
    assert mode_of(other) == 0o644
    assert room.errored.is_symlink()


def test_what_is_no_file_is_left_alone(room: Room) -> None:
    """Nothing of it is changed, and it is said."""
    work = room.work()
    room.errored.mkdir(mode=0o755)
    rescue(work, heard(room))
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


@pytest.mark.parametrize(
    ("lineage", "said", "code"),
    [
        pytest.param("", False, 1, id="a failure that does not tell of it"),
        pytest.param("other", True, 1, id="of another state"),
        pytest.param("other", False, None, id="of another state, killed"),
    ],
)
def test_a_state_of_another_run_is_left_alone(
    lineage: str, said: bool, code: int | None, room: Room
) -> None:
    """Two runs in one folder leave it in the same place: who takes it would push it over its
    own."""
    work = room.work()
    content = room.leaves(STATE)
    rescue(work, heard(room, lineage=lineage, said=said, code=code))
    assert room.report.kept == {}
    assert room.errored.read_bytes() == content
    assert "another run in that folder could not save" in room.report.said("warning")[0]
    assert room.report.said("setback") == []
    assert bool(room.answers.called("untaint")) is (code is None)


def test_the_lineage_tells_whose_it_is(room: Room) -> None:
    """Whatever was heard."""
    work = room.work()
    room.leaves(STATE)
    rescue(work, heard(room, lineage="4c4d", said=False, code=1))
    assert not room.errored.exists()
    assert "errored.tfstate" in room.report.kept


def test_what_may_be_anothers_is_copied(room: Room) -> None:
    """Killed, a run cannot say whose it is: it is kept, and stays for the other."""
    work = room.work()
    content = room.leaves(STATE)
    rescue(work, heard(room, said=False))
    assert room.report.kept == {"errored.tfstate": content}
    assert room.errored.read_bytes() == content
    assert "by this run or by another in that folder" in room.report.said("setback")[0]
    kept = room.folder / "artifacts" / "errored.tfstate"
    assert f"state push {kept} && rm {kept} {room.errored}" in room.report.hints[-1]


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_plan_that_tells_nothing_is_asked_nothing(content: bytes | None, room: Room) -> None:
    """It may be encrypted, or lie on a server: then what was heard counts."""
    plan = room.folder / "plan"
    if content is not None:
        plan.write_bytes(content)
    assert Overheard(plan).whose(b'{"lineage": "4c4d"}') == "unknown"


def test_an_artifact_that_is_gone_is_asked_for(room: Room) -> None:
    """Whoever has put it elsewhere has to bring it back."""
    work = room.work()
    room.leaves(STATE)
    rescue(work, heard(room))
    (room.folder / "artifacts" / "errored.tfstate").unlink()
    with pytest.raises(ToolFailed, match="and it is not there") as refused:
        check_leftover(work.spec, work.context)
    assert (refused.value.hint or "").startswith("bring that file back")


def test_two_lost_states_are_both_remembered(room: Room) -> None:
    """When the first is saved, the second is still there."""
    work = room.work()
    for _ in range(2):
        room.leaves(STATE)
        rescue(work, heard(room))
    room.link.unlink()
    with pytest.raises(ToolFailed, match="could not be saved"):
        check_leftover(work.spec, work.context)


def test_where_no_link_can_be_left_the_file_stays(room: Room) -> None:
    """Without either the next run would not know."""
    work = room.work()
    content = room.leaves(STATE)
    for number in range(1, 10):
        (room.module / f"errored.tfstate.kept{f'-{number}' if number > 1 else ''}").touch()
    rescue(work, heard(room))
    assert room.errored.read_bytes() == content


def test_a_later_run_does_not_run_over_it(room: Room) -> None:
    """The artifact holds the state that counts: the older one is not applied to again."""
    work = room.work()
    check_leftover(work.spec, work.context)
    room.leaves(STATE)
    rescue(work, heard(room))
    room.report.facts.clear()
    with pytest.raises(ToolFailed, match="could not be saved") as refused:
        check_leftover(work.spec, work.context)
    assert f"state push {room.folder / 'artifacts' / 'errored.tfstate'}" in (
        refused.value.hint or ""
    )
    assert "errored_state" in room.report.facts


def _make(path: Path, form: str) -> None:
    match form:
        case "file":
            path.write_text("{}")
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("/etc/hostname")
        case _:
            path.symlink_to("nowhere")


def test_what_could_not_be_saved_is_private_from_the_start(room: Room) -> None:
    """Nobody else can read it while Terraform still writes it, whatever the umask is."""
    spec = room.work().spec
    before = os.umask(0)
    try:
        with private_leavings(spec):
            room.errored.write_bytes(b"{}")
            assert mode_of(room.errored) == 0o600
    finally:
        os.umask(before)
    assert room.errored.read_bytes() == b"{}"


def test_an_apply_that_saves_its_state_leaves_nothing(room: Room) -> None:
    """What was made for the case is gone, after a bad end, too."""
    spec = room.work().spec
    with suppress(InternalError), private_leavings(spec):
        assert room.errored.exists()
        raise InternalError("a bad end")
    assert not room.errored.exists()


def test_what_a_killed_run_made_is_no_leftover(room: Room) -> None:
    """There is nothing in it that could be lost; the next apply uses and removes it."""
    work = room.work()
    room.errored.touch()
    room.errored.chmod(0o644)
    check_leftover(work.spec, work.context)
    with private_leavings(work.spec):
        assert mode_of(room.errored) == 0o600
    assert not room.errored.exists()


def test_what_another_run_may_need_stays(room: Room) -> None:
    """Two runs in one folder: the last one to end removes what was made for both."""
    spec = room.work().spec
    with private_leavings(spec):
        with private_leavings(spec):
            pass
        assert room.errored.exists()
    assert not room.errored.exists()


@pytest.mark.parametrize("form", ["link", "folder", "missing"])
def test_a_place_that_cannot_be_prepared(form: str, room: Room) -> None:
    """It is left as it is, and the apply goes on: what is wrong there Terraform says itself."""
    spec = room.work().spec
    target = room.folder / "target"
    if form == "link":
        room.errored.symlink_to(target)
    elif form == "folder":
        room.errored.mkdir()
    else:
        spec = replace(spec, directory=room.folder / "gone")
    with private_leavings(spec):
        pass
    assert not target.exists()
    assert os.path.lexists(room.errored) is (form != "missing")
