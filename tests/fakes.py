"""The two doors to the world as fakes, a reporter that remembers, and a clock that stands still.

A test programs `FakeAws` and `FakeRun`, hands them to the corridor and reads afterwards what they
were asked. All of them can write into one `journal`, so that a test can say what came before what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from calamari_py.aws import AwsSettings, Parameter
from calamari_py.errors import CloudError, Temporary, TraceRow
from calamari_py.identity import (
    AssumedRole,
    AwsCredentials,
    LauncherCredentials,
    Principal,
    RoleArn,
    RoleRequest,
)
from calamari_py.masking import Masked, MaskedBytes, Secret, SecretRegistry
from calamari_py.output.base import DetailTone, Failure, IdentityReport, StepHeader, Stream
from calamari_py.process import (
    Command,
    Limits,
    OutputSink,
    ProcessExit,
    Pulse,
    SignalInbox,
    StopReason,
)
from calamari_py.result import StepResult

START = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LAUNCHER_ARN = "arn:aws:iam::123456789012:user/launcher"
LAUNCHER_KEY_ID = "AKIALAUNCHERLAUNCHER"
LAUNCHER_SECRET = "launcher/secret+key0123456789abcdefghijk"
LAUNCHER_TOKEN = "launcher-session-token//////////0123456789"


@dataclass
class FrozenClock:
    """UTC that only `advance` moves."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def refusal(
    code: str = "AccessDenied",
    *,
    message: str = "not authorized",
    service: str = "sts",
    operation: str = "AssumeRole",
) -> CloudError:
    """An answer of AWS that says no."""
    return CloudError(
        message,
        service=service,
        operation=operation,
        code=code,
        request_id="req-1",
        hint=f"what {code} asks for",
    )


def throttled() -> Temporary:
    """An answer of AWS that says "later"."""
    return Temporary(
        "AWS could not be reached", service="sts", operation="AssumeRole", code="Throttling"
    )


def step_secrets(number: int) -> tuple[str, str]:
    """Secret key and session token of the `number`-th credentials that `FakeAws` gives out."""
    return f"step/secret+key-number-{number:04d}-abcdefgh", f"step-session-token-{number:04d}=="


def step_key_id(number: int) -> str:
    """Their access key id."""
    return f"ASIASTEP{number:012d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsCall:
    """One call: its operation, who made it (an access key id), what was asked, and where. The
    `service` is said of what `AwsPort.call` was asked for."""

    operation: str
    caller: str
    asked: Any
    region: str | None
    service: str = ""


