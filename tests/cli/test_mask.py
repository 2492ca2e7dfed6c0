"""`calamari mask`: a log goes in, and comes out without its secrets, at once, whatever happens."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from calamari_py.cli._filter import mask_stream, read_some
from calamari_py.errors import Cancelled, UsageError
from calamari_py.masking import Masker, SecretRegistry
from calamari_py.masking.index import NeedleIndex
from calamari_py.process import SignalInbox
from tests.preloaded import calamari_command

pytestmark = pytest.mark.process

SECRET = "t0ken-4f9c2a7be1"
KEY = "first line of it\nsecond-line-canary\nthird line of it"
BYTES = b"a\0\xff\xc3(\r\x1b[1m\n\r\nz"
PATIENCE = 20.0
MODULE = [sys.executable, "-m", "calamari_py", "mask"]


def ran(
    *arguments: str,
    stdin: bytes = b"",
    folder: Path,
    environ: Mapping[str, str] | None = None,
    command: list[str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TOKEN": SECRET, **(environ or {})}
    return subprocess.run(
        [*(command or [*calamari_command(env), "mask"]), *arguments],
        input=stdin, capture_output=True, cwd=folder, timeout=60, check=False, env=env,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("secrets", "names", "log", "shown"),
    [
        pytest.param(b"secret-one\nsecret-two\n", (), b"a secret-two b\n", b"a *** b\n", id="file"),
        pytest.param(b"secret-one\r\nsecret-two\r\n", (), b"secret-one\n", b"***\n", id="CRLF"),
        pytest.param(b"secret-one", (), b"secret-one", b"***", id="no line end"),
        pytest.param(b"\n\nsecret-one\n\r\n\n", (), b"secret-one\n\n", b"***\n\n", id="blank"),
        pytest.param(b"\xef\xbb\xbfsecret-one\n", (), b"secret-one\n", b"***\n", id="BOM"),
        pytest.param(b"se\xff\xfecret-one\n", (), b"se\xff\xfecret-one", b"***", id="raw bytes"),
        pytest.param(None, ("TOKEN",), f"x {SECRET} y\n".encode(), b"x *** y\n", id="environment"),
        pytest.param(None, ("KEY",), KEY.encode(), b"***", id="several lines"),
        pytest.param(None, ("KEY",), b"> second-line-canary <", b"> *** <", id="one of its lines"),
        pytest.param(None, ("TOKEN",), b"dDBrZW4tNGY5YzJhN2JlMQ==", b"***Q==", id="base64"),
        pytest.param(b"file-secret\n", ("TOKEN", "KEY"), f"file-secret {SECRET}".encode(),
                     b"*** ***", id="both"),
        pytest.param(None, ("TOKEN",), BYTES, BYTES, id="any bytes pass"),
        pytest.param(None, ("TOKEN",), b"", b"", id="nothing"),
        pytest.param(None, ("TOKEN",), SECRET[:12].encode(), b"***", id="ends inside a secret"),
    ],
)  # fmt: skip
def test_a_log(
    secrets: bytes | None, names: tuple[str, ...], log: bytes, shown: bytes, tmp_path: Path
) -> None:
    """Secrets of the file and of the environment are masked; every other byte is as it was."""
    arguments = [part for name in names for part in ("--from-env", name)]
    if secrets is not None:
        (tmp_path / "secrets").write_bytes(secrets)
        arguments += ["--secrets-file", "secrets"]
    ended = ran(*arguments, stdin=log, folder=tmp_path, environ={"KEY": KEY})
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, shown, b"")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param((), 2, "there is nothing to mask", id="neither"),
        pytest.param(("--secrets-file", "none"), 66, "no such file", id="missing file"),
        pytest.param(("--secrets-file", "."), 66, "is a directory", id="a folder"),
        pytest.param(("--secrets-file", "wide"), 65, "is UTF-16 text", id="UTF-16"),
        pytest.param(("--secrets-file", "-"), 2, "standard input is the log", id="stdin"),
        pytest.param(("--from-env", "NO", "--from-env", "TOKEN"), 2, "'NO'", id="missing variable"),
        pytest.param(("--from-env", "A,TOKEN"), 2, "once for each", id="a list"),
        pytest.param(("--from-env", f"A={SECRET}"), 2, "takes a name only", id="a value"),
        pytest.param(("--secrets-file", "short", "--short-secrets", "error"), 65,
                     "line 2 of short", id="too short"),
        pytest.param((SECRET,), 2, "unexpected", id="an argument"),
    ],
)  # fmt: skip
def test_refusals(arguments: tuple[str, ...], code: int, said: str, tmp_path: Path) -> None:
    """What is not understood ends it before a byte is shown, in one message with a hint."""
    (tmp_path / "wide").write_bytes("secret-one\n".encode("utf-16"))
    (tmp_path / "short").write_bytes(b"\nabc\n")
    ended = ran(*arguments, stdin=b"some log\n", folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (code, b"")
    assert said in ended.stderr.decode()
    assert b"hint: " in ended.stderr
    assert b"Traceback" not in ended.stderr
    if "A=" not in str(arguments) and arguments != (SECRET,):
        assert SECRET.encode() not in ended.stderr


def test_a_value_in_the_place_of_a_name_is_not_repeated(tmp_path: Path) -> None:
    """Who writes NAME=VALUE does not find the value in a log of errors, too."""
    ended = ran("--from-env", f"A={SECRET}", folder=tmp_path)
    assert SECRET.encode() not in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(("--from-env", "BLANK"), "$BLANK holds no secret", id="blank variable"),
        pytest.param(("--secrets-file", "empty"), "'empty' holds no secret", id="empty file"),
        pytest.param(("--secrets-file", "short"),
                     "secret 'line 2 of short' is too short to be masked (3 bytes)", id="short"),
        pytest.param(("--from-env", "FLAG"), "secret '$FLAG' is a common word", id="word"),
    ],
)  # fmt: skip
def test_warnings(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """What cannot be masked is told by name, and the log still passes."""
    (tmp_path / "empty").write_bytes(b"\n\n")
    (tmp_path / "short").write_bytes(b"\nabc\n")
    environ = {"BLANK": " \n", "FLAG": "true"}
    ended = ran(*arguments, stdin=b"abc true\n", folder=tmp_path, environ=environ)
    assert (ended.returncode, ended.stdout) == (0, b"abc true\n")
    assert f"calamari: warning: {said}" in ended.stderr.decode()


def test_options_of_masking(tmp_path: Path) -> None:
    """They mean what they mean for `run`."""
    (tmp_path / "short").write_bytes(b"abc\n")
    ended = ran(
        "--secrets-file", "short", "--short-secrets", "mask",
        "--from-env", "TOKEN", "--no-ansi-aware",
        stdin=b"xabc \x1b[1mt0ken\x1b[0m-4f9c2a7be1", folder=tmp_path,
    )  # fmt: skip
    assert ended.stdout == b"x*** \x1b[1mt0ken\x1b[0m-4f9c2a7be1"


def test_colour_codes_inside_a_secret(tmp_path: Path) -> None:
    """They hide nothing, unless nobody looks."""
    ended = ran("--from-env", "TOKEN", stdin=b"\x1b[1mt0ken\x1b[0m-4f9c2a7be1\n", folder=tmp_path)
    assert b"4f9c" not in ended.stdout


def test_secrets_of_a_program(tmp_path: Path) -> None:
    """`--secrets-file <(program)` leaves no secret on a disk."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen(
        [*MODULE, "--secrets-file", str(pipe)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        pipe.write_bytes(b"from-a-program\n")
        out, _ = process.communicate(b"x from-a-program\n", timeout=PATIENCE)
        assert out == b"x ***\n"
    finally:
        process.kill()
        process.wait()


# --- as it comes ------------------------------------------------------------------------------


@contextmanager
def running(*, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """`calamari mask` for the secret TOKEN, waiting for its log."""
    process = subprocess.Popen(
        [*MODULE, "--from-env", "TOKEN"],
        stdin=subprocess.PIPE, stdout=stdout, stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TOKEN": SECRET},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def send(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()


def receive(process: subprocess.Popen[bytes], size: int) -> bytes:
    """The next `size` bytes, while the log goes on."""
    assert process.stdout is not None
    got = b""
    deadline = time.monotonic() + PATIENCE
    while len(got) < size and time.monotonic() < deadline:
        if select.select([process.stdout], [], [], 0.1)[0]:
            got += os.read(process.stdout.fileno(), size - len(got))
    return got


def test_nothing_is_waited_for() -> None:
    """A prompt without a line end is there at once, and so is what began like a secret."""
    with running() as process:
        send(process, b"password: ")
        assert receive(process, 10) == b"password: "
        send(process, b"ends in t0")
        assert receive(process, 10) == b"ends in t0"
        send(process, b"\nt0ken-4f9")
        assert receive(process, 4) == b"\n***"
        send(process, b"c2a7be1 after\n")
        assert receive(process, 7) == b" after\n"


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal(signum: signal.Signals) -> None:
    """What had been written before is shown, masked; then it ends with the signal's code."""
    with running() as process:
        send(process, b"before ")
        assert receive(process, 7) == b"before "
        send(process, b"and t0ken-4f9")
        process.send_signal(signum)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (128 + signum, b"and ***", b"")


def test_an_interrupt_waits_for_who_writes() -> None:
    """Ctrl-C reaches the whole pipeline: what the program before says while it clears up is masked
    and shown; a second one does not wait."""
    with running() as process:
        send(process, b"x")
        receive(process, 1)
        process.send_signal(signal.SIGINT)
        send(process, f"clearing up {SECRET}\n".encode())
        assert receive(process, 16) == b"clearing up ***\n"
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (128 + signal.SIGINT, b"", b"")
    with running() as process:
        send(process, b"x")
        receive(process, 1)
        process.send_signal(signal.SIGINT)
        send(process, b"y")
        receive(process, 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE) == 128 + signal.SIGTERM


def test_a_signal_to_one_whose_reader_sleeps() -> None:
    """Nobody reads, and it ends all the same, with the signal's code."""
    with running() as process:
        send(process, b"x")
        receive(process, 1)
        assert process.stdin is not None
        os.set_blocking(process.stdin.fileno(), False)
        deadline = time.monotonic() + PATIENCE
        stuck = 0
        while stuck < 20 and time.monotonic() < deadline:
            try:
                os.write(process.stdin.fileno(), b"y" * 65536)
                stuck = 0
            except BlockingIOError:
                stuck += 1
                select.select([], [], [], 0.01)
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 128 + signal.SIGTERM


def test_the_reader_goes_away() -> None:
    """As any filter does, it ends quietly by the code of SIGPIPE."""
    with running() as process:
        assert process.stdout is not None
        process.stdout.close()
        send(process, b"nobody\n")
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=PATIENCE) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk() -> None:
    """It is said, with what to do."""
    with open("/dev/full", "wb") as full, running(stdout=full.fileno()) as process:
        _, err = process.communicate(b"log\n", timeout=PATIENCE)
        assert process.returncode == 1
        assert b"no space left on device\n  hint: make room" in err


@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        pytest.param("<&-", 2, "standard input is closed", id="stdin"),
        pytest.param("</dev/null >&-", 1, "stdout is closed", id="stdout"),
        pytest.param("0>/dev/null", 2, "standard input cannot be read", id="write-only"),
    ],
)
def test_streams_that_are_none(redirection: str, code: int, said: str, tmp_path: Path) -> None:
    """Where there is nothing to read or to write to, that is said."""
    command = ["/bin/sh", "-c", f'exec "$0" "$@" {redirection}', *MODULE, "--from-env", "TOKEN"]
    ended = ran(folder=tmp_path, command=command)
    assert ended.returncode == code
    assert said in ended.stderr.decode()


