"""Commands in a child's output: what is one, what is shown, and that cuts make no difference."""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Iterable

import pytest

from calamari_py.channel import RefusedDeclaration
from calamari_py.masking import Secret
from calamari_py.messages import (
    ArtifactDeclaration,
    Declaration,
    MaskDeclaration,
    Message,
    OutputSet,
    Progress,
)
from calamari_py.process import Stream
from calamari_py.runner.commands import COMMAND_LIMIT, CommandStream
from tests.fakes import prints
from tests.masking.streams import bytewise, cut
from tests.runner.world import HEAD, SCRIPT, World

Taken = list[Declaration | RefusedDeclaration]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def command(what: str, /, *, by: str = "octopus", quote: str = "'", **values: str) -> bytes:
    """A command as Octopus's own functions write it."""
    pairs = "".join(f" {key}={quote}{b64(value)}{quote}" for key, value in values.items())
    return f"##{by}[{what}{pairs}]".encode()


MASK = command("mask", value="s3cret-value")
DECLARED = MaskDeclaration(value=Secret("s3cret-value"))
LOST = "the service message 'mask' is not taken"


def refused(why: str, *, secret: bool = False) -> RefusedDeclaration:
    return RefusedDeclaration(why=why, secret=secret)


def through(chunks: Iterable[bytes], stream: Stream = "stdout") -> tuple[bytes, Taken]:
    """What is shown and what is taken when `chunks` come and the stream ends."""
    commands = CommandStream(stream)
    shown = b"".join([*(commands.feed(chunk) for chunk in chunks), commands.close()])
    return shown, commands.taken


@pytest.mark.parametrize(
    ("data", "shown", "taken"),
    [
        pytest.param(b"plain\n", b"plain\n", [], id="nothing"),
        pytest.param(b"a\n" + MASK + b"\nb\n", b"a\nb\n", [DECLARED], id="mask"),
        pytest.param(MASK, b"", [DECLARED], id="no line end"),
        pytest.param(MASK + b"\r\nb\r\n", b"b\r\n", [DECLARED], id="pty line end"),
        pytest.param(MASK + b"\r\r\nb", b"b", [DECLARED], id="windows line end on a pty"),
        pytest.param(b"50%\r" + MASK + b"\rx", b"50%\rx", [DECLARED], id="carriage returns"),
        pytest.param(MASK + b"\n\nb", b"\nb", [DECLARED], id="an empty line stays"),
        pytest.param(b" \t" + MASK + b"\nb", b" \tb", [DECLARED], id="after blanks"),
        pytest.param(b"\x1b[0;1m" + MASK + b"\n", b"\x1b[0;1m", [DECLARED], id="after a colour"),
        pytest.param(b"\x1b[0" + MASK + b"\nb", b"\x1b[0***\nb",
                     [DECLARED, refused("a service message within a line is not taken, "
                                        "and the line is masked")], id="half a colour"),
        pytest.param(MASK + MASK + b"\nx", b"x", [DECLARED, DECLARED], id="two on one line"),
        pytest.param(MASK + b" " + MASK + b"\nx", b" x", [DECLARED, DECLARED], id="two apart"),
        pytest.param(MASK + b"text\n", b"text\n", [DECLARED], id="text after it"),
        pytest.param(b"##\n###\n# ##octopu\n##octopus", b"##\n###\n# ##octopu\n##octopus", [],
                     id="no marker"),
        pytest.param(command("stdout-verbose") + b"\nx\n" + command("stdout-default") + b"\n",
                     b"x\n", [], id="levels"),
        pytest.param(b'##octopus[ MASK  VALUE = "' + b64("s3cret-value").encode() + b'" ]\n',
                     b"", [DECLARED], id="spaces, case, double quotes"),
    ],
)  # fmt: skip
def test_what_is_shown_and_taken(data: bytes, shown: bytes, taken: Taken) -> None:
    """A command at the beginning of a line goes, with its line end, and nothing else does."""
    assert through([data]) == (shown, taken)


