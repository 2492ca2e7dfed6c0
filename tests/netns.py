"""A network of one's own: where 169.254.169.254 is a server of the test.

Some addresses cannot be overridden (the ECS agent's, EKS Pod Identity's, the metadata service's
default). A private network namespace gives them to this machine's loopback device, and nothing in
it can reach the outside::

    ECS = ["169.254.170.2"]

    def ask() -> dict[str, str]:                   # a function of a module, run over there
        with FakeContainer(address=("169.254.170.2", 80)) as server:
            ...
        return {"what": "JSON can hold"}

    def test_ecs() -> None:
        assert call_in_network(ask, addresses=ECS) == {...}
        done = run_in_network([sys.executable, "-m", "calamari_py", "--version"], addresses=ECS)

Ports below 1024 may be taken there, as root or not: an ordinary user is root in a user namespace
that comes with the network's. Where neither is allowed the test is skipped, with the reason.
What runs there is another process: fixtures and patches of the test do not reach it, and it begins
with the test's environment, or with the one that is given.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
REFUSED = 213
"""The exit code that says that there is no namespace to be had."""
_CLONE_NEWUSER, _CLONE_NEWNET = 0x1000_0000, 0x4000_0000
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCGIFINDEX = 0x8914, 0x8916, 0x891C, 0x8933
_UP_AND_RUNNING = 0x1 | 0x40


def run_in_network(
    argv: Sequence[str],
    *,
    addresses: Sequence[str],
    environ: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    """Run `argv` to its end where the loopback device has `addresses` beside 127.0.0.1 and ::1.

    Skips the test where the system gives no namespace.
    """
    if reason := refusal():
        pytest.skip(reason)
    return _run(argv, addresses, environ=environ, cwd=cwd, timeout=timeout)


def call_in_network(
    function: Callable[..., Any],
    *arguments: Any,
    addresses: Sequence[str],
    environ: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> Any:
    """What `function`, which a module defines at its top, returns over there.

    `arguments` and the answer travel as JSON. An exception over there fails the test.
    """
    code = (
        "import importlib, json, sys\n"
        f"function = importlib.import_module({function.__module__!r}).{function.__qualname__}\n"
        "print(json.dumps(function(*json.loads(sys.argv[1]))))\n"
    )
    done = run_in_network(
        [sys.executable, "-c", code, json.dumps(arguments)],
        addresses=addresses,
        environ=environ,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@functools.cache
def refusal() -> str:
    """Why there is no private network here; empty where there is one."""
    if not sys.platform.startswith("linux"):
        return "network namespaces are Linux's"
    done = _run([sys.executable, "-c", ""], ["169.254.169.254", "fd00:ec2::254"])
    return done.stderr.strip() if done.returncode == REFUSED else ""


def _run(
    argv: Sequence[str],
    addresses: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    timeout: float = 60,
) -> subprocess.CompletedProcess[str]:
    base = dict(os.environ if environ is None else environ)
    path = os.pathsep.join(filter(None, (str(ROOT), base.get("PYTHONPATH"))))
    return subprocess.run(
        [sys.executable, str(Path(__file__)), ",".join(addresses), *argv],
        env={**base, "PYTHONPATH": path}, cwd=cwd, stdin=subprocess.DEVNULL, timeout=timeout,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _enter() -> None:
    """Leave the machine's network; OSError where that is not allowed."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no private network here")
    # As root over there: only so are the capabilities kept when a program is started.
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _add(addresses: Sequence[str]) -> None:
    """Start the loopback device, with `addresses`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _UP_AND_RUNNING))
        for index, text in enumerate(addresses):
            address = ipaddress.ip_address(text)
            if address.version == 6:
                _add_ipv6(address, control)
                continue
            alias = f"lo:{index + 1}".encode()
            for request, value in (
                (_SIOCSIFADDR, address.packed), (_SIOCSIFNETMASK, b"\xff" * 4),
            ):  # fmt: skip
                fcntl.ioctl(
                    control, request, struct.pack("16sHH4s8x", alias, socket.AF_INET, 0, value)
                )


def _add_ipv6(address: ipaddress.IPv6Address, control: socket.socket) -> None:
    answer = fcntl.ioctl(control, _SIOCGIFINDEX, struct.pack("16s16x", b"lo"))
    (number,) = struct.unpack("16xi12x", answer)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        fcntl.ioctl(other, _SIOCSIFADDR, struct.pack("=16sIi", address.packed, 128, number))


def main(addresses: str, *argv: str) -> None:
    """Become `argv` in a network with `addresses`."""
    try:
        _enter()
        _add(list(filter(None, addresses.split(","))))
    except OSError as error:
        print(f"no private network: {error.strerror}", file=sys.stderr)
        sys.exit(REFUSED)
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main(*sys.argv[1:])
