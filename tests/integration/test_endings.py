"""It always ends, told and with nothing left: what leaves the session, and what does not obey."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import Calamari

pytestmark = [pytest.mark.process, pytest.mark.sandbox]

HEAD = "name: t\nregion: eu-west-1\nassume_role: arn:aws:iam::111111111111:role/DevDeployRole\n"


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_daemon_does_not_outlive_the_step(launched: Calamari) -> None:
    """What left the session ends with the step, which succeeds, and is named."""
    launched.write(
        HEAD + "script: |\n  (setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!)\n  sleep 0.2\n"
    )
    ran = launched("run", "step.yaml", "--result", "r.json", timeout=50)
    assert (ran.code, _gone(int(ran.out))) == (0, True), ran.err
    assert f"sleep (pid {int(ran.out)}) was still running after the step and was ended" in ran.err
    usage = json.loads((launched.folder / "r.json").read_text())["usage"]
    assert usage["cpu"] > 0
    assert usage["peak_memory"] > 1_000_000


def test_a_second_signal_is_answered(launched: Calamari) -> None:
    """Each signal that the step does not obey is told of; the second one shortens the wait."""
    launched.write(
        HEAD + "grace: 10m\nscript: |\n  trap 'echo heard' INT\n  trap '' TERM\n  echo ready\n"
        "  while true; do sleep 0.05; done\n"
    )
    process = launched.start(["run", "step.yaml"])
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"heard\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=40)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert b"SIGTERM: not waiting any longer for " in err
    (waited,) = re.findall(rb"did not end within ([\d.]+) s of SIGTERM, SIGKILL now", err)
    assert float(waited) >= 5


def test_head_ends_the_step(launched: Calamari) -> None:
    """``calamari run … | head -1``: the line is there and the step is not any more."""
    launched.write(HEAD + "grace: 1s\nscript: |\n  echo $$\n  while true; do echo line; done\n")
    with launched.start(["run", "step.yaml"]) as process:
        ended = subprocess.run(
            ["head", "-1"], stdin=process.stdout, capture_output=True, timeout=40
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=40) == 141
    assert _gone(int(ended.stdout))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_after_the_last_word_changes_nothing(calamari: Calamari, signum: int) -> None:
    """The code that was told is the code, also when a signal meets the interpreter's end."""
    calamari.write("name: t\naccount: none\nscript: exit 7\n")
    with calamari.start(["run", "step.yaml"]) as process:
        assert process.stderr is not None
        told = next(line for line in process.stderr if b"exit code 7" in line or b"failed" in line)
        process.send_signal(signum)
        assert process.wait(timeout=40) == 7, told


def test_an_interrupt_during_the_imports_is_quiet() -> None:
    """^C at the very start ends by 130, and shows nobody a traceback."""
    script = (
        "import sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'calamari_py.cli': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from calamari_py.__main__ import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=40)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_no_room_for_private_files(calamari: Calamari) -> None:
    """Where nothing can be written the step does not run, and one sentence says why."""
    calamari.write("name: t\naccount: none\nscript: echo ran\n")
    argv = " ".join(calamari.argv("run", "step.yaml"))
    limited = Calamari(calamari.folder, calamari.environment, ("sh", "-c", f"ulimit -f 0; {argv}"))
    ran = limited()
    assert (ran.code, ran.out) == (69, "")
    assert "private files cannot be written to '" in ran.err
    assert "defect" not in ran.err
