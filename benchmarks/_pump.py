"""One log through a pipe, a masker and another pipe, beside the same without the masker."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from _corpus import make_log, make_secrets

from calamari_py.masking import Masker, SecretRegistry
from calamari_py.masking.engine import Engine, GramEngine
from calamari_py.masking.native import NativeEngine

READ_SIZE = 65_536
_MARKS = ("VmHWM", "VmRSS")
_SETTLING = 120.0


def make_registry(secrets: Sequence[str], *, fallback: bool = False) -> SecretRegistry:
    """A registry of `secrets` whose engine has its final shape; without the native one on wish."""
    engine: Engine = GramEngine() if fallback else NativeEngine()
    registry = SecretRegistry(engine=lambda: engine)
    for number, secret in enumerate(secrets):
        registry.add(secret, name=f"secret {number}")
    if isinstance(engine, NativeEngine):
        masker = Masker(registry)
        log = make_log(1 << 20, planted=0)
        end = time.monotonic() + _SETTLING
        masker.feed(log[:READ_SIZE])
        while not engine.settled and time.monotonic() < end:
            masker.feed(log[:READ_SIZE])
            time.sleep(0.002)  # what compiles needs a processor
    return registry


def ready_time(count: int) -> float:
    """Seconds from the first secret to where output can be masked."""
    secrets = make_secrets(count)
    start = time.perf_counter()
    registry = SecretRegistry()
    for number, secret in enumerate(secrets):
        registry.add(secret, name=f"secret {number}")
    Masker(registry).feed(b"x")
    return time.perf_counter() - start


def pump(log: Path, registry: SecretRegistry | None) -> float:
    """Seconds that the log takes from one ``cat`` to another one."""
    masker = None if registry is None else Masker(registry)
    with (
        subprocess.Popen(["cat", log], stdout=subprocess.PIPE) as source,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as sink,
    ):
        assert source.stdout is not None
        assert sink.stdin is not None
        reading, writing = source.stdout.fileno(), sink.stdin.fileno()
        data = os.read(reading, READ_SIZE)
        start = time.perf_counter()  # not before the first bytes: `cat` has to start
        while data:
            os.write(writing, data if masker is None else masker.feed(data))
            data = os.read(reading, READ_SIZE)
        if masker is not None:
            os.write(writing, masker.close())
        return time.perf_counter() - start


def sed(log: Path, script: Path) -> float:
    """Seconds that ``sed`` takes for the same, with one expression a secret."""
    with (
        subprocess.Popen(
            ["sed", "-f", script],
            stdin=log.open("rb"),
            stdout=subprocess.PIPE,
            env={"LC_ALL": "C", "PATH": os.defpath},
        ) as source,
        subprocess.Popen(["cat"], stdin=source.stdout, stdout=subprocess.DEVNULL),
    ):
        start = time.perf_counter()
        if source.wait():
            raise OSError(f"sed ended with {source.returncode}")
        return time.perf_counter() - start


def write_sed_script(path: Path, secrets: Sequence[str]) -> None:
    """One literal expression a secret."""
    literal = [re.sub(r"[][\\/.*^$]", r"\\\g<0>", secret) for secret in secrets]
    path.write_text("".join([f"s/{text}/***/g\n" for text in literal]), encoding="ascii")


def in_process(registry: SecretRegistry, data: bytes, chunk: int = READ_SIZE) -> float:
    """Seconds that a masker takes for `data` in pieces of `chunk` bytes."""
    pieces = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    masker = Masker(registry)
    start = time.perf_counter()
    for piece in pieces:
        masker.feed(piece)
    masker.close()
    return time.perf_counter() - start


def small_writes(registry: SecretRegistry | None, count: int) -> Sequence[float]:
    """Seconds from each small write into one pipe until it has come out of the other, sorted."""
    masker = None if registry is None else Masker(registry)
    line = b"\r  61% [==================>           ]  "
    child, reading = os.pipe()[::-1]
    shown, writing = os.pipe()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        os.write(child, line)
        data = os.read(reading, READ_SIZE)
        os.write(writing, data if masker is None else masker.feed(data))
        os.read(shown, READ_SIZE)
        times.append(time.perf_counter() - start)
    for end in (child, reading, shown, writing):
        os.close(end)
    return sorted(times)


def own_memory() -> tuple[int, int]:
    """KiB that this process needed at most, and needs now (where that is not known, the same).

    Linux hands ``ru_maxrss`` on from the parent through exec, so the kernel's own mark comes first.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak, peak
    text = status.read_text(encoding="ascii")
    most, now = (re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE) for name in _MARKS)
    assert most is not None
    assert now is not None
    return int(most[1]), int(now[1])


def memory_of(count: int, size: int) -> tuple[int, int, int, int]:
    """KiB at most and now, after the first megabytes of a stream and after all its `size` bytes."""
    registry = make_registry(make_secrets(count)) if count else None
    masker = None if registry is None else Masker(registry)
    log = make_log(8_000_000, secrets=max(count, 1))
    marks: list[int] = []
    for limit in (len(log), size):
        done = 0
        while done < limit:
            at = done % len(log)
            data = log[at : at + READ_SIZE]
            shown = data if masker is None else masker.feed(data)
            done += len(data)
            del shown
        marks += own_memory()
    return marks[0], marks[1], marks[2], marks[3]