Answer = Mapping[str, Any] | BaseException | Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What `AwsPort.call` gives: fields, an error, or what makes one of them of the parameters."""


@dataclass
class FakeAws:
    """An AwsPort. `door` is what `Doors.make_aws` wants.

    Roles are granted unless told otherwise: `fail_at` holds what the N-th call (from 1) raises,
    `refuse` what a role's ARN is answered with, `arn_instead` the session ARN that STS claims.
    Issued credentials live for what was asked, or for `lifetime` seconds. As the real door does,
    secrets are registered before anybody sees them.

    `answers` holds what ``cloudformation:DescribeStacks`` and the like are answered with; of
    several answers (a list) the last one stays.
    """

    clock: FrozenClock = field(default_factory=FrozenClock)
    journal: list[str] = field(default_factory=list)
    calls: list[AwsCall] = field(default_factory=list)
    settings: list[AwsSettings] = field(default_factory=list)
    fail_at: dict[int, BaseException] = field(default_factory=dict)
    refuse: dict[str, BaseException] = field(default_factory=dict)
    arn_instead: dict[str, str] = field(default_factory=dict)
    lifetime: int | None = None
    warnings: tuple[str, ...] = ()
    later_warnings: tuple[str, ...] = ()
    offset: timedelta = timedelta()
    trust_policies: dict[str, Mapping[str, Any] | Exception] = field(default_factory=dict)
    sign_in: str | Exception = "https://signin.example/federation?SigninToken=fake-sign-in-token"
    caller_arn: str = LAUNCHER_ARN
    parameters: dict[str, Parameter | Exception] = field(default_factory=dict)
    secrets: dict[str, str | Exception] = field(default_factory=dict)
    profiles: dict[str | None, LauncherCredentials] = field(default_factory=dict)
    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    during: Callable[[AwsCall], None] = lambda call: None
    region: str | None = None
    _registry: SecretRegistry = field(default_factory=SecretRegistry)
    _issued: int = 0

    def door(
        self,
        settings: AwsSettings,
        registry: SecretRegistry,
        environ: Mapping[str, str],
        *,
        credential_source: Callable[[str], AwsCredentials],
        run_process: Callable[[Sequence[str]], bytes] | None = None,
        session_name: str | None = None,
    ) -> FakeAws:
        self.settings.append(settings)
        self.region = settings.region
        self._registry = registry
        return self

    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]

    def requests(self) -> list[RoleRequest]:
        """What ``sts:AssumeRole`` was asked for, in order."""
        return [call.asked for call in self.calls if call.operation == "AssumeRole"]

    def in_region(self, region: str) -> Self:
        self.region = region
        return self

    def assume_role(self, credentials: AwsCredentials, request: RoleRequest) -> AssumedRole:
        self._record("AssumeRole", credentials, request)
        return self._grant(request.role, request.session_name, request.duration)

    def assume_role_with_web_identity(
        self, *, token: Secret, role: RoleArn, session_name: str, duration: int
    ) -> AssumedRole:
        self._record("AssumeRoleWithWebIdentity", None, (role, session_name, duration))
        return self._grant(role, session_name, duration)

    def caller_identity(self, credentials: AwsCredentials) -> Principal:
        self._record("GetCallerIdentity", credentials, None)
        return Principal.parse(self.caller_arn)

    def parameter(self, credentials: AwsCredentials, name: str) -> Parameter:
        self._record("GetParameter", credentials, name)
        answer = self.parameters.get(name) or refusal(
            "ParameterNotFound", service="ssm", operation="GetParameter"
        )
        if isinstance(answer, Exception):
            raise answer
        if answer.sensitive:
            self._registry.add(answer.value, name=name)
        return answer

    def secret(self, credentials: AwsCredentials, secret_id: str) -> Secret:
        self._record("GetSecretValue", credentials, secret_id)
        answer = self.secrets.get(secret_id) or refusal(
            "ResourceNotFoundException", service="secretsmanager", operation="GetSecretValue"
        )
        if isinstance(answer, Exception):
            raise answer
        self._registry.add(answer, name=secret_id)
        return Secret(answer)

    def clock_offset(self) -> timedelta:
        return self.offset

    def take_warnings(self) -> tuple[str, ...]:
        taken, self.later_warnings = self.later_warnings, ()
        return taken

    def trust_policy(self, credentials: AwsCredentials, role: RoleArn) -> Mapping[str, Any]:
        self._record("GetRole", credentials, role)
        answer = self.trust_policies.get(str(role)) or refusal(service="iam", operation="GetRole")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sign_in_url(
        self,
        credentials: AwsCredentials,
        *,
        destination: str | None = None,
        issuer: str | None = None,
        session_duration: int | None = None,
    ) -> Secret:
        self._record("GetSigninToken", credentials, (destination, issuer, session_duration))
        if isinstance(self.sign_in, Exception):
            raise self.sign_in
        self._registry.add(self.sign_in, name="sign-in URL")
        return Secret(self.sign_in)

    def call(
        self,
        credentials: AwsCredentials,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        subject: str = "",
        budget: float | None = None,
    ) -> Mapping[str, Any]:
        self._record(operation, credentials, dict(params), service)
        name = f"{service}:{operation}"
        assert name in self.answers, f"nobody told FakeAws.answers what to say to {name}"
        answer = self.answers[name]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer(params) if callable(answer) else answer

    def profile_credentials(self, profile: str | None) -> LauncherCredentials | None:
        self._record("profile", None, profile)
        return self.profiles.get(profile)

    def _record(
        self, operation: str, credentials: AwsCredentials | None, asked: Any, service: str = ""
    ) -> None:
        caller = credentials.access_key_id if credentials else ""
        call = AwsCall(
            operation=operation, caller=caller, asked=asked, region=self.region, service=service
        )
        self.calls.append(call)
        self.journal.append(operation)
        self.during(call)
        if error := self.fail_at.get(len(self.calls)):
            raise error

    def _grant(self, role: RoleArn, session_name: str, duration: int) -> AssumedRole:
        if error := self.refuse.get(str(role)):
            raise error
        self._issued += 1
        key, token = step_secrets(self._issued)
        self._registry.add(key, name="AWS secret access key")
        self._registry.add(token, name="AWS session token")
        lives = duration if self.lifetime is None else self.lifetime
        arn = self.arn_instead.get(
            str(role),
            f"arn:{role.partition}:sts::{role.account}:assumed-role/{role.name}/{session_name}",
        )
        return AssumedRole(
            credentials=AwsCredentials(
                access_key_id=step_key_id(self._issued),
                secret_access_key=Secret(key),
                session_token=Secret(token),
                expires_at=self.clock.now + self.offset + timedelta(seconds=lives),
            ),
            principal=Principal.parse(arn),
            duration=duration,
            request_id=f"req-{self._issued}",
            warnings=self.warnings,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A fake child while it runs: what it was given, and what it can do."""

    command: Command
    sink: OutputSink
    limits: Limits
    inbox: SignalInbox
    tell: Callable[[str], None]

    @property
    def environment(self) -> Mapping[str, str]:
        return self.command.environment

    def write(self, data: bytes, stream: Stream = "stdout") -> None:
        """As the loop does it: declarations first, then the bytes."""
        self.sink.before_feed({stream: data})
        self.sink.feed(stream, data)

    def declare(self, kind: str, content: bytes | str) -> None:
        """A declaration as the functions for scripts make it."""
        folder = Path(self.environment["CALAMARI_DECLARATIONS"])
        number = len(list(folder.iterdir())) + 1
        data = content.encode() if isinstance(content, str) else content
        (folder / f"{kind}-{number}-fake").write_bytes(data)

    def publish(self, text: str) -> None:
        """Text appended to the output file."""
        with Path(self.environment["CALAMARI_OUTPUT"]).open("a", encoding="utf-8") as file:
            file.write(text)