def test_streams_that_do_not_block() -> None:
    """A parent that made the pipes non-blocking (node does) loses nothing."""
    log = b"".join(b"%d %s\n" % (number, SECRET.encode()) for number in range(40_000))
    (source, writer), (reader, sink) = os.pipe(), os.pipe()
    os.set_blocking(source, False)
    os.set_blocking(sink, False)
    process = subprocess.Popen(
        [*MODULE, "--from-env", "TOKEN"],
        stdin=source, stdout=sink, env={"PATH": os.environ["PATH"], "TOKEN": SECRET},
    )  # fmt: skip
    os.close(source)
    os.close(sink)

    def write() -> None:
        with open(writer, "wb") as file:
            file.write(log)

    try:
        thread = threading.Thread(target=write)
        thread.start()
        with open(reader, "rb") as file:
            assert file.read() == log.replace(SECRET.encode(), b"***")
        thread.join()
        assert process.wait(timeout=PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def in_this_process(
    data: bytes, *, signals: tuple[int, ...] = (), registry: SecretRegistry | None = None
) -> tuple[bytes, Masker, BaseException | None]:
    """What `mask_stream` shows of `data` from a non-blocking pipe, and what it raises."""
    if registry is None:
        registry = SecretRegistry()
        registry.add(SECRET, name="TOKEN")
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    shown, masker, raised = bytearray(), Masker(registry), None
    try:
        os.write(writer, data)
        with SignalInbox(install=False) as inbox, inbox.queued():
            for signum in signals:
                inbox.deliver(signum)
            if not signals:
                os.close(writer)
            try:
                mask_stream(reader, masker, shown.extend, inbox)
            except (Cancelled, OSError) as error:
                raised = error
    finally:
        os.close(reader)
        if signals:
            os.close(writer)
    return bytes(shown), masker, raised


def test_what_was_there_before_a_signal() -> None:
    """A signal that comes first still finds what the pipe holds, and waits for nothing more."""
    shown, _, raised = in_this_process(b"a " + SECRET.encode() + b" t0ken-4", signals=(15,))
    assert shown == b"a *** ***"
    assert isinstance(raised, Cancelled)


def test_a_log_that_breaks_off() -> None:
    """What was read before is shown, masked, and then the reason is told."""
    registry = SecretRegistry()
    registry.add(SECRET, name="TOKEN")
    shown = bytearray()
    reader, writer = os.openpty()
    try:
        os.write(writer, b"x t0ken-4f9")
        os.close(writer)
        # A terminal that was hung up answers EIO.
        with (
            SignalInbox(install=False) as inbox,
            inbox.queued(),
            pytest.raises(UsageError, match="cannot be read: input/output error"),
        ):
            mask_stream(reader, Masker(registry), shown.extend, inbox)
    finally:
        os.close(reader)
    assert bytes(shown) == b"x ***"


def test_a_log_that_somebody_else_has_read() -> None:
    """A pipe that was ready and is empty after all has not ended."""
    reader, writer = os.pipe()
    try:
        os.set_blocking(reader, False)
        assert read_some(reader) is None
    finally:
        os.close(reader)
        os.close(writer)


class Broken(SecretRegistry):
    """A registry of which masking fails at the `left`-th use."""

    left = 2

    def index(self) -> AbstractContextManager[NeedleIndex]:
        self.left -= 1
        if self.left <= 0:
            raise RuntimeError("broken on purpose")
        return super().index()


def test_a_fault_reads_on_and_shows_nothing_more() -> None:
    """Who writes the log is not stopped by a fault of ours."""
    registry = Broken()
    registry.add(SECRET, name="TOKEN")
    registry.left = 1
    shown, masker, raised = in_this_process(b"z" * 50_000, registry=registry)
    assert (shown, raised) == (b"", None)
    assert (masker.fault, masker.withheld) == ("RuntimeError", 50_000)


FAULT = """
from calamari_py.cli.mask import mask_stdin
from calamari_py.errors import InternalError
from tests.cli.test_mask import Broken
registry = Broken()
registry.add("t0ken-4f9c2a7be1", name="TOKEN")
try:
    mask_stdin(registry)
except InternalError as error:
    raise SystemExit(f"{error.exit_code} {error.message}")
"""


def test_a_fault_is_told() -> None:
    """The rest is withheld, one line says how many bytes, and the code is that of a defect."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", FAULT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "TOKEN": SECRET, "PYTHONPATH": str(root)},
    )  # fmt: skip
    try:
        send(process, b"first\n")
        assert receive(process, 6) == b"first\n"
        out, err = process.communicate(b"second t0ken-4f9c2a7be1\n", timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert out == b""
    said = "masking failed (RuntimeError), and the last 24 bytes of the log were withheld"
    assert err.decode() == f"70 {said}\n"


# --- what it costs and what it keeps ------------------------------------------------------------

ENDING = """
import json, sys
from calamari_py.cli import main
try:
    main(sys.argv[1:])
finally:
    from calamari_py.process.harden import PR_GET_DUMPABLE, find_prctl
    prctl = find_prctl()
    dumpable = prctl(PR_GET_DUMPABLE, 0) if prctl else 0
    print(json.dumps([sorted(sys.modules), dumpable]), file=sys.stderr)
"""


def test_it_loads_nothing_of_aws_and_is_unreadable(tmp_path: Path) -> None:
    """No AWS library, nothing of ours that speaks to AWS or reads manifests; and no other process
    of the same user can read the secrets in its memory."""
    ended = ran(
        "mask", "--from-env", "TOKEN",
        stdin=b"x", folder=tmp_path, command=[sys.executable, "-c", ENDING],
    )  # fmt: skip
    modules, dumpable = json.loads(ended.stderr.splitlines()[-1])
    never = ("botocore", "boto3", "rich", "ssl", "urllib.request", "jinja2", "yaml", "msgspec",
             "calamari_py.aws", "calamari_py.runner", "calamari_py.manifest")  # fmt: skip
    assert [name for name in never if name in modules] == []
    assert "calamari_py.cli.mask" in modules
    assert dumpable == 0
