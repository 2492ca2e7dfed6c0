"""A terraform that says what it is told to, and a step's context in front of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from calamari_py.identity import AwsCredentials
from calamari_py.process.base import Command, ProcessExit, StopReason
from calamari_py.steps.base import Captured, LineReader, StepContext
from calamari_py.steps.terraform.spec import TerraformSpec
from tests.fake_cloudformation import JumpingClock
from tests.steps.report import Report

BINARY = Path("/opt/bin/terraform")
VERSION_JSON = b'{"terraform_version": "1.11.4", "terraform_outdated": false}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How one command ends. `stopped` and `signum` are as in `ProcessExit`; `act` is done before
    the command ends, and may raise: it is what happens while the command runs."""

    code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    stopped: StopReason | None = None
    signum: int | None = None
    act: Callable[[], object] | None = None

    @property
    def exit(self) -> ProcessExit:
        """Its end."""
        return ProcessExit(code=self.code, stopped=self.stopped, signum=self.signum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One command that was run. `last_words` is None but for a look after the end."""

    argv: tuple[str, ...]
    command: Command
    streamed: bool
    last_words: float | None = None

    @property
    def words(self) -> str:
        """Its arguments, without the program."""
        return " ".join(self.argv)


class FakeTool:
    """Terraform, as `StepContext.read` and `StepContext.capture` run it.

    What is asked decides by the arguments it begins with (``init``, ``workspace select``), the
    longest that fits. The last answer is given again and again. A command that nobody wrote an
    answer for is a success without a word.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, ...], list[Answer]] = {}
        self.on("version -json", Answer(stdout=VERSION_JSON))

    def on(self, words: str, *answers: Answer) -> None:
        """Answer so, in this order, whatever begins with `words`."""
        self._answers[tuple(words.split())] = list(answers)

    def read(self, command: Command, reader: LineReader) -> ProcessExit:
        """A `StepContext.read`."""
        answer = self._answer(command, streamed=True)
        for line in answer.stdout.splitlines():
            reader.line("stdout", line)
        for line in answer.stderr.splitlines():
            reader.line("stderr", line)
        if answer.act is not None:
            answer.act()
        return answer.exit

    def capture(self, command: Command, *, last_words: float | None = None) -> Captured:
        """A `StepContext.capture`."""
        answer = self._answer(command, streamed=False, last_words=last_words)
        if answer.act is not None:
            answer.act()
        return Captured(exit=answer.exit, stdout=answer.stdout, stderr=answer.stderr)

    def words(self) -> list[str]:
        """The arguments of all commands, in order."""
        return [call.words for call in self.calls]

    def called(self, words: str) -> list[Call]:
        """The commands that begin with `words`."""
        begin = tuple(words.split())
        return [call for call in self.calls if call.argv[: len(begin)] == begin]

    def _answer(
        self, command: Command, *, streamed: bool, last_words: float | None = None
    ) -> Answer:
        argv = command.argv[1:]
        self.calls.append(
            Call(argv=argv, command=command, streamed=streamed, last_words=last_words)
        )
        fitting = [begin for begin in self._answers if argv[: len(begin)] == begin]
        if not fitting:
            return Answer()
        answers = self._answers[max(fitting, key=len)]
        return answers.pop(0) if len(answers) > 1 else answers[0]


@dataclass
class ToolReport(Report):
    """The report of a kind that starts a tool.

    `texts` are the bytes of each `of`, `kept` the contents of the artifacts by name. Where
    `takes_artifacts` is false there is no folder for them.
    """

    texts: dict[str, bytes] = field(default_factory=dict)
    kept: dict[str, bytes] = field(default_factory=dict)
    unmasked: set[str] = field(default_factory=set)
    takes_artifacts: bool = True
    folder: Path | None = None
    """Where artifacts are really written; None for nowhere."""
    has_changed: bool | None = None

    def hide(self, value: str, name: str) -> None:
        super().hide(value, name)
        self.told.append(("hide", name))

    def text(self, data: bytes, *, of: str = "") -> None:
        self.texts[of] = self.texts.get(of, b"") + data
        self.told.append(("text", data.decode("utf-8", "replace")))

    def settle(self) -> None:
        self.told.append(("settle", ""))

    def artifact(self, path: Path, name: str, *, as_it_is: bool = False) -> Path | None:
        if not self.takes_artifacts:
            return None
        self.kept[name] = path.read_bytes()
        if as_it_is:
            self.unmasked.add(name)
        if self.folder is None:
            return Path("artifacts", name)
        (self.folder / name).write_bytes(self.kept[name])
        return self.folder / name


def tool_spec(directory: Path, **changes: Any) -> TerraformSpec:
    """A deployment of the root module in `directory`; `changes` of its fields."""
    fields: dict[str, Any] = {"action": "deploy", "binary": BINARY, "directory": directory}
    return TerraformSpec(**{**fields, **changes})


def tool_context(
    folder: Path,
    tool: FakeTool,
    *,
    report: ToolReport | None = None,
    clock: JumpingClock | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> StepContext:
    """What the kind is given: `tool` runs all commands; private and temp folders are in `folder`
    and are made."""
    private, temp = folder / "private", folder / "temp"
    for each in (private, temp):
        each.mkdir(mode=0o700, exist_ok=True, parents=True)
    report = report or ToolReport()
    return StepContext(
        environment=environment or {"PATH": "/usr/bin:/bin"},
        private=private,
        temp=temp,
        run=_unread,
        read=tool.read,
        capture=tool.capture,
        warn=report.warn,
        credentials=_no_credentials,
        aws=_NoAws(),
        report=report,
        clock=clock or JumpingClock(),
        timeout=timeout,
    )


def lines(*texts: str | Sequence[str]) -> bytes:
    """These lines as bytes, each with its end."""
    flat = [one for each in texts for one in ([each] if isinstance(each, str) else each)]
    return "".join(f"{one}\n" for one in flat).encode()


class _NoAws:
    region = "eu-west-1"
    account: str | None = "111111111111"
    partition = "aws"
    arn: str | None = None
    role: str | None = None

    def call(self, service: str, operation: str, params: Mapping[str, Any], **_: Any) -> Any:
        raise AssertionError(f"terraform itself asks {service} for {operation}")


def _unread(command: Command) -> ProcessExit:
    raise AssertionError(f"nobody reads {command.argv}")


def _no_credentials() -> AwsCredentials:
    raise AssertionError("the environment names where they are")
