"""Whose a pending operation is."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from calamari_py.process.proc import entry_of
from calamari_py.steps.kubernetes.helm.holder import Holder, is_alive, ourselves, read_holder

LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


def us() -> Holder:
    """This process, about to make revision 7."""
    return ourselves(7, limit=600)


def test_a_label_is_read_back() -> None:
    """What Helm keeps says all, and is a value that Kubernetes takes."""
    holder = us()
    assert LABEL.fullmatch(holder.label)
    assert read_holder(holder.label, 7) == holder
    assert holder.pid == os.getpid()


def test_the_longest_label() -> None:
    """Large numbers fit, too."""
    holder = replace(us(), revision=99_999, pid=4_194_304, started=99_999_999_999, limit=86_400)
    assert LABEL.fullmatch(holder.label)


@pytest.mark.parametrize(
    "label",
    [
        pytest.param("", id="none"),
        pytest.param("v1", id="somebody else's"),
        pytest.param("r8-0123456789ab-1-2-3s-0123456789", id="handed on from another revision"),
    ],
)
def test_labels_that_say_nothing(label: str) -> None:
    """Helm gives a release's labels to the next revision, whoever makes that."""
    assert read_holder(label, 7) is None


def test_a_run_that_is_alive() -> None:
    """Its process is there, and no other has its number."""
    parent = entry_of(os.getppid())
    assert parent is not None
    assert is_alive(replace(us(), pid=parent.pid, started=parent.started)) is True


def test_an_earlier_attempt_of_this_run() -> None:
    """It is over: nobody waits for himself."""
    assert is_alive(us()) is False


def test_where_the_system_says_nothing(tmp_path: Path) -> None:
    """The label still tells this run its own, and nobody takes it for dead by it."""
    holder = ourselves(7, limit=600, proc=tmp_path)
    assert LABEL.fullmatch(holder.label)
    assert read_holder(holder.label, 7) == holder
    assert is_alive(holder) is None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"pid": 2**22 + 1}, id="no such process"),
        pytest.param({"started": 1}, id="another process has its number now"),
    ],
)
def test_a_run_that_is_dead(changes: dict[str, int]) -> None:
    """Only what is known to be dead is: its process is gone, and so is its helm."""
    assert is_alive(replace(us(), token="no-such-run", **changes)) is False  # type: ignore[arg-type]


def test_a_helm_that_outlives_its_run(tmp_path: Path) -> None:
    """The token on a command line says that Helm itself still works."""
    holder = replace(_elsewhere(tmp_path), token="abcdef0123")
    (tmp_path / "77").mkdir()
    (tmp_path / "77/cmdline").write_bytes(b"helm\0upgrade\0--labels=calamari-run=r7-abcdef0123\0")
    assert is_alive(holder, proc=tmp_path) is True
    (tmp_path / "77/cmdline").write_bytes(b"helm\0upgrade\0")
    assert is_alive(holder, proc=tmp_path) is False


def test_a_run_of_another_machine() -> None:
    """Nobody here knows."""
    assert is_alive(replace(us(), place="0123456789ab")) is None


def _elsewhere(proc: Path) -> Holder:
    """A run of the machine that `proc` describes, whose own process is gone."""
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text("boot")
    (proc / "self/ns").mkdir(parents=True)
    (proc / "self/ns/pid").symlink_to("pid:[4026531836]")
    return replace(ourselves(7, limit=1, proc=proc), started=1)
