"""The private folder between a child and us: exact bytes in, nothing followed on the way out."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from calamari_py.channel import (
    Channel,
    ChildFileRefused,
    RefusedDeclaration,
    encode_name,
    read_child_file,
)
from calamari_py.messages import MaskDeclaration, Message, SensitiveOutput
from tests.tools import require_tool

SUPPORT = Path(__file__).parent.parent / "calamari_py" / "steps" / "support"


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    made = Channel(tmp_path / "channel")
    made.folder.mkdir(mode=0o700)
    return made


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        pytest.param("Plain_Name-1", "Plain_Name-1", id="plain"),
        pytest.param("AWS Account.AccessKey", "AWS%20Account.AccessKey", id="space"),
        pytest.param("A[b]", "A%5Bb%5D", id="brackets"),
        pytest.param(".hidden", "%2Ehidden", id="leading dot"),
        pytest.param("..", "%2E.", id="no way up"),
        pytest.param("a/b", "a%2Fb", id="slash"),
        pytest.param("ä", "%C3%A4", id="bytes of utf-8"),
        pytest.param("x" * 255, "x" * 255, id="longest"),
        pytest.param("x" * 256, None, id="too long"),
    ],
)
def test_encode_name(name: str, encoded: str | None) -> None:
    """A variable's file name is safe and reversible."""
    assert encode_name(name) == encoded


def test_variables_are_exact_and_private(channel: Channel) -> None:
    """Each variable is its own 0600 file with the exact bytes; the JSON file holds all."""
    os.umask(old := os.umask(0))
    try:
        os.umask(0)
        too_long = channel.create({"A b": "v\n", "E": "", "L" * 300: "long"})
    finally:
        os.umask(old)
    assert (channel.variables / "A%20b").read_bytes() == b"v\n"
    assert (channel.variables / "E").read_bytes() == b""
    assert too_long == ("L" * 300,)
    assert json.loads(channel.variables_json.read_bytes())["L" * 300] == "long"
    for path in channel.folder.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_declarations_are_taken_once_and_in_order(channel: Channel) -> None:
    """Finished declarations come in the order they were made; each one once."""
    channel.create({})
    for index in (2, 1, 10):
        path = channel.declarations / f"message-{index}-1-x"
        path.write_bytes(b"verbose\n%d" % index)
        os.utime(path, ns=(5, 5))
    (channel.declarations / ".half").write_bytes(b"warning\nnot yet")
    assert [m.text for m in channel.take() if isinstance(m, Message)] == ["1", "2", "10"]
    assert list(channel.take()) == []


def test_a_name_may_be_used_again(channel: Channel) -> None:
    """A declaration named like one that was taken is another one: nothing to mask is lost."""
    channel.create({})
    for value in (b"first", b"second"):
        (channel.declarations / "mask-1-x").write_bytes(value)
        assert [m.value.reveal() for m in channel.take() if isinstance(m, MaskDeclaration)] == [
            value.decode()
        ]


def test_what_cannot_be_removed_is_taken_once(channel: Channel) -> None:
    """A folder in place of a declaration stays, and is refused once."""
    channel.create({})
    (channel.declarations / "mask-1-x").mkdir()
    assert [type(item) for item in channel.take()] == [RefusedDeclaration]
    assert list(channel.take()) == []


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        pytest.param("mask", True, id="mask alone"),
        pytest.param("mask-1", True, id="nothing after the number"),
        pytest.param("mask-x-1", True, id="no number"),
        pytest.param("Mask-1-x", True, id="upper case"),
        pytest.param("sensitive-x", True, id="sensitive output"),
        pytest.param("message-x", False, id="message"),
        pytest.param("README", False, id="stranger"),
    ],
)
def test_misnamed_declarations_are_refused(name: str, secret: bool, channel: Channel) -> None:
    """Who got a name wrong is told, and what may have been a secret fails closed."""
    channel.create({})
    (channel.declarations / name).write_bytes(b"the-value")
    (refused,) = channel.take()
    assert refused == RefusedDeclaration(
        why="a declaration is refused: its file is not named KIND-NUMBER-ANYTHING", secret=secret
    )


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _directory(path: Path) -> None:
    path.mkdir()


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 1024 * 1024 + 1)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        pytest.param(_fifo, "regular", id="fifo"),
        pytest.param(_link, "link", id="link"),
        pytest.param(_directory, "regular", id="directory"),
        pytest.param(_large, "larger", id="too large"),
        pytest.param(lambda path: None, "not exist", id="missing"),
    ],
)
def test_what_is_no_plain_file_is_refused(make: object, why: str, tmp_path: Path) -> None:
    """A file in place of which a child put something else is not read, and nothing blocks."""
    assert callable(make)
    make(tmp_path / "x")
    with pytest.raises(ChildFileRefused, match=why):
        read_child_file(tmp_path / "x")


