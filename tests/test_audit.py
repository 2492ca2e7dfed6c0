"""The audit log: whole lines, from many writers, in a file that only its owner writes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
import subprocess
import sys
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from calamari_py.audit import AuditEvent, AuditLog
from calamari_py.errors import OutputNotWritable, UsageError
from calamari_py.masking import Masked, SecretRegistry

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
ARN = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/payments-dev-step"


def event(**values: Any) -> AuditEvent:
    """An event of a step; `values` replace its own."""
    return AuditEvent(**{"time": NOW, "event": "assumed", "step": Masked("step"), **values})


def lines(path: Path) -> list[dict[str, Any]]:
    """The documents in the log at `path`."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is to be."""
    return tmp_path / "audit.jsonl"


def test_a_line_has_every_field(path: Path) -> None:
    """One line leads from CloudTrail's session name to the step; what is not known is null."""
    AuditLog(path).write(
        event(
            project=Masked("payments"),
            chain=(Masked(ARN),),
            session_name=Masked("payments-dev-step"),
            access_key_id=Masked("ASIAEXAMPLE"),
            expires_at=NOW,
            request_ids=(Masked("req-1"), Masked("req-2")),
        )
    )
    (line,) = lines(path)
    assert line == {
        "schema_version": 1, "time": "2026-03-01T09:30:00.000Z", "event": "assumed",
        "step": "step", "project": "payments", "environment": None, "deployment_id": None,
        "source": None, "launcher_arn": None, "chain": [ARN], "arn": None,
        "session_name": "payments-dev-step", "access_key_id": "ASIAEXAMPLE",
        "expires_at": "2026-03-01T09:30:00.000Z", "request_ids": ["req-1", "req-2"],
        "account": None, "role_arn": None, "region": None, "code": None,
        "host": os.uname().nodename, "pid": os.getpid(),
    }  # fmt: skip


def test_every_text_is_masked_by_its_type() -> None:
    """No field takes a plain text, so none can carry a secret that is registered."""
    plain = {field.name for field in fields(AuditEvent) if "Masked" not in str(field.type)}
    assert plain == {"time", "event", "expires_at"}


def test_no_secret_is_written(path: Path) -> None:
    """A registered secret that got into a name or an error's code is a mask in the log."""
    registry = SecretRegistry()
    registry.add("c4nary-7f3e9a21", name="canary")
    mask = registry.mask_text("deploy c4nary-7f3e9a21")
    AuditLog(path).write(
        event(step=mask, chain=(mask,), source=mask, code=mask, request_ids=(mask,))
    )
    assert "c4nary" not in path.read_text("utf-8")
    assert lines(path)[0]["step"] == "deploy ***"


def test_an_event_that_is_none_is_refused() -> None:
    """The names of events are a closed list."""
    with pytest.raises(ValueError, match="is no identity event"):
        event(event="renamed")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\nb", id="a newline"),
        pytest.param("a\u2028b", id="a line separator"),
        pytest.param("a\x85b", id="a control character"),
        pytest.param("a\udcffb", id="a byte that is no text"),
    ],
)
def test_a_line_stays_one_line(path: Path, text: str) -> None:
    """Whatever stands in a name, one event is one line for every reader."""
    AuditLog(path).write(event(step=Masked(text)))
    assert len(path.read_text("utf-8").splitlines()) == 1
    assert path.read_bytes().endswith(b"}\n")


