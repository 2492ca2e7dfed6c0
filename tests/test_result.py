"""The result document and the files that hold it."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from calamari_py.errors import CalamariError, Problem, UsageError
from calamari_py.masking.secret import Masked
from calamari_py.result import (
    Attempt,
    MaskingRecord,
    Outcome,
    OutputVariable,
    StepIdentity,
    StepResult,
    Usage,
    check_result_target,
    dump_json,
    format_time,
    write_outputs,
    write_result,
)

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
OUTPUTS = {
    "Url": OutputVariable(value="https://example.com", sensitive=False),
    "Password": OutputVariable(value="correct horse", sensitive=True),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    made = tmp_path / "out"
    made.mkdir()
    return made


def step_result(**changes: Any) -> StepResult:
    values: dict[str, Any] = {
        "step": Masked("deploy"),
        "outcome": Outcome.SUCCEEDED,
        "exit_code": 0,
        "exit_origin": "child",
        "started_at": START,
        "ended_at": START + timedelta(seconds=1.5),
    }
    return StepResult(**{**values, **changes})


def test_document_of_a_full_run() -> None:
    """The document holds every field, and no value of a sensitive output."""
    document = step_result(
        changed=True,
        identity=StepIdentity(
            launcher_arn="arn:launcher",
            hops=("arn:hub", "arn:role"),
            arn="arn:role",
            account="111111111111",
            region="eu-west-1",
            expires_at=START + timedelta(hours=1),
        ),
        outputs=OUTPUTS,
        artifacts=("plan.txt",),
        durations={"identity": 0.41239, "total": 1.5},
        problems=(
            Problem(message="is wrong", file="a.yaml", line=4, column=1, hint="change it"),
            Problem(message="cannot tell where"),
        ),
        usage=Usage(cpu=1.23456, peak_memory=1_048_576, stdout=120, stderr=5),
        masking=MaskingRecord(hits={"Password": 2}, unmasked={"Pin": "is too short"}),
        attempts=(
            Attempt(
                exit_code=143,
                outcome=Outcome.TIMED_OUT,
                stopped="timeout",
                started_at=START,
                ended_at=START + timedelta(seconds=1),
                duration=1.00049,
                usage=Usage(stdout=3),
            ),
        ),
    ).to_document()
    assert document == {
        "schema_version": 1,
        "step": "deploy",
        "outcome": "succeeded",
        "exit_code": 0,
        "exit_origin": "child",
        "changed": True,
        "identity": {
            "launcher_arn": "arn:launcher",
            "hops": ["arn:hub", "arn:role"],
            "arn": "arn:role",
            "account": "111111111111",
            "region": "eu-west-1",
            "expires_at": "2026-03-01T10:30:00.000Z",
        },
        "outputs": {
            "Url": {"value": "https://example.com", "sensitive": False},
            "Password": {"value": None, "sensitive": True},
        },
        "artifacts": ["plan.txt"],
        "durations": {"identity": 0.412, "total": 1.5},
        "problems": [
            {"message": "is wrong", "hint": "change it", "place": "a.yaml:4:1"},
            {"message": "cannot tell where", "hint": None, "place": None},
        ],
        "started_at": "2026-03-01T09:30:00.000Z",
        "ended_at": "2026-03-01T09:30:01.500Z",
        "usage": {"cpu": 1.235, "peak_memory": 1_048_576, "stdout": 120, "stderr": 5},
        "masking": {"off": False, "hits": {"Password": 2}, "unmasked": {"Pin": "is too short"}},
        "attempts": [
            {
                "exit_code": 143,
                "outcome": "timed_out",
                "stopped": "timeout",
                "started_at": "2026-03-01T09:30:00.000Z",
                "ended_at": "2026-03-01T09:30:01.000Z",
                "duration": 1.0,
                "usage": {"cpu": None, "peak_memory": None, "stdout": 3, "stderr": 0},
            }
        ],
    }


def test_document_of_a_run_that_never_started() -> None:
    """What is not known is null or empty, never missing; attempts are there only with retry, and
    whether there is something to change only where there is."""
    document = step_result(outcome=Outcome.NOT_STARTED, exit_code=65).to_document()
    assert document["changed"] is None
    assert document["identity"] == {
        "launcher_arn": None,
        "hops": [],
        "arn": None,
        "account": None,
        "region": None,
        "expires_at": None,
    }
    assert (document["outputs"], document["problems"]) == ({}, [])
    assert document["usage"] == {"cpu": None, "peak_memory": None, "stdout": 0, "stderr": 0}
    assert document["masking"] == {"off": False, "hits": {}, "unmasked": {}}
    assert "attempts" not in document
    assert "pending" not in document
    assert step_result(pending=True).to_document()["pending"] is True


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        pytest.param(Usage(cpu=1.0, peak_memory=5, stdout=1), Usage(cpu=2.5, peak_memory=3,
                     stderr=2), Usage(cpu=3.5, peak_memory=5, stdout=1, stderr=2), id="known"),
        pytest.param(Usage(), Usage(cpu=2.5, peak_memory=3), Usage(cpu=2.5, peak_memory=3),
                     id="one of them"),
        pytest.param(Usage(stdout=1), Usage(stdout=1), Usage(stdout=2), id="neither"),
    ],
)  # fmt: skip
def test_usage_of_one_after_the_other(one: Usage, other: Usage, both: Usage) -> None:
    """Time and bytes add up, memory does not, and what nobody knows is no zero."""
    assert one + other == both


def test_an_output_value_is_not_in_repr() -> None:
    """A sensitive output cannot be printed by accident, nor the result that holds it."""
    assert "correct horse" not in repr(step_result(outputs=OUTPUTS))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(START, "2026-03-01T09:30:00.000Z", id="whole second"),
        pytest.param(START + timedelta(microseconds=9999), "2026-03-01T09:30:00.009Z", id="cut"),
        pytest.param(
            START.astimezone(timezone(timedelta(hours=2))), "2026-03-01T09:30:00.000Z", id="zone"
        ),
    ],
)
def test_format_time(moment: datetime, text: str) -> None:
    """A time is UTC with three digits, whatever its zone."""
    assert format_time(moment) == text


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("naïve", '"naïve"', id="readable"),
        pytest.param("a\u2028\x85\x7f\x1b", '"a\\u2028\\u0085\\u007f\\u001b"', id="escaped"),
        pytest.param("caf\udce9", '"caf\N{REPLACEMENT CHARACTER}"', id="half a character"),
    ],
)
def test_dump_json(value: str, written: str) -> None:
    """JSON is UTF-8 that every reader takes, without a terminal control in it."""
    assert dump_json(value) == written.encode()


Writer = Callable[[Path], None]
WRITERS = [
    pytest.param(lambda path: write_result(path, step_result().to_document()), id="result"),
    pytest.param(lambda path: write_outputs(path, OUTPUTS), id="outputs"),
]


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("before", [None, "old"])
def test_written_whole_and_private(folder: Path, write: Writer, before: str | None) -> None:
    """The file is JSON of mode 0600, also over an older and more open one, and stands alone."""
    target = folder / "result.json"
    if before is not None:
        target.write_text(before)
        target.chmod(0o666)
    write(target)
    assert isinstance(json.loads(target.read_bytes()), dict)
    assert target.read_bytes().endswith(b"}\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert os.listdir(folder) == ["result.json"]


def test_a_reader_keeps_the_document_it_opened(folder: Path) -> None:
    """A new document replaces the file; it never writes into the one that is being read."""
    target = folder / "result.json"
    write_result(target, {"run": 1})
    with target.open() as reader:
        write_result(target, {"run": 2})
        assert json.load(reader) == {"run": 1}
    assert json.loads(target.read_text()) == {"run": 2}


def test_outputs_file_holds_all_values(folder: Path) -> None:
    """--outputs is the one file with sensitive values, marked as such."""
    target = folder / "outputs.json"
    write_outputs(target, OUTPUTS)
    assert json.loads(target.read_text()) == {
        "Url": {"value": "https://example.com", "sensitive": False},
        "Password": {"value": "correct horse", "sensitive": True},
    }


def make_folder(path: Path) -> None:
    path.mkdir()


def make_link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_text("untouched")
    path.symlink_to(elsewhere)


def make_dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's path may not be longer than 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        pytest.param(make_folder, "a folder", id="folder"),
        pytest.param(make_link, "a symbolic link", id="link"),
        pytest.param(make_dangling_link, "a symbolic link", id="dangling link"),
        pytest.param(make_fifo, "a FIFO", id="fifo"),
        pytest.param(make_socket, "a socket", id="socket"),
    ],
)
def test_special_targets_are_refused(folder: Path, make: Callable[[Path], None], what: str) -> None:
    """What is no regular file is refused with a hint, before the run and at its end, untouched."""
    target = folder / "result.json"
    make(target)
    before = target.lstat()
    for refuse in (check_result_target, lambda path: write_result(path, {})):
        with pytest.raises(UsageError) as raised:
            refuse(target)
        assert str(raised.value) == f"--result '{target}' is {what}, not a file"
        assert raised.value.hint
    assert target.lstat().st_ino == before.st_ino
    assert sorted(os.listdir(folder)) in (["result.json"], ["elsewhere", "result.json"])


def test_a_device_is_refused() -> None:
    """/dev/null is no place for a document: replacing it would break the machine."""
    with pytest.raises(UsageError, match=r"--outputs '/dev/null' is a device") as raised:
        check_result_target(Path("/dev/null"), option="--outputs")
    assert raised.value.hint


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("none/result.json", "does not exist", id="no folder"),
        pytest.param("file/result.json", "does not exist", id="a file as folder"),
        pytest.param("x" * 300, "cannot be used", id="name too long"),
    ],
)
def test_impossible_targets_are_refused(folder: Path, name: str, message: str) -> None:
    """A file that cannot be there is found out before anything runs."""
    (folder / "file").write_text("")
    with pytest.raises(UsageError, match=message) as raised:
        check_result_target(folder / name)
    assert raised.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_refused(folder: Path) -> None:
    """A folder that may not be written to is found out before anything runs."""
    folder.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="is not writable"):
            check_result_target(folder / "result.json")
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("name", ["new.json", "old.json"])
def test_possible_targets_are_accepted(folder: Path, name: str) -> None:
    """A new file and an existing one are fine, and the check leaves nothing behind."""
    (folder / "old.json").write_text("old")
    check_result_target(folder / name)
    assert os.listdir(folder) == ["old.json"]
    assert (folder / "old.json").read_text() == "old"


def test_a_refusing_disk_is_told_and_leaves_nothing(folder: Path) -> None:
    """When the disk refuses, the old document stays, no temporary file does, and a hint says so."""
    import resource

    target = folder / "result.json"
    target.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(CalamariError, match="cannot write --result") as raised:
            write_result(target, {"long": "x" * 1000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert raised.value.hint
    assert target.read_text() == "old"
    assert os.listdir(folder) == ["result.json"]