@pytest.mark.parametrize(
    ("line", "declared"),
    [
        pytest.param(b"##octopus[setVariable name='VGVzdEE=' value='V29ybGQh']",
                     OutputSet(name="TestA", value="World!", sensitive=False), id="output"),
        pytest.param(b"##octopus[setVariable name='UGFzc3dvcmQ=' "
                     b"value='Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==' sensitive='VHJ1ZQ==']",
                     OutputSet(name="Password", value="correct horse battery staple",
                               sensitive=True), id="sensitive output"),
        pytest.param(b"##octopus[setVariable name='VGVzdEE=']",
                     OutputSet(name="TestA", value="", sensitive=False), id="empty output"),
        pytest.param(command("setVariable", name="a", value="b", sensitive="False"),
                     OutputSet(name="a", value="b", sensitive=False), id="not sensitive"),
        pytest.param(command("setVariable", name="a", value="b", sensitive="yes"),
                     OutputSet(name="a", value="b", sensitive=True), id="sensitive in doubt"),
        pytest.param(b"##octopus[progress percentage='NTA=' message='SGFsZiBXYXk=']",
                     Progress(percent=50.0, text="Half Way"), id="progress"),
        pytest.param(command("progress", percentage="5"),
                     Progress(percent=5.0, text=""), id="progress without a message"),
        pytest.param(b"##octopus[resultMessage message='Q3VzdG9tIGZhaWx1cmUgbWVzc2FnZQ==']",
                     Message(level="highlight", text="Custom failure message"), id="result"),
        pytest.param(command("createArtifact", path="/a b/c.txt", name="n.txt", length="0"),
                     ArtifactDeclaration(path="/a b/c.txt", name="n.txt"), id="artifact"),
        pytest.param(command("createArtifact", path="/a b/c.txt"),
                     ArtifactDeclaration(path="/a b/c.txt", name="c.txt"), id="unnamed artifact"),
        pytest.param(command("fail", by="calamari", quote='"', message="why"),
                     Message(level="fail", text="why"), id="fail"),
        pytest.param(command("mask", by="calamari", value="two\nlines"),
                     MaskDeclaration(value=Secret("two\nlines")), id="our marker"),
        pytest.param(b"##octopus[mask value='']", MaskDeclaration(value=Secret("")), id="blank"),
    ],
)  # fmt: skip
def test_commands(line: bytes, declared: Declaration) -> None:
    """Each command becomes its declaration; the lines are those that Octopus's functions write."""
    assert through([line + b"\n"]) == (b"", [declared])


@pytest.mark.parametrize(
    ("line", "why", "secret"),
    [
        pytest.param(b"##octopus[mask value='not base64!']", "not base64", True, id="no base64"),
        pytest.param(b"##octopus[mask value='c2Vj]rest", "not written as", True, id="no quote"),
        pytest.param(b"##octopus[mask]", "'value' is missing", True, id="no value"),
        pytest.param(b"##octopus[mask value='c2Vj' value='c2Vj']", "twice", True, id="twice"),
        pytest.param(b"##octopus[mask value='c2Vj", "line ends", True, id="no end"),
        pytest.param(b"##octopus[setVariable name='YQ==' value='!' sensitive='VHJ1ZQ==']",
                     "not base64", True, id="sensitive output"),
        pytest.param(b"##octopus[setVariable name='YQ==' value='YQ", "line ends", True,
                     id="output without end"),
        pytest.param(b"##octopus[setVariable name='YQ==' value='!']", "not base64", False,
                     id="output"),
        pytest.param(command("setVariable", name="a=b", value="x"), "cannot be the name", False,
                     id="output's name"),
        pytest.param(command("createArtifact", path="a.txt"), "not absolute", False, id="path"),
        pytest.param(command("progress", message="x"), "missing", False, id="no percentage"),
        pytest.param(b"##octopus[progress percentage=", "line ends", False, id="half progress"),
        pytest.param(command("fail", message="x"), "'fail' is not known", False, id="not theirs"),
        pytest.param(command("nobody", value="x") + b"tail", "'nobody' is not known", False,
                     id="unknown"),
        pytest.param(b"##octopus[]", "not known", False, id="no name"),
    ],
)  # fmt: skip
def test_refused_commands(line: bytes, why: str, secret: bool) -> None:
    """What is no good command is not shown; one that may hold a secret fails closed."""
    shown, taken = through([b"a\n" + line + b"\nb\n"])
    assert shown == b"a\nb\n"
    (told,) = taken
    assert isinstance(told, RefusedDeclaration)
    assert told.secret is secret
    assert why in told.why


def test_unknown_commands_are_told_once() -> None:
    """A thousand lines of the same kind give one warning."""
    assert len(through([command("nobody") + b"\n"] * 1000)[1]) == 1
    flood = [command(f"nobody{number}") + b"\n" for number in range(1000)]
    assert len(through(flood)[1]) <= 100


def test_a_secret_that_is_lost_counts_each_time() -> None:
    """That one was refused already does not hide the next."""
    shown, taken = through([b"##octopus[mask]\n"] * 2)
    assert (shown, [isinstance(t, RefusedDeclaration) and t.secret for t in taken]) == (
        b"", [True, True],
    )  # fmt: skip