def test_the_file_is_there_from_the_start(path: Path) -> None:
    """The log is made, private, before anything happens; nothing is in it yet."""
    before = os.umask(0)
    try:
        AuditLog(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b""


def test_lines_are_appended(path: Path) -> None:
    """What is in the file stays; its mode is left to whoever made it."""
    path.write_text("{}\n", "utf-8")
    path.chmod(0o640)
    AuditLog(path).write(event())
    assert [line.get("step") for line in lines(path)] == [None, "step"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_torn_line_is_left_alone(path: Path) -> None:
    """After half a line of a writer that was killed, the next one begins on a line of its own."""
    path.write_bytes(b'{"step": "hal')
    log = AuditLog(path)
    log.write(event())
    log.write(event())
    torn, *whole = path.read_bytes().split(b"\n")
    assert torn == b'{"step": "hal'
    assert [json.loads(line)["step"] for line in whole if line] == ["step", "step"]
    assert whole[-1] == b""


def test_a_renamed_log_is_made_anew(path: Path) -> None:
    """Rotating by renaming needs no signal."""
    log = AuditLog(path)
    log.write(event(step=Masked("first")))
    path.rename(path.with_suffix(".1"))
    log.write(event(step=Masked("second")))
    assert [line["step"] for line in lines(path.with_suffix(".1"))] == ["first"]
    assert [line["step"] for line in lines(path)] == ["second"]


def test_a_relative_path_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log stays where it was when the working folder changes."""
    monkeypatch.chdir(tmp_path)
    log = AuditLog(Path("audit.jsonl"))
    monkeypatch.chdir("/")
    log.write(event())
    assert len(lines(tmp_path / "audit.jsonl")) == 1


def _link(path: Path) -> None:
    path.with_name("real").touch()
    path.symlink_to(path.with_name("real"))


def _open_folder(path: Path) -> None:
    path.parent.chmod(0o777)


def _planted_link(path: Path) -> None:
    path.parent.chmod(0o1777)
    path.with_name("real").touch()
    path.hardlink_to(path.with_name("real"))


def _open_file(path: Path) -> None:
    path.touch()
    path.chmod(0o666)


@pytest.mark.parametrize(
    ("arrange", "message"),
    [
        pytest.param(_link, "it is a symbolic link", id="a link"),
        pytest.param(Path.mkdir, "is a directory", id="a folder"),
        pytest.param(os.mkfifo, "is not a regular file", id="a FIFO"),
        pytest.param(_open_folder, "in a folder where everybody may replace it", id="open folder"),
        pytest.param(_planted_link, "was put there by somebody else", id="a hard link in /tmp"),
        pytest.param(_open_file, "can be written to by everybody", id="open file"),
    ],
)
def test_what_is_refused_before_anything_runs(path: Path, arrange: Any, message: str) -> None:
    """A log that is none, or that others could write, is refused with its name and a way out."""
    arrange(path)
    with pytest.raises(UsageError, match=message) as caught:
        AuditLog(path)
    assert "--audit-log" in str(caught.value)
    assert caught.value.hint


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Folders are not made."""
    with pytest.raises(UsageError, match="no such file or directory"):
        AuditLog(tmp_path / "none" / "audit.jsonl")


def test_a_sticky_folder_is_fine(path: Path) -> None:
    """In /tmp nobody else can take our own file away."""
    path.parent.chmod(0o1777)
    AuditLog(path).write(event())
    assert len(lines(path)) == 1


def test_what_happens_to_the_file_later(path: Path) -> None:
    """A log that became a link meanwhile is not written through it."""
    log = AuditLog(path)
    path.unlink()
    _link(path)
    with pytest.raises(OutputNotWritable, match="it is a symbolic link"):
        log.write(event())
    assert path.with_name("real").read_bytes() == b""


def test_a_lock_that_is_never_given_back(path: Path) -> None:
    """Whoever holds the lock holds up a step for a while, not for ever."""
    log = AuditLog(path, lock_budget=0.0)
    with path.open("rb") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(OutputNotWritable, match="somebody holds its lock"):
            log.write(event())
    log.write(event())
    assert len(lines(path)) == 1


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from calamari_py.audit import AuditEvent, AuditLog
log = AuditLog(Path(sys.argv[1]), lock_budget=60.0)
for number in range(int(sys.argv[3])):
    log.write(AuditEvent(time=datetime.now(UTC), event="renewed", step=f"{sys.argv[2]}-{number}",
                         project="x" * (number * 40)))
"""


@pytest.mark.process
def test_many_writers(path: Path) -> None:
    """Eight processes write 200 lines each, up to 8 kB long: all are there, whole, in order."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number), "200"])
        for number in range(8)
    ]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 8
    found = [line["step"] for line in lines(path)]
    assert len(found) == 1600
    for number in range(8):
        own = [step for step in found if step.startswith(f"{number}-")]
        assert own == [f"{number}-{count}" for count in range(200)]


FULL = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from calamari_py.audit import AuditEvent, AuditLog
from calamari_py.errors import OutputNotWritable
log = AuditLog(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    log.write(AuditEvent(time=datetime.now(UTC), event="assumed", step="lost"))
except OutputNotWritable as error:
    print(error.message)
"""


@pytest.mark.process
def test_a_full_disk(path: Path) -> None:
    """A line that was taken in part is an error, and the next whole line stands by itself."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, timeout=60
    )
    assert "the disk took a part of the line only" in done.stdout or (
        os.strerror(errno.ENOSPC).lower() in done.stdout
    )
    assert path.stat().st_size == 20
    AuditLog(path).write(event())
    assert json.loads(path.read_text("utf-8").splitlines()[1])["step"] == "step"


def test_every_field_is_documented(path: Path) -> None:
    """docs/audit.md names what a line holds."""
    document = (Path(__file__).parent.parent / "docs" / "audit.md").read_text("utf-8")
    AuditLog(path).write(event())
    assert [field for field in lines(path)[0] if f"`{field}`" not in document] == []
