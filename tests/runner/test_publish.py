"""What is handed to GitHub: outputs in its file, masks before them, a summary."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calamari_py.errors import Problem
from calamari_py.masking import SecretRegistry
from calamari_py.output.base import CiCommand
from calamari_py.result import Outcome, OutputVariable, StepIdentity
from calamari_py.runner import publish
from calamari_py.runner.publish import SUMMARY_LIMIT, Publication, append_to, published_names
from calamari_py.runner.record import RunRecord
from calamari_py.runner.summary import escape, summary_of
from tests.fakes import RecordingReporter
from tests.output.github_runner import FakeRunner, read_outputs

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SECRET = "s3cr3t-value-1"


@dataclass
class CommandReporter(RecordingReporter):
    """A reporter whose reader takes commands; `before` is what the file held at each."""

    hides_commands: bool = True
    commands: list[bytes] = field(default_factory=list)
    before: list[str] = field(default_factory=list)
    file: Path | None = None
    gone: bool = False

    def command(self, line: CiCommand) -> None:
        if self.gone:
            raise BrokenPipeError(32, "Broken pipe")
        self.commands.append(line)
        if self.file:
            self.before.append(self.file.read_text())


@dataclass
class Job:
    """One run in a job, with the files that the job gives it."""

    folder: Path
    reporter: RecordingReporter = field(default_factory=CommandReporter)
    said: list[str] = field(default_factory=list)
    registry: SecretRegistry = field(default_factory=SecretRegistry)

    def __post_init__(self) -> None:
        self.output, self.summary = self.folder / "output", self.folder / "summary"
        for file in (self.output, self.summary):
            file.write_text("")
        if isinstance(self.reporter, CommandReporter):
            self.reporter.file = self.output
        self.record = RunRecord(
            step="deploy",
            registry=self.registry,
            now=lambda: START,
            started_at=START,
            outcome=Outcome.SUCCEEDED,
            exit_code=0,
        )

    def publication(self, **environ: str) -> Publication:
        return Publication(
            record=self.record,
            reporter=self.reporter,
            environ={
                "GITHUB_OUTPUT": str(self.output), "GITHUB_STEP_SUMMARY": str(self.summary),
                **environ,
            },
            warn=self.said.append,
            tell=self.said.append,
            fail=self.fails,
        )  # fmt: skip

    def fails(self, text: str, hint: str | None) -> None:
        self.said.append(text)
        self.record.failed_after_success(text, hint)

    def publishes(self, outputs: Mapping[str, str | tuple[str]], **environ: str) -> dict[str, str]:
        """What later steps see of `outputs`; the value of a sensitive one stands in a tuple."""
        for name, value in outputs.items():
            sensitive = isinstance(value, tuple)
            text = value[0] if isinstance(value, tuple) else value
            if sensitive:
                self.registry.add(text, name=name)
            self.record.outputs[name] = OutputVariable(value=text, sensitive=sensitive)
        self.publication(**environ).outputs()
        return read_outputs(self.output.read_bytes().decode("utf-8", "surrogateescape"))

    @property
    def masks(self) -> list[str]:
        assert isinstance(self.reporter, CommandReporter)
        return FakeRunner.reads(b"\n".join(self.reporter.commands)).masks


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_a_part_of_an_output_is_masked_alone(job: Job) -> None:
    """Of an output that is sensitive for the secret in it, later steps mask that secret, too."""
    job.registry.add(SECRET, name="Password")
    url = f"https://u:{SECRET}@db.example.com"
    assert job.publishes({"Url": (url,)}) == {"url": url}
    assert job.masks == [url, SECRET]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("plain", id="plain"),
        pytest.param("", id="empty"),
        pytest.param("two\nlines\n\n", id="newlines at the end"),
        pytest.param("\r\nx\r", id="carriage returns"),
        pytest.param("a=b\nc<<EOF\nEOF\n", id="what looks like the file's own"),
        pytest.param("bytes \udcff", id="bytes that are no UTF-8"),
        pytest.param("%0A::error::x", id="a command"),
    ],
)
def test_a_value_arrives(value: str, job: Job) -> None:
    """A later step sees the value as the step set it."""
    assert job.publishes({"Url": value, "Other": "x"}) == {"url": value, "other": "x"}
    assert job.record.outcome is Outcome.SUCCEEDED


def test_no_delimiter_can_be_guessed(job: Job) -> None:
    """Each value ends where a random line stands that was made after it."""
    job.publishes({"A": "x", "B": "x"})
    found = [
        line.partition("<<")[2] for line in job.output.read_text().splitlines() if "<<" in line
    ]
    assert len(set(found)) == 2
    assert all(len(delimiter) >= 32 for delimiter in found)


def test_an_unfinished_line_of_the_step(job: Job) -> None:
    """What a script left in the file by itself stays its own."""
    job.output.write_text("mine=1")
    assert job.publishes({"Url": "x"}) == {"mine": "1", "url": "x"}


def test_a_sensitive_value_is_masked_before_it_is_written(job: Job) -> None:
    """The runner knows the value when a later step can print it."""
    assert job.publishes({"Pw": (SECRET,), "Url": "x"})["pw"] == SECRET
    assert job.masks == [SECRET]
    assert isinstance(job.reporter, CommandReporter)
    assert job.reporter.before == [""]


@pytest.mark.parametrize(
    ("value", "masks"),
    [
        pytest.param("100%-s3cret\t", ["100%-s3cret"], id="percent, whitespace around"),
        pytest.param(
            '{\n  "password": "x1",\n  "y": 1\n}', ['"password": "x1",'], id="telling lines only"
        ),
        pytest.param(
            "-----BEGIN KEY-----\r\nMIIabcdefgh\r\n-----END KEY-----", ["MIIabcdefgh"], id="armour"
        ),
        pytest.param("abcd\nefgh", ["abcd", "efgh"], id="short lines only"),
        pytest.param("abc", [], id="too short to be masked"),
        pytest.param("true", [], id="a common word"),
    ],
)
def test_masks(value: str, masks: list[str], job: Job) -> None:
    """The runner masks line by line what we mask, and no brace and no common word."""
    job.publishes({"Pw": (value,)})
    assert job.masks == masks


def test_where_nobody_hides_commands(job: Job) -> None:
    """Without a real runner no secret is written anywhere, and that is said by name."""
    assert isinstance(job.reporter, CommandReporter)
    job.reporter.hides_commands = False
    assert job.publishes({"Pw": (SECRET,), "Url": "x"}) == {"url": "x"}
    assert job.reporter.commands == []
    assert any("'Pw'" in text and SECRET not in text for text in job.said)


def test_a_reader_that_went_away(job: Job) -> None:
    """A value that the runner could not be told to mask is not written, and the step fails."""
    assert isinstance(job.reporter, CommandReporter)
    job.reporter.gone = True
    assert job.publishes({"Pw": (SECRET,)}) == {}
    assert job.record.outcome is Outcome.FAILED


def test_other_formats_publish_nothing(tmp_path: Path) -> None:
    """The files belong to the github format."""
    job = Job(tmp_path, reporter=RecordingReporter())
    assert job.publishes({"Url": "x"}) == {}
    job.publication().summary()
    assert job.summary.read_text() == ""


def becomes_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def becomes_fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def becomes_link(file: Path) -> None:
    target = file.rename(file.with_suffix(".target"))
    file.symlink_to(target)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(Path.unlink, id="not there"),
        pytest.param(becomes_folder, id="a folder"),
        pytest.param(becomes_fifo, id="a FIFO"),
        pytest.param(becomes_link, id="a link"),
    ],
)
def test_a_file_that_cannot_be_written(spoil: Callable[[Path], None], job: Job) -> None:
    """Lost outputs fail a step that had succeeded; a lost summary is a warning."""
    spoil(job.summary)
    job.publication().summary()
    assert job.record.problems == []
    assert "$GITHUB_STEP_SUMMARY" in job.said[-1]
    spoil(job.output)
    job.record.outputs["Url"] = OutputVariable(value="x", sensitive=False)
    job.publication().outputs()
    assert job.record.outcome is Outcome.FAILED
    assert "$GITHUB_OUTPUT" in job.said[-1]
    assert job.record.problems[-1].message == job.said[-1]
    assert "later steps do not get them" in (job.record.problems[-1].hint or "")


def test_a_failure_stays_what_it_was(job: Job) -> None:
    """A lost output never replaces the step's own end."""
    job.record.outcome, job.record.exit_code = Outcome.FAILED, 7
    job.output.unlink()
    job.record.outputs["Url"] = OutputVariable(value="x", sensitive=False)
    job.publication().outputs()
    assert (job.record.outcome, job.record.exit_code) == (Outcome.FAILED, 7)


