"""harden(): unreadable to the child, and nothing of ours breaks by it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from calamari_py.process import harden
from tests.process.support import RecordingSink, execute, run_as_nobody, shell

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(sys.platform != "linux", reason="harden() does nothing elsewhere"),
]

_SCRIPT = """
import ctypes, os, resource, sys
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
limit = resource.getrlimit(resource.RLIMIT_CORE)
umask = int(sys.argv[1], 8)
from pathlib import Path
from calamari_py.process import Command, Limits, SignalInbox, harden, private_folder, run
import subprocess, fcntl, calamari_py.process.spawn
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
os.umask(umask)
harden()
harden()
assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, limit[1])
assert len(os.listdir('/proc/self/fd')) >= 3

class Sink:
    data = b''
    def before_feed(self, reads): pass
    def feed(self, stream, data): self.data += data
    def holding(self): return False
    def idle(self): pass
    def close(self, stream): pass

def sh(script):
    sink = Sink()
    command = Command(argv=('/bin/sh', '-c', script), environment={'PATH': '/usr/bin:/bin'},
                      directory=Path('/'))
    with SignalInbox() as inbox:
        ended = run(command, sink, Limits(timeout=20), inbox)
    return ended.code, sink.data.decode().strip()

with private_folder([Path('/tmp')]) as folder:
    assert sh(f'umask 077; echo x > {folder}/file')[0] == 0
    (folder / 'ours').mkdir()
    (folder / 'ours' / 'file').write_text('x')
    assert (folder / 'ours' / 'file').stat().st_mode & 0o777 == 0o600
    kept = folder
code, said = sh('umask')
assert code == 0 and int(said, 8) == umask, (code, said)
assert not kept.exists()
expected = 'unlimited' if limit[0] == resource.RLIM_INFINITY else str(limit[0] // 512)
code, said = sh('ulimit -Sc; echo visible > /dev/stdout')
assert code == 0 and said.split() == [expected, 'visible'], (code, said, expected)
code, said = sh(f'cat /proc/{os.getpid()}/environ')
assert code == 1 and 'ermission denied' in said, said
print('good')
"""


@pytest.mark.parametrize("umask", ["022", "777", "277", "177"])
def test_hardened_runner(umask: str) -> None:
    """Without root: our memory is closed to the child, our own descriptors and folders still work,
    and the child has the core limit and the umask that we were given.
    """
    if os.getuid() == 0 and not _others_may_read(Path(harden.__code__.co_filename)):
        pytest.skip("the package lies where only root can read it")
    ended = subprocess.run(
        [sys.executable, "-c", _SCRIPT, umask],
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
    )
    assert (ended.stdout, ended.stderr) == ("good\n", "")


def test_a_runner_that_is_not_hardened() -> None:
    """Without harden() the child inherits the umask as it is."""
    before = os.umask(0o027)
    try:
        sink = RecordingSink()
        execute(shell("umask"), sink)
    finally:
        os.umask(before)
    assert int(sink.stdout, 8) == 0o027


_INTRUDER = """
import ctypes, os
parent = os.getppid()
for name in ('environ', 'mem', 'maps', 'auxv', 'stack'):
    try:
        print(name, open(f'/proc/{parent}/{name}', 'rb').read(1))
    except OSError as error:
        print(name, error.strerror)
for name in ('fd', 'map_files', 'cwd', 'root', 'exe'):
    try:
        print(name, os.listdir(f'/proc/{parent}/{name}'))
    except OSError as error:
        print(name, error.strerror)
libc = ctypes.CDLL(None, use_errno=True)
for request in (0x4206, 16):
    print('ptrace', libc.ptrace(request, parent, 0, 0), os.strerror(ctypes.get_errno()))
print('cmdline', open(f'/proc/{parent}/cmdline').read().count('canar' + 'y'))
"""


def test_a_child_that_looks_at_us(tmp_path: Path) -> None:
    """A step of the same user finds our memory, environment and descriptors closed, cannot attach
    to us (PTRACE_SEIZE, PTRACE_ATTACH), and reads no secret on our command line.
    """
    intruder = "exec " + shlex.join(["PROGRAM", "-I", "-S", "-c", _INTRUDER])
    said = run_as_nobody(
        f"harden()\ngo({intruder!r}.replace('PROGRAM', sys.executable, 1))\n",
        environment={"LAUNCHER_SECRET": "canary"},
    )
    lines = said.splitlines()
    assert len(lines) == 13
    allowed = ("Permission denied", "Operation not permitted")
    assert [line for line in lines[:-1] if not line.endswith(allowed)] == []
    assert lines[-1] == "cmdline 0"


@pytest.mark.parametrize("hardened", [True, False])
def test_no_core_file(hardened: bool) -> None:
    """An abort leaves no core, also when the limit that allows one was put back."""
    unlimited = (
        "import os, resource\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)\n"
    )
    script = f"harden()\n{unlimited}" if hardened else unlimited
    folder = "import os, tempfile\nos.chdir(tempfile.mkdtemp())\n"
    said = run_as_nobody(
        f"{folder}pid = os.fork()\n"
        f"if not pid:\n exec({script + 'os.abort()'!r})\n"
        "print(os.WCOREDUMP(os.waitpid(pid, 0)[1]))\n"
        "import shutil\nshutil.rmtree(os.getcwd())\n"
    )
    if not hardened and said == "False\n":
        pytest.skip("this system makes no core files")
    assert said == f"{not hardened}\n"


def test_descriptors_of_a_child() -> None:
    """A step has 0, 1 and 2, whatever we have open."""
    said = run_as_nobody(
        "from calamari_py.process import Janitor, private_folder\n"
        "import socket\n"
        "with Janitor() as janitor, private_folder([Path('/tmp')], janitor=janitor), "
        "socket.socket(), open('/etc/passwd'):\n"
        "    go('for n in $(seq 0 60); do [ -e /proc/$$/fd/$n ] && echo $n; done')\n"
    )
    assert said.split() == ["0", "1", "2"]


def _others_may_read(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in path.parents)