def test_outputs_behind_a_link_are_lost_aloud(channel: Channel) -> None:
    """An output file replaced by a link gives no outputs and one complaint."""
    channel.create({})
    channel.output.unlink()
    channel.output.symlink_to("/etc/passwd")
    outputs, complaints = channel.outputs()
    assert outputs == []
    assert "link" in complaints[0]


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_shell_functions(shell: str, channel: Channel, tmp_path: Path) -> None:
    """The functions for bash and sh speak the same protocol as the runner."""
    require_tool(shell)
    channel.create({"A b.c[ä]": "line\nend", "Plain": "x"})
    (tmp_path / "f.txt").write_text("x")
    script = """
        set -eu
        test "$(get_variable 'A b.c[ä]')" = 'line
end'
        test "$(get_variable Plain)" = x
        ! get_variable Nothing 2>/dev/null
        set_output Url 'a=b
<<E c'
        set_output Db 'the secret' --sensitive
        ! set_output 'bad=name' x 2>/dev/null
        mask ' spaced  * value '
        write_warning 'two  spaces *'
        update_progress 30 'a third'
        create_artifact f.txt other/../name.txt
        ! create_artifact missing 2>/dev/null
        (fail_step 'because') || echo "failed with $?"
    """
    done = subprocess.run(
        [shell, "-c", f'. "{SUPPORT}/functions.sh"\n{script}'],
        env={**os.environ, **channel.environment()},
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.stderr, done.stdout, done.returncode) == ("", "failed with 1\n", 0)
    _check_protocol(channel, tmp_path)


@pytest.mark.process
def test_python_functions(channel: Channel, tmp_path: Path) -> None:
    """The Python module speaks the same protocol, and works with nothing but its folder."""
    channel.create({"A b.c[ä]": "line\nend", "Plain": "x"})
    (tmp_path / "f.txt").write_text("x")
    script = """if True:
        import calamari_step as step
        assert step.get_variable('A b.c[ä]') == 'line\\nend'
        step.set_output('Url', 'a=b\\n<<E c')
        step.set_output('Db', 'the secret', sensitive=True)
        step.mask(' spaced  * value ')
        step.write_warning('two  spaces *')
        step.update_progress(30, 'a third')
        step.create_artifact('f.txt', 'other/../name.txt')
        step.fail_step('because')
    """
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **channel.environment(), "PYTHONPATH": str(SUPPORT / "python")},
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 1)
    _check_protocol(channel, tmp_path)


def _check_protocol(channel: Channel, folder: Path) -> None:
    assert channel.outputs() == ([("Url", "a=b\n<<E c"), ("Db", "the secret")], [])
    taken = list(channel.take())
    assert [type(item).__name__ for item in taken] == [
        "SensitiveOutput", "MaskDeclaration", "Message", "Progress", "ArtifactDeclaration",
        "Message",
    ]  # fmt: skip
    mask, warning, artifact, failure = taken[1], taken[2], taken[4], taken[5]
    assert isinstance(mask, MaskDeclaration)
    assert mask.value.reveal() == " spaced  * value "
    assert warning == Message(level="warning", text="two  spaces *")
    assert getattr(artifact, "path", None) == str(folder / "f.txt")
    assert getattr(artifact, "name", None) == "name.txt"
    assert failure == Message(level="fail", text="because")


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize(
    "before", ["set -C", "PATH=/nonexistent", "set -eu", "IFS=x", "umask 777"], ids=str
)
def test_mask_works_whatever_the_script_has_set(shell: str, before: str, channel: Channel) -> None:
    """A script's own settings do not keep a value from being declared."""
    require_tool(shell)
    channel.create({})
    script = f'. "{SUPPORT}/functions.sh"\n{before}\nmask the-value\n'
    done = subprocess.run(
        [shell, "-c", script],
        env={**os.environ, **channel.environment()},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.stderr, done.returncode) == ("", 0)
    (declared,) = channel.take()
    assert isinstance(declared, MaskDeclaration)
    assert declared.value.reveal() == "the-value"