Child = Callable[[Running], ProcessExit | int]
"""What a fake child does; it returns its exit code, or how exactly it ended."""


def prints(*chunks: bytes, code: int = 0, stream: Stream = "stdout") -> Child:
    """A child that writes `chunks` one after the other and ends with `code`."""

    def child(running: Running) -> int:
        for chunk in chunks:
            running.write(chunk, stream)
        return code

    return child


def ends(
    code: int, stopped: StopReason | None = None, signum: int | None = None, **more: Any
) -> Child:
    """A silent child that ends so."""
    return lambda running: ProcessExit(code=code, stopped=stopped, signum=signum, **more)


@dataclass
class FakeRun:
    """The process door. `children` are run in turn; after the last one every child just succeeds.
    A command whose arguments begin with the words of one of `answers` (``workspace select``; the
    longest that fits) is answered by that one instead, or by one of several in turn, of which the
    last stays.

    It keeps the door's promises: signals wait meanwhile, each stream is closed once, and a reader
    that went away ends the child.
    """

    children: Sequence[Child] = ()
    answers: dict[str, Child | list[Child]] = field(default_factory=dict)
    journal: list[str] = field(default_factory=list)
    started: list[Running] = field(default_factory=list)

    def __call__(
        self,
        command: Command,
        sink: OutputSink,
        limits: Limits,
        inbox: SignalInbox,
        *,
        pulse: Pulse,
        tell: Callable[[str], None],
        idle_flush: float = 0.025,
    ) -> ProcessExit:
        running = Running(command=command, sink=sink, limits=limits, inbox=inbox, tell=tell)
        number = len(self.started)
        inbox.raise_waiting()
        self.started.append(running)
        self.journal.append("run")
        child = self._answer(command)
        if child is None:
            child = self.children[number] if number < len(self.children) else ends(0)
        with inbox.queued():
            try:
                ended = child(running)
                sink.close("stdout")
                sink.close("stderr")
            except BrokenPipeError:
                return ProcessExit(code=143, stopped=StopReason.READER_GONE)
        return ProcessExit(code=ended) if isinstance(ended, int) else ended

    def _answer(self, command: Command) -> Child | None:
        arguments = " ".join(command.argv[1:]) + " "
        fitting = [words for words in self.answers if arguments.startswith(f"{words} ")]
        if not fitting:
            return None
        answer = self.answers[max(fitting, key=len)]
        if isinstance(answer, list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return answer

    @property
    def commands(self) -> list[Command]:
        return [running.command for running in self.started]

    @property
    def environments(self) -> list[Mapping[str, str]]:
        return [running.command.environment for running in self.started]


@dataclass
class RecordingReporter:
    """A Reporter that remembers. `fail_on` maps a method's name to what it raises."""

    journal: list[str] = field(default_factory=list)
    events: list[tuple[str, Any]] = field(default_factory=list)
    hints: dict[str, str] = field(default_factory=dict)
    fail_on: dict[str, BaseException] = field(default_factory=dict)
    during: dict[str, Callable[[], None]] = field(default_factory=dict)

    def started(self, header: StepHeader) -> None:
        self._take("started", header)

    def identity(self, report: IdentityReport) -> None:
        self._take("identity", report)

    def trace(self, rows: Sequence[TraceRow]) -> None:
        self._take("trace", tuple(rows))

    def output(self, stream: Stream, data: MaskedBytes) -> None:
        self._take("output", (stream, data))

    def detail(
        self, line: Masked, event: str, fields: Mapping[str, Any], *, tone: DetailTone = ""
    ) -> None:
        self._take("detail", (line, event, dict(fields)))

    def progress(
        self,
        percent: float | None,
        message: Masked,
        *,
        passing: bool = False,
        rows: Sequence[Masked] = (),
    ) -> None:
        self._take("passing" if passing else "progress", (percent, message))

    def note(self, message: Masked) -> None:
        self._take("note", message)

    def highlight(self, message: Masked) -> None:
        self._take("highlight", message)

    def warning(self, message: Masked, hint: Masked | None = None) -> None:
        self._take("warning", message)
        if hint:
            self.hints[message] = hint

    def setback(self, message: Masked, hint: Masked | None = None) -> None:
        self.warning(message, hint)

    def failed(self, failure: Failure) -> None:
        self._take("failed", failure)

    def finished(self, result: StepResult) -> None:
        self._take("finished", result)

    def _take(self, name: str, what: Any) -> None:
        if error := self.fail_on.get(name):
            raise error
        self.events.append((name, what))
        self.journal.append(name)
        if act := self.during.get(name):
            act()

    def told(self, name: str) -> list[Any]:
        """What the method `name` was told, in order."""
        return [what for event, what in self.events if event == name]

    def shown(self, stream: Stream = "stdout") -> bytes:
        """Everything of one of the child's streams."""
        return b"".join(data for name, data in self.told("output") if name == stream)

    @property
    def warnings(self) -> list[str]:
        return self.told("warning")

    @property
    def notes(self) -> list[str]:
        return self.told("note")

    @property
    def failure(self) -> Failure:
        """The one failure of the run."""
        (failure,) = self.told("failed")
        assert isinstance(failure, Failure)
        return failure

    @property
    def text(self) -> str:
        """All that was ever told, as one text to search for what must not be there."""
        parts = []
        for name, what in self.events:
            if isinstance(what, StepResult):
                parts.append(repr(what.to_document()))
            parts.append(f"{name} {what!r}")
            if name == "output":
                parts.append(what[1].decode("utf-8", "replace"))
        return "\n".join(parts)