TRACES = [
    pytest.param("+ echo '##octopus[mask value='\\''{value}'\\'']'", False, id="bash"),
    pytest.param("+ echo ##octopus[mask value='{value}']", True, id="dash"),
    pytest.param('+ printf \'##calamari[mask value="%s"]\\n\' {value}', False, id="printf"),
    pytest.param("###octopus[mask value='{value}']", True, id="three hashes"),
    pytest.param("Password: ##octopus[setVariable name='YQ==' value='{value}' "
                 "sensitive='VHJ1ZQ==']", True, id="after a prompt"),
]  # fmt: skip


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(("trace", "readable"), TRACES)
def test_markers_within_a_line(trace: str, readable: bool, stream: Stream) -> None:
    """A trace of a command shows nothing after the marker, and what can be read is masked."""
    line = trace.format(value=b64("s3cret-value")).encode()
    shown, taken = through([b"a\n" + line + b"\r\nb\n"], stream)
    before = line[: line.index(b"##octopus" if b"##octopus" in line else b"##calamari")]
    assert shown == b"a\n" + before + b"***\r\nb\n"
    assert (DECLARED in taken) is readable
    assert not any(isinstance(item, RefusedDeclaration) and item.secret for item in taken)


@pytest.mark.parametrize(
    ("line", "shown", "taken"),
    [
        pytest.param(MASK, b"", [DECLARED], id="mask"),
        pytest.param(b"##octopus[mask value='!']", b"",
                     [refused(f"{LOST}: an attribute is not base64", secret=True)], id="broken"),
        pytest.param(command("setVariable", name="a", value="s3cret-value", sensitive="True"),
                     b"***\n", [DECLARED, refused("a service message on stderr is not taken, and "
                                                  "the line is masked")], id="sensitive output"),
        pytest.param(command("fail", by="calamari"), b"***\n",
                     [refused("a service message on stderr is not taken, and the line is masked")],
                     id="fail"),
        pytest.param(b"##octopus[progress", b"***\n", [], id="half"),
    ],
)  # fmt: skip
def test_commands_on_stderr(line: bytes, shown: bytes, taken: Taken) -> None:
    """On stderr only ``mask`` is a command, as Octopus's own start-up code writes it."""
    assert through([line + b"\n"], "stderr") == (shown, taken)


def test_half_a_marker_is_held_until_idle() -> None:
    """What may begin a marker waits; shown or not, it is one when the rest comes."""
    commands = CommandStream("stdout")
    assert commands.feed(b"a\n##oct") == b"a\n"
    assert commands.held == 5
    assert commands.idle() == b"##oct"
    assert (commands.held, commands.idle()) == (0, b"")
    assert commands.feed(MASK[5:] + b"\nb") == b"b"
    assert commands.taken == [DECLARED]


@pytest.mark.parametrize("cut_at", range(1, 10))
def test_nothing_is_held_that_is_no_marker(cut_at: int) -> None:
    """The longest beginning of a marker is held, not a byte more."""
    commands = CommandStream("stdout")
    assert commands.feed(b"x " + b"#" * 3 + MASK[2:cut_at]) is not None
    assert commands.held == max(2, cut_at)


def test_half_a_command_is_never_shown() -> None:
    """A value that has come in part waits for its end, however long that takes."""
    commands = CommandStream("stdout")
    assert commands.feed(MASK[:-3]) == b""
    assert (commands.idle(), commands.held) == (b"", 0)
    assert commands.feed(MASK[-3:]) == b""
    assert commands.taken == [DECLARED]


def test_a_command_counts_before_its_line_ends() -> None:
    """The value is declared as soon as the bracket has come."""
    commands = CommandStream("stdout")
    commands.feed(MASK)
    assert commands.taken == [DECLARED]
    assert commands.close() + commands.close() == b""


def test_a_command_without_end_is_refused_at_the_end() -> None:
    """What a killed script left half said fails closed, once."""
    commands = CommandStream("stdout")
    assert commands.feed(b"a" + b"\n" + MASK[:-3]) == b"a\n"
    assert commands.close() + commands.close() == b""
    assert commands.taken == [refused(f"{LOST}: the output ends before its ']'", secret=True)]


@pytest.mark.parametrize("size", [COMMAND_LIMIT + 1, COMMAND_LIMIT * 3])
def test_a_command_without_bounds_is_refused(size: int) -> None:
    """More than the limit is neither kept nor shown."""
    data = b"##octopus[mask value='" + b"A" * size + b"']\nb\n"
    shown, taken = through(data[at : at + 65536] for at in range(0, len(data), 65536))
    assert (shown, taken) == (b"b\n", [refused(f"{LOST}: it is longer than 1 MiB", secret=True)])