@pytest.mark.parametrize(
    ("names", "published"),
    [
        pytest.param(["Url", "a-b", "_x"], ["Url", "a-b", "_x"], id="good ones stay"),
        pytest.param(["Odd name[1].x"], ["Odd_name_1__x"], id="other signs"),
        pytest.param(["1st", "-x", ""], ["_1st", "_-x", "_"], id="beginnings"),
        pytest.param(["a.b", "a_b", "A b"], ["a_b_2", "a_b", "A_b_3"], id="no two alike"),
        pytest.param(["url", "URL"], ["url", "URL_2"], id="whatever their case"),
        pytest.param(["näh\n=<<"], ["n_h____"], id="what would break the file"),
    ],
)
def test_names(names: list[str], published: list[str]) -> None:
    """A name that GitHub does not take gets one that it takes; a good one keeps its own."""
    assert list(published_names(names).values()) == published


def test_another_name_is_said(job: Job) -> None:
    """Who has to write it in a workflow is told how."""
    assert job.publishes({"Odd.name": "x"}) == {"odd_name": "x"}
    assert job.said == ["output 'Odd.name' is called 'Odd_name' in later steps"]


def test_the_summary(job: Job) -> None:
    """Outcome, identity, outputs without secrets, problems."""
    job.registry.add(SECRET, name="x")
    job.record.identity = StepIdentity(arn="arn:aws:iam::1:role/x", account="1", region="eu-west-1")
    job.record.outputs = {
        "Url": OutputVariable(value=f"https://{SECRET}.test/", sensitive=False),
        "Pw": OutputVariable(value="another-secret", sensitive=True),
    }
    job.record.problems.append(Problem(message="no good", hint="try again"))
    job.publication().summary()
    text = job.summary.read_text()
    assert "### deploy: succeeded in 0.0s" in text
    assert "| role | arn:aws:iam::1:role/x |" in text
    assert r"| Url | https://\*\*\*.test/ |" in text
    assert "| Pw | *sensitive* |" in text
    assert "- no good; try again" in text
    assert SECRET not in text
    assert "another-secret" not in text


