"""What is handed to Octopus Deploy: outputs as variables, artifacts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from calamari_py.errors import OutputNotWritable
from calamari_py.masking import SecretRegistry
from calamari_py.output.base import CiCommand
from calamari_py.result import Outcome, OutputVariable
from calamari_py.runner.publish import Publication
from calamari_py.runner.record import RunRecord
from calamari_py.steps import STEP_KINDS
from tests.fakes import RecordingReporter
from tests.output.octopus_server import FakeOctopus

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
SECRET = "s3cr3t-value-1"
STACK_ID = "arn:aws:cloudformation:eu-west-1:111111111111:stack/net/1"


@dataclass
class MessageReporter(RecordingReporter):
    """A reporter that Octopus reads; `refuses` is what writing a message raises."""

    hides_messages: bool = True
    lines: list[bytes] = field(default_factory=list)
    refuses: Exception | None = None

    def service_message(self, line: CiCommand) -> None:
        if self.refuses:
            raise self.refuses
        self.lines.append(line)


@dataclass
class Task:
    """One run below Octopus."""

    reporter: MessageReporter = field(default_factory=MessageReporter)
    said: list[str] = field(default_factory=list)
    artifacts: Path | None = None
    octopus_name: Callable[[str], str | None] = STEP_KINDS["script"].octopus_name

    def __post_init__(self) -> None:
        self.record = RunRecord(
            step="deploy",
            registry=SecretRegistry(),
            now=lambda: START,
            started_at=START,
            outcome=Outcome.SUCCEEDED,
            exit_code=0,
        )

    def has(self, name: str, value: str, *, sensitive: bool = False) -> None:
        self.record.outputs[name] = OutputVariable(value=value, sensitive=sensitive)

    def publish(self, **environ: str) -> FakeOctopus:
        """What Octopus makes of it."""
        publication = Publication(
            record=self.record,
            reporter=self.reporter,
            environ=environ,
            warn=self.said.append,
            tell=self.said.append,
            fail=lambda text, hint: self.said.extend([text, hint or ""]),
            artifacts=self.artifacts,
            octopus_name=self.octopus_name,
        )
        publication.outputs()
        publication.summary()
        return FakeOctopus.reads(b"\n".join(self.reporter.lines))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("plain", id="plain"),
        pytest.param("", id="empty"),
        pytest.param("a\nb\r\n'\"]<&>", id="lines and quotes"),
        pytest.param("部署", id="unicode"),
        pytest.param("##octopus[setVariable name='eA==']", id="a message"),
    ],
)
def test_an_output_is_a_variable(value: str) -> None:
    """Later steps see every output by its own name, with exactly its value."""
    task = Task()
    task.has("Some Name.x", value)
    assert task.publish().named("setVariable") == [{"name": "Some Name.x", "value": value}]
    assert task.said == []


def test_a_sensitive_output_is_a_sensitive_variable() -> None:
    """Octopus is told to mask it; in the line itself nobody reads it."""
    task = Task()
    task.has("Password", SECRET, sensitive=True)
    assert task.publish().named("setVariable") == [
        {"name": "Password", "value": SECRET, "sensitive": "True"}
    ]
    assert SECRET.encode() not in task.reporter.lines[0]


def test_a_secret_is_for_octopus_alone() -> None:
    """Where something else may read our output sensitive ones are left out, by name."""
    task = Task(reporter=MessageReporter(hides_messages=False))
    task.has("Url", "https://x")
    task.has("Password", SECRET, sensitive=True)
    assert task.publish().variables == {"Url": "https://x"}
    (warning,) = task.said
    assert "'Password'" in warning
    assert "Octopus" in warning
    assert SECRET not in warning


@pytest.mark.parametrize(
    ("kind", "name", "second"),
    [
        pytest.param("cloudformation", "Outputs.Url", "AwsOutputs[Url]", id="an output"),
        pytest.param("cloudformation", "StackId", "AwsOutputs[StackId]", id="the stack"),
        pytest.param("cloudformation", "StackName", None, id="no output of the stack"),
        pytest.param("script", "Outputs.Url", None, id="of a script"),
        pytest.param("script", "StackId", None, id="of a script, too"),
    ],
)
def test_names(kind: str, name: str, second: str | None) -> None:
    """Outputs are there by the names that Octopus's own step of the kind gives them, too."""
    assert STEP_KINDS[kind].octopus_name(name) == second


def test_a_stacks_outputs_keep_their_secrets() -> None:
    """The second name of a sensitive output is sensitive, too."""
    task = Task(octopus_name=STEP_KINDS["cloudformation"].octopus_name)
    task.has("StackId", STACK_ID)
    task.has("Outputs.DbUrl", SECRET, sensitive=True)
    read = task.publish()
    assert read.variables == {
        "StackId": STACK_ID,
        "AwsOutputs[StackId]": STACK_ID,
        "Outputs.DbUrl": SECRET,
        "AwsOutputs[DbUrl]": SECRET,
    }
    sensitive = [each["name"] for each in read.named("setVariable") if "sensitive" in each]
    assert sensitive == ["Outputs.DbUrl", "AwsOutputs[DbUrl]"]


def test_artifacts(tmp_path: Path) -> None:
    """Octopus fetches what was collected: by its path, name and size."""
    (tmp_path / "plan.txt").write_text("12345")
    task = Task(artifacts=tmp_path)
    task.record.artifacts.append("plan.txt")
    assert task.publish().named("createArtifact") == [
        {"path": str(tmp_path / "plan.txt"), "name": "plan.txt", "length": "5"}
    ]


def test_no_files_of_another_system(tmp_path: Path) -> None:
    """Below Octopus a file for GitHub's outputs is somebody else's."""
    file = tmp_path / "output"
    file.write_text("")
    task = Task()
    task.has("Password", SECRET, sensitive=True)
    task.publish(GITHUB_OUTPUT=str(file), GITHUB_STEP_SUMMARY=str(file))
    assert file.read_text() == ""


@pytest.mark.parametrize(
    "refuses",
    [
        pytest.param(BrokenPipeError(32, "Broken pipe"), id="nobody reads"),
        pytest.param(OutputNotWritable("broken pipe"), id="cannot be written"),
    ],
)
def test_what_is_lost_is_said(refuses: Exception) -> None:
    """A success whose outputs never arrive is none."""
    task = Task(reporter=MessageReporter(refuses=refuses))
    task.has("Url", "https://x")
    task.publish()
    assert task.said[0] == "the outputs are not handed to Octopus: broken pipe"
    assert "later steps do not get them" in task.said[1]