PIECES = (
    b"a", b" ", b"\n", b"\r", b"\r\n", b"#", b"##", b"]", b"'", b"\x1b", b"\x1b[0m", b"[",
    b"##octopus[", b"##calamari[", b"##octopu", MASK, MASK + b"\n", MASK[:-1], MASK[:14],
    command("setVariable", name="n", value="v", sensitive="True"), command("stdout-wait"),
    command("nobody"), command("fail", by="calamari", message="m"), b"+ echo ", b" " * 300,
)  # fmt: skip


@pytest.mark.slow(3)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_cuts_make_no_difference(stream: Stream) -> None:
    """However a stream is cut, the same bytes are shown and the same commands taken."""
    rng = random.Random(5)
    for _ in range(600):
        data = b"".join(rng.choice(PIECES) for _ in range(rng.randint(1, 14)))
        whole = through([data], stream)
        assert through(bytewise(data), stream) == whole, data
        assert through(cut(data, rng), stream) == whole, data


@pytest.mark.slow(2)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_idle_times_lose_no_command(stream: Stream) -> None:
    """Silence at any place changes neither what is taken nor what is hidden."""
    rng = random.Random(6)
    for _ in range(600):
        data = b"".join(rng.choice(PIECES) for _ in range(rng.randint(1, 10)))
        commands = CommandStream(stream)
        shown = b""
        for chunk in bytewise(data):
            shown += commands.feed(chunk)
            if rng.random() < 0.4:
                shown += commands.idle()
        shown += commands.close()
        assert commands.taken == through([data], stream)[1], data
        assert b64("s3cret-value").encode() not in shown.replace(b"\n", b""), data


def test_what_is_no_command_is_untouched() -> None:
    """Bytes without a marker come out as they went in."""
    rng = random.Random(7)
    for _ in range(500):
        data = bytes(rng.choice(b"#octpus[calmri]\n\r \x1b\0\xff") for _ in range(60))
        if b"##octopus[" not in data and b"##calamari[" not in data:
            assert through(cut(data, rng)) == (data, [])
            commands = CommandStream("stdout")
            shown = [commands.feed(chunk) + commands.idle() for chunk in bytewise(data)]
            assert shown == bytewise(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"#" * 1_000_000, id="hashes"),
        pytest.param(b" " * 1_000_000, id="one blank line"),
        pytest.param(b"\x1b[0m" * 250_000, id="colours"),
        pytest.param(MASK[:14] + b"A" * 1_000_000, id="no end"),
        pytest.param((MASK[:14] + b"\n") * 40_000, id="many broken"),
    ],
)
@pytest.mark.parametrize("size", [64, 65536])
def test_work_is_bounded(data: bytes, size: int) -> None:
    """Odd input is no way to stop us: half a MB a second at least, in any writes."""
    began = time.process_time()
    through(data[at : at + size] for at in range(0, len(data), size))
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("on", [True, False])
def test_commands_are_off_by_default(on: bool, world: World) -> None:
    """Only a manifest that says so has its step's output read for commands."""
    line = command("setVariable", name="Url", value="https://x") + b"\n"
    text = HEAD + SCRIPT + ("service_messages: true\n" if on else "")
    result = world.run(text, prints(b"a\n", line, MASK + b"\n", b"s3cret-value\n"))
    assert result.exit_code == 0
    if on:
        assert world.reporter.shown() == b"a\n***\n"
        assert result.outputs["Url"].value == "https://x"
    else:
        assert world.reporter.shown() == b"a\n" + line + MASK + b"\ns3cret-value\n"
        assert result.outputs == {}


def test_a_lost_secret_fails_the_step(world: World) -> None:
    """After a broken mask nothing more is shown, and the step does not succeed."""
    child = prints(b"a\n", b"##octopus[mask value='!']\n", b"s3cret-value\n")
    result = world.run(HEAD + SCRIPT + "service_messages: true\n", child)
    assert (world.reporter.shown(), result.exit_code) == (b"a\n", 1)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_broken_mask_within_a_line_may_have_named_anything(stream: Stream) -> None:
    """Base64 that was wrapped ends the line too early: nobody knows the secret, so what follows
    is not to be shown. An unfinished command that masks nothing is only hidden."""
    commands = CommandStream(stream)
    shown = commands.feed(b"INFO ##calamari[mask value='c2VjcmV0\nLXZhbHVl']\n")
    assert shown.startswith(b"INFO ***\n")
    (refused_one,) = commands.taken
    assert isinstance(refused_one, RefusedDeclaration)
    assert refused_one.secret
    other = CommandStream(stream)
    other.feed(b"INFO ##calamari[progress percentage='NTA=\n")
    assert not any(isinstance(one, RefusedDeclaration) and one.secret for one in other.taken)