@pytest.mark.parametrize(
    "text",
    [
        "a|b", "![x](https://evil.test/x.png)", "<img src=x>", "`x`", "**x**", "&amp;", "# x\n# y",
        "@somebody", "~~x~~", "$x$",
    ],
)  # fmt: skip
def test_text_in_markdown(text: str) -> None:
    """No text is more than itself there: every sign with a meaning is escaped, on one line."""
    shown = escape(text)
    assert "\n" not in shown
    left = shown.replace("\\\\", "")
    for sign in "|`*_{}[]<>()#!~&@$":
        assert left.count(sign) == left.count(f"\\{sign}")


def test_a_long_value_is_shortened_after_masking(job: Job) -> None:
    """A secret at the cut is not half there."""
    secret = "k" * 100 + "".join(map(str, range(200)))
    job.registry.add(secret, name="x")
    value = "v" * 250 + secret
    job.record.outputs = {"Url": OutputVariable(value=value, sensitive=False)}
    text = summary_of(job.record.result(), mask=job.record.masked)
    assert "kkkk" not in text
    assert "vvv" in text


def test_a_hint_stays_whole(job: Job) -> None:
    """What to do next is no output value, and is not cut like one."""
    job.record.failed_after_success("it failed", "do this. " * 100 + "Then that.")
    text = summary_of(job.record.result(), mask=job.record.masked)
    assert "Then that." in text
    job.record.failed_after_success("it failed", "x" * 100_000)
    assert len(summary_of(job.record.result(), mask=job.record.masked)) < 4_000


def test_many_outputs(job: Job) -> None:
    """A summary has an end."""
    job.record.outputs = {
        f"o{number}": OutputVariable(value="x" * 10_000, sensitive=False) for number in range(5000)
    }
    text = summary_of(job.record.result(), mask=job.record.masked)
    assert len(text) < SUMMARY_LIMIT / 4
    assert "and 4800 more" in text


def test_a_full_summary_is_not_overfilled(job: Job) -> None:
    """GitHub drops one that is too large whole; what is there stays."""
    job.summary.write_text("x" * (SUMMARY_LIMIT - 10))
    job.publication().summary()
    assert job.summary.stat().st_size == SUMMARY_LIMIT - 10
    assert "more than" in job.said[-1]


def test_append_writes_all(tmp_path: Path) -> None:
    """Nothing of what was there is touched."""
    file = tmp_path / "x"
    file.write_bytes(b"a")
    append_to(file, b"b" * 1_000_000)
    assert file.read_bytes() == b"a" + b"b" * 1_000_000


def test_values_are_written_in_two_places() -> None:
    """Whoever looks for where a raw value leaves finds it in the module's first lines."""
    assert publish.__doc__
    assert "_entries" in publish.__doc__