VALUES = [
    pytest.param("-e", id="dash e"),
    pytest.param("-n x", id="dash n"),
    pytest.param("--", id="dashes"),
    pytest.param("--pass", id="our option"),
    pytest.param("a\nb\n\n", id="lines"),
    pytest.param("\\n %s $(x) `x` \"q\" 'q' *", id="quotes"),
    pytest.param("\udcff\x01\x1b[0m", id="bytes"),
]


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize("value", VALUES)
def test_mask_takes_every_byte(shell: str, value: str, channel: Channel) -> None:
    """Whatever a shell's variable can hold is declared as it is, as argument and on stdin."""
    require_tool(shell)
    channel.create({"V": value})
    script = """
        set -eu
        mask "$VALUE"
        printf %s "$VALUE" | mask -
        test "$(printf %s. "$VALUE" | mask - --pass)" = "$VALUE."
        set_output Name "$VALUE" --sensitive
        mask - < "$CALAMARI_VARIABLES/V"
    """
    done = _run_shell(shell, script, channel, VALUE=value)
    assert (done.stderr, done.stdout, done.returncode) == ("", "", 0)
    taken = _secrets(channel)
    assert taken == [value, value, f"{value}.", value, value]
    assert channel.outputs() == ([("Name", value)], [])
    assert list(channel.declarations.iterdir()) == []


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_mask_takes_binary_values(shell: str, channel: Channel) -> None:
    """On stdin a value may hold what no variable of a shell can."""
    require_tool(shell)
    channel.create({})
    script = "printf 'a\\000b' | mask - --pass | od -An -tx1"
    done = _run_shell(shell, script, channel)
    assert (done.stderr, done.stdout.split()) == ("", ["61", "00", "62"])
    assert _secrets(channel) == ["a\0b"]


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_functions_are_left_out_of_a_trace(shell: str, channel: Channel) -> None:
    """Under ``set -x`` the shell prints the calls; nothing of the functions' own follows."""
    require_tool(shell)
    channel.create({})
    script = """
        set -x
        mask a-value
        set_output n v --sensitive
        case $- in *x*) write_warning still ;; esac
    """
    done = _run_shell(shell, script, channel)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("+ case")]
    assert lines == ["+ mask a-value", "+ set_output n v --sensitive", "+ write_warning still"]
    assert len(list(channel.take())) == 3


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize(
    ("script", "code"),
    [
        pytest.param("mask the-value", 1, id="plain"),
        pytest.param("if mask the-value; then :; fi", 1, id="condition"),
        pytest.param("(mask the-value)", -15, id="subshell"),
        pytest.param("x=$(mask the-value)", -15, id="substitution"),
        pytest.param("printf %s the-value | mask -", -15, id="pipe"),
        pytest.param("x=$(printf %s the-value | mask - --pass)", -15, id="pass"),
        pytest.param("set_output a the-value --sensitive", 1, id="sensitive output"),
    ],
)
def test_a_mask_that_cannot_be_declared_ends_the_script(
    shell: str, script: str, code: int, channel: Channel
) -> None:
    """What was to be hidden is not shown afterwards."""
    require_tool(shell)
    channel.create({})
    channel.declarations.rmdir()
    done = _run_shell(shell, f"{script}\necho the-value\n", channel)
    assert (done.stdout, done.returncode) == ("", code)
    assert "could not declare" in done.stderr


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize("call", ["mask", "mask two words", "mask - --other"])
def test_a_mask_called_wrongly_ends_the_script(shell: str, call: str, channel: Channel) -> None:
    """A value without quotes would be masked in part only."""
    require_tool(shell)
    channel.create({})
    done = _run_shell(shell, f"{call}\necho two words\n", channel)
    assert (done.stdout, done.returncode, list(channel.take())) == ("", 1, [])
    assert "in quotes" in done.stderr


def _secrets(channel: Channel) -> list[str]:
    """The values that were declared as such."""
    secret = (MaskDeclaration, SensitiveOutput)
    return [item.value.reveal() for item in channel.take() if isinstance(item, secret)]


def _run_shell(
    shell: str, script: str, channel: Channel, **names: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shell, "-c", f'. "{SUPPORT}/functions.sh"\n{script}'],
        env={**os.environ, **channel.environment(), **names},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


@pytest.mark.process
@pytest.mark.parametrize(
    ("arguments", "said", "declared"),
    [
        pytest.param(["mask", "-"], b"", [b"-a\0\xff\n"], id="mask"),
        pytest.param(["mask", "-", "--pass"], b"-a\0\xff\n", [b"-a\0\xff\n"], id="handed on"),
        pytest.param(["mask", "value"], b"", [], id="no values in an argv"),
    ],
)
def test_the_python_module_as_a_command(
    arguments: list[str], said: bytes, declared: list[bytes], channel: Channel
) -> None:
    """Programs in any language can mask what they write to the module's stdin."""
    channel.create({})
    done = subprocess.run(
        [sys.executable, "-m", "calamari_step", *arguments],
        env={**os.environ, **channel.environment(), "PYTHONPATH": str(SUPPORT / "python")},
        input=b"-a\0\xff\n", capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == (said, 0 if declared else 2)
    values = _secrets(channel)
    assert [value.encode("utf-8", "surrogateescape") for value in values] == declared


@pytest.mark.process
def test_python_masks_bytes(channel: Channel) -> None:
    """A value that is no text is declared as it is."""
    channel.create({})
    subprocess.run(
        [sys.executable, "-c", "import calamari_step; calamari_step.mask(b'a\\0\\xff')"],
        env={**os.environ, **channel.environment(), "PYTHONPATH": str(SUPPORT / "python")},
        timeout=30, check=True,
    )  # fmt: skip
    assert _secrets(channel) == ["a\0\udcff"]


def test_what_is_larger_than_its_size_is_refused() -> None:
    """A file of /proc shows its reader's secrets, not its writer's."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("there is no /proc")
    with pytest.raises(ChildFileRefused):
        read_child_file("/proc/self/environ")
